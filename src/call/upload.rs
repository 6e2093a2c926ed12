//! Feeding a request's body to its exchange, from the caller's thread.

use std::{future::poll_fn, io::Read};

use bytes::{Bytes, BytesMut};

use crate::{
    body::{Content, Reader},
    context::CallContext,
    error::{Error, ErrorKind, Result},
    phase::Phase,
    runtime::{Upload, pipe},
    trailers::Trailers,
};

/// What crosses of a body, and the pump if the rest has to be read here.
pub(super) fn begin(content: &mut Content<'_>) -> Result<(Upload, Option<Pump>)> {
    match content {
        Content::Empty => Ok((Upload::Empty, None)),
        Content::Bytes(bytes) => Ok((Upload::Bytes(bytes.clone()), None)),
        Content::Borrowed(bytes) => Ok((Upload::Bytes(Bytes::copy_from_slice(bytes)), None)),
        Content::Factory { length, .. } => Ok(piped(*length)),
        Content::Reader { length, reader: Some(_) } => Ok(piped(*length)),
        Content::Reader { reader: None, .. } => Err(Error::new(
            ErrorKind::Internal,
            "the body was sent before and cannot be read again",
        )),
    }
}

fn piped(length: Option<u64>) -> (Upload, Option<Pump>) {
    let (sender, chunks) = pipe::pipe(AHEAD_BYTES, pipe::Fill::WhenAsked);
    (Upload::Pipe { length, chunks }, Some(Pump { sender: Some(sender), length }))
}

/// Moves a reader into a pipe, piece by piece, as fast as the connection takes it.
pub(super) struct Pump {
    sender: Option<pipe::Sender>,
    length: Option<u64>,
}

impl Pump {
    /// Reads to the end, or until the exchange wants no more; between pieces it can be dropped.
    ///
    /// The reader is opened only when the connection asks for the first piece, so a request that
    /// never got that far can be sent again.
    pub(super) async fn run(&mut self, cx: &CallContext, content: &mut Content<'_>) -> Result<()> {
        let Some(sender) = self.sender.take() else { return Ok(()) };
        let mut left = self.length;
        let mut reader: Option<Reader<'_>> = None;
        while left != Some(0) {
            if poll_fn(|task| sender.poll_room(task)).await.is_err() {
                return Ok(());
            }
            let source = match &mut reader {
                Some(reader) => reader,
                None => reader.insert(open(content)?),
            };
            let piece = read_piece(source, left);
            // The reader may have forked, and this may be the child.
            cx.same_process()?;
            let piece = piece?;
            if piece.is_empty() {
                break;
            }
            left = left.map(|left| left - piece.len() as u64);
            sender.push(piece.freeze());
        }
        if let Some(missing @ 1..) = left {
            let length = self.length.unwrap_or_default();
            return Err(unreadable(format!(
                "the body ended {missing} bytes before its length of {length}"
            )));
        }
        sender.end(Ok(Trailers::default()));
        Ok(())
    }
}

fn open<'b>(content: &mut Content<'b>) -> Result<Reader<'b>> {
    match content {
        Content::Factory { make, .. } => {
            make().map_err(|e| unreadable("the body could not be opened".into()).because(e))
        }
        Content::Reader { reader, .. } => {
            reader.take().ok_or_else(|| unreadable("the body was read before".into()))
        }
        Content::Empty | Content::Bytes(_) | Content::Borrowed(_) => Ok(Box::new(std::io::empty())),
    }
}

fn read_piece(reader: &mut Reader<'_>, left: Option<u64>) -> Result<BytesMut> {
    let size = left
        .map_or(PIECE_BYTES, |left| usize::try_from(left).unwrap_or(PIECE_BYTES).min(PIECE_BYTES));
    let mut piece = BytesMut::zeroed(size);
    loop {
        match reader.read(&mut piece) {
            Ok(bytes) => {
                piece.truncate(bytes);
                return Ok(piece);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(unreadable("the body could not be read".into()).because(error));
            }
        }
    }
}

#[cold]
fn unreadable(message: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).in_phase(Phase::Send)
}

const PIECE_BYTES: usize = 64 << 10;
const AHEAD_BYTES: usize = 2 * PIECE_BYTES;
