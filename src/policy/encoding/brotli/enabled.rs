//! Brotli (RFC 7932).

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::{Decode, Malformed, Moved};

pub(super) const OFFERED: &[&str] = &["br"];

pub(super) fn decoder(name: &str) -> Option<Box<dyn Decode>> {
    (name == "br").then(|| Box::new(Brotli::new()) as Box<dyn Decode>)
}

struct Brotli {
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    is_over: bool,
}

impl Brotli {
    fn new() -> Self {
        let alloc = StandardAlloc::default;
        Self { state: Box::new(BrotliState::new(alloc(), alloc(), alloc())), is_over: false }
    }
}

impl Decode for Brotli {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Moved, Malformed> {
        if self.is_over {
            // Browsers ignore what follows.
            return Ok(Moved { read: input.len(), written: 0 });
        }
        let (mut unread, mut room) = (input.len(), output.len());
        let mut moved = Moved::default();
        let result = BrotliDecompressStream(
            &mut unread,
            &mut moved.read,
            input,
            &mut room,
            &mut moved.written,
            output,
            &mut 0,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultSuccess => {
                self.is_over = true;
                Ok(Moved { read: input.len(), ..moved })
            }
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => Ok(moved),
            BrotliResult::ResultFailure => {
                Err(Malformed::new(BROTLI, "is not what it is said to be"))
            }
        }
    }

    fn check_end(&self) -> Result<(), Malformed> {
        if self.is_over { Ok(()) } else { Err(Malformed::new(BROTLI, "ends too early")) }
    }
}

const BROTLI: &str = "br";

#[cfg(test)]
mod tests {
    use super::super::trials::{check_wrong, every_way};

    const HELLO: &[u8] = &[
        0x1b, 0x19, 0x00, 0xf8, 0x8d, 0x94, 0x6e, 0xde, 0x44, 0x09, 0x52, 0x86, 0x96, 0x6c, 0x2c,
        0x6f, 0x35, 0x88, 0x3c, 0x95, 0x00, 0x0a, 0x73, 0x1c, 0x02,
    ];
    const TEXT: &[u8] = b"hello, hello, hello, world";

    #[test]
    fn rfc_7932_content_is_decoded_and_what_follows_ignored() {
        every_way("br", HELLO, TEXT);
        every_way("br", &[HELLO, b"garbage"].concat(), TEXT);
        every_way("br", &[6], b"");
    }

    #[test]
    fn cut_and_other_data_are_wrong() {
        for length in 1..HELLO.len() {
            check_wrong("br", &HELLO[..length]);
        }
        check_wrong("br", b"<html>not compressed at all</html>");
    }
}
