//! HTTP/1.1 as far as the clients of this program speak it.

use std::io;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Shared;
use crate::control;
use crate::payload;

pub(super) async fn serve<S>(stream: S, shared: &Shared) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = Connection { stream, buffer: vec![0; BUFFER_LENGTH], filled: 0 };
    let mut unused = Unused::new(shared);
    while let Some(request) = connection.read_request().await? {
        unused.is_used();
        shared.requests.fetch_add(1, Ordering::Relaxed);
        connection.answer(request, shared).await?;
        connection.stream.flush().await?;
    }
    Ok(())
}

/// Counts a connection that ends without a request.
struct Unused<'a>(Option<&'a Shared>);

impl<'a> Unused<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self(Some(shared))
    }

    fn is_used(&mut self) {
        self.0 = None;
    }
}

impl Drop for Unused<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            shared.unused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Connection<S> {
    stream: S,
    buffer: Vec<u8>,
    filled: usize,
}

enum Request {
    Small,
    Medium,
    Large,
    Fresh { large: bool },
    Stale,
    Posted { right: bool },
    Silent,
    Arrived(u64),
    Gather(u64),
    Forget,
    Gone,
    Unknown,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// `None` when the client has closed.
    async fn read_request(&mut self) -> io::Result<Option<Request>> {
        let head_length = loop {
            if let Some(length) = head_length(&self.buffer[..self.filled]) {
                break length;
            }
            if !self.read_more().await? {
                return Ok(None);
            }
        };
        let body_length = body_length(&self.buffer[..head_length]).unwrap_or(0);
        let end = head_length + body_length;
        while self.filled < end {
            if !self.read_more().await? {
                return Ok(None);
            }
        }
        let request = parse(&self.buffer[..head_length], &self.buffer[head_length..end]);
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
        Ok(Some(request))
    }

    async fn read_more(&mut self) -> io::Result<bool> {
        let count = self.stream.read(&mut self.buffer[self.filled..]).await?;
        self.filled += count;
        Ok(count > 0)
    }

    async fn answer(&mut self, request: Request, shared: &Shared) -> io::Result<()> {
        let answers = &shared.answers;
        let is_so = match request {
            Request::Small | Request::Posted { right: true } => true,
            Request::Medium => return self.stream.write_all(&answers.medium).await,
            Request::Fresh { large: false } => {
                return self.stream.write_all(&answers.fresh_small).await;
            }
            Request::Fresh { large: true } => {
                return self.stream.write_all(&answers.fresh_large).await;
            }
            Request::Stale => return self.stream.write_all(&answers.stale).await,
            Request::Large => return self.write_large(&answers.large_head).await,
            Request::Silent => return self.stay_silent(shared).await,
            Request::Posted { right: false } | Request::Unknown => false,
            Request::Arrived(count) => shared.silent.arrived(count).await,
            Request::Gather(count) => shared.gathering.gather(count).await,
            Request::Gone => shared.silent.gone().await,
            Request::Forget => {
                shared.silent.forget_arrivals();
                true
            }
        };
        self.stream.write_all(if is_so { &answers.small } else { &answers.refused }).await
    }

    async fn write_large(&mut self, head: &[u8]) -> io::Result<()> {
        self.stream.write_all(head).await?;
        let mut offset = 0;
        while offset < payload::LARGE_LENGTH {
            let missing = usize::try_from(payload::LARGE_LENGTH - offset).unwrap_or(usize::MAX);
            let piece = payload::piece_at(offset, missing);
            self.stream.write_all(piece).await?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// Until the client closes.
    async fn stay_silent(&mut self, shared: &Shared) -> io::Result<()> {
        let _call = shared.silent.begin();
        while self.stream.read(&mut self.buffer).await? > 0 {}
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|end| end == HEAD_END).map(|at| at + HEAD_END.len())
}

fn body_length(head: &[u8]) -> Option<usize> {
    if !head.starts_with(b"POST") {
        return None;
    }
    let text = str::from_utf8(head).ok()?;
    let (_, value) = text
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok().filter(|&length: &usize| length <= BUFFER_LENGTH / 2)
}

fn parse(head: &[u8], body: &[u8]) -> Request {
    let target = head.split(|&byte| byte == b' ').nth(1).and_then(|path| str::from_utf8(path).ok());
    match target.unwrap_or_default() {
        "/small" => Request::Small,
        "/64k" => Request::Medium,
        "/1g" => Request::Large,
        "/fresh-1k" => Request::Fresh { large: false },
        "/fresh-1m" => Request::Fresh { large: true },
        "/stale-64k" => Request::Stale,
        "/post" => Request::Posted { right: body == payload::posted() },
        "/silent" => Request::Silent,
        control::FORGET => Request::Forget,
        control::GONE => Request::Gone,
        path => numbered(path).unwrap_or(Request::Unknown),
    }
}

fn numbered(path: &str) -> Option<Request> {
    if let Some(count) = path.strip_prefix(control::ARRIVED) {
        return Some(Request::Arrived(count.parse().ok()?));
    }
    Some(Request::Gather(path.strip_prefix(control::GATHER)?.parse().ok()?))
}

const HEAD_END: &[u8] = b"\r\n\r\n";
const BUFFER_LENGTH: usize = 16 * 1024;
