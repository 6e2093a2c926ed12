//! Writing down the secrets of sessions, for those who want to read what was sent.

use std::{
    fmt::Write as _,
    io::Write,
    sync::{Mutex, PoisonError},
};

use rustls::KeyLog;

/// Appends one line per secret to a file.
///
/// On a lane, which should never block; but only where somebody debugs.
pub(super) struct ToFile<W> {
    /// Held while one line is written.
    file: Mutex<W>,
}

impl<W> ToFile<W> {
    pub(super) const fn new(file: W) -> Self {
        Self { file: Mutex::new(file) }
    }
}

impl<W: Write + Send> KeyLog for ToFile<W> {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = line(label, client_random, secret);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(%error, "the key log cannot be written");
        }
    }
}

impl<W> std::fmt::Debug for ToFile<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ToFile")
    }
}

fn line(label: &str, client_random: &[u8], secret: &[u8]) -> String {
    let mut line = format!("{label} ");
    let mut push = |bytes: &[u8], end: char| {
        for byte in bytes {
            // A string takes everything.
            let _ = write!(line, "{byte:02x}");
        }
        line.push(end);
    };
    push(client_random, ' ');
    push(secret, '\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_line_of_label_random_and_secret() {
        let log = ToFile::new(Vec::new());
        log.log("CLIENT_RANDOM", &[0, 0xab], &[1]);
        log.log("EXPORTER_SECRET", &[0xff], &[0x10, 2]);
        let written = log.file.into_inner().expect("nobody panicked");
        assert_eq!(written, b"CLIENT_RANDOM 00ab 01\nEXPORTER_SECRET ff 1002\n");
    }
}
