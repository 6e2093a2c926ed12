//! What calls work with: the options, and everything alive, started by the first call.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::{
    config::Config,
    error::Result,
    policy::auth::Registry,
    runtime::{Runtime, Stats},
};

/// The options of a client and what does its work.
pub(crate) struct Means {
    config: Config,
    auth: Registry,
    runtime: OnceLock<Runtime>,
    /// Held while the runtime is started, so that it is started once.
    starting: Mutex<()>,
}

impl Means {
    /// Starts nothing yet.
    pub(crate) const fn new(config: Config, auth: Registry) -> Self {
        Self { config, auth, runtime: OnceLock::new(), starting: Mutex::new(()) }
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) const fn auth(&self) -> &Registry {
        &self.auth
    }

    /// What does the work; the first call starts it.
    pub(super) fn runtime(&self) -> Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = Runtime::start(&self.config)?;
        Ok(self.runtime.get_or_init(|| runtime))
    }

    pub(crate) fn stats(&self) -> Stats {
        self.runtime.get().map(Runtime::stats).unwrap_or_default()
    }

    pub(crate) fn close_idle(&self) {
        if let Some(runtime) = self.runtime.get() {
            runtime.close_idle();
        }
    }

    /// Leaves what is alive to the process that started it, after a fork.
    pub(crate) fn abandon(&mut self) {
        // Its event queue is the parent's too: nothing of it may be touched from here.
        std::mem::forget(self.runtime.take());
    }
}
