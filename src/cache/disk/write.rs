//! Writing entries.

use std::{
    fs::{self, File},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;

use super::{
    super::{
        memory::too_large,
        store::{CacheHead, CacheKey, CacheWriter, random_number},
    },
    Folder,
    form::{self, BLOCK_BYTES, SLOT_MAX, Tail},
    read,
};

/// Writes a body, block by block, into a file that does not have its name yet.
pub(super) struct DiskWriter {
    folder: Arc<Folder>,
    key: CacheKey,
    /// Opened for the first whole block, or when the body is complete.
    file: Option<Unfinished>,
    salt: u64,
    block: Vec<u8>,
    table: Vec<u8>,
    body: u64,
    /// What of the room it takes already.
    reserved: u64,
}

impl DiskWriter {
    pub(super) fn new(folder: Arc<Folder>, key: CacheKey) -> Self {
        Self {
            folder,
            key,
            file: None,
            salt: random_number(),
            block: Vec::new(),
            table: Vec::new(),
            body: 0,
            reserved: 0,
        }
    }

    fn end_block(&mut self) -> io::Result<()> {
        let index = self.body / BLOCK_BYTES as u64;
        self.body += self.block.len() as u64;
        let sum = form::block_checksum(self.salt, index, &self.block);
        self.table.extend_from_slice(&sum.to_le_bytes());
        if self.body > self.folder.room.entry_max() {
            return Err(too_large());
        }
        let block = std::mem::take(&mut self.block);
        self.append(&block)?;
        self.block = block;
        self.block.clear();
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.folder.room.reserve(&self.folder.place, bytes.len() as u64)?;
        self.reserved += bytes.len() as u64;
        if self.file.is_none() {
            let (file, path) = self.folder.place.create()?;
            self.file = Some(Unfinished { file, path: Some(path) });
        }
        match &mut self.file {
            Some(unfinished) => unfinished.file.write_all(bytes),
            None => Ok(()),
        }
    }
}

impl CacheWriter for DiskWriter {
    fn write(&mut self, piece: &Bytes) -> io::Result<()> {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let fits = rest.len().min(BLOCK_BYTES - self.block.len());
            self.block.extend_from_slice(&rest[..fits]);
            rest = &rest[fits..];
            if self.block.len() == BLOCK_BYTES {
                self.end_block()?;
            }
        }
        Ok(())
    }

    fn commit(mut self: Box<Self>, head: &CacheHead) -> io::Result<()> {
        let head = head.encode();
        let slot = form::slot_for(head.len());
        if slot > SLOT_MAX {
            return Err(too_large());
        }
        let mut last = std::mem::take(&mut self.block);
        if !last.is_empty() {
            let index = self.body / BLOCK_BYTES as u64;
            self.body += last.len() as u64;
            let sum = form::block_checksum(self.salt, index, &last);
            self.table.extend_from_slice(&sum.to_le_bytes());
        }
        let table_checksum = form::table_checksum(self.salt, &self.table);
        let tail = Tail { salt: self.salt, body: self.body, slot, table_checksum };
        last.extend_from_slice(&self.table);
        let heads_at = last.len();
        last.extend_from_slice(&form::encode_slot(self.salt, 1, &head));
        let heads = usize::try_from(slot * 2).map_err(io::Error::other)?;
        last.resize(heads_at + heads, 0);
        last.extend_from_slice(&tail.encode());
        // The small entry, which most are, is one write.
        self.append(&last)?;
        if let Some(mut unfinished) = self.file.take()
            && let Some(path) = unfinished.path.take()
            && let Err(error) = self.folder.place.publish(&path, self.key)
        {
            unfinished.path = Some(path);
            return Err(error);
        }
        // It is in the folder now, and counts until it is removed.
        self.reserved = 0;
        Ok(())
    }
}

impl Drop for DiskWriter {
    fn drop(&mut self) {
        self.folder.room.give_back(self.reserved);
    }
}

/// A file that is removed unless it gets its name.
struct Unfinished {
    file: File,
    /// `None` when it has its name.
    path: Option<PathBuf>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Whoever looks after the folder removes it else.
            drop(fs::remove_file(path));
        }
    }
}

/// What became of news of a head.
pub(super) enum Updated {
    Done,
    /// The file is another entry's, or no whole one.
    Other,
    DoesNotFit,
}

/// Writes news of a head beside the head that stands in the file.
pub(super) fn update(mut file: File, head: &CacheHead) -> io::Result<Updated> {
    let length = file.metadata()?.len();
    let Some(tail) = read::tail(&mut file, length)? else { return Ok(Updated::Other) };
    file.seek(SeekFrom::Start(tail.slots_at()))?;
    let slots = read::read(&mut file, tail.slot * 2)?;
    let Some(newest) = read::newest_slot(&tail, &slots) else { return Ok(Updated::Other) };
    let sequence = newest.sequence;
    if CacheHead::decode(newest.head).is_none_or(|old| old.id() != head.id()) {
        return Ok(Updated::Other);
    }
    let written = form::encode_slot(tail.salt, sequence + 1, &head.encode());
    if written.len() as u64 > tail.slot {
        return Ok(Updated::DoesNotFit);
    }
    // Odd numbers stand in the first place.
    let place = if sequence % 2 == 0 { 0 } else { tail.slot };
    file.seek(SeekFrom::Start(tail.slots_at() + place))?;
    file.write_all(&written)?;
    Ok(Updated::Done)
}
