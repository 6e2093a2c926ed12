//! The one place that starts threads.

use std::{io, thread};

/// Starts a detached thread with a name that debuggers and `top` show.
pub(crate) fn start(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}
