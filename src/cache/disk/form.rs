//! What a file looks like.
//!
//! ```text
//! body | checksums of its blocks | head | other head | tail
//! ```
//!
//! The tail has a fixed size and says where the rest is. There are two places for the head: news of
//! it are written into the one that is not in use, so that a torn write leaves the older one. All
//! numbers are little-endian, all checksums are XXH3 with the file's salt mixed in, so that parts of
//! different files never fit together.

use twox_hash::XxHash3_64;

/// Where the parts of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// A random number of this file's own.
    pub(super) salt: u64,
    pub(super) body: u64,
    /// How large each place for a head is.
    pub(super) slot: u64,
    /// Of the checksums of the blocks.
    pub(super) table_checksum: u64,
}

impl Tail {
    pub(super) const fn blocks(&self) -> u64 {
        self.body.div_ceil(BLOCK_BYTES as u64)
    }

    /// Checksums, heads and tail.
    pub(super) const fn behind_body(&self) -> u64 {
        self.blocks() * 8 + self.slot * 2 + TAIL_BYTES as u64
    }

    pub(super) const fn slots_at(&self) -> u64 {
        self.body + self.blocks() * 8
    }

    /// As it stands at the end of the file.
    pub(super) fn encode(&self) -> [u8; TAIL_BYTES] {
        let mut bytes = [0; TAIL_BYTES];
        let numbers = [self.salt, self.body, self.slot, self.table_checksum];
        bytes[..8].copy_from_slice(MAGIC);
        for (place, number) in bytes[8..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let sum = checksum(self.salt, TAIL_SEED, &bytes[..40]);
        bytes[40..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads the end of a file of `file` bytes; `None` if that is none.
    pub(super) fn decode(bytes: &[u8], file: u64) -> Option<Self> {
        let bytes: &[u8; TAIL_BYTES] = bytes.try_into().ok()?;
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or([0; 8]));
        let tail = Self {
            salt: number(8),
            body: number(16),
            slot: number(24),
            table_checksum: number(32),
        };
        let is_whole = &bytes[..8] == MAGIC
            && number(40) == checksum(tail.salt, TAIL_SEED, &bytes[..40])
            && tail.slot <= SLOT_MAX
            && tail.body <= file
            && tail.body + tail.behind_body() == file;
        is_whole.then_some(tail)
    }
}

/// How large a place for a head of that many bytes is made: news of it may be longer.
pub(super) const fn slot_for(head: usize) -> u64 {
    let wanted = (SLOT_HEADER + head + head / 4) as u64;
    wanted.next_multiple_of(256)
}

/// A head as it is written into its place.
pub(super) fn encode_slot(salt: u64, sequence: u64, head: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SLOT_HEADER + head.len());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&(head.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&slot_checksum(salt, sequence, head).to_le_bytes());
    bytes.extend_from_slice(head);
    bytes
}

/// What stands in a place for a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot<'s> {
    /// The number of the version; the higher one counts.
    pub(super) sequence: u64,
    pub(super) checksum: u64,
    pub(super) head: &'s [u8],
}

/// What stands in a place, if it is whole.
pub(super) fn decode_slot(salt: u64, bytes: &[u8]) -> Option<Slot<'_>> {
    let (header, rest) = bytes.split_at_checked(SLOT_HEADER)?;
    let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap_or([0; 8]));
    let (sequence, length, checksum) = (number(0), number(8), number(16));
    let head = rest.get(..usize::try_from(length).ok()?)?;
    let is_whole = sequence > 0 && checksum == slot_checksum(salt, sequence, head);
    is_whole.then_some(Slot { sequence, checksum, head })
}

fn slot_checksum(salt: u64, sequence: u64, head: &[u8]) -> u64 {
    checksum(salt, SLOT_SEED ^ sequence, head)
}

pub(super) fn block_checksum(salt: u64, index: u64, block: &[u8]) -> u64 {
    checksum(salt, index, block)
}

pub(super) fn table_checksum(salt: u64, table: &[u8]) -> u64 {
    checksum(salt, TABLE_SEED, table)
}

fn checksum(salt: u64, what: u64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(salt ^ what.wrapping_mul(0x9e37_79b9_7f4a_7c15), bytes)
}

pub(super) const BLOCK_BYTES: usize = 256 << 10;
pub(super) const TAIL_BYTES: usize = 48;
const SLOT_HEADER: usize = 24;
/// Far beyond any head that a call may receive.
pub(super) const SLOT_MAX: u64 = 16 << 20;
const MAGIC: &[u8; 8] = b"abide\x01\r\n";
const TAIL_SEED: u64 = 1 << 60;
const TABLE_SEED: u64 = 1 << 61;
const SLOT_SEED: u64 = 1 << 62;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_read_as_it_was_written_and_never_when_it_was_changed() {
        let tail = Tail { salt: 3, body: 300_000, slot: 512, table_checksum: 9 };
        let file = tail.body + tail.behind_body();
        let written = tail.encode();
        assert_eq!(Tail::decode(&written, file), Some(tail));
        assert_eq!(Tail::decode(&written, file - 1), None);
        for at in 0..TAIL_BYTES {
            let mut changed = written;
            changed[at] ^= 1;
            assert_eq!(Tail::decode(&changed, file), None, "at {at}");
        }
    }

    #[test]
    fn a_head_in_its_place_is_whole_or_not_there() {
        let written = encode_slot(3, 7, b"head");
        let read = |bytes| decode_slot(3, bytes).map(|slot| (slot.sequence, slot.head));
        assert_eq!(read(&written), Some((7, &b"head"[..])));
        let mut longer = written.clone();
        longer.extend_from_slice(b"rest of an older one");
        assert_eq!(read(&longer), Some((7, &b"head"[..])));
        assert_eq!(decode_slot(4, &written), None);
        for length in 0..written.len() {
            assert_eq!(decode_slot(3, &written[..length]), None);
        }
        assert_eq!(decode_slot(3, &[0; 64]), None);
    }
}
