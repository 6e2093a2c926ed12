//! Happy Eyeballs: all addresses of a name, the next one 250 ms after the last or as soon as it
//! failed (RFC 8305 §5).

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until},
};

use super::failed;
use crate::{
    error::{Error, ErrorKind, Result},
    origin::Origin,
    phase::Phase,
};

/// Connects to the first address that answers.
pub(super) async fn connect(addresses: Vec<SocketAddr>, origin: &Origin) -> Result<TcpStream> {
    match race(interleaved(addresses)).await {
        Ok(stream) => {
            // Small requests must not wait for the answer to the last one.
            stream.set_nodelay(true).map_err(|e| {
                failed(ErrorKind::Connect, Phase::Connect, "the socket failed".into()).because(e)
            })?;
            Ok(stream)
        }
        Err(attempts) => Err(none_answered(origin, attempts)),
    }
}

type Attempt = Pin<Box<dyn Future<Output = (SocketAddr, io::Result<TcpStream>)> + Send>>;
type Failed = Vec<(SocketAddr, io::Error)>;

async fn race(mut waiting: VecDeque<SocketAddr>) -> Result<TcpStream, Failed> {
    let mut running: Vec<Attempt> = Vec::new();
    let mut failures = Failed::new();
    // A timer rounds up to a millisecond, so what is due at once does not ask it.
    let mut next_is_due = true;
    let mut next_at = pin!(sleep_until(Instant::now()));
    poll_fn(|cx| {
        loop {
            let mut at = 0;
            while at < running.len() {
                match running[at].as_mut().poll(cx) {
                    Poll::Ready((_, Ok(stream))) => return Poll::Ready(Ok(stream)),
                    Poll::Ready((address, Err(error))) => {
                        drop(running.swap_remove(at));
                        failures.push((address, error));
                        next_is_due = true;
                    }
                    Poll::Pending => at += 1,
                }
            }
            if waiting.is_empty() && running.is_empty() {
                return Poll::Ready(Err(std::mem::take(&mut failures)));
            }
            let is_due = next_is_due || next_at.as_mut().poll(cx).is_ready();
            if waiting.is_empty() || !is_due {
                return Poll::Pending;
            }
            next_is_due = false;
            if let Some(address) = waiting.pop_front() {
                running.push(Box::pin(async move { (address, TcpStream::connect(address).await) }));
                next_at.as_mut().reset(Instant::now() + ATTEMPT_DELAY);
            }
        }
    })
    .await
}

/// The addresses in their order, but the families in turn (RFC 8305 §4).
fn interleaved(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut mixed = VecDeque::with_capacity(first.len() + second.len());
    while let Some(address) = first.pop_front() {
        mixed.push_back(address);
        mixed.extend(second.pop_front());
    }
    mixed.extend(second);
    mixed
}

fn none_answered(origin: &Origin, failures: Failed) -> Error {
    let host = &origin.host;
    let mut failures = failures;
    if failures.len() == 1
        && let Some((address, error)) = failures.pop()
    {
        let message = format!("{host} ({address}) did not accept a connection");
        return failed(ErrorKind::Connect, Phase::Connect, message).because(error);
    }
    let tried = failures.iter().map(|(address, error)| format!("{address}: {error}"));
    let tried = tried.collect::<Vec<_>>().join("; ");
    let message = format!("no address of {host} accepted a connection ({tried})");
    failed(ErrorKind::Connect, Phase::Connect, message)
}

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
}
