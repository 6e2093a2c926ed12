//! Zstandard (RFC 8878), with several frames, in the windows that RFC 9659 allows.

use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::{Decode, Malformed, Moved};

pub(super) const OFFERED: &[&str] = &["zstd"];

pub(super) fn decoder(name: &str) -> Option<Box<dyn Decode>> {
    (name == "zstd").then(|| Box::new(Zstd::new()) as Box<dyn Decode>)
}

struct Zstd {
    /// `None` if the library has no memory for one.
    context: Option<DCtx<'static>>,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Frame,
    /// A frame is complete: another one or nothing, or what is no frame and is ignored.
    Between,
    Ignored,
}

impl Zstd {
    fn new() -> Self {
        let mut context = DCtx::try_create();
        if let Some(context) = &mut context
            && context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).is_err()
        {
            debug_assert!(false, "8 MiB is a window that the library knows");
        }
        Self { context, state: State::Frame }
    }
}

impl Decode for Zstd {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Moved, Malformed> {
        let Some(context) = &mut self.context else {
            return Err(Malformed::new(ZSTD, "cannot be decoded: there is no memory"));
        };
        let mut moved = Moved::default();
        while self.state != State::Ignored && moved.written < output.len() {
            if self.state == State::Between && moved.read == input.len() {
                return Ok(moved);
            }
            let mut from = InBuffer::around(&input[moved.read..]);
            let mut to = OutBuffer::around(&mut output[moved.written..]);
            let result = context.decompress_stream(&mut to, &mut from);
            let (read, written) = (from.pos(), to.pos());
            match result {
                Ok(0) => self.state = State::Between,
                Ok(_) => self.state = State::Frame,
                Err(_) if self.state == State::Between => self.state = State::Ignored,
                Err(_) => return Err(Malformed::new(ZSTD, "is not what it is said to be")),
            }
            moved.read += read;
            moved.written += written;
            if self.state == State::Frame
                && moved.read == input.len()
                && moved.written < output.len()
            {
                return Ok(moved);
            }
        }
        if self.state == State::Ignored {
            moved.read = input.len();
        }
        Ok(moved)
    }

    fn check_end(&self) -> Result<(), Malformed> {
        match self.state {
            State::Between | State::Ignored => Ok(()),
            State::Frame => Err(Malformed::new(ZSTD, "ends too early")),
        }
    }
}

const ZSTD: &str = "zstd";
/// RFC 9659 §3: 8 MiB.
const WINDOW_LOG_MAX: u32 = 23;

#[cfg(test)]
mod tests {
    use super::super::trials::{check_wrong, every_way};

    /// With a checksum.
    const HELLO: &[u8] = &[
        0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x95, 0x00, 0x00, 0x60, 0x68, 0x65, 0x6c, 0x6c, 0x6f,
        0x2c, 0x20, 0x77, 0x6f, 0x72, 0x6c, 0x64, 0x01, 0x00, 0x92, 0x8b, 0x11, 0xa5, 0x04, 0x0c,
        0x01,
    ];
    const TEXT: &[u8] = b"hello, hello, hello, world";
    const SKIPPABLE: &[u8] = &[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];

    #[test]
    fn rfc_8878_section_3_frames_follow_each_other_and_some_are_skipped() {
        every_way("zstd", HELLO, TEXT);
        every_way("zstd", &[HELLO, HELLO].concat(), &[TEXT, TEXT].concat());
        every_way("zstd", &[SKIPPABLE, HELLO, SKIPPABLE].concat(), TEXT);
        every_way("zstd", &[HELLO, b"garbage"].concat(), TEXT);
    }

    #[test]
    fn cut_and_changed_data_are_wrong() {
        for length in 1..HELLO.len() {
            check_wrong("zstd", &HELLO[..length]);
        }
        for at in 9..HELLO.len() {
            let mut changed = HELLO.to_vec();
            changed[at] ^= 0xff;
            check_wrong("zstd", &changed);
        }
        check_wrong("zstd", b"<html>not compressed at all</html>");
    }

    #[test]
    fn rfc_9659_section_3_a_window_above_8_mib_is_refused() {
        let frame = |window: u8| [0x28, 0xb5, 0x2f, 0xfd, 0x00, window << 3, 1, 0, 0];
        every_way("zstd", &frame(13), b"");
        check_wrong("zstd", &frame(14));
    }
}
