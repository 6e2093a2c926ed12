//! The framing of a request's body.

use super::request::Request;
use super::wire::Wire;

/// What of a request's body is still to come.
pub(super) enum BodyRest {
    Sized(usize),
    /// So much of the current chunk.
    Chunked(usize),
    Nothing,
    /// The client went away before the end.
    Cut,
}

impl BodyRest {
    pub(super) fn of(request: &Request) -> Self {
        if request.has_token("transfer-encoding", "chunked") {
            return Self::Chunked(0);
        }
        match request.header("content-length").map(str::parse) {
            None | Some(Ok(0)) => Self::Nothing,
            Some(Ok(length)) => Self::Sized(length),
            Some(Err(error)) => panic!("a bad Content-Length: {error}"),
        }
    }

    /// The next piece of at most `max` bytes; `None` at the end and when the body was cut.
    pub(super) fn next(&mut self, wire: &mut Wire, max: usize) -> Option<Vec<u8>> {
        if matches!(self, Self::Chunked(0)) {
            self.begin_chunk(wire);
        }
        let rest = match self {
            Self::Sized(rest) | Self::Chunked(rest) => *rest,
            Self::Nothing | Self::Cut => return None,
        };
        let Some(piece) = wire.read_some(rest.min(max)) else {
            *self = Self::Cut;
            return None;
        };
        self.advance(wire, rest - piece.len());
        Some(piece)
    }

    fn begin_chunk(&mut self, wire: &mut Wire) {
        let Some(line) = wire.read_until(b"\r\n") else {
            *self = Self::Cut;
            return;
        };
        let line = String::from_utf8(line).expect("a chunk size in ASCII");
        let digits = line.trim_end().split(';').next().unwrap_or_default();
        *self = match usize::from_str_radix(digits, 16).expect("a chunk size in hexadecimal") {
            0 => Self::end_chunks(wire),
            size => Self::Chunked(size),
        };
    }

    fn end_chunks(wire: &mut Wire) -> Self {
        loop {
            match wire.read_until(b"\r\n").as_deref() {
                None => return Self::Cut,
                Some(b"\r\n") => return Self::Nothing,
                Some(_trailer) => {}
            }
        }
    }

    fn advance(&mut self, wire: &mut Wire, rest: usize) {
        *self = match self {
            Self::Sized(_) if rest == 0 => Self::Nothing,
            Self::Sized(_) => Self::Sized(rest),
            _ if rest > 0 => Self::Chunked(rest),
            _ => match wire.read_until(b"\r\n") {
                Some(line) => {
                    assert_eq!(line, b"\r\n", "a chunk longer than its size");
                    Self::Chunked(0)
                }
                None => Self::Cut,
            },
        };
    }
}
