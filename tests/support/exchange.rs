//! What a handler holds: one request of one connection, and everything that can be done to it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use super::body::BodyRest;
use super::ledger::{Ledger, PATIENCE, end_quietly};
use super::request::Request;
use super::wire::Wire;

/// One HTTP/1.1 request and the connection it came on.
///
/// Writing to a client that has gone is not a failure of the handler: it reports `false`.
pub(crate) struct Exchange {
    ledger: Arc<Ledger>,
    wire: Wire,
    request: Request,
    body: BodyRest,
    connection: usize,
    request_index: usize,
    fate: Fate,
}

/// What becomes of the connection after the handler.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Reuse,
    /// Our end is said; the connection is open until the client's end has been read.
    Finished,
    /// The socket is dropped as it is.
    Dropped,
}

/// Calls `handler` for every request of one connection until either side ends it.
pub(super) fn serve(
    mut wire: Wire,
    connection: usize,
    ledger: &Arc<Ledger>,
    handler: &dyn Fn(&mut Exchange),
) {
    for request_index in 0.. {
        let Some(head) = wire.read_until(b"\r\n\r\n") else { break };
        let request = Request::parse(head);
        ledger.write(|state| state.note(&request));
        let body = BodyRest::of(&request);
        let ledger = Arc::clone(ledger);
        let fate = Fate::Reuse;
        let mut exchange =
            Exchange { ledger, wire, request, body, connection, request_index, fate };
        handler(&mut exchange);
        match exchange.settle() {
            Some(next) => wire = next,
            None => break,
        }
    }
    ledger.depart(connection);
}

impl Exchange {
    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    pub(crate) fn target(&self) -> &str {
        &self.request.target
    }

    /// The how-many-eth connection of the server this is, from 0.
    pub(crate) fn connection(&self) -> usize {
        self.connection
    }

    /// The how-many-eth request of its connection this is, from 0.
    pub(crate) fn request_index(&self) -> usize {
        self.request_index
    }

    /// The whole body; panics if the client went away before its end.
    pub(crate) fn read_body(&mut self) -> Vec<u8> {
        let whole = self.try_read_body();
        if whole.is_none() && self.ledger.read(|state| state.stopping) {
            end_quietly();
        }
        whole.expect("the whole body of the request")
    }

    /// The whole body, or `None` if the client went away before its end.
    pub(crate) fn try_read_body(&mut self) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        while let Some(piece) = self.read_body_piece(usize::MAX) {
            whole.extend_from_slice(&piece);
        }
        matches!(self.body, BodyRest::Nothing).then_some(whole)
    }

    /// The next piece of the body, of at most `max` bytes; `None` at its end or the client's.
    pub(crate) fn read_body_piece(&mut self, max: usize) -> Option<Vec<u8>> {
        self.body.next(&mut self.wire, max)
    }

    /// Answers with a `Content-Length` in front of `body`, which a `HEAD` does not get.
    pub(crate) fn reply(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> bool {
        let mut answer = head_of_reply(status, headers);
        answer.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        if self.request.method != "HEAD" {
            answer.extend_from_slice(body);
        }
        self.write(&answer)
    }

    /// Sends the head of an answer whose body follows by [`Self::write`].
    pub(crate) fn begin_reply(&mut self, status: u16, headers: &[(&str, &str)]) -> bool {
        let mut head = head_of_reply(status, headers);
        head.extend_from_slice(b"\r\n");
        self.write(&head)
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.wire.write(bytes.as_ref()).is_ok()
    }

    /// Ends the connection in good order; it counts as open until the client has closed too.
    pub(crate) fn close(&mut self) {
        self.wire.finish();
        self.fate = Fate::Finished;
    }

    /// Like [`Self::close`], but over TLS without the farewell that marks a deliberate end.
    pub(crate) fn cut(&mut self) {
        self.wire.cut();
        self.fate = Fate::Finished;
    }

    /// Closes the socket when the handler returns, whatever the client still sends.
    pub(crate) fn abandon(&mut self) {
        self.fate = Fate::Dropped;
    }

    /// Resets the connection when the handler returns.
    pub(crate) fn reset(&mut self) {
        self.wire.arm_reset();
        self.fate = Fate::Dropped;
    }

    /// Blocks until the client has closed or reset the connection.
    ///
    /// What it sends until then is read and forgotten. Panics after [`PATIENCE`].
    pub(crate) fn await_client_gone(&mut self) {
        let is_gone = self.wire.drain_until(Instant::now() + PATIENCE);
        self.body = BodyRest::Cut;
        if self.ledger.read(|state| state.stopping) {
            end_quietly();
        }
        assert!(is_gone, "the client kept its connection open for {PATIENCE:?}");
        self.ledger.depart(self.connection);
    }

    /// Counts one more signal of this name.
    pub(crate) fn signal(&self, name: &str) {
        self.ledger.signal(name);
    }

    /// Blocks until `name` was signalled `count` times.
    pub(crate) fn await_signal(&self, name: &str, count: usize) {
        self.ledger.await_signal_in_handler(name, count);
    }

    /// Connects to where the request asks, its name being this machine, and carries bytes both ways
    /// until the client has gone; answers 502 if that is not possible.
    pub(crate) fn tunnel(&mut self) {
        self.tunnel_with(&[]);
    }

    /// As [`Self::tunnel`], with more in the head of the answer.
    pub(crate) fn tunnel_with(&mut self, headers: &[(&str, &str)]) {
        match TcpStream::connect(here(&self.request.target)) {
            Ok(upstream) => {
                self.begin_reply(200, headers);
                self.wire.relay(&upstream);
            }
            Err(_) => {
                self.reply(502, &[], b"");
            }
        }
        self.fate = Fate::Dropped;
    }

    /// Asks the origin that the absolute target names, its name being this machine, and answers
    /// with what it says; the body of the request is not passed on.
    pub(crate) fn forward(&mut self) {
        let rest = self.request.target.strip_prefix("http://").expect("an absolute target");
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let upstream = TcpStream::connect(here(authority));
        let Ok(mut upstream) = upstream else {
            self.reply(502, &[], b"");
            return;
        };
        let mut head = format!("{} /{path} HTTP/1.1\r\nconnection: close\r\n", self.request.method);
        for (name, value) in &self.request.headers {
            if !name.eq_ignore_ascii_case("proxy-authorization") {
                head.extend([name, ": ", value, "\r\n"]);
            }
        }
        let asked = upstream.write_all(format!("{head}\r\n").as_bytes());
        let mut answer = Vec::new();
        if asked.and_then(|()| upstream.read_to_end(&mut answer)).is_ok() {
            self.write(answer);
        }
        self.close();
    }

    /// Carries out the fate of the connection; gives it back if it can serve another request.
    fn settle(mut self) -> Option<Wire> {
        if self.fate == Fate::Reuse {
            while self.read_body_piece(usize::MAX).is_some() {}
            let is_last = self.request.has_token("connection", "close");
            match self.body {
                BodyRest::Nothing if !is_last => return Some(self.wire),
                _ => self.close(),
            }
        }
        if self.fate == Fate::Finished {
            self.wire.drain();
        }
        self.ledger.depart(self.connection);
        None
    }
}

/// The port of `host:port` on this machine.
fn here(authority: &str) -> SocketAddr {
    let port = authority.rsplit_once(':').map_or("80", |(_, port)| port);
    (Ipv4Addr::LOCALHOST, port.parse().expect("a port")).into()
}

fn head_of_reply(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.into_bytes()
}
