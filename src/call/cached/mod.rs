//! Between hops and attempts: what is stored answers, and what is answered is stored.
//!
//! Credentials and cookies have been applied outside of here, so that the truth about a request is
//! known; only network work inside of here is tried again; bodies are kept as they come over the
//! wire. `plan` of `policy/cache/` decides, `ask.rs` goes to the network, `serve.rs` makes replies
//! of what is stored.

mod ask;
mod fields;
mod refresh;
mod serve;

use http::Method;

use self::{
    refresh::Refreshes,
    serve::{Served, Shape},
};
use super::{Means, OpenBody, attempts, hop::Hop, hops::HopReply};
use crate::{
    body::Content,
    cache::{Cache, Counted, Found, Landed, Leader, Lookup, Owner, Sought, Turn},
    caching::{CacheMode, CacheOutcome, Forwarded},
    context::CallContext,
    environment::OfProcess,
    error::Result,
    policy::cache::{Asked, Begin, Now, Plan, RequestDirectives, conditions},
    runtime::{Want, wait::is_nested},
};

/// What a client knows of its cache.
#[derive(Default)]
pub(crate) struct Caching {
    pub(crate) cache: Option<Cache>,
    /// Of calls that do not say.
    pub(crate) mode: CacheMode,
    /// Whether it is only for calls that say.
    only_on_request: bool,
    owner: Owner,
    refreshes: Refreshes,
}

impl Caching {
    /// Keeps the replies for a client that shows such a certificate apart.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "nothing is shown without TLS"))]
    pub(crate) fn shown(&mut self, certificate: &[u8]) {
        self.owner = Owner::of_certificate(certificate);
    }

    /// That of the process-wide client: for those who come from the original, and who ask for it.
    pub(crate) fn of_the_process() -> Self {
        let cache = Some(Cache::memory(SHARED_BYTES));
        Self { cache, only_on_request: true, ..Self::default() }
    }

    /// Leaves what is under way to the process that began it, after a fork.
    pub(super) fn abandon(&mut self) {
        std::mem::forget(std::mem::take(&mut self.refreshes));
    }
}

/// As much as those who come from the original are used to.
const SHARED_BYTES: u64 = 32 << 20;

/// Has a hop answered by the cache, or by attempts.
pub(super) async fn run(
    cx: &CallContext,
    means: &Means,
    mode: Option<CacheMode>,
    (hop, content): (&Hop<'_>, &mut Content<'_>),
    want: Want,
) -> Result<HopReply> {
    let caching = means.caching();
    let is_for_this = mode.is_some() || !caching.only_on_request;
    let mode = mode.unwrap_or(caching.mode);
    let Some(cache) = caching.cache.as_ref().filter(|_| is_for_this) else {
        if mode == CacheMode::Default {
            return attempts::run(cx, means, hop, content, want).await;
        }
        return without_cache(cx, means, mode, (hop, content), want).await;
    };
    if !content.is_empty() && matches!(hop.method, Method::GET | Method::HEAD) {
        // What is asked is in the content, which no key has; the method says that nothing changes.
        return attempts::run(cx, means, hop, content, want).await;
    }
    cx.still_runs()?;
    let directives = RequestDirectives::of(fields::of_directives(hop));
    let passage =
        Passage { cx, means, cache, caching, asked: Asked { mode, directives }, hop, want };
    // What goes to the network is large, and all who call it are as large; a hit should be small.
    match passage.asked.begin(&hop.method) {
        Begin::Forward(why) => Box::pin(passage.ask(content, why, None)).await,
        Begin::LookUp => passage.answer(content).await,
    }
}

/// What the modes mean to a client that stores nothing.
async fn without_cache(
    cx: &CallContext,
    means: &Means,
    mode: CacheMode,
    (hop, content): (&Hop<'_>, &mut Content<'_>),
    want: Want,
) -> Result<HopReply> {
    if mode == CacheMode::OnlyIfCached {
        return Ok(serve::nothing_stored());
    }
    let told = fields::for_mode(hop, mode);
    attempts::run(cx, means, told.as_ref().unwrap_or(hop), content, want).await
}

/// A hop on its way through the cache.
struct Passage<'p> {
    cx: &'p CallContext,
    means: &'p Means,
    cache: &'p Cache,
    caching: &'p Caching,
    asked: Asked,
    hop: &'p Hop<'p>,
    want: Want,
}

/// What to do after looking.
enum Step {
    Serve(Found, Shape, CacheOutcome),
    Ask(Forwarded, Option<Found>),
    /// Look again: there is news.
    Again,
}

impl Passage<'_> {
    /// Answers from what is stored, or asks.
    async fn answer(&self, content: &mut Content<'_>) -> Result<HopReply> {
        let mut followed = false;
        loop {
            let now = self.cache.now();
            let Some(mut lookup) = self.cache.look_up(self.sought()) else {
                return Box::pin(self.ask_if_allowed(content, Forwarded::Bypass, None)).await;
            };
            let looked = std::mem::replace(&mut lookup.found, Err(Forwarded::UriMiss));
            let (why, found) = match self.step(looked, now) {
                Step::Serve(found, shape, outcome) => {
                    match self.serve(found, shape, now, Served { outcome, asked: None })? {
                        Some(reply) => return Ok(reply),
                        // It was damaged, and is gone.
                        None => (Forwarded::UriMiss, None),
                    }
                }
                Step::Ask(why, found) => (why, found),
                Step::Again => continue,
            };
            if self.asked.forbids_asking() {
                return Ok(serve::nothing_stored());
            }
            if followed || !self.may_share(found.as_ref()) {
                return Box::pin(self.ask(content, why, Some((lookup, found)))).await;
            }
            match self.join(&lookup) {
                Turn::Alone => {
                    return Box::pin(self.ask(content, why, Some((lookup, found)))).await;
                }
                Turn::Lead(leader) => {
                    return Box::pin(self.lead(leader, content, why, (lookup, found))).await;
                }
                Turn::Follow(follower) => {
                    self.cache.count(Counted::Waited);
                    // A leader that was cancelled leaves its place, and an answer that was of no
                    // use to others is not waited for again.
                    followed = self.cx.within_call(follower).await? == Landed::Answered;
                }
            }
        }
    }

    /// Decides what becomes of the request, given what was found.
    fn step(&self, looked: Result<Found, Forwarded>, now: Now) -> Step {
        let found = match looked {
            Ok(found) => found,
            Err(why) => return Step::Ask(why, None),
        };
        let Some(shape) = self.shape(&found) else {
            return Step::Ask(Forwarded::Request, Some(found));
        };
        match self.asked.plan(&found.stored.lifetime, now) {
            Plan::Serve => Step::Serve(found, shape, CacheOutcome::Hit),
            Plan::ServeStale => Step::Serve(found, shape, CacheOutcome::Stale),
            Plan::ServeAndRefresh | Plan::Forward(_) if self.take_news(&found, now) => Step::Again,
            Plan::ServeAndRefresh => {
                self.refresh(&found, now);
                Step::Serve(found, shape, CacheOutcome::Stale)
            }
            Plan::Forward(why) => Step::Ask(why, Some(found)),
        }
    }

    async fn ask_if_allowed(
        &self,
        content: &mut Content<'_>,
        why: Forwarded,
        looked: Option<(Lookup, Option<Found>)>,
    ) -> Result<HopReply> {
        if self.asked.forbids_asking() {
            return Ok(serve::nothing_stored());
        }
        self.ask(content, why, looked).await
    }

    /// Asks for others too, who wait until the answer is stored.
    async fn lead(
        &self,
        leader: Leader,
        content: &mut Content<'_>,
        why: Forwarded,
        looked: (Lookup, Option<Found>),
    ) -> Result<HopReply> {
        let mut leader = OfProcess::new(leader);
        let reply = self.ask(content, why, Some(looked)).await;
        let Some(leader) = leader.take() else { return reply };
        match &reply {
            Ok(reply) => {
                let report = reply.head.cache;
                let is_useful = report.is_some_and(|report| {
                    report.is_stored() || report.outcome() != CacheOutcome::Miss
                });
                leader.land(is_useful);
            }
            // Nobody knows yet whether there is an answer: the next one asks.
            Err(error) if error.is_cancelled() => drop(leader),
            Err(_) => leader.land(true),
        }
        reply
    }

    /// Whether others may wait for this call's answer, or this call for theirs.
    ///
    /// Never while code of the user can run in between, which might make a call that waits for
    /// this one: a reader of the reply, a listener. Nor inside of another call, which may be the one
    /// that is waited for: observers and subscribers make calls too.
    fn may_share(&self, found: Option<&Found>) -> bool {
        let has_listeners = self.cx.feedback().is_some_and(|feedback| feedback.has_listeners());
        let headers = self.hop.headers();
        self.hop.method == Method::GET
            && self.asked.mode != CacheMode::Revalidate
            && !self.asked.directives.no_cache
            && matches!(self.want, Want::Whole { .. })
            && !has_listeners
            && !is_nested()
            && !headers.contains_key(http::header::RANGE)
            && !conditions::are_in(headers)
            && found.is_none_or(|found| !found.stored.lifetime.is_always_stale())
    }

    fn join(&self, lookup: &Lookup) -> Turn {
        match self.cache.flight_key(lookup, self.sought()) {
            Some(key) => self.cache.flights().join(key),
            None => Turn::Alone,
        }
    }

    /// Whose reply it is: his who shows the certificate.
    fn owner(&self) -> Owner {
        let shown = self.hop.applied.as_ref().and_then(|applied| applied.identity.as_ref());
        shown.map_or(self.caching.owner, |shown| Owner::of_certificate(shown.certificate()))
    }

    fn sought(&self) -> Sought<'_> {
        Sought {
            url: &self.hop.url,
            owner: self.owner(),
            host: self.hop.headers().get(http::header::HOST),
            request: self.hop,
        }
    }
}
