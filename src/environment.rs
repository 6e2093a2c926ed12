//! The one place that asks the process about itself and its environment.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

/// The process a client belongs to.
///
/// After `fork` the child inherits the client's memory but none of its threads, so each call
/// compares this before it takes any lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessId(u32);

impl ProcessId {
    pub(crate) fn current() -> Self {
        let id = std::process::id();
        // Every call of every thread asks, and a store would take the line from the others.
        if LAST_SEEN.load(Ordering::Relaxed) != id {
            LAST_SEEN.store(id, Ordering::Relaxed);
        }
        Self(id)
    }

    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }

    /// The process as it was seen last, without asking the system.
    fn last_seen() -> Self {
        Self(LAST_SEEN.load(Ordering::Relaxed))
    }
}

/// The value of an environment variable, if it is set.
pub(crate) fn variable(name: &str) -> Option<String> {
    // What is not Unicode is no name of a host either, and fails where it is used.
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

static LAST_SEEN: AtomicU32 = AtomicU32::new(0);

/// A value that must not be touched in a child process, not even to drop it: other threads have a
/// part in it, and one of them may have held its lock when the process forked.
///
/// It is forgotten there, if the fork was noticed before: calls look for one wherever code of the
/// user has run.
#[derive(Debug)]
pub(crate) struct OfProcess<T> {
    /// `None` once it was taken or dropped.
    value: Option<T>,
    process: ProcessId,
}

impl<T> OfProcess<T> {
    /// Makes the value one of the process that was seen last.
    pub(crate) fn new(value: T) -> Self {
        Self { value: Some(value), process: ProcessId::last_seen() }
    }

    /// `None` in a child process, if the fork was noticed.
    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_here() { self.value.as_ref() } else { None }
    }

    /// As [`get`](Self::get).
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        if self.is_here() { self.value.as_mut() } else { None }
    }

    /// Takes it out, for good.
    #[cfg_attr(
        not(any(feature = "cache", feature = "json")),
        expect(dead_code, reason = "no call works for others")
    )]
    pub(crate) fn take(&mut self) -> Option<T> {
        if self.is_here() { self.value.take() } else { None }
    }

    fn is_here(&self) -> bool {
        self.process == ProcessId::last_seen()
    }
}

impl<T> Drop for OfProcess<T> {
    fn drop(&mut self) {
        if !self.is_here() {
            std::mem::forget(self.value.take());
        }
    }
}

/// Whether sockets have the options that only Linux knows.
pub(crate) const LINUX_SOCKETS: bool = cfg!(any(target_os = "android", target_os = "linux"));

/// Whether sockets can have paths.
pub(crate) const UNIX_SOCKETS: bool = cfg!(unix);

/// The file that shall get the secrets of TLS, by the variable that browsers and curl know.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there are no secrets then"))]
pub(crate) fn key_log_path() -> Option<PathBuf> {
    std::env::var_os("SSLKEYLOGFILE").filter(|path| !path.is_empty()).map(PathBuf::from)
}
