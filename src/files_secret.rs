//! Files with secrets in them: read without leaving copies behind, written whole or not at all.

#[cfg(unix)]
#[path = "files_unix.rs"]
mod private;
#[cfg(not(unix))]
#[path = "files_elsewhere.rs"]
mod private;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::open;

/// Reads a whole text that may hold secrets.
pub(crate) fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let (mut file, length) = open(path)?;
    // Room for all of it, so that no copy of a part is left behind.
    let capacity = usize::try_from(length).unwrap_or(0).saturating_add(1);
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// Puts a file that only its owner can read in the place of another, whole or not at all.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (beside, mut file) = create_beside(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    drop(file);
    let replaced = written.and_then(|()| fs::rename(&beside, path));
    if replaced.is_err() {
        // The first error says more than that of the tidying up.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

/// Makes a file with a name of its own in the same folder, so that it can take the other's place.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a file's name")
    })?;
    let mut number = 0;
    loop {
        let mut other = OsString::from(".");
        other.push(name);
        other.push(format!(".{number}.tmp"));
        let beside = path.with_file_name(other);
        match private::create_new(&beside) {
            // Somebody else is writing, or was and has died.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && number < ATTEMPTS_MAX => {
                number += 1;
            }
            created => return created.map(|file| (beside, file)),
        }
    }
}

/// Names that may be taken by those who write at the same time, or have died while they did.
const ATTEMPTS_MAX: u32 = 1000;
