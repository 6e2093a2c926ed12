//! What calls work with: the options, and everything alive, started by the first call.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::Caching;
use crate::{
    config::Config,
    error::Result,
    moment::Moment,
    policy::{auth::Registry, back_off::Bucket},
    runtime::{Runtime, Stats},
};

/// The options of a client and what does its work.
pub(crate) struct Means {
    config: Config,
    auth: Registry,
    caching: Caching,
    runtime: OnceLock<Runtime>,
    /// Held while the runtime is started, so that it is started once.
    starting: Mutex<()>,
    /// What retries cost; held for a look or a change only, and only by calls that have a policy.
    retries: Option<Mutex<Bucket>>,
}

impl Means {
    /// Starts nothing yet.
    pub(crate) fn new(config: Config, auth: Registry, caching: Caching) -> Self {
        let retries = config.retries.budget.map(|budget| Mutex::new(Bucket::new(budget)));
        let starting = Mutex::new(());
        Self { config, auth, caching, runtime: OnceLock::new(), starting, retries }
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) const fn auth(&self) -> &Registry {
        &self.auth
    }

    #[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "nothing to look at"))]
    pub(crate) const fn caching(&self) -> &Caching {
        &self.caching
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

    /// A call has begun that may be tried again.
    pub(super) fn earn_retries(&self) {
        if let Some(bucket) = &self.retries {
            bucket.lock().unwrap_or_else(PoisonError::into_inner).earn();
        }
    }

    /// Whether all calls together may try once more.
    pub(super) fn pay_for_retry(&self) -> bool {
        self.retries.as_ref().is_none_or(|bucket| {
            bucket.lock().unwrap_or_else(PoisonError::into_inner).pay(Moment::now())
        })
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
        self.caching.abandon();
    }
}
