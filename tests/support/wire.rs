//! One accepted connection: the socket, its TLS state if any, and what was read ahead.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{HandshakeKind, ServerConfig, ServerConnection, Stream};
use socket2::SockRef;

use super::ledger::Greeting;

pub(super) struct Wire {
    socket: Arc<TcpStream>,
    tls: Option<ServerConnection>,
    ahead: Vec<u8>,
}

impl Wire {
    pub(super) fn plain(socket: Arc<TcpStream>) -> Self {
        Self { socket, tls: None, ahead: Vec::new() }
    }

    /// Shakes hands over TLS.
    pub(super) fn secure(socket: Arc<TcpStream>, config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
        let shaken = tls.complete_io(&mut &*socket);
        // A refusal is an alert that still has to be sent, and seen before the close.
        if let Err(error) = shaken {
            let mut wire = Self { socket, tls: Some(tls), ahead: Vec::new() };
            wire.finish();
            wire.drain();
            return Err(error);
        }
        Ok(Self { socket, tls: Some(tls), ahead: Vec::new() })
    }

    /// How the TLS handshake went.
    pub(super) fn greeting(&self) -> Option<Greeting> {
        let tls = self.tls.as_ref()?;
        Some(Greeting {
            server_name: tls.server_name().map(str::to_owned),
            version: tls.protocol_version().map(|version| format!("{version:?}"))?,
            resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
        })
    }

    /// Reads up to and including the first `end`; `None` when the client has gone before.
    pub(super) fn read_until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        let mut taken = std::mem::take(&mut self.ahead);
        loop {
            if let Some(at) = taken.windows(end.len()).position(|window| window == end) {
                self.ahead = taken.split_off(at + end.len());
                return Some(taken);
            }
            assert!(taken.len() < LINES_MAX, "the client's head or line is endless");
            let more = self.read_more().filter(|more| !more.is_empty())?;
            taken.extend_from_slice(&more);
        }
    }

    /// Reads at least one and at most `max` bytes; `None` when the client has gone.
    pub(super) fn read_some(&mut self, max: usize) -> Option<Vec<u8>> {
        let mut taken = match std::mem::take(&mut self.ahead) {
            ahead if ahead.is_empty() => self.read_more()?,
            ahead => ahead,
        };
        if taken.len() > max {
            self.ahead = taken.split_off(max);
        }
        Some(taken)
    }

    /// Reads to the client's end and forgets what came.
    pub(super) fn drain(&mut self) {
        self.ahead.clear();
        while self.read_more().is_some() {}
        // The end of TLS is not yet the end of the connection.
        let mut buffer = [0; 1024];
        while (&*self.socket).read(&mut buffer).is_ok_and(|length| length > 0) {}
    }

    /// Like [`Self::drain`]; `false` when the client was still there at `deadline`.
    pub(super) fn drain_until(&mut self, deadline: Instant) -> bool {
        let patience = deadline.saturating_duration_since(Instant::now());
        drop(self.socket.set_read_timeout(Some(patience)));
        self.drain();
        drop(self.socket.set_read_timeout(None));
        Instant::now() < deadline
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut socket = &*self.socket;
        match &mut self.tls {
            None => socket.write_all(bytes),
            Some(tls) => {
                let mut stream = Stream::new(tls, &mut socket);
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Says the end in this direction, over TLS with its own farewell first.
    pub(super) fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.cut();
    }

    /// Says the end in this direction without the farewell of TLS.
    pub(super) fn cut(&mut self) {
        if let Some(tls) = &mut self.tls {
            // Alerts and the farewell may still be unsent; a vanished client is nobody's fault.
            while tls.wants_write() && tls.write_tls(&mut &*self.socket).is_ok() {}
        }
        drop(self.socket.shutdown(Shutdown::Write));
    }

    /// Makes the close that follows a reset.
    pub(super) fn arm_reset(&self) {
        drop(SockRef::from(&*self.socket).set_linger(Some(Duration::ZERO)));
    }

    /// Carries bytes both ways until the client has gone; an end of the other side is passed on.
    pub(super) fn relay(&mut self, upstream: &TcpStream) {
        let tls = self.tls.take().map(Mutex::new);
        let tls = tls.as_ref();
        let socket = &*self.socket;
        let ahead = std::mem::take(&mut self.ahead);
        let _ = (&*upstream).write_all(&ahead);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = vec![0; READ_MAX];
                while let Ok(length @ 1..) = (&*upstream).read(&mut buffer) {
                    if write_through(socket, tls, &buffer[..length]).is_err() {
                        break;
                    }
                }
                drop(socket.shutdown(Shutdown::Write));
            });
            let mut buffer = vec![0; READ_MAX];
            while let Ok(length @ 1..) = (&*socket).read(&mut buffer) {
                let Ok(plain) = opened(tls, &buffer[..length]) else { break };
                if (&*upstream).write_all(&plain).is_err() {
                    break;
                }
            }
            drop(upstream.shutdown(Shutdown::Both));
        });
    }

    fn read_more(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; READ_MAX];
        let mut socket = &*self.socket;
        let length = match &mut self.tls {
            None => socket.read(&mut buffer),
            Some(tls) => Stream::new(tls, &mut socket).read(&mut buffer),
        };
        buffer.truncate(length.ok()?);
        Some(buffer).filter(|buffer| !buffer.is_empty())
    }
}

/// Writes while another thread may read; over TLS the lock is not held while the socket is read.
fn write_through(
    mut socket: &TcpStream,
    tls: Option<&Mutex<ServerConnection>>,
    bytes: &[u8],
) -> io::Result<()> {
    let Some(tls) = tls else { return socket.write_all(bytes) };
    let mut tls = tls.lock().expect("the TLS state");
    tls.writer().write_all(bytes)?;
    while tls.wants_write() {
        tls.write_tls(&mut socket)?;
    }
    Ok(())
}

/// The content of what was read from a socket.
fn opened(tls: Option<&Mutex<ServerConnection>>, mut bytes: &[u8]) -> io::Result<Vec<u8>> {
    let Some(tls) = tls else { return Ok(bytes.to_vec()) };
    let mut tls = tls.lock().expect("the TLS state");
    let mut plain = Vec::new();
    while !bytes.is_empty() {
        tls.read_tls(&mut bytes)?;
        tls.process_new_packets().map_err(io::Error::other)?;
        match tls.reader().read_to_end(&mut plain) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
    Ok(plain)
}

const READ_MAX: usize = 64 * 1024;
const LINES_MAX: usize = 1024 * 1024;
