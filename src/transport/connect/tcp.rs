//! Happy Eyeballs: all addresses of a name, the next one 250 ms after the last or as soon as it
//! failed (RFC 8305 §5).
//!
//! A resolver gives both families at once, in the order of RFC 6724 if it is the system's, so of
//! RFC 8305 only §4 (the families take turns) and §5 (the race) are left to be done. Who loses is
//! dropped, and so closed.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, Sleep, sleep_until, timeout},
};

use super::{failed, system};
use crate::{
    error::{Error, ErrorKind, Result},
    phase::{Budget, Phase},
    sockets::{Local, SocketOptions},
};

/// Connects to the first address that answers, within a time for all of them together.
pub(super) async fn connect(
    addresses: Vec<SocketAddr>,
    host: &str,
    options: &SocketOptions,
    limit: Option<Duration>,
) -> Result<TcpStream> {
    let mut race = Race::new(addresses, options);
    let connected = match limit {
        None => Ok(poll_fn(|cx| race.poll(cx)).await),
        Some(limit) => timeout(limit, poll_fn(|cx| race.poll(cx))).await.map_err(|_| limit),
    };
    match connected {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(Lost)) => Err(race.none_answered(host)),
        Err(limit) => {
            let error = Error::timed_out(Phase::Connect, Budget::Connect, limit);
            Err(error.adding(format!("; {host} was tried at {race}")))
        }
    }
}

/// Opens one connection, with every option set before the first packet.
async fn dial(address: SocketAddr, options: &SocketOptions) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    prepare(&socket, address, options)?;
    socket.connect(address).await
}

fn prepare(socket: &TcpSocket, peer: SocketAddr, options: &SocketOptions) -> io::Result<()> {
    let SocketOptions { interface, keep_alive, user_timeout, local_v4: _, local_v6: _, unix: _ } =
        options;
    // Small requests must not wait for the answer to the last one.
    socket.set_nodelay(true)?;
    if let Some(keep_alive) = keep_alive {
        let asked = TcpKeepalive::new()
            .with_time(keep_alive.idle)
            .with_interval(keep_alive.interval)
            .with_retries(keep_alive.count);
        SockRef::from(socket).set_tcp_keepalive(&asked)?;
    }
    if let Some(limit) = user_timeout {
        system::set_user_timeout(SockRef::from(socket), *limit)?;
    }
    if let Some(name) = interface {
        system::bind_to_interface(SockRef::from(socket), name)
            .map_err(|e| unusable(&format!("the interface {name}"), &e))?;
    }
    match options.local_for(peer.ip()) {
        Local::Any => Ok(()),
        Local::This(local) => socket
            .bind(SocketAddr::new(local, 0))
            .map_err(|e| unusable(&format!("the local address {local}"), &e)),
        Local::Missing => {
            Err(io::Error::new(io::ErrorKind::Unsupported, "no local address of its family is set"))
        }
    }
}

#[cold]
fn unusable(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} cannot be used: {error}"))
}

type Attempt<'o> = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'o>>;

/// The addresses of one host, and what became of each.
struct Race<'o> {
    options: &'o SocketOptions,
    waiting: VecDeque<SocketAddr>,
    running: Vec<(SocketAddr, Attempt<'o>)>,
    failures: Vec<(SocketAddr, io::Error)>,
    /// A timer rounds up to a millisecond, so what is due at once does not ask it.
    next_is_due: bool,
    next_at: Pin<Box<Sleep>>,
}

/// No address is left.
struct Lost;

impl<'o> Race<'o> {
    fn new(addresses: Vec<SocketAddr>, options: &'o SocketOptions) -> Self {
        Self {
            options,
            waiting: interleaved(addresses),
            running: Vec::new(),
            failures: Vec::new(),
            next_is_due: true,
            next_at: Box::pin(sleep_until(Instant::now())),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<TcpStream, Lost>> {
        loop {
            if let Some(stream) = self.poll_running(cx) {
                return Poll::Ready(Ok(stream));
            }
            if self.waiting.is_empty() && self.running.is_empty() {
                return Poll::Ready(Err(Lost));
            }
            if self.waiting.is_empty() {
                return Poll::Pending;
            }
            if !self.next_is_due {
                ready!(self.next_at.as_mut().poll(cx));
            }
            self.begin_next();
        }
    }

    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<TcpStream> {
        let mut at = 0;
        while at < self.running.len() {
            match self.running[at].1.as_mut().poll(cx) {
                Poll::Ready(Ok(stream)) => return Some(stream),
                Poll::Ready(Err(error)) => {
                    let (address, _) = self.running.remove(at);
                    self.failures.push((address, error));
                    self.next_is_due = true;
                }
                Poll::Pending => at += 1,
            }
        }
        None
    }

    fn begin_next(&mut self) {
        self.next_is_due = false;
        if let Some(address) = self.waiting.pop_front() {
            self.running.push((address, Box::pin(dial(address, self.options))));
            self.next_at.as_mut().reset(Instant::now() + ATTEMPT_DELAY);
        }
    }

    #[cold]
    fn none_answered(mut self, host: &str) -> Error {
        if self.failures.len() == 1
            && let Some((address, error)) = self.failures.pop()
        {
            let message = format!("{host} ({address}) did not accept a connection");
            return failed(ErrorKind::Connect, Phase::Connect, message).because(error);
        }
        let message = format!("no address of {host} accepted a connection ({self})");
        failed(ErrorKind::Connect, Phase::Connect, message)
    }
}

/// Each address with what became of it.
impl fmt::Display for Race<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.failures.iter().map(|(address, error)| format!("{address}: {error}"));
        let running = self.running.iter().map(|(address, _)| format!("{address}: no answer"));
        let waiting = self.waiting.iter().map(|address| format!("{address}: not its turn yet"));
        let all = failed.chain(running).chain(waiting).collect::<Vec<_>>();
        f.write_str(&all.join("; "))
    }
}

/// The addresses in their order, each once, but the families in turn (RFC 8305 §4).
fn interleaved(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut mixed = VecDeque::with_capacity(first.len() + second.len());
    while let Some(address) = first.pop_front().or_else(|| second.pop_front()) {
        for address in [Some(address), second.pop_front()].into_iter().flatten() {
            if !mixed.contains(&address) {
                mixed.push_back(address);
            }
        }
    }
    mixed
}

/// The Connection Attempt Delay that RFC 8305 §8 recommends.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &[&str], expected: &[&str]) {
        let parse = |text: &&str| text.parse::<SocketAddr>().expect("an address");
        let mixed = interleaved(addresses.iter().map(parse).collect());
        assert_eq!(mixed, expected.iter().map(parse).collect::<Vec<_>>());
    }

    #[test]
    fn rfc_8305_section_4_families_take_turns_beginning_with_the_resolvers_choice() {
        check(&[], &[]);
        check(&["1.1.1.1:1"], &["1.1.1.1:1"]);
        check(
            &["[::1]:1", "[::2]:1", "1.1.1.1:1", "2.2.2.2:1"],
            &["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1"],
        );
        check(
            &["1.1.1.1:1", "[::1]:1", "[::2]:1", "[::3]:1"],
            &["1.1.1.1:1", "[::1]:1", "[::2]:1", "[::3]:1"],
        );
    }

    #[test]
    fn an_address_that_is_named_twice_is_called_once() {
        check(&["1.1.1.1:1", "[::1]:1", "1.1.1.1:1", "[::1]:1"], &["1.1.1.1:1", "[::1]:1"]);
        check(&["1.1.1.1:1", "1.1.1.1:2"], &["1.1.1.1:1", "1.1.1.1:2"]);
    }
    #[test]
    fn what_is_small_is_sent_at_once() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("an address");
        runtime.expect("an event loop").block_on(async {
            let stream = dial(address, &SocketOptions::default()).await.expect("a connection");
            assert!(stream.nodelay().expect("an open socket"));
        });
    }
}
