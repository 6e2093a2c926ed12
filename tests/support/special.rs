//! Servers that are no servers: raw sockets, and ports where nothing ever happens.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::server::Server;
use super::system::is_called;

impl Server {
    /// Gives every accepted socket to `connection`, on a thread of its own.
    ///
    /// When it returns, our end is said; the connection is open until the client's end was read.
    pub(crate) fn raw(connection: impl Fn(&TcpStream) + Send + Sync + 'static) -> Self {
        Self::serving("http", move |socket, _, _| {
            connection(&socket);
            drop(socket.shutdown(Shutdown::Write));
            drain(&socket);
        })
    }

    /// Reads some of what comes first on each connection, writes `answer` and closes.
    pub(crate) fn raw_answer(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::raw(move |mut socket| {
            if socket.read(&mut [0; 64 * 1024]).is_ok() {
                drop(socket.write_all(&answer));
            }
        })
    }

    /// Accepts TCP, signals `hello` when a TLS greeting has come, and never answers it.
    pub(crate) fn tls_stalled() -> Self {
        Self::serving("https", |socket, _, ledger| {
            if (&*socket).read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
                ledger.signal("hello");
                drain(&socket);
            }
        })
    }
}

/// A port of loopback on which every connect waits and none succeeds.
pub(crate) struct BlackHole {
    listener: TcpListener,
    _filling: TcpStream,
}

impl BlackHole {
    pub(crate) fn new() -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into()).expect("a port on loopback")
    }

    /// Fills the queue of a listener that never accepts, so that the system ignores further calls;
    /// `None` if the address is taken.
    pub(crate) fn at(addr: SocketAddr) -> Option<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&addr.into()).ok()?;
        socket.listen(0).expect("a listening socket");
        let listener = TcpListener::from(socket);
        let addr = listener.local_addr().expect("an address");
        let filling = TcpStream::connect(addr).expect("the one connection that is let in");
        let probe = TcpStream::connect_timeout(&addr, PROBING);
        let error = probe.expect_err("a connect to a full queue waits");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
        Some(Self { listener, _filling: filling })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.listener.local_addr().expect("an address")
    }

    /// Whether somebody is connecting now.
    pub(crate) fn is_called(&self) -> bool {
        is_called(self.addr())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }
}

fn drain(mut socket: &TcpStream) {
    let mut buffer = [0; 4096];
    while socket.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

const PROBING: Duration = Duration::from_millis(20);
