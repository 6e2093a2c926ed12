//! The bytes that travel, the same in the server and in every client.
//!
//! Long bodies repeat one block of pseudo-random bytes. Its length is a prime, so that a lost,
//! doubled or swapped buffer of any usual size shows.

use std::sync::LazyLock;

use crate::outcome::Outcome;

pub(crate) const SMALL: &[u8] = b"Hello, world!";
pub(crate) const POSTED_LENGTH: usize = 1024;
pub(crate) const MEDIUM_LENGTH: usize = 64 * 1024;
pub(crate) const LARGE_LENGTH: u64 = 1 << 30;

/// The body of every POST.
pub(crate) fn posted() -> &'static [u8] {
    &BLOCK[..POSTED_LENGTH]
}

pub(crate) fn medium() -> &'static [u8] {
    static MEDIUM: LazyLock<Vec<u8>> =
        LazyLock::new(|| BLOCK.iter().copied().cycle().take(MEDIUM_LENGTH).collect());
    &MEDIUM
}

pub(crate) fn mebibyte() -> &'static [u8] {
    static MEBIBYTE: LazyLock<Vec<u8>> =
        LazyLock::new(|| BLOCK.iter().copied().cycle().take(1 << 20).collect());
    &MEBIBYTE
}

/// A run of the long body's bytes from this offset on, at most so many.
pub(crate) fn piece_at(offset: u64, length_max: usize) -> &'static [u8] {
    static BLOCKS: LazyLock<Vec<u8>> = LazyLock::new(|| BLOCK.repeat(BLOCKS_COUNT));
    let start = usize::try_from(offset % BLOCK_LENGTH as u64).unwrap_or_default();
    let end = BLOCKS.len().min(start.saturating_add(length_max));
    &BLOCKS[start..end]
}

/// Compares a long body with what it has to be, piece by piece.
#[derive(Default)]
pub(crate) struct Checker {
    offset: u64,
}

impl Checker {
    pub(crate) fn check(&mut self, mut received: &[u8]) -> Outcome<()> {
        while !received.is_empty() {
            let start = usize::try_from(self.offset % BLOCK_LENGTH as u64)?;
            let expected = &BLOCK[start..BLOCK_LENGTH.min(start + received.len())];
            let (now, later) = received.split_at(expected.len());
            if now != expected {
                return Err(format!("wrong bytes after byte {}", self.offset).into());
            }
            self.offset += now.len() as u64;
            received = later;
        }
        Ok(())
    }

    pub(crate) fn finish(self, length: u64) -> Outcome<()> {
        if self.offset != length {
            return Err(format!("{} bytes instead of {length}", self.offset).into());
        }
        Ok(())
    }
}

static BLOCK: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..BLOCK_LENGTH)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[7]
        })
        .collect()
});

const BLOCK_LENGTH: usize = 65_521;
const BLOCKS_COUNT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            bytes.extend_from_slice(piece_at(bytes.len() as u64, length - bytes.len()));
        }
        bytes
    }

    fn check(pieces: &[&[u8]], length: u64) -> bool {
        let mut checker = Checker::default();
        pieces.iter().all(|piece| checker.check(piece).is_ok()) && checker.finish(length).is_ok()
    }

    #[test]
    fn right_bytes_pass_however_they_are_cut() {
        let bytes = stream(3_000_000);
        for size in [1, 1000, BLOCK_LENGTH, 300_000, 3_000_000] {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            assert!(check(&pieces, 3_000_000), "cut every {size} bytes");
        }
    }

    #[test]
    fn lost_doubled_and_missing_pieces_are_seen() {
        let bytes = stream(262_144);
        let pieces: Vec<&[u8]> = bytes.chunks(65_536).collect();
        assert!(!check(&[pieces[0], pieces[2], pieces[3]], 196_608), "lost");
        assert!(!check(&[pieces[0], pieces[0], pieces[1]], 196_608), "doubled");
        assert!(!check(&pieces[..3], 262_144), "missing");
    }

    #[test]
    fn the_medium_body_is_the_beginning_of_the_long_one() {
        assert_eq!(medium(), stream(MEDIUM_LENGTH));
    }
}
