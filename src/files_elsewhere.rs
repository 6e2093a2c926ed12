//! Files where who can read them is said by their folder.

use std::{fs::File, io, path::Path};

pub(super) fn create_new(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}
