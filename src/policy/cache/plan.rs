//! What becomes of a request: answered from the cache, or sent on, and how (RFC 9111 §4).

use http::Method;

use super::{
    directives::RequestDirectives,
    lifetime::{Lifetime, Now},
};
use crate::caching::{CacheMode, Forwarded};

/// What a call asks of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) mode: CacheMode,
    pub(crate) directives: RequestDirectives,
}

/// What to do before anything is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    LookUp,
    /// Send it on.
    Forward(Forwarded),
}

/// What to do with a stored reply that fits the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Serve,
    ServeStale,
    /// Serve it stale and have it validated meanwhile.
    ServeAndRefresh,
    /// Send the request on, with the reply's validators if it has some.
    Forward(Forwarded),
}

impl Asked {
    pub(crate) fn begin(&self, method: &Method) -> Begin {
        if self.forbids_storing() {
            return Begin::Forward(Forwarded::Bypass);
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Begin::Forward(Forwarded::Method);
        }
        match self.mode {
            CacheMode::ForceRefresh => Begin::Forward(Forwarded::Request),
            _ => Begin::LookUp,
        }
    }

    /// Whether neither the request nor its reply may be kept.
    pub(crate) fn forbids_storing(&self) -> bool {
        self.mode == CacheMode::NoStore || self.directives.no_store
    }

    /// Whether the server must not be asked.
    pub(crate) fn forbids_asking(&self) -> bool {
        self.mode == CacheMode::OnlyIfCached || self.directives.only_if_cached
    }

    pub(crate) fn plan(&self, stored: &Lifetime, now: Now) -> Plan {
        let plan = self.plan_to_ask(stored, now);
        match plan {
            Plan::ServeAndRefresh if self.forbids_asking() => Plan::ServeStale,
            _ => plan,
        }
    }

    fn plan_to_ask(&self, stored: &Lifetime, now: Now) -> Plan {
        let left = stored.left(now);
        let fresh = if left > 0 { Plan::Serve } else { Plan::ServeStale };
        let wanted = &self.directives;
        match self.mode {
            CacheMode::PreferCache => return fresh,
            CacheMode::Revalidate if stored.is_immutable && left > 0 && !wanted.no_cache => {
                return Plan::Serve;
            }
            CacheMode::Revalidate => return Plan::Forward(Forwarded::Request),
            _ if wanted.no_cache => return Plan::Forward(Forwarded::Request),
            _ if stored.always_validate => return Plan::Forward(Forwarded::Stale),
            _ => {}
        }
        let stale_allowed = wanted.max_stale.filter(|_| !stored.never_stale);
        let too_old = wanted.max_age.is_some_and(|max| {
            stored
                .age(now)
                .is_none_or(|age| age > max.saturating_add(stale_allowed.unwrap_or(0)) * 1000)
        });
        let too_short = wanted
            .min_fresh
            .is_some_and(|min| left < i64::try_from(min.saturating_mul(1000)).unwrap_or(i64::MAX));
        if too_old || too_short {
            let why = if left > 0 { Forwarded::Request } else { Forwarded::Stale };
            return Plan::Forward(why);
        }
        if left > 0 {
            return Plan::Serve;
        }
        if stale_allowed.is_some_and(|seconds| stored.is_stale_within(now, seconds)) {
            return Plan::ServeStale;
        }
        if !stored.never_stale && stored.is_stale_within(now, stored.stale_while_revalidate) {
            return Plan::ServeAndRefresh;
        }
        Plan::Forward(Forwarded::Stale)
    }

    /// Whether a stored reply may stand in when the server cannot be asked (RFC 5861 §4).
    pub(crate) fn may_serve_instead_of_error(&self, stored: &Lifetime, now: Now) -> bool {
        let wanted = &self.directives;
        let window = stored.stale_if_error.max(wanted.stale_if_error.unwrap_or(0));
        self.mode == CacheMode::Default
            && !wanted.no_cache
            && !stored.never_stale
            && window > 0
            && stored.is_stale_within(now, window)
    }
}

/// The statuses that stale-if-error is about (RFC 5861 §4).
pub(crate) const fn is_error_of_the_server(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Now = Now { wall: 1_000_000_000, steady: 1_000 };

    fn after(seconds: u64) -> Now {
        let wall = START.wall + i64::try_from(seconds).expect("small") * 1000;
        Now { wall, steady: START.steady + seconds * 1000 }
    }

    const MINUTE: Lifetime = Lifetime {
        initial_age: 0,
        received: START.wall,
        received_steady: Some(START.steady),
        fresh_for: 60,
        is_heuristic: false,
        always_validate: false,
        never_stale: false,
        is_immutable: false,
        stale_while_revalidate: 0,
        stale_if_error: 0,
    };
    const ASK_STALE: Plan = Plan::Forward(Forwarded::Stale);
    const ASK_REQUEST: Plan = Plan::Forward(Forwarded::Request);

    fn in_mode(mode: CacheMode) -> Asked {
        Asked { mode, ..Asked::default() }
    }

    fn with(directives: RequestDirectives) -> Asked {
        Asked { directives, ..Asked::default() }
    }

    #[track_caller]
    fn check(asked: Asked, stored: Lifetime, seconds: u64, expected: Plan) {
        assert_eq!(asked.plan(&stored, after(seconds)), expected, "after {seconds} s");
    }

    #[test]
    fn rfc9111_4_fresh_replies_are_served_and_stale_ones_validated() {
        check(Asked::default(), MINUTE, 0, Plan::Serve);
        check(Asked::default(), MINUTE, 59, Plan::Serve);
        check(Asked::default(), MINUTE, 60, ASK_STALE);
        let none = Lifetime { fresh_for: 0, ..MINUTE };
        check(Asked::default(), none, 0, ASK_STALE);
    }

    #[test]
    fn rfc9111_5_2_2_4_no_cache_is_always_validated() {
        let stored = Lifetime { always_validate: true, never_stale: true, ..MINUTE };
        check(Asked::default(), stored, 0, ASK_STALE);
        let max_stale = RequestDirectives { max_stale: Some(1000), ..Default::default() };
        check(with(max_stale), stored, 0, ASK_STALE);
        check(in_mode(CacheMode::PreferCache), stored, 0, Plan::Serve);
    }

    #[test]
    fn rfc9111_5_2_1_a_request_may_want_it_younger_or_fresher() {
        let directives = RequestDirectives::default;
        let max_age = |seconds| with(RequestDirectives { max_age: Some(seconds), ..directives() });
        check(max_age(10), MINUTE, 10, Plan::Serve);
        check(max_age(10), MINUTE, 11, ASK_REQUEST);
        check(max_age(0), MINUTE, 1, ASK_REQUEST);
        let aged = Lifetime { initial_age: 1_800_000, fresh_for: 3600, ..MINUTE };
        check(max_age(600), aged, 0, ASK_REQUEST);
        check(max_age(3000), aged, 0, Plan::Serve);
        let min_fresh = |s| with(RequestDirectives { min_fresh: Some(s), ..directives() });
        check(min_fresh(60), MINUTE, 0, Plan::Serve);
        check(min_fresh(60), MINUTE, 1, ASK_REQUEST);
        check(min_fresh(1 << 31), MINUTE, 1, ASK_REQUEST);
        let no_cache = with(RequestDirectives { no_cache: true, ..directives() });
        check(no_cache, MINUTE, 0, ASK_REQUEST);
        check(no_cache, Lifetime { is_immutable: true, ..MINUTE }, 0, ASK_REQUEST);
    }

    #[test]
    fn rfc9111_5_2_1_2_a_request_may_take_it_stale_unless_the_reply_forbids() {
        let max_stale =
            |s| with(RequestDirectives { max_stale: Some(s), ..RequestDirectives::default() });
        check(max_stale(10), MINUTE, 69, Plan::ServeStale);
        check(max_stale(10), MINUTE, 70, ASK_STALE);
        check(max_stale(1 << 31), MINUTE, 1_000_000, Plan::ServeStale);
        check(max_stale(10), Lifetime { never_stale: true, ..MINUTE }, 69, ASK_STALE);
        let both =
            RequestDirectives { max_age: Some(60), max_stale: Some(10), ..Default::default() };
        check(with(both), MINUTE, 69, Plan::ServeStale);
        check(with(both), MINUTE, 71, ASK_STALE);
    }

    #[test]
    fn rfc5861_3_stale_while_revalidate_serves_and_refreshes() {
        let stored = Lifetime { stale_while_revalidate: 30, ..MINUTE };
        check(Asked::default(), stored, 59, Plan::Serve);
        check(Asked::default(), stored, 89, Plan::ServeAndRefresh);
        check(Asked::default(), stored, 90, ASK_STALE);
        check(in_mode(CacheMode::OnlyIfCached), stored, 89, Plan::ServeStale);
        check(Asked::default(), Lifetime { never_stale: true, ..stored }, 89, ASK_STALE);
    }

    #[test]
    fn rfc5861_4_stale_if_error_is_for_errors_alone() {
        let stored = Lifetime { stale_if_error: 30, ..MINUTE };
        check(Asked::default(), stored, 61, ASK_STALE);
        let may = |asked: Asked, stored: &Lifetime, seconds| {
            asked.may_serve_instead_of_error(stored, after(seconds))
        };
        let by_default = Asked::default();
        assert!(may(by_default, &stored, 89) && !may(by_default, &stored, 90));
        assert!(!may(by_default, &MINUTE, 61));
        assert!(!may(by_default, &Lifetime { never_stale: true, ..stored }, 61));
        assert!(!may(in_mode(CacheMode::Revalidate), &stored, 61));
        let asked =
            with(RequestDirectives { stale_if_error: Some(10), ..RequestDirectives::default() });
        assert!(may(asked, &MINUTE, 69) && !may(asked, &MINUTE, 70));
    }

    #[test]
    fn modes_decide_before_anything_is_looked_up() {
        let begin = |mode, method| in_mode(mode).begin(&method);
        assert_eq!(begin(CacheMode::Default, Method::GET), Begin::LookUp);
        assert_eq!(begin(CacheMode::OnlyIfCached, Method::HEAD), Begin::LookUp);
        let forward = Begin::Forward;
        assert_eq!(begin(CacheMode::Default, Method::POST), forward(Forwarded::Method));
        assert_eq!(begin(CacheMode::NoStore, Method::GET), forward(Forwarded::Bypass));
        assert_eq!(begin(CacheMode::ForceRefresh, Method::GET), forward(Forwarded::Request));
        let no_store = with(RequestDirectives { no_store: true, ..RequestDirectives::default() });
        assert_eq!(no_store.begin(&Method::GET), forward(Forwarded::Bypass));
    }

    #[test]
    fn modes_decide_about_what_is_stored() {
        check(in_mode(CacheMode::Revalidate), MINUTE, 0, ASK_REQUEST);
        check(in_mode(CacheMode::PreferCache), MINUTE, 61, Plan::ServeStale);
        let stubborn = Lifetime { never_stale: true, ..MINUTE };
        check(in_mode(CacheMode::PreferCache), stubborn, 61, Plan::ServeStale);
        check(in_mode(CacheMode::OnlyIfCached), MINUTE, 59, Plan::Serve);
        check(in_mode(CacheMode::OnlyIfCached), MINUTE, 61, ASK_STALE);
    }

    #[test]
    fn rfc8246_2_immutable_replies_are_not_validated_while_they_are_fresh() {
        let stored = Lifetime { is_immutable: true, ..MINUTE };
        check(in_mode(CacheMode::Revalidate), stored, 59, Plan::Serve);
        check(in_mode(CacheMode::Revalidate), stored, 60, ASK_REQUEST);
    }
}
