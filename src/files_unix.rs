//! Files that only their owner can read, on Unix.

use std::{fs::File, io, os::unix::fs::OpenOptionsExt as _, path::Path};

pub(super) fn create_new(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}
