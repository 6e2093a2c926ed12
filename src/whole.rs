//! A body that comes in pieces and is wanted in one.

use std::{iter, mem};

use bytes::{Bytes, BytesMut};

/// Puts a body together. What is large is copied once, and a body that came in one piece never.
///
/// Memory that grows may be copied each time that it does, so memory for a body is taken once: when
/// its size is known and believed, or at its end. Until then its pieces are kept as they came. Small
/// ones, and small bodies, are put together at once, because a piece holds on to all that was
/// received with it. To keep all the pieces of a very large body would take twice its memory, which
/// was measured to be slower; the memory for it grows, from a size on at which allocators move pages
/// and copy nothing.
#[derive(Debug)]
pub(crate) struct Whole {
    /// What its sender has said, which is not enough to reserve any amount.
    expected: Option<u64>,
    first: Bytes,
    /// What followed `first`.
    kept: Vec<Bytes>,
    /// What followed `kept`, or all that has come, if both are empty.
    end: BytesMut,
    len: usize,
}

impl Whole {
    pub(crate) fn new(expected: Option<u64>) -> Self {
        Self { expected, first: Bytes::new(), kept: Vec::new(), end: BytesMut::new(), len: 0 }
    }

    pub(crate) fn add(&mut self, piece: Bytes) {
        self.len += piece.len();
        if self.len == piece.len() {
            self.first = piece;
        } else if let Some(size) = self.size_to_take() {
            self.put_together(size);
            self.end.extend_from_slice(&piece);
        } else {
            self.keep(piece);
        }
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len as u64
    }

    pub(crate) fn into_bytes(mut self) -> Bytes {
        if self.first.len() == self.len {
            return self.first;
        }
        self.put_together(self.len);
        self.end.freeze()
    }

    /// How much memory there has to be for all of it, if it is time for that.
    fn size_to_take(&self) -> Option<usize> {
        let Some(expected) = self.expected else {
            return match self.len {
                small if small <= SMALL_BYTES_MAX => Some(small),
                large if large > KEPT_BYTES_MAX => Some(large.saturating_mul(2)),
                _ => None,
            };
        };
        let size = usize::try_from(expected).ok()?;
        let is_believed = size <= BELIEVED_BYTES || size / BELIEVED_TIMES <= self.len;
        is_believed.then_some(size)
    }

    fn keep(&mut self, piece: Bytes) {
        if piece.len() < KEPT_PIECE_BYTES_MIN {
            if self.end.capacity() - self.end.len() < piece.len() {
                self.keep_end();
                self.end.reserve(SMALL_BYTES_MAX);
            }
            self.end.extend_from_slice(&piece);
        } else {
            self.keep_end();
            self.kept.push(piece);
        }
    }

    fn keep_end(&mut self) {
        if !self.end.is_empty() {
            self.kept.push(self.end.split().freeze());
        }
    }

    /// Has all of it in `end`, in memory for so much.
    fn put_together(&mut self, size: usize) {
        if self.first.is_empty() && self.kept.is_empty() {
            return;
        }
        let mut whole = BytesMut::with_capacity(size.max(self.len));
        // Each is freed when it was copied.
        for piece in iter::once(mem::take(&mut self.first)).chain(mem::take(&mut self.kept)) {
            whole.extend_from_slice(&piece);
        }
        whole.extend_from_slice(&self.end);
        self.end = whole;
    }
}

/// A size that is believed at once, as is one of which a good part has come.
const BELIEVED_BYTES: usize = 64 << 20;
const BELIEVED_TIMES: usize = 16;
const SMALL_BYTES_MAX: usize = 64 << 10;
/// What is smaller may hold on to many times its size.
const KEPT_PIECE_BYTES_MIN: usize = 4 << 10;
/// Of a body whose size is not known. Allocators of Linux move pages from twice of this on at the
/// latest (`M_MMAP_THRESHOLD` in mallopt(3)).
const KEPT_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds pieces of these sizes and looks at what comes of them; how many bytes were copied again
    /// after they had been put together.
    #[track_caller]
    fn copied_again(expected: Option<u64>, sizes: impl IntoIterator<Item = usize>) -> usize {
        let (mut whole, mut sent) = (Whole::new(expected), Vec::new());
        let mut copied = 0;
        for (size, byte) in sizes.into_iter().zip((0..=u8::MAX).cycle()) {
            sent.resize(sent.len() + size, byte);
            let before = (whole.end.as_ptr(), whole.end.len());
            let was_together = whole.first.is_empty() && whole.kept.is_empty();
            whole.add(Bytes::copy_from_slice(&sent[sent.len() - size..]));
            assert_eq!(whole.len(), sent.len() as u64);
            if was_together && whole.end.as_ptr() != before.0 {
                copied += before.1;
            }
        }
        let bytes = whole.into_bytes();
        assert!(bytes == sent, "{} bytes of {}", bytes.len(), sent.len());
        copied
    }

    fn pieces(of: usize, bytes: usize) -> impl Iterator<Item = usize> {
        (0..bytes).step_by(of).map(move |at| of.min(bytes - at))
    }

    #[test]
    fn what_came_in_one_piece_is_not_copied() {
        for expected in [None, Some(5), Some(1 << 40)] {
            let (mut whole, piece) = (Whole::new(expected), Bytes::from(vec![1; 5]));
            whole.add(Bytes::new());
            whole.add(piece.clone());
            assert_eq!(whole.into_bytes().as_ptr(), piece.as_ptr());
        }
        assert!(Whole::new(None).into_bytes().is_empty());
    }

    #[test]
    fn a_large_body_is_copied_once_whether_its_size_is_known_or_not() {
        for (bytes, piece) in [(1 << 20, 16 << 10), (16 << 20, 100_000), (30 << 20, 8 << 10)] {
            assert_eq!(copied_again(Some(bytes as u64), pieces(piece, bytes)), 0);
            // The beginning may have been a small body.
            assert!(copied_again(None, pieces(piece, bytes)) <= 2 * SMALL_BYTES_MAX);
        }
        let bytes = BELIEVED_BYTES + 1;
        assert_eq!(copied_again(Some(bytes as u64), pieces(400_000, bytes)), 0);
    }

    #[test]
    fn pieces_of_all_sizes_keep_their_order() {
        for bytes in [1, 100, 5_000, 65_537, 300_000, (17 << 20) + 1] {
            for expected in [None, Some(bytes as u64), Some(1 << 40)] {
                for piece in [997, 4_096, 70_001] {
                    copied_again(expected, pieces(piece, bytes));
                }
                let mixed = [1, 5_000, 10, 0, 70_000, 1, 1, 4_096, 4_095].into_iter().cycle();
                copied_again(expected, mixed.take(bytes.min(500)));
            }
        }
    }

    #[test]
    fn a_size_that_nothing_speaks_for_takes_no_memory() {
        let mut whole = Whole::new(Some(1 << 40));
        pieces(1_000, 200_000).for_each(|size| whole.add(vec![0; size].into()));
        assert!(whole.end.capacity() < 1 << 20);
        assert!(whole.kept.iter().map(Bytes::len).sum::<usize>() <= 200_000);
    }
}
