//! The one place that opens files.

use std::{fs::File, io, path::Path};

/// Opens a regular file for reading and tells its length.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((file, metadata.len()))
}

/// Opens a file for adding to its end; makes it if it is not there.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only the log of TLS keys adds"))]
pub(crate) fn append(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

#[cfg(feature = "cookies")]
#[path = "files_secret.rs"]
pub(crate) mod secret;
