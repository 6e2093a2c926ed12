//! How old a reply is and how long it stays fresh (RFC 9111 §4.2).

use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{AGE, DATE, EXPIRES, LAST_MODIFIED},
};

use super::directives::{ReplyDirectives, delta_seconds};
use crate::policy::date;

/// One moment on two clocks.
///
/// Dates are told by the clock on the wall, which people and servers of time may set; how long
/// something has lain here is told by a steady one, which a sleeping machine may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// Milliseconds since 1970.
    pub(crate) wall: i64,
    /// Milliseconds since some moment that is the same for the whole process.
    pub(crate) steady: u64,
}

/// Everything about a reply's age, worked out when it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// How old the reply was when it came, in milliseconds.
    pub(crate) initial_age: u64,
    /// When it came, on the wall.
    pub(crate) received: i64,
    /// When it came, on the steady clock, if that was this process.
    pub(crate) received_steady: Option<u64>,
    /// In seconds.
    pub(crate) fresh_for: u64,
    /// Guessed from `Last-Modified`.
    pub(crate) is_heuristic: bool,
    /// Must be validated before each use.
    pub(crate) always_validate: bool,
    /// Must never be used stale.
    pub(crate) never_stale: bool,
    /// Does not change while it is fresh (RFC 8246).
    pub(crate) is_immutable: bool,
    /// For how long after it became stale it may be used while it is validated (RFC 5861 §3).
    pub(crate) stale_while_revalidate: u64,
    /// For how long after it became stale it may be used if that fails (RFC 5861 §4).
    pub(crate) stale_if_error: u64,
}

impl Lifetime {
    pub(crate) fn of(
        status: StatusCode,
        headers: &HeaderMap,
        directives: &ReplyDirectives,
        requested: Now,
        received: Now,
    ) -> Self {
        let received_seconds = received.wall.div_euclid(1000);
        let date = date_of(headers, DATE).unwrap_or(received_seconds);
        let (fresh_for, is_heuristic) = fresh_for(status, headers, directives, date);
        Self {
            initial_age: initial_age(headers, date, requested, received),
            received: received.wall,
            received_steady: Some(received.steady),
            fresh_for,
            is_heuristic,
            always_validate: directives.no_cache,
            never_stale: directives.must_revalidate || directives.no_cache,
            is_immutable: directives.immutable,
            stale_while_revalidate: directives.stale_while_revalidate.unwrap_or(0),
            stale_if_error: directives.stale_if_error.unwrap_or(0),
        }
    }

    /// How old the reply is, in milliseconds (§4.2.3); `None` if the clock on the wall says that it
    /// has not come yet and nothing else is known.
    pub(crate) fn age(&self, now: Now) -> Option<u64> {
        let by_wall = u64::try_from(now.wall.saturating_sub(self.received)).ok();
        let by_steady = self.received_steady.map(|then| now.steady.saturating_sub(then));
        // The wall jumps in both directions and the steady clock may have slept: the later counts.
        let resident = by_wall.max(by_steady)?;
        Some(self.initial_age.saturating_add(resident))
    }

    /// The whole seconds that `Age` tells.
    pub(crate) fn age_seconds(&self, now: Now) -> u64 {
        self.age(now).unwrap_or(self.initial_age) / 1000
    }

    /// How long the reply is still fresh, in milliseconds; negative if it is stale.
    pub(crate) fn left(&self, now: Now) -> i64 {
        let fresh_for = i64::try_from(self.fresh_for.saturating_mul(1000)).unwrap_or(i64::MAX);
        let age = self.age(now).and_then(|age| i64::try_from(age).ok());
        age.map_or(i64::MIN, |age| fresh_for.saturating_sub(age))
    }

    #[cfg(test)]
    pub(crate) fn is_fresh(&self, now: Now) -> bool {
        self.left(now) > 0
    }

    /// Whether the reply became stale less than so many seconds ago, or is fresh.
    pub(crate) fn is_stale_within(&self, now: Now, seconds: u64) -> bool {
        let window = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        self.left(now).saturating_add(window) > 0
    }

    /// Whether no time will come at which it can be used without asking.
    pub(crate) const fn is_always_stale(&self) -> bool {
        self.always_validate || (self.fresh_for == 0 && self.stale_while_revalidate == 0)
    }
}

/// The lifetime in seconds, and whether it is a guess (§4.2.1).
fn fresh_for(
    status: StatusCode,
    headers: &HeaderMap,
    directives: &ReplyDirectives,
    date: i64,
) -> (u64, bool) {
    if let Some(seconds) = directives.max_age {
        return (seconds, false);
    }
    if headers.contains_key(EXPIRES) {
        // What is no date has expired already (§5.3).
        let expires = date_of(headers, EXPIRES).unwrap_or(i64::MIN);
        return (u64::try_from(expires.saturating_sub(date)).unwrap_or(0), false);
    }
    if !(is_heuristically_cacheable(status) || directives.public) {
        return (0, false);
    }
    let unchanged_for = date_of(headers, LAST_MODIFIED).map_or(0, |then| date - then);
    let guess = u64::try_from(unchanged_for / 10).unwrap_or(0).min(HEURISTIC_MAX);
    (guess, guess > 0)
}

/// §4.2.3, from `Age` and from `Date`, whichever tells more.
fn initial_age(headers: &HeaderMap, date: i64, requested: Now, received: Now) -> u64 {
    let received_seconds = received.wall.div_euclid(1000);
    let apparent = u64::try_from(received_seconds.saturating_sub(date)).unwrap_or(0);
    // Of several the first counts, and what is no number is ignored (§5.1).
    let told = headers.get(AGE).and_then(|value| value.to_str().ok());
    let told = told.and_then(|text| delta_seconds(text.split(',').next()?.trim())).unwrap_or(0);
    let delay = received.steady.saturating_sub(requested.steady);
    // A delay of less than a second is not worth the first second of `max-age=1`.
    let delay = if told > 0 { delay } else { delay / 1000 * 1000 };
    (apparent * 1000).max((told * 1000).saturating_add(delay))
}

pub(super) fn date_of(headers: &HeaderMap, name: HeaderName) -> Option<i64> {
    date::parse(headers.get(name)?.as_bytes())
}

/// RFC 9110 §15.1
pub(super) const fn is_heuristically_cacheable(status: StatusCode) -> bool {
    let status = status.as_u16();
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// A guess is not trusted for longer than a week, in seconds.
const HEURISTIC_MAX: u64 = 7 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37
    const NOON: i64 = 784_111_777_000;
    const START: Now = Now { wall: NOON, steady: 5_000_000 };

    fn after(seconds: i64) -> Now {
        Now { wall: NOON + seconds * 1000, steady: START.steady + seconds.unsigned_abs() * 1000 }
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    fn lifetime(status: u16, lines: &[(&'static str, &str)]) -> Lifetime {
        let headers = headers(lines);
        let status = StatusCode::from_u16(status).expect("a status");
        Lifetime::of(status, &headers, &ReplyDirectives::of(&headers), START, START)
    }

    #[track_caller]
    fn fresh(lines: &[(&'static str, &str)], seconds: u64) {
        let lifetime = lifetime(200, lines);
        assert_eq!(
            lifetime.left(START),
            i64::try_from(seconds * 1000).expect("small"),
            "{lines:?}"
        );
    }

    #[track_caller]
    fn stale(lines: &[(&'static str, &str)]) {
        let lifetime = lifetime(200, lines);
        assert!(!lifetime.is_fresh(START), "{lines:?}: {lifetime:?}");
    }

    const DATE_NOW: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");

    #[test]
    fn rfc9111_4_2_1_max_age_goes_before_expires_and_expires_before_a_guess() {
        let later = ("expires", "Sun, 06 Nov 1994 09:49:37 GMT");
        let yesterday = ("last-modified", "Sat, 05 Nov 1994 08:49:37 GMT");
        fresh(&[DATE_NOW, ("cache-control", "max-age=60"), later, yesterday], 60);
        fresh(&[DATE_NOW, later, yesterday], 3600);
        fresh(&[DATE_NOW, yesterday], 8640);
        fresh(&[later], 3600);
        fresh(&[("date", "foo"), later], 3600);
        fresh(&[("cache-control", "max-age=60"), ("expires", "0")], 60);
        stale(&[DATE_NOW, ("cache-control", "max-age=0"), later]);
        stale(&[DATE_NOW, ("cache-control", "max-age=a3600"), later]);
        stale(&[DATE_NOW]);
        stale(&[]);
    }

    #[test]
    fn rfc9111_5_3_expires_is_measured_from_date() {
        stale(&[DATE_NOW, ("expires", "Sun, 06 Nov 1994 08:49:37 GMT")]);
        stale(&[DATE_NOW, ("expires", "Sat, 05 Nov 1994 08:49:37 GMT")]);
        stale(&[DATE_NOW, ("expires", "0"), ("last-modified", "Sat, 05 Nov 1994 08:49:37 GMT")]);
        stale(&[DATE_NOW, ("expires", "Sun, 06 Nov 1994 09:49:37 UTC")]);
        // Both ahead of this machine's clock, and expired by that clock's own measure.
        stale(&[
            ("date", "Sun, 06 Nov 1994 08:56:17 GMT"),
            ("expires", "Sun, 06 Nov 1994 08:54:37 GMT"),
        ]);
    }

    #[test]
    fn rfc9111_4_2_2_a_guess_is_a_tenth_for_statuses_that_allow_it_and_a_week_at_most() {
        let modified = [DATE_NOW, ("last-modified", "Sat, 05 Nov 1994 08:49:37 GMT")];
        for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
            let lifetime = lifetime(status, &modified);
            assert!(lifetime.is_heuristic && lifetime.fresh_for == 8640, "{status}");
        }
        for status in [201, 202, 302, 303, 307, 403, 429, 500, 502, 503, 504, 599] {
            assert!(!lifetime(status, &modified).is_fresh(START), "{status}");
        }
        let mut public = modified.to_vec();
        public.push(("cache-control", "public"));
        assert!(lifetime(599, &public).is_fresh(START));
        fresh(&[DATE_NOW, ("last-modified", "Sun, 06 Nov 1988 08:49:37 GMT")], HEURISTIC_MAX);
        stale(&[DATE_NOW, ("last-modified", "Sun, 06 Nov 1994 09:49:37 GMT")]);
        stale(&[DATE_NOW, ("last-modified", "yesterday")]);
    }

    #[test]
    fn rfc9111_4_2_3_age_is_what_is_told_or_what_the_date_tells() {
        let age = |lines: &[(&'static str, &str)]| lifetime(200, lines).age_seconds(START);
        assert_eq!(age(&[DATE_NOW]), 0);
        assert_eq!(age(&[DATE_NOW, ("age", "30")]), 30);
        assert_eq!(age(&[("date", "Sun, 06 Nov 1994 08:49:27 GMT")]), 10);
        assert_eq!(age(&[("date", "Sun, 06 Nov 1994 08:49:27 GMT"), ("age", "25")]), 25);
        assert_eq!(age(&[("date", "Sun, 06 Nov 1994 08:49:47 GMT"), ("age", "15")]), 15);
        assert_eq!(age(&[("date", "Sun, 06 Nov 1994 08:49:47 GMT")]), 0);
        assert_eq!(age(&[("age", "99999999999999999999")]), 1 << 31);
    }

    #[test]
    fn rfc9111_5_1_the_first_age_counts_and_a_broken_one_does_not() {
        let age = |lines: &[(&'static str, &str)]| lifetime(200, lines).age_seconds(START);
        assert_eq!(age(&[("age", "7200,0")]), 7200);
        assert_eq!(age(&[("age", "0, 7200")]), 0);
        assert_eq!(age(&[("age", "7200"), ("age", "0")]), 7200);
        assert_eq!(age(&[("age", "abc")]), 0);
        assert_eq!(age(&[("age", "-7200")]), 0);
        assert_eq!(age(&[("age", "7200.0")]), 0);
    }

    #[test]
    fn rfc9111_4_2_3_the_way_back_counts_and_time_spent_here() {
        let headers = headers(&[DATE_NOW, ("age", "5"), ("cache-control", "max-age=60")]);
        let directives = ReplyDirectives::of(&headers);
        let lifetime = Lifetime::of(StatusCode::OK, &headers, &directives, START, after(2));
        assert_eq!(lifetime.age_seconds(after(2)), 7);
        assert_eq!(lifetime.age_seconds(after(12)), 17);
        assert!(lifetime.is_fresh(after(54)) && !lifetime.is_fresh(after(55)));
        assert!(lifetime.is_stale_within(after(59), 5) && !lifetime.is_stale_within(after(60), 5));
    }

    #[test]
    fn rfc9111_4_2_3_clocks_that_jump_make_nothing_fresh() {
        let stored = lifetime(200, &[("cache-control", "max-age=60")]);
        let day = 24 * 60 * 60 * 1000;
        // The wall jumps ahead: stale at once. It jumps back: the steady clock tells.
        assert!(!stored.is_fresh(Now { wall: NOON + day, ..START }));
        let back = |steady| Now { wall: NOON - day, steady: START.steady + steady };
        assert!(stored.is_fresh(back(59_000)) && !stored.is_fresh(back(60_000)));
        // The machine slept: the wall tells.
        assert!(!stored.is_fresh(Now { wall: NOON + 60_000, ..START }));
        // Read from a file, and not yet written by the clock on the wall.
        let read = Lifetime { received_steady: None, ..stored };
        assert!(read.is_fresh(after(59)) && !read.is_fresh(back(0)));
        assert_eq!(read.age_seconds(back(0)), 0);
        assert!(!read.is_stale_within(back(0), 1 << 31));
    }
}
