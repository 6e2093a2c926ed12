//! A lane: an event loop with connections, and the keeper thread that runs it.
//!
//! The only file that calls what blocks on tokio or ends a runtime.

use std::{future::Future, sync::Arc};

use tokio::{runtime, sync::Notify};

use crate::{
    error::{Error, ErrorKind, Result},
    threads,
};

#[derive(Debug)]
pub(crate) struct Lane {
    handle: runtime::Handle,
    stop: Arc<Notify>,
}

impl Lane {
    /// Makes an event loop and the thread that runs it until the lane is stopped.
    pub(super) fn start() -> Result<Self> {
        let mut builder = runtime::Builder::new_current_thread();
        let runtime = builder.enable_io().enable_time().build().map_err(not_started)?;
        let lane = Self { handle: runtime.handle().clone(), stop: Arc::new(Notify::new()) };
        let stop = Arc::clone(&lane.stop);
        let keep = move || {
            runtime.block_on(stop.notified());
            // Never waits: what is left on the lane is dropped here and now.
            runtime.shutdown_background();
        };
        threads::start("abide-lane", keep).map_err(not_started)?;
        Ok(lane)
    }

    /// Runs `work` on the lane, beside everything else there.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(work));
    }

    /// Ends the lane and everything on it; returns at once.
    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }
}

#[cold]
fn not_started(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "the background thread of the client could not be started")
        .because(error)
}
