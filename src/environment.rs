//! The one place that asks the process about itself.

/// The process a client belongs to.
///
/// After `fork` the child inherits the client's memory but none of its threads, so each call
/// compares this before it takes any lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessId(u32);

impl ProcessId {
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    pub(crate) fn is_current(self) -> bool {
        self == Self::current()
    }
}
