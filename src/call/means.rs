//! What calls work with: the options, and everything alive, started by the first call.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{Caching, template::Template};
use crate::{
    config::Config,
    error::{Error, ErrorKind, Result},
    lifecycle::{Lifecycle, Running, Shutdown},
    moment::Moment,
    policy::{auth::Registry, back_off::Bucket, proxy::Rules},
    runtime::Runtime,
    stats::{RouteStats, Stats},
};

/// The options of a client and what does its work.
pub(crate) struct Means {
    config: Config,
    auth: Registry,
    caching: Caching,
    lifecycle: Arc<Lifecycle>,
    proxies: Rules,
    template: Template,
    runtime: OnceLock<Runtime>,
    /// Held while the runtime is started, so that it is started once.
    starting: Mutex<()>,
    /// What retries cost; held for a look or a change only, and only by calls that have a policy.
    retries: Option<Mutex<Bucket>>,
    /// How many calls have failed, by the kind of their errors.
    failures: [AtomicU64; ErrorKind::ALL.len()],
}

impl Means {
    /// Starts nothing yet.
    pub(crate) fn new(config: Config, auth: Registry, caching: Caching) -> Self {
        let retries = config.retries.budget.map(|budget| Mutex::new(Bucket::new(budget)));
        let (lifecycle, proxies) = (Lifecycle::new(), Rules::new(&config.proxies));
        let template = Template::of(&config);
        let (runtime, starting) = (OnceLock::new(), Mutex::new(()));
        let failures = Default::default();
        Self {
            config,
            auth,
            caching,
            lifecycle,
            proxies,
            template,
            runtime,
            starting,
            retries,
            failures,
        }
    }

    /// Counts one more call.
    pub(crate) fn count_call(&self) {
        self.lifecycle.count_call();
    }

    /// Begins a call, unless the client was shut down.
    pub(crate) fn begin_call(&self) -> Option<Running> {
        self.lifecycle.begin_call()
    }

    /// Ends everything; in order: no new calls, the calls that run, connections, threads.
    pub(crate) fn shut_down(&self, limit: Duration) -> Shutdown {
        self.lifecycle.close();
        let aborted = self.lifecycle.wait_for_calls(limit);
        let mut left = aborted;
        if aborted > 0 {
            self.lifecycle.abort();
            left = self.lifecycle.wait_for_calls(GRACE);
        }
        let mut ended = self.runtime.get().map(Runtime::end).unwrap_or_default();
        ended.calls_aborted = aborted;
        ended.calls_left = left;
        ended
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

    /// Which proxy is used for what.
    pub(super) const fn proxies(&self) -> &Rules {
        &self.proxies
    }

    /// What requests say that say nothing of their own.
    pub(super) const fn template(&self) -> &Template {
        &self.template
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

    /// Counts a call that has failed.
    pub(crate) fn count_failure(&self, error: &Error) {
        self.failures[error.kind() as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> Stats {
        // Before the calls, so that there are never more of them.
        let failures = self.failures.each_ref().map(|count| count.load(Ordering::Relaxed));
        let mut stats = self.runtime.get().map(Runtime::stats).unwrap_or_default();
        stats.routes.sort_by_cached_key(RouteStats::route);
        Stats { calls: self.lifecycle.calls_begun(), failures, ..stats }
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

/// How long calls that were told to end may take for it; it takes a moment, unless code of the user
/// runs meanwhile.
const GRACE: Duration = Duration::from_millis(500);
