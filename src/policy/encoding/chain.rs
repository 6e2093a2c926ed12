//! Decoders behind each other, fed at one end.

use bytes::{Buf, Bytes, BytesMut};

use super::{Decode, Malformed};

/// Undoes all codings of a reply, piece by piece.
pub(crate) struct Chain {
    stages: Vec<Stage>,
    fed: Bytes,
}

struct Stage {
    decoder: Box<dyn Decode>,
    input: Bytes,
    /// Nothing at all is content too, whatever it is said to be coded in.
    has_begun: bool,
    /// Whether there is nothing more to come out of what was taken.
    is_dry: bool,
}

impl Chain {
    /// The first decoder is the one that is fed.
    pub(super) fn new(decoders: Vec<Box<dyn Decode>>) -> Self {
        let stage =
            |decoder| Stage { decoder, input: Bytes::new(), has_begun: false, is_dry: true };
        Self { stages: decoders.into_iter().map(stage).collect(), fed: Bytes::new() }
    }

    /// Gives it what came; what was given before must be used up.
    pub(crate) fn feed(&mut self, encoded: Bytes) {
        debug_assert!(self.fed.is_empty(), "there is still something to decode");
        self.fed = encoded;
    }

    /// The next decoded piece; `None` when it has to be fed.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Malformed> {
        let stages = self.stages.len();
        self.from(stages)
    }

    /// Whether the content may end here.
    pub(crate) fn check_end(&self) -> Result<(), Malformed> {
        let mut begun = self.stages.iter().filter(|stage| stage.has_begun);
        begun.try_for_each(|stage| stage.decoder.check_end())
    }

    /// What comes out of so many stages.
    fn from(&mut self, stages: usize) -> Result<Option<Bytes>, Malformed> {
        let Some(last) = stages.checked_sub(1) else {
            let fed = std::mem::take(&mut self.fed);
            return Ok(Some(fed).filter(|fed| !fed.is_empty()));
        };
        loop {
            if let Some(piece) = self.stages[last].piece()? {
                return Ok(Some(piece));
            }
            let Some(input) = self.from(last)? else { return Ok(None) };
            self.stages[last].take(input);
        }
    }
}

impl Stage {
    fn take(&mut self, input: Bytes) {
        self.has_begun = true;
        self.is_dry = false;
        self.input = input;
    }

    /// What can be made of the input; `None` when it is used up.
    fn piece(&mut self) -> Result<Option<Bytes>, Malformed> {
        if self.is_dry {
            return Ok(None);
        }
        // Content often grows to a few times its coded size; a guess that fails costs a round.
        let room = (self.input.len() * 4).clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX);
        let mut output = BytesMut::zeroed(room);
        let moved = self.decoder.decode(&self.input, &mut output)?;
        self.input.advance(moved.read);
        output.truncate(moved.written);
        self.is_dry = moved.written < room;
        debug_assert!(!self.is_dry || self.input.is_empty(), "a decoder left what it could take");
        Ok(Some(output.freeze()).filter(|output| !output.is_empty()))
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("stages", &self.stages.len()).finish_non_exhaustive()
    }
}

const PIECE_BYTES_MIN: usize = 1 << 10;
const PIECE_BYTES_MAX: usize = 64 << 10;
