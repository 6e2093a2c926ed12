//! What a request carries.

use std::{
    fmt,
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;

use crate::{
    error::{Error, Result},
    files,
};

/// The body of a request: bytes, a file, something that makes readers, or any reader.
///
/// Bytes, files and factories can be sent again when a connection turns out to be dead; a plain
/// reader cannot. Readers run on the thread that makes the call and may borrow from it. While a
/// reader is inside `read`, cancelling ends the exchange at once and the call when `read` returns.
///
/// ```
/// use abide::Body;
/// let text = String::from("hello");
/// let from_text = Body::from(&text);
/// let from_reader = Body::sized_reader(&b"hello"[..], 5);
/// let repeatable = Body::factory(Some(5), || Ok(&b"hello"[..]));
/// ```
#[derive(Default)]
pub struct Body<'b>(pub(crate) Content<'b>);

pub(crate) type Reader<'b> = Box<dyn Read + 'b>;
pub(crate) type Factory<'b> = Box<dyn Fn() -> io::Result<Reader<'b>> + 'b>;

#[derive(Default)]
pub(crate) enum Content<'b> {
    #[default]
    Empty,
    Bytes(Bytes),
    /// Bytes that the caller keeps; copied when they are sent.
    Borrowed(&'b [u8]),
    Factory {
        length: Option<u64>,
        make: Factory<'b>,
    },
    /// A reader that is sent once; `None` when that has begun.
    Reader {
        length: Option<u64>,
        reader: Option<Reader<'b>>,
    },
}

impl<'b> Body<'b> {
    /// A body of unknown length; HTTP/1.1 sends it in chunks.
    pub fn reader(reader: impl Read + 'b) -> Self {
        Self(Content::Reader { length: None, reader: Some(Box::new(reader)) })
    }

    /// The first `length` bytes of a reader; one that ends earlier is an error of the call.
    pub fn sized_reader(reader: impl Read + 'b, length: u64) -> Self {
        Self(Content::Reader { length: Some(length), reader: Some(Box::new(reader)) })
    }

    /// A body that `make` opens anew each time it is sent.
    pub fn factory<R: Read + 'b>(
        length: Option<u64>,
        make: impl Fn() -> io::Result<R> + 'b,
    ) -> Self {
        let make = Box::new(move || make().map(|reader| Box::new(reader) as Reader<'b>));
        Self(Content::Factory { length, make })
    }

    /// The content of a regular file, opened anew each time it is sent.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the file cannot be opened.
    pub fn file(path: impl AsRef<Path>) -> Result<Body<'static>> {
        let path = path.as_ref().to_owned();
        let (_, length) = files::open(&path).map_err(|e| {
            Error::invalid(format!("the file {} cannot be sent", path.display())).because(e)
        })?;
        Ok(Body::factory(Some(length), move || files::open(&path).map(|(file, _)| file)))
    }
}

impl Content<'_> {
    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Borrowed(bytes) => Some(bytes.len() as u64),
            Self::Factory { length, .. } | Self::Reader { length, .. } => *length,
        }
    }

    /// All of it, if it is in memory.
    pub(crate) fn in_memory(&self) -> Option<&[u8]> {
        match self {
            Self::Empty => Some(&[]),
            Self::Bytes(bytes) => Some(bytes),
            Self::Borrowed(bytes) => Some(bytes),
            Self::Factory { .. } | Self::Reader { .. } => None,
        }
    }

    /// Whether the whole of it can be sent again.
    pub(crate) const fn is_replayable(&self) -> bool {
        match self {
            Self::Empty | Self::Bytes(_) | Self::Borrowed(_) | Self::Factory { .. } => true,
            Self::Reader { reader, .. } => reader.is_some(),
        }
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Content::Empty => "empty",
            Content::Bytes(_) | Content::Borrowed(_) => "bytes",
            Content::Factory { .. } => "factory",
            Content::Reader { .. } => "reader",
        };
        f.debug_struct("Body").field("kind", &kind).field("length", &self.0.length()).finish()
    }
}

impl From<()> for Body<'_> {
    fn from((): ()) -> Self {
        Self(Content::Empty)
    }
}

impl From<Bytes> for Body<'_> {
    fn from(bytes: Bytes) -> Self {
        Self(Content::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Body<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body<'_> {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl<'b> From<&'b [u8]> for Body<'b> {
    fn from(bytes: &'b [u8]) -> Self {
        Self(Content::Borrowed(bytes))
    }
}

impl<'b> From<&'b str> for Body<'b> {
    fn from(text: &'b str) -> Self {
        text.as_bytes().into()
    }
}

impl<'b> From<&'b Vec<u8>> for Body<'b> {
    fn from(bytes: &'b Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl<'b> From<&'b String> for Body<'b> {
    fn from(text: &'b String) -> Self {
        text.as_bytes().into()
    }
}

impl<'b, const N: usize> From<&'b [u8; N]> for Body<'b> {
    fn from(bytes: &'b [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}
