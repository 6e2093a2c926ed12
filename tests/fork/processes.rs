//! Child processes that run a part of a test.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use fork::{Fork, ProcessId, Signal, WEXITSTATUS, WIFEXITED};

use super::support::PATIENCE;

/// Runs `work` in a child, which must end well and in time.
#[track_caller]
pub(crate) fn in_child(work: impl FnOnce()) {
    match fork_here() {
        Side::Child => end_after(work),
        Side::Parent(child) => child.join(),
    }
}

/// Which process goes on.
pub(crate) enum Side {
    /// Has to end by [`end_after`].
    Child,
    Parent(Child),
}

pub(crate) fn fork_here() -> Side {
    match fork::fork().unwrap() {
        Fork::Child => Side::Child,
        Fork::Parent(pid) => Side::Parent(Child { pid: Some(ProcessId::new(pid).unwrap()) }),
    }
}

/// Ends this process when `work` is done, by the exit code that says how it went.
pub(crate) fn end_after(work: impl FnOnce()) -> ! {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(()) => process::exit(WENT_WELL),
        Err(_) => process::exit(WENT_WRONG),
    }
}

/// A child that is waited for, and killed before that if it comes to the worst.
pub(crate) struct Child {
    /// `None` once it was waited for.
    pid: Option<ProcessId>,
}

impl Child {
    #[track_caller]
    pub(crate) fn join(mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Some(pid) = self.pid {
            let Some(status) = fork::waitpid_nohang(pid.get()).unwrap() else {
                assert!(Instant::now() < deadline, "the child was still there after {PATIENCE:?}");
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            self.pid = None;
            let code = WIFEXITED(status).then(|| WEXITSTATUS(status));
            assert_eq!(code, Some(WENT_WELL), "how the child ended (status {status:#x})");
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            drop(fork::signal_process(pid, Signal::KILL));
            drop(fork::waitpid(pid.get()));
        }
    }
}

/// Says that it is over when the test has ended, also by a panic.
pub(crate) struct Over<'f>(pub(crate) &'f AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Whether no child is left, running or not waited for.
pub(crate) fn none_is_left() -> bool {
    fork::wait_any_nohang().is_err()
}

const WENT_WELL: i32 = 42;
const WENT_WRONG: i32 = 43;
