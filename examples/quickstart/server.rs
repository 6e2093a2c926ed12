//! Just enough of an HTTP/1.1 server for the tour: threads and the standard library.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

pub(crate) struct Server {
    address: SocketAddr,
    hang_ups: Receiver<Instant>,
}

impl Server {
    /// Listens on a free port of this machine until the process ends.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (hang_up, hang_ups) = mpsc::channel();
        thread::Builder::new().name("server".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                let hang_up = hang_up.clone();
                // A client that goes away in the middle is nothing the tour needs to hear of.
                let serving = move || drop(serve(&stream, &hang_up));
                let _ = thread::Builder::new().spawn(serving);
            }
        })?;
        Ok(Self { address, hang_ups })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// When the server saw a client of `/silent` close its connection; waits a second for it.
    pub(crate) fn next_hang_up(&self) -> Option<Instant> {
        self.hang_ups.recv_timeout(Duration::from_secs(1)).ok()
    }
}

fn serve(stream: &TcpStream, hang_up: &Sender<Instant>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream);
    let mut replies = stream;
    while let Some(request) = read_head(&mut requests)? {
        match request.path.as_str() {
            "/hello" => reply(&mut replies, "text/plain", b"Hello, world!")?,
            "/weather" => {
                let weather = br#"{"Brno": 15.1, "Ostrava": 12.9, "Praha": 14.5}"#;
                reply(&mut replies, "application/json", weather)?;
            }
            "/stream" => stream_out(&mut replies)?,
            "/upload" => {
                let received = take_in(&mut requests, request.body_bytes)?;
                reply(&mut replies, "text/plain", received.to_string().as_bytes())?;
            }
            "/silent" => {
                // Says nothing and reads until the client gives up.
                let _ = requests.read(&mut [0]);
                let _ = hang_up.send(Instant::now());
                return Ok(());
            }
            _ => replies.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")?,
        }
    }
    Ok(())
}

struct Request {
    path: String,
    body_bytes: u64,
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let Some(target) = line.split(' ').nth(1) else {
        return Ok(None);
    };
    let path = target.split('?').next().unwrap_or_default();
    let mut request = Request { path: path.to_owned(), body_bytes: 0 };
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                request.body_bytes = value.trim().parse().map_err(io::Error::other)?;
            }
            Some(_) => {}
            None => return Ok(Some(request)),
        }
    }
}

fn reply(replies: &mut impl Write, kind: &str, body: &[u8]) -> io::Result<()> {
    let bytes = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {bytes}\r\n\r\n");
    // In one piece: two small writes would be two packets.
    replies.write_all(&[head.as_bytes(), body].concat())
}

/// Sends a long body, slowly enough to be watched.
fn stream_out(replies: &mut impl Write) -> io::Result<()> {
    write!(replies, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PIECE_BYTES * PIECES)?;
    let piece = vec![b'.'; PIECE_BYTES];
    for _ in 0..PIECES {
        replies.write_all(&piece)?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Reads a body, slowly enough to be watched, and counts it.
fn take_in(requests: &mut impl Read, bytes: u64) -> io::Result<u64> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut body = requests.take(bytes);
    while body.limit() > 0 {
        let wanted = piece.len().min(usize::try_from(body.limit()).unwrap_or(usize::MAX));
        body.read_exact(&mut piece[..wanted])?;
        thread::sleep(PAUSE);
    }
    Ok(bytes)
}

const PIECE_BYTES: usize = 1 << 20;
const PIECES: usize = 24;
const PAUSE: Duration = Duration::from_millis(20);
