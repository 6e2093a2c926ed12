//! deflate, with its frame (RFC 1950) and without (RFC 1951): servers send both under that name
//! (RFC 9110 §8.4.1.2).

use flate2::Decompress;

use super::{
    super::{Decode, Malformed, Moved},
    DEFLATE, inflate,
};

pub(super) enum Deflate {
    /// Which of the two it is shows in the first two bytes.
    Start {
        first: Option<u8>,
    },
    Content {
        inflate: Decompress,
        /// What was looked at and is still to be inflated.
        looked_at: Option<[u8; 2]>,
    },
    Over,
}

impl Deflate {
    pub(super) const fn new() -> Self {
        Self::Start { first: None }
    }
}

impl Decode for Deflate {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Moved, Malformed> {
        let mut moved = Moved::default();
        loop {
            match self {
                Self::Start { first } => {
                    let Some(byte) = input.get(moved.read).copied() else { return Ok(moved) };
                    moved.read += 1;
                    match *first {
                        None => *first = Some(byte),
                        Some(first) => {
                            let inflate = Decompress::new(is_zlib(first, byte));
                            *self = Self::Content { inflate, looked_at: Some([first, byte]) };
                        }
                    }
                }
                Self::Content { inflate: inflater, looked_at } => {
                    let room = &mut output[moved.written..];
                    let (more, is_over) = match looked_at.take() {
                        // Two bytes are no whole piece of any content: none of them is left.
                        Some(bytes) => {
                            let (more, is_over) = inflate(inflater, &bytes, room, DEFLATED)?;
                            (Moved { read: 0, ..more }, is_over)
                        }
                        None => inflate(inflater, &input[moved.read..], room, DEFLATED)?,
                    };
                    moved.read += more.read;
                    moved.written += more.written;
                    if is_over {
                        *self = Self::Over;
                    } else if moved.read == input.len() || moved.written == output.len() {
                        return Ok(moved);
                    }
                }
                // Browsers ignore what follows.
                Self::Over => return Ok(Moved { read: input.len(), ..moved }),
            }
        }
    }

    fn check_end(&self) -> Result<(), Malformed> {
        match self {
            Self::Over => Ok(()),
            Self::Start { .. } | Self::Content { .. } => {
                Err(Malformed::new(DEFLATED, "ends too early"))
            }
        }
    }
}

/// RFC 1950 §2.2: method 8 and a check of both bytes.
fn is_zlib(first: u8, second: u8) -> bool {
    first & 0x0f == DEFLATE && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

const DEFLATED: &str = "deflate";

#[cfg(test)]
mod tests {
    use super::super::super::trials::{check_wrong, every_way};

    const FRAMED: &[u8] = &[
        0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x40, 0xa1, 0xca, 0xf3, 0x8b,
        0x72, 0x52, 0x00, 0x7c, 0x90, 0x09, 0x49,
    ];
    const RAW: &[u8] = &[
        0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x40, 0xa1, 0xca, 0xf3, 0x8b, 0x72, 0x52,
        0x00,
    ];
    const TEXT: &[u8] = b"hello, hello, hello, world";

    #[test]
    fn rfc_1950_and_rfc_1951_are_both_called_deflate() {
        every_way("deflate", FRAMED, TEXT);
        every_way("deflate", RAW, TEXT);
        every_way("deflate", &[3, 0], b"");
    }

    #[test]
    fn what_follows_is_ignored() {
        every_way("deflate", &[FRAMED, b"garbage"].concat(), TEXT);
        every_way("deflate", &[RAW, b"garbage"].concat(), TEXT);
    }

    #[test]
    fn cut_data_and_a_wrong_checksum_are_wrong() {
        for length in 1..FRAMED.len() {
            check_wrong("deflate", &FRAMED[..length]);
        }
        for length in 1..RAW.len() {
            check_wrong("deflate", &RAW[..length]);
        }
        let mut changed = FRAMED.to_vec();
        changed[FRAMED.len() - 1] ^= 1;
        check_wrong("deflate", &changed);
    }
}
