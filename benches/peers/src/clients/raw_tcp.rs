//! The limit of blocking clients: a socket per thread and just enough HTTP/1.1 by hand.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::{Caller, Client, Setup};
use crate::outcome::Outcome;
use crate::payload::{self, Checker};
use crate::scenarios::cancel::{Armed, Armory, InFlight};
use crate::server::tls;
use crate::spec::Spec;
use crate::task::{ACCEPT, Kind, PIECE_LENGTH, POSTED_TYPE, Task, USER_AGENT};

pub(super) struct RawTcp {
    tls: Option<Arc<ClientConfig>>,
}

impl RawTcp {
    pub(super) fn new(setup: &Setup) -> Outcome<Self> {
        let tls = setup.ca_pem.as_deref().map(tls::client_config).transpose()?;
        Ok(Self { tls })
    }
}

impl Client for RawTcp {
    fn caller<'a>(&'a self, task: &'a Task) -> Outcome<Box<dyn Caller + 'a>> {
        let socket = connect(task)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(socket),
            Some(config) => {
                let name = ServerName::try_from("127.0.0.1")?;
                let connection = ClientConnection::new(config.clone(), name)?;
                Box::new(StreamOwned::new(connection, socket))
            }
        };
        let length = if task.kind == Kind::Stream { PIECE_LENGTH } else { BUFFER_LENGTH };
        let request = request(task)?;
        Ok(Box::new(OnThread { stream, request, task, buffer: vec![0; length] }))
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

struct OnThread<'a> {
    stream: Box<dyn Stream>,
    request: Vec<u8>,
    task: &'a Task,
    buffer: Vec<u8>,
}

impl Caller for OnThread<'_> {
    fn call(&mut self) -> Outcome<()> {
        self.stream.write_all(&self.request)?;
        self.stream.flush()?;
        let (head_length, mut filled) = self.read_head()?;
        let head = Head::parse(&self.buffer[..head_length])?;
        self.task.check_status(head.status)?;
        if self.task.kind == Kind::Stream {
            return self.drain(head_length, filled, head.length);
        }
        let end = head_length + head.length;
        if end > self.buffer.len() {
            return Err("an answer longer than expected".into());
        }
        while filled < end {
            filled += self.read(filled)?;
        }
        self.task.check_body(&self.buffer[head_length..filled])
    }
}

impl OnThread<'_> {
    /// The length of the head, and how much was read with it.
    fn read_head(&mut self) -> Outcome<(usize, usize)> {
        let mut filled = 0;
        loop {
            filled += self.read(filled)?;
            if let Some(at) = self.buffer[..filled].windows(4).position(|end| end == b"\r\n\r\n") {
                return Ok((at + 4, filled));
            }
        }
    }

    fn read(&mut self, filled: usize) -> Outcome<usize> {
        match self.stream.read(&mut self.buffer[filled..])? {
            0 => Err("the connection ended early".into()),
            count => Ok(count),
        }
    }

    fn drain(&mut self, head_length: usize, filled: usize, length: usize) -> Outcome<()> {
        let mut checker = Checker::default();
        checker.check(&self.buffer[head_length..filled])?;
        let mut missing = length.saturating_sub(filled - head_length);
        while missing > 0 {
            let room = missing.min(self.buffer.len());
            let count = self.stream.read(&mut self.buffer[..room])?;
            if count == 0 {
                return Err("the connection ended early".into());
            }
            checker.check(&self.buffer[..count])?;
            missing -= count;
        }
        checker.finish(payload::LARGE_LENGTH)
    }
}

struct Head {
    status: u16,
    length: usize,
}

impl Head {
    fn parse(bytes: &[u8]) -> Outcome<Self> {
        let text = str::from_utf8(bytes)?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?;
        let length = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .ok_or("no content-length")?
            .1;
        Ok(Self { status: status.parse()?, length: length.trim().parse()? })
    }
}

fn address(task: &Task) -> Outcome<(&str, &str)> {
    let rest = task.url.split_once("://").ok_or("no scheme")?.1;
    let slash = rest.find('/').ok_or("no path")?;
    Ok(rest.split_at(slash))
}

fn connect(task: &Task) -> Outcome<TcpStream> {
    let socket = TcpStream::connect(address(task)?.0)?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn request(task: &Task) -> Outcome<Vec<u8>> {
    let (host, path) = address(task)?;
    let headers = format!("host: {host}\r\nuser-agent: {USER_AGENT}\r\naccept: {ACCEPT}\r\n");
    if task.kind != Kind::Post {
        return Ok(format!("GET {path} HTTP/1.1\r\n{headers}\r\n").into_bytes());
    }
    let body = payload::posted();
    let length = body.len();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\n{headers}content-type: {POSTED_TYPE}\r\n\
         content-length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    Ok(request)
}

/// Reads that hang on a socket each, until it is shut down.
pub(super) struct Silent {
    task: Task,
    in_flight: InFlight,
}

impl Silent {
    pub(super) fn new(spec: &Spec) -> Outcome<Self> {
        Ok(Self { task: Task::of(spec), in_flight: InFlight::at_server(spec)? })
    }
}

impl Armory for Silent {
    fn arm(&mut self) -> Outcome<Armed> {
        let mut socket = connect(&self.task)?;
        let request = request(&self.task)?;
        let handle = socket.try_clone()?;
        let call = move || {
            socket.write_all(&request)?;
            match socket.read(&mut [0; 512]) {
                Ok(0) | Err(_) => Ok(()),
                Ok(_) => Err("the silent server answered".into()),
            }
        };
        let cancel = move || {
            // It fails where the server closed first; the call has ended then as well.
            let _ = handle.shutdown(Shutdown::Both);
        };
        Ok(Armed { call: Box::new(call), cancel: Box::new(cancel) })
    }

    fn in_flight(&mut self) -> &mut InFlight {
        &mut self.in_flight
    }
}

/// Holds the longest buffered answer with its head.
const BUFFER_LENGTH: usize = 72 * 1024;
