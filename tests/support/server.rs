//! The server a test talks to.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::certificates::{ServerName, tls_config, tls_config_of};
use super::exchange::{Exchange, serve};
use super::ledger::{Ended, Greeting, Ledger, StreamReset};
use super::request::Request;
use super::wire::Wire;

/// A server on an ephemeral port of 127.0.0.1 that lives as long as this value.
///
/// Dropping it closes every socket, waits for its threads, and panics if a handler panicked.
pub(crate) struct Server {
    pub(super) ledger: Arc<Ledger>,
    addr: SocketAddr,
    scheme: &'static str,
}

impl Server {
    /// Speaks HTTP/1.1; `handler` is called for each request on its connection's thread.
    pub(crate) fn http(handler: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        Self::serving("http", move |socket, connection, ledger| {
            serve(Wire::plain(socket), connection, ledger, &handler);
        })
    }

    /// Speaks HTTP/1.1 over TLS, as `localhost`, `127.0.0.1` and `::1`.
    pub(crate) fn https(handler: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        Self::https_as(ServerName::Right, handler)
    }

    /// Speaks HTTP/1.1 over TLS and shows the certificate named.
    pub(crate) fn https_as(
        name: ServerName,
        handler: impl Fn(&mut Exchange) + Send + Sync + 'static,
    ) -> Self {
        Self::secure(tls_config(name, "http/1.1", false), handler)
    }

    /// Speaks HTTP/1.1 over TLS 1.2 and no newer version.
    pub(crate) fn https_with_tls_1_2(
        handler: impl Fn(&mut Exchange) + Send + Sync + 'static,
    ) -> Self {
        let old = &[&rustls::version::TLS12];
        Self::secure(tls_config_of(old, ServerName::Right, "http/1.1", false), handler)
    }

    /// Speaks HTTP/1.1 over TLS with clients that show a certificate of the test root.
    pub(crate) fn mutual_tls(handler: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Self {
        Self::secure(tls_config(ServerName::Right, "http/1.1", true), handler)
    }

    fn secure(
        config: Arc<ServerConfig>,
        handler: impl Fn(&mut Exchange) + Send + Sync + 'static,
    ) -> Self {
        Self::serving("https", move |socket, connection, ledger| {
            match Wire::secure(socket, Arc::clone(&config)) {
                Ok(wire) => {
                    ledger.write(|state| {
                        state.handshakes += 1;
                        state.greetings.extend(wire.greeting());
                    });
                    serve(wire, connection, ledger, &handler);
                }
                Err(_refused) => ledger.depart(connection),
            }
        })
    }

    /// Hands every accepted socket to `connection`, which runs on a thread of its own.
    pub(super) fn serving(
        scheme: &'static str,
        connection: impl Fn(Arc<TcpStream>, usize, &Arc<Ledger>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let server = Self::listening(scheme, listener.local_addr().expect("an address"));
        let ledger = Arc::clone(&server.ledger);
        let connection = Arc::new(connection);
        server.spawn("accept", move || accept(&listener, &ledger, &connection));
        server
    }

    /// A server whose threads are still to be spawned.
    pub(super) fn listening(scheme: &'static str, addr: SocketAddr) -> Self {
        Self { ledger: Arc::new(Ledger::new()), addr, scheme }
    }

    /// Runs `work` on a thread that the server waits for and whose panic fails the test.
    pub(super) fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) {
        spawn(&self.ledger, name, work);
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// An absolute URL of this server; `path` begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.addr)
    }

    /// Like [`Self::url`], with a name in place of the address.
    pub(crate) fn url_at(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.addr.port())
    }

    /// How many connections were accepted in all.
    pub(crate) fn connections(&self) -> usize {
        self.ledger.read(|state| state.connections)
    }

    /// How many TLS handshakes were finished.
    pub(crate) fn handshakes(&self) -> usize {
        self.ledger.read(|state| state.handshakes)
    }

    /// How the TLS handshakes of HTTP/1.1 connections went, in their order.
    pub(crate) fn greetings(&self) -> Vec<Greeting> {
        self.ledger.read(|state| state.greetings.clone())
    }

    /// How many connections are open now.
    pub(crate) fn open_connections(&self) -> usize {
        self.ledger.open()
    }

    /// How many connections were open at once at most.
    pub(crate) fn max_open(&self) -> usize {
        self.ledger.read(|state| state.max_open)
    }

    /// How many request heads were read.
    pub(crate) fn requests(&self) -> usize {
        self.ledger.read(|state| state.requests.len())
    }

    /// The request heads in the order they were read.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.ledger.read(|state| state.requests.clone())
    }

    /// When connections ended, in that order.
    pub(crate) fn departures(&self) -> Vec<Instant> {
        self.ledger.read(|state| state.departures.clone())
    }

    /// The RST_STREAM frames of HTTP/2 clients in their order.
    pub(crate) fn resets(&self) -> Vec<StreamReset> {
        self.ledger.read(|state| state.resets.clone())
    }

    /// Counts one more signal of this name, for handlers that wait for it.
    pub(crate) fn signal(&self, name: &str) {
        self.ledger.signal(name);
    }

    /// How often `name` was signalled so far.
    pub(crate) fn signalled(&self, name: &str) -> usize {
        self.ledger.read(|state| state.signalled(name))
    }

    /// Blocks until `name` was signalled `count` times.
    #[track_caller]
    pub(crate) fn await_signal(&self, name: &str, count: usize) {
        self.ledger.await_signal(name, count);
    }

    /// Blocks until so many request heads were read in all.
    #[track_caller]
    pub(crate) fn await_requests(&self, count: usize) {
        self.ledger.wait(&format!("{count} requests"), |state| {
            (state.requests.len() >= count).then_some(())
        });
    }

    /// Blocks until exactly so many connections are open.
    #[track_caller]
    pub(crate) fn await_open(&self, count: usize) {
        self.ledger.await_open(count);
    }

    /// Blocks until HTTP/2 clients have reset so many streams in all.
    #[track_caller]
    pub(crate) fn await_resets(&self, count: usize) {
        self.ledger.wait(&format!("{count} stream resets"), |state| {
            (state.resets.len() >= count).then_some(())
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let sockets = self.ledger.write(|state| {
            state.stopping = true;
            state.open.values().cloned().collect::<Vec<_>>()
        });
        for socket in sockets {
            drop(socket.shutdown(std::net::Shutdown::Both));
        }
        // An accept that blocks sees that it should stop once somebody connects.
        drop(TcpStream::connect_timeout(&self.addr, Duration::from_secs(1)));
        if thread::panicking() {
            return;
        }
        self.ledger.wait("the server's threads to end", |state| (state.threads == 0).then_some(()));
        let failures = self.ledger.read(|state| state.failures.join("; "));
        assert!(failures.is_empty(), "the server's side of the test failed: {failures}");
    }
}

fn accept<C>(listener: &TcpListener, ledger: &Arc<Ledger>, connection: &Arc<C>)
where
    C: Fn(Arc<TcpStream>, usize, &Arc<Ledger>) + Send + Sync + 'static,
{
    for socket in listener.incoming() {
        let socket = Arc::new(socket.expect("an accepted connection"));
        drop(socket.set_nodelay(true));
        ledger.let_them_read();
        let Some(number) = ledger.arrive(Arc::clone(&socket)) else { return };
        let (connection, on_ledger) = (Arc::clone(connection), Arc::clone(ledger));
        spawn(ledger, &format!("connection {number}"), move || {
            let guard = Departing { ledger: Arc::clone(&on_ledger), number };
            connection(socket, number, &on_ledger);
            drop(guard);
        });
    }
}

/// Takes a connection off the ledger even when its handler panics.
struct Departing {
    ledger: Arc<Ledger>,
    number: usize,
}

impl Drop for Departing {
    fn drop(&mut self) {
        self.ledger.depart(self.number);
    }
}

fn spawn(ledger: &Arc<Ledger>, name: &str, work: impl FnOnce() + Send + 'static) {
    ledger.write(|state| state.threads += 1);
    let ledger = Arc::clone(ledger);
    let name = name.to_owned();
    let run = move || {
        let ended = catch_unwind(AssertUnwindSafe(work));
        ledger.write(|state| {
            state.threads -= 1;
            if let Err(payload) = ended
                && !payload.is::<Ended>()
            {
                state.failures.push(format!("{name}: {}", message_of(&*payload)));
            }
        });
    };
    drop(thread::Builder::new().spawn(run).expect("a thread for the server"));
}

/// What a panic said.
pub(super) fn message_of(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}
