//! A body that comes in pieces and is wanted in one.

use std::mem;

use bytes::{Bytes, BytesMut};

/// Puts a body together; one that came in one piece is not copied.
///
/// Each piece is copied when it comes, because it is in the caches then, and whoever received it can
/// use its memory again. Memory for a body is taken once if its size is known and believed; else it
/// is doubled, which on Linux moves the pages of a large one instead of copying it. To keep the pieces
/// of a body of unknown size until its end was measured to be slower by a quarter.
#[derive(Debug)]
pub(crate) struct Whole {
    /// What its sender has said, which is not enough to reserve any amount.
    expected: Option<u64>,
    /// The first piece, while there is no other.
    first: Bytes,
    /// All that has come, once there are two.
    together: BytesMut,
}

impl Whole {
    pub(crate) fn new(expected: Option<u64>) -> Self {
        Self { expected, first: Bytes::new(), together: BytesMut::new() }
    }

    pub(crate) fn add(&mut self, piece: Bytes) {
        if self.len() == 0 {
            self.first = piece;
            return;
        }
        let len = self.together.len() + self.first.len() + piece.len();
        let size = self.believed_size(len).unwrap_or(len).max(len);
        self.together.reserve(size - self.together.len());
        self.together.extend_from_slice(&mem::take(&mut self.first));
        self.together.extend_from_slice(&piece);
    }

    pub(crate) fn len(&self) -> u64 {
        (self.first.len() + self.together.len()) as u64
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        if self.together.is_empty() { self.first } else { self.together.freeze() }
    }

    /// The size of all of it, if it is known and enough has come to believe it.
    fn believed_size(&self, len: usize) -> Option<usize> {
        let size = usize::try_from(self.expected?).ok()?;
        (size <= BELIEVED_BYTES || size / BELIEVED_TIMES <= len).then_some(size)
    }
}

/// A size that is believed at once, as is one of which a good part has come.
const BELIEVED_BYTES: usize = 64 << 20;
const BELIEVED_TIMES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds pieces of these sizes and looks at what comes of them; how many bytes were copied again,
    /// if memory that grew was copied each time.
    #[track_caller]
    fn copied_again(expected: Option<u64>, sizes: impl IntoIterator<Item = usize>) -> usize {
        let (mut whole, mut sent) = (Whole::new(expected), Vec::new());
        let mut copied = 0;
        for (size, byte) in sizes.into_iter().zip((0..=u8::MAX).cycle()) {
            sent.resize(sent.len() + size, byte);
            let (capacity, len) = (whole.together.capacity(), whole.together.len());
            whole.add(Bytes::copy_from_slice(&sent[sent.len() - size..]));
            assert_eq!(whole.len(), sent.len() as u64);
            if whole.together.capacity() != capacity {
                copied += len;
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
    fn memory_is_taken_once_for_a_size_that_is_known() {
        for (bytes, piece) in [(1 << 20, 16 << 10), (16 << 20, 100_000), (30 << 20, 8 << 10)] {
            assert_eq!(copied_again(Some(bytes as u64), pieces(piece, bytes)), 0);
            assert!(copied_again(None, pieces(piece, bytes)) <= 2 * bytes);
        }
        let bytes = BELIEVED_BYTES + 1;
        let again = copied_again(Some(bytes as u64), pieces(400_000, bytes));
        assert!(again <= 3 * bytes / BELIEVED_TIMES, "{again}");
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
        assert!(whole.together.capacity() < 1 << 20);
    }
}
