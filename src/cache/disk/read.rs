//! Reading entries, and believing nothing that is not proved.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use bytes::Bytes;

use super::{
    super::store::{CacheBody, CacheEntry, CacheHead, CacheReader},
    form::{self, BLOCK_BYTES, Slot, TAIL_BYTES, Tail},
    heads::Heads,
};

/// Reads an entry; `None` if the file is not a whole one.
pub(super) fn entry(mut file: File, length: u64, heads: &Heads) -> io::Result<Option<CacheEntry>> {
    if length <= AT_ONCE_MAX {
        let bytes = whole(&mut file, length)?;
        return Ok(small(bytes, length, heads));
    }
    let Some((head, tail, table)) = behind_body(&mut file, length, heads)? else { return Ok(None) };
    let mut body = DiskBody { file, tail, table, block: Bytes::new(), block_index: u64::MAX };
    // The first block is what is wanted first, and shows whether the file is what it says.
    match body.read_at(0) {
        Ok(_) => Ok(Some(CacheEntry { head, body: CacheBody::Pieces(Box::new(body)) })),
        Err(error) if is_damage(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the head of an entry and tells how long its body is; `None` if it is not a whole one.
pub(super) fn head(mut file: File) -> io::Result<Option<(CacheHead, u64)>> {
    let length = file.metadata()?.len();
    let found = behind_body(&mut file, length, &Heads::none())?;
    Ok(found.map(|(head, tail, _)| (head, tail.body)))
}

fn small(bytes: Vec<u8>, length: u64, heads: &Heads) -> Option<CacheEntry> {
    let tail_at = bytes.len().checked_sub(TAIL_BYTES)?;
    let tail = Tail::decode(&bytes[tail_at..], length)?;
    let body_bytes = usize::try_from(tail.body).ok()?;
    let (body, behind) = bytes[..tail_at].split_at_checked(body_bytes)?;
    let (head, table) = head_and_table(&tail, behind, heads)?;
    check(&tail, &table, body).then_some(())?;
    let body = Bytes::from(bytes).slice(..body_bytes);
    Some(CacheEntry { head, body: CacheBody::Whole(body) })
}

fn behind_body(
    file: &mut File,
    length: u64,
    heads: &Heads,
) -> io::Result<Option<(CacheHead, Tail, Vec<u64>)>> {
    let Some(tail) = tail(file, length)? else { return Ok(None) };
    file.seek(SeekFrom::Start(tail.body))?;
    let behind = read(file, tail.behind_body() - TAIL_BYTES as u64)?;
    Ok(head_and_table(&tail, &behind, heads).map(|(head, table)| (head, tail, table)))
}

/// The tail of a file of that length; `None` if it has none.
pub(super) fn tail(file: &mut File, length: u64) -> io::Result<Option<Tail>> {
    let Some(tail_at) = length.checked_sub(TAIL_BYTES as u64) else { return Ok(None) };
    file.seek(SeekFrom::Start(tail_at))?;
    Ok(Tail::decode(&read(file, TAIL_BYTES as u64)?, length))
}

/// The newer head and the checksums, from what stands between body and tail.
fn head_and_table(tail: &Tail, behind: &[u8], heads: &Heads) -> Option<(CacheHead, Vec<u64>)> {
    let (table, slots) = behind.split_at_checked(usize::try_from(tail.blocks() * 8).ok()?)?;
    if form::table_checksum(tail.salt, table) != tail.table_checksum {
        return None;
    }
    let head = heads.decode(tail.salt, newest_slot(tail, slots)?)?;
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or([0; 8]));
    Some((head, table.chunks_exact(8).map(number).collect()))
}

/// The newer one of the two heads that is whole.
pub(super) fn newest_slot<'s>(tail: &Tail, slots: &'s [u8]) -> Option<Slot<'s>> {
    let (one, other) = slots.split_at_checked(usize::try_from(tail.slot).ok()?)?;
    let heads = [one, other].map(|slot| form::decode_slot(tail.salt, slot));
    heads.into_iter().flatten().max_by_key(|slot| slot.sequence)
}

fn check(tail: &Tail, table: &[u64], body: &[u8]) -> bool {
    body.chunks(BLOCK_BYTES).zip(0..).zip(table).all(|((block, index), &expected)| {
        form::block_checksum(tail.salt, index, block) == expected
    })
}

/// Reads so many bytes, or fewer if there are no more.
pub(super) fn read(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a file of at least so many bytes to its end.
fn whole(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    if length <= ONE_PIECE {
        return read(file, length);
    }
    // Asks for the size once more and then for everything at once.
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A body that is read block by block.
struct DiskBody {
    file: File,
    tail: Tail,
    table: Vec<u64>,
    /// The one that was read last.
    block: Bytes,
    block_index: u64,
}

impl CacheReader for DiskBody {
    fn length(&self) -> u64 {
        self.tail.body
    }

    fn read_at(&mut self, position: u64) -> io::Result<Bytes> {
        let index = position / BLOCK_BYTES as u64;
        if index != self.block_index {
            self.block = self.read_block(index)?;
            self.block_index = index;
        }
        let inside = usize::try_from(position % BLOCK_BYTES as u64).map_err(io::Error::other)?;
        Ok(self.block.slice(inside.min(self.block.len())..))
    }

    fn read_all(&mut self) -> io::Result<Bytes> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut body = whole(&mut self.file, self.tail.body)?;
        body.truncate(usize::try_from(self.tail.body).map_err(io::Error::other)?);
        let is_whole = body.len() as u64 == self.tail.body;
        if !is_whole || !check(&self.tail, &self.table, &body) {
            return Err(damage());
        }
        Ok(body.into())
    }
}

impl DiskBody {
    fn read_block(&mut self, index: u64) -> io::Result<Bytes> {
        let start = index * BLOCK_BYTES as u64;
        let length = self.tail.body.saturating_sub(start).min(BLOCK_BYTES as u64);
        self.file.seek(SeekFrom::Start(start))?;
        let block = read(&mut self.file, length)?;
        let expected = usize::try_from(index).ok().and_then(|index| self.table.get(index));
        let sum = form::block_checksum(self.tail.salt, index, &block);
        if expected != Some(&sum) {
            return Err(damage());
        }
        Ok(block.into())
    }
}

fn damage() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the stored bytes are not those that were written")
}

fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// What the standard library reads in one piece from a file that it is not told to read whole.
const ONE_PIECE: u64 = 8 << 10;
/// Files up to this size are read whole, and so proved before the first byte is used.
const AT_ONCE_MAX: u64 = (1 << 20) + (64 << 10);
