//! gzip (RFC 1952), with several members, and deflate.

mod deflate;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use self::deflate::Deflate;
use super::{Decode, Malformed, Moved};

pub(super) const OFFERED: &[&str] = &["gzip", "deflate"];

pub(super) fn decoder(name: &str) -> Option<Box<dyn Decode>> {
    match name {
        "gzip" | "x-gzip" => Some(Box::new(Gzip::new())),
        "deflate" => Some(Box::new(Deflate::new())),
        _ => None,
    }
}

struct Gzip {
    state: State,
    inflate: Decompress,
    crc: Crc,
}

/// What comes next.
enum State {
    Header(Header),
    Content,
    Trailer {
        bytes: [u8; 8],
        filled: usize,
    },
    /// A member is complete: another one or nothing, or what is no member and is ignored.
    Between {
        has_first_byte: bool,
    },
    Ignored,
}

impl Gzip {
    fn new() -> Self {
        let state = State::Header(Header::default());
        Self { state, inflate: Decompress::new(false), crc: Crc::new() }
    }

    /// Takes one byte that is not deflated.
    fn take(&mut self, byte: u8) -> Result<(), Malformed> {
        match &mut self.state {
            State::Header(header) => {
                if header.take(byte)? {
                    self.inflate.reset(false);
                    self.crc.reset();
                    self.state = State::Content;
                }
            }
            State::Trailer { bytes, filled } => {
                bytes[*filled] = byte;
                *filled += 1;
                if *filled == bytes.len() {
                    let bytes = *bytes;
                    self.check_sums(bytes)?;
                    self.state = State::Between { has_first_byte: false };
                }
            }
            State::Between { has_first_byte } => match (*has_first_byte, byte) {
                (false, MAGIC_1) => *has_first_byte = true,
                (true, MAGIC_2) => self.state = State::Header(Header::after_magic()),
                // Zeros are common behind a last member, and browsers ignore anything there.
                _ => self.state = State::Ignored,
            },
            State::Content | State::Ignored => {}
        }
        Ok(())
    }

    fn check_sums(&self, [a, b, c, d, e, f, g, h]: [u8; 8]) -> Result<(), Malformed> {
        let is_whole = u32::from_le_bytes([a, b, c, d]) == self.crc.sum()
            && u32::from_le_bytes([e, f, g, h]) == self.crc.amount();
        if is_whole { Ok(()) } else { Err(Malformed::new(GZIP, "does not fit its checksum")) }
    }
}

impl Decode for Gzip {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Moved, Malformed> {
        let mut moved = Moved::default();
        loop {
            match self.state {
                State::Content => {
                    let (more, is_over) = inflate(
                        &mut self.inflate,
                        &input[moved.read..],
                        &mut output[moved.written..],
                        GZIP,
                    )?;
                    self.crc.update(&output[moved.written..][..more.written]);
                    moved.read += more.read;
                    moved.written += more.written;
                    if !is_over {
                        return Ok(moved);
                    }
                    self.state = State::Trailer { bytes: [0; 8], filled: 0 };
                }
                State::Ignored => return Ok(Moved { read: input.len(), ..moved }),
                _ => {
                    let Some(byte) = input.get(moved.read) else { return Ok(moved) };
                    self.take(*byte)?;
                    moved.read += 1;
                }
            }
        }
    }

    fn check_end(&self) -> Result<(), Malformed> {
        match self.state {
            State::Between { .. } | State::Ignored => Ok(()),
            State::Header(_) | State::Content | State::Trailer { .. } => {
                Err(Malformed::new(GZIP, "ends too early"))
            }
        }
    }
}

/// The header of a member (RFC 1952 §2.3), of which nothing is kept.
#[derive(Default)]
struct Header {
    position: usize,
    flags: u8,
    part: Part,
    extra_left: u16,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Part {
    #[default]
    Fixed,
    ExtraLength(u8),
    Extra,
    Name,
    Comment,
    Checksum(u8),
}

impl Header {
    const fn after_magic() -> Self {
        Self { position: 2, flags: 0, part: Part::Fixed, extra_left: 0 }
    }

    /// Takes a byte; whether it was the last one.
    fn take(&mut self, byte: u8) -> Result<bool, Malformed> {
        let is_part_over = match self.part {
            Part::Fixed => self.take_fixed(byte)?,
            Part::ExtraLength(0) => {
                self.extra_left = u16::from(byte);
                self.part = Part::ExtraLength(1);
                false
            }
            Part::ExtraLength(_) => {
                self.extra_left |= u16::from(byte) << 8;
                self.part = Part::Extra;
                self.extra_left == 0
            }
            Part::Extra => {
                self.extra_left -= 1;
                self.extra_left == 0
            }
            Part::Name | Part::Comment => byte == 0,
            Part::Checksum(0) => {
                self.part = Part::Checksum(1);
                false
            }
            Part::Checksum(_) => true,
        };
        Ok(is_part_over && !self.begin_next_part())
    }

    fn take_fixed(&mut self, byte: u8) -> Result<bool, Malformed> {
        let is_right = match self.position {
            0 => byte == MAGIC_1,
            1 => byte == MAGIC_2,
            2 => byte == DEFLATE,
            3 => byte & RESERVED == 0,
            _ => true,
        };
        if !is_right {
            return Err(Malformed::new(GZIP, "does not begin as gzip does"));
        }
        if self.position == 3 {
            self.flags = byte;
        }
        self.position += 1;
        Ok(self.position == 10)
    }

    /// Goes on to the next part that is there; whether there is one.
    fn begin_next_part(&mut self) -> bool {
        let parts = [
            (Part::ExtraLength(0), HAS_EXTRA),
            (Part::Name, HAS_NAME),
            (Part::Comment, HAS_COMMENT),
            (Part::Checksum(0), HAS_CHECKSUM),
        ];
        for (part, flag) in parts {
            if self.flags & flag != 0 {
                self.flags &= !flag;
                self.part = part;
                return true;
            }
        }
        false
    }
}

/// Inflates as much as it can, and tells whether the deflated data are over.
fn inflate(
    inflate: &mut Decompress,
    input: &[u8],
    output: &mut [u8],
    coding: &'static str,
) -> Result<(Moved, bool), Malformed> {
    let (read_before, written_before) = (inflate.total_in(), inflate.total_out());
    let since = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
    let mut moved = Moved::default();
    loop {
        let before = moved;
        let (input, output) = (&input[moved.read..], &mut output[moved.written..]);
        let status = inflate.decompress(input, output, FlushDecompress::None);
        let status = status.map_err(|_| Malformed::new(coding, "is not what it is said to be"))?;
        moved.read = since(inflate.total_in(), read_before);
        moved.written = since(inflate.total_out(), written_before);
        // It may stop before either of them is used up.
        if status == Status::StreamEnd || moved == before {
            return Ok((moved, status == Status::StreamEnd));
        }
    }
}

const GZIP: &str = "gzip";
const MAGIC_1: u8 = 0x1f;
const MAGIC_2: u8 = 0x8b;
const DEFLATE: u8 = 8;
const HAS_CHECKSUM: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

#[cfg(test)]
mod tests {
    use super::super::trials::{check_wrong, every_way};

    /// What Python's `gzip` makes of "hello, hello, hello, world".
    const HELLO: &[u8] = &[
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9,
        0xd7, 0x51, 0xc8, 0x40, 0xa1, 0xca, 0xf3, 0x8b, 0x72, 0x52, 0x00, 0x90, 0x14, 0xe5, 0x7b,
        0x1a, 0x00, 0x00, 0x00,
    ];
    const TEXT: &[u8] = b"hello, hello, hello, world";

    fn with_header(flags: u8, fields: &[u8]) -> Vec<u8> {
        let mut bytes = HELLO.to_vec();
        bytes[3] = flags;
        bytes.splice(10..10, fields.iter().copied());
        bytes
    }

    #[test]
    fn rfc_1952_a_member_is_content_a_header_and_a_checksum() {
        every_way("gzip", HELLO, TEXT);
        every_way("X-GZIP", HELLO, TEXT);
        every_way("gzip", &with_header(16 | 8, b"name\0comment\0"), TEXT);
        every_way("gzip", &with_header(4, &[3, 0, 1, 2, 3]), TEXT);
        every_way("gzip", &with_header(4 | 2, &[0, 0, 9, 9]), TEXT);
        every_way("gzip", &with_header(1, b""), TEXT);
    }

    #[test]
    fn rfc_1952_section_2_2_members_follow_each_other() {
        every_way("gzip", &[HELLO, HELLO].concat(), &[TEXT, TEXT].concat());
        every_way("gzip", &[HELLO, HELLO, HELLO].concat(), &TEXT.repeat(3));
    }

    #[test]
    fn what_is_no_member_behind_the_last_one_is_ignored() {
        for garbage in [&b"\0\0\0\0"[..], b"\n", b"\x1f", b"\x1fx", b"garbage\x1f\x8b"] {
            every_way("gzip", &[HELLO, garbage].concat(), TEXT);
        }
    }

    #[test]
    fn a_cut_or_changed_member_is_wrong() {
        for length in 1..HELLO.len() {
            check_wrong("gzip", &HELLO[..length]);
            check_wrong("gzip", &[HELLO, &HELLO[..length.max(2)]].concat());
        }
        for at in (0..4).chain(10..HELLO.len()) {
            let mut changed = HELLO.to_vec();
            changed[at] ^= 0xe1;
            check_wrong("gzip", &changed);
        }
        check_wrong("gzip", b"<html>not compressed at all</html>");
    }
}
