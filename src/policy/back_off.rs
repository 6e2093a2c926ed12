//! When a request is made again because the user wants it so, and after how long.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

use super::{date, retry::Sendable};
use crate::{
    error::ErrorKind,
    moment::Moment,
    phase::Budget,
    retries::{RetryBudget, RetryPolicy},
};

/// How an attempt ended.
#[derive(Clone, Copy)]
pub(crate) enum Ended<'a> {
    Failed {
        kind: ErrorKind,
        budget: Option<Budget>,
        /// Whether the server may have seen the request.
        perhaps_sent: bool,
    },
    Answered {
        status: StatusCode,
        headers: &'a HeaderMap,
    },
}

/// What else matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// The time that the call has left.
    pub(crate) left: Option<Duration>,
    pub(crate) now: SystemTime,
    /// Any number, each as likely as the others.
    pub(crate) random: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    GiveUp,
    /// Make it again after this time.
    After(Duration),
}

/// Whether it is worth another attempt, and when.
pub(crate) fn decide(
    policy: &RetryPolicy,
    ended: Ended<'_>,
    request: Sendable,
    seen: Circumstances,
) -> Decision {
    let never_left = matches!(ended, Ended::Failed { perhaps_sent: false, .. });
    let may_be_repeated = request.is_replayable
        && (request.is_idempotent || policy.any_method || never_left)
        && seen.attempts < policy.attempts;
    if !may_be_repeated || !is_worth_it(policy, ended) {
        return Decision::GiveUp;
    }
    let delay = match ended {
        Ended::Answered { headers, .. } => match retry_after(headers, seen.now) {
            Some(wanted) if wanted > policy.retry_after_max => return Decision::GiveUp,
            // Not all who were told the same come at once.
            Some(wanted) => wanted + jitter(policy.first_delay, seen.random),
            None => back_off(policy, seen),
        },
        Ended::Failed { .. } => back_off(policy, seen),
    };
    if seen.left.is_some_and(|left| left <= delay) {
        return Decision::GiveUp;
    }
    Decision::After(delay)
}

fn is_worth_it(policy: &RetryPolicy, ended: Ended<'_>) -> bool {
    match ended {
        Ended::Failed { kind, budget, .. } => {
            let is_wanted = match &policy.errors {
                Some(kinds) => kinds.contains(&kind),
                None => ERRORS.contains(&kind),
            };
            is_wanted && !is_final(kind, budget)
        }
        Ended::Answered { status, .. } => match &policy.statuses {
            Some(statuses) => statuses.contains(&status),
            None => matches!(status.as_u16(), 429 | 502 | 503 | 504),
        },
    }
}

const ERRORS: [ErrorKind; 5] = [
    ErrorKind::Resolve,
    ErrorKind::Connect,
    ErrorKind::Protocol,
    ErrorKind::Body,
    ErrorKind::TimedOut,
];

/// Whether it was the call that ended, and not its attempt.
const fn is_final(kind: ErrorKind, budget: Option<Budget>) -> bool {
    match kind {
        ErrorKind::Cancelled => true,
        ErrorKind::TimedOut => matches!(budget, Some(Budget::Queue | Budget::Total) | None),
        _ => false,
    }
}

/// Exponential, with full jitter: callers that failed together do not come back together.
fn back_off(policy: &RetryPolicy, seen: Circumstances) -> Duration {
    let doublings = seen.attempts.saturating_sub(1).min(31);
    let longest = policy.first_delay.saturating_mul(1 << doublings).min(policy.longest_delay);
    jitter(longest, seen.random)
}

/// A time up to `longest`, each as likely as the others.
fn jitter(longest: Duration, random: u64) -> Duration {
    let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
    let product = u128::from(nanos) * u128::from(random);
    Duration::from_nanos(u64::try_from(product >> 64).unwrap_or(u64::MAX))
}

/// How long a server wants to be left alone: seconds, or until a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.as_bytes();
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if is_number {
        let seconds = std::str::from_utf8(value).ok()?.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds));
    }
    let date = u64::try_from(date::parse(value)?).unwrap_or(0);
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Some(Duration::from_secs(date).saturating_sub(now))
}

/// The tokens that retries of a client cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    budget: RetryBudget,
    thousandths: u64,
    filled_at: Moment,
}

impl Bucket {
    /// A full one.
    pub(crate) const fn new(budget: RetryBudget) -> Self {
        Self { budget, thousandths: budget.burst as u64 * 1000, filled_at: Moment::ZERO }
    }

    /// A call has begun that may be tried again.
    pub(crate) fn earn(&mut self) {
        self.add(u64::from(self.budget.percent_of_calls) * 10);
    }

    /// Takes what a retry costs, if it is there.
    pub(crate) fn pay(&mut self, now: Moment) -> bool {
        let millis = u64::try_from(now.since(self.filled_at).as_millis()).unwrap_or(u64::MAX);
        self.filled_at = now;
        self.add(millis.saturating_mul(u64::from(self.budget.per_second)));
        let rest = self.thousandths.checked_sub(1000);
        self.thousandths = rest.unwrap_or(self.thousandths);
        rest.is_some()
    }

    fn add(&mut self, thousandths: u64) {
        let most = u64::from(self.budget.burst) * 1000;
        self.thousandths = self.thousandths.saturating_add(thousandths).min(most);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const GET: Sendable = Sendable { is_idempotent: true, is_replayable: true };
    const POST: Sendable = Sendable { is_idempotent: false, is_replayable: true };
    const FIRST: Circumstances =
        Circumstances { attempts: 1, left: None, now: SystemTime::UNIX_EPOCH, random: u64::MAX };

    const fn failed(kind: ErrorKind) -> Ended<'static> {
        Ended::Failed { kind, budget: None, perhaps_sent: true }
    }

    const fn timed_out(budget: Budget) -> Ended<'static> {
        Ended::Failed { kind: ErrorKind::TimedOut, budget: Some(budget), perhaps_sent: true }
    }

    fn after(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    fn is_tried(policy: &RetryPolicy, ended: Ended<'_>, request: Sendable) -> bool {
        decide(policy, ended, request, FIRST) != Decision::GiveUp
    }

    #[test]
    fn failures_of_the_network_are_tried_again_and_others_are_not() {
        let policy = RetryPolicy::up_to(2);
        for (kind, expected) in [
            (ErrorKind::Resolve, true),
            (ErrorKind::Connect, true),
            (ErrorKind::Protocol, true),
            (ErrorKind::Body, true),
            (ErrorKind::Tls, false),
            (ErrorKind::Cancelled, false),
            (ErrorKind::InvalidRequest, false),
            (ErrorKind::Decode, false),
            (ErrorKind::Limit, false),
            (ErrorKind::Auth, false),
            (ErrorKind::Forked, false),
            (ErrorKind::Internal, false),
        ] {
            assert_eq!(is_tried(&policy, failed(kind), GET), expected, "{kind:?}");
        }
        for (budget, expected) in [
            (Budget::Resolve, true),
            (Budget::Connect, true),
            (Budget::Tls, true),
            (Budget::FirstByte, true),
            (Budget::Idle, true),
            (Budget::Queue, false),
            (Budget::Total, false),
        ] {
            assert_eq!(is_tried(&policy, timed_out(budget), GET), expected, "{budget}");
        }
    }

    #[test]
    fn the_errors_are_the_policys() {
        let policy = RetryPolicy::up_to(2).errors([
            ErrorKind::Proxy,
            ErrorKind::Connect,
            ErrorKind::TimedOut,
            ErrorKind::Cancelled,
        ]);
        for (kind, expected) in [
            (ErrorKind::Proxy, true),
            (ErrorKind::Connect, true),
            (ErrorKind::Protocol, false),
            (ErrorKind::Cancelled, false),
        ] {
            assert_eq!(is_tried(&policy, failed(kind), GET), expected, "{kind:?}");
        }
        assert!(is_tried(&policy, timed_out(Budget::FirstByte), GET));
        assert!(!is_tried(&policy, timed_out(Budget::Total), GET));
        assert!(!is_tried(&policy.errors([]), failed(ErrorKind::Connect), GET));
    }

    #[test]
    fn rfc_9110_section_9_2_2_only_idempotent_requests_are_repeated_unless_they_never_left() {
        let policy = RetryPolicy::up_to(2);
        let never_left =
            Ended::Failed { kind: ErrorKind::Connect, budget: None, perhaps_sent: false };
        assert!(!is_tried(&policy, failed(ErrorKind::Protocol), POST));
        assert!(is_tried(&policy, never_left, POST));
        assert!(is_tried(&policy.clone().any_method(true), failed(ErrorKind::Protocol), POST));
        let drained = Sendable { is_replayable: false, ..GET };
        assert!(!is_tried(&policy.any_method(true), never_left, drained));
    }

    #[test]
    fn the_statuses_are_the_policys() {
        let headers = HeaderMap::new();
        let answered = |status| {
            let status = StatusCode::from_u16(status).expect("a status");
            Ended::Answered { status, headers: &headers }
        };
        let policy = RetryPolicy::up_to(2);
        for (status, expected) in [
            (200, false),
            (404, false),
            (429, true),
            (500, false),
            (502, true),
            (503, true),
            (504, true),
        ] {
            assert_eq!(is_tried(&policy, answered(status), GET), expected, "{status}");
        }
        let policy = policy.statuses([StatusCode::NOT_FOUND]);
        assert!(is_tried(&policy, answered(404), GET) && !is_tried(&policy, answered(503), GET));
    }

    #[test]
    fn attempts_are_bounded() {
        for (attempts, expected) in [(1, true), (2, true), (3, false), (4, false)] {
            let seen = Circumstances { attempts, ..FIRST };
            let decision = decide(&RetryPolicy::up_to(3), failed(ErrorKind::Connect), GET, seen);
            assert_eq!(decision != Decision::GiveUp, expected, "{attempts}");
        }
        assert!(!is_tried(&RetryPolicy::none(), failed(ErrorKind::Connect), GET));
    }

    #[track_caller]
    fn check_delay(attempts: u32, random: u64, expected_millis: u64) {
        let policy = RetryPolicy::up_to(100).first_delay(Duration::from_millis(100));
        let policy = policy.longest_delay(Duration::from_secs(1));
        let seen = Circumstances { attempts, random, ..FIRST };
        let Decision::After(delay) = decide(&policy, failed(ErrorKind::Connect), GET, seen) else {
            panic!("given up");
        };
        assert_eq!((delay + Duration::from_micros(1)).as_millis(), u128::from(expected_millis));
    }

    #[test]
    fn the_wait_doubles_up_to_the_longest_and_is_anything_below() {
        check_delay(1, u64::MAX, 100);
        check_delay(2, u64::MAX, 200);
        check_delay(4, u64::MAX, 800);
        check_delay(5, u64::MAX, 1000);
        check_delay(99, u64::MAX, 1000);
        check_delay(3, 0, 0);
        check_delay(3, u64::MAX / 2, 200);
    }

    #[test]
    fn a_wait_past_the_deadline_is_not_begun() {
        let policy = RetryPolicy::up_to(2).first_delay(Duration::from_secs(1));
        for (left, expected) in [(500, false), (1000, true), (2000, true)] {
            let seen = Circumstances { left: Some(Duration::from_millis(left)), ..FIRST };
            let decision = decide(&policy, failed(ErrorKind::Connect), GET, seen);
            assert_eq!(decision != Decision::GiveUp, expected, "{left}");
        }
    }

    #[track_caller]
    fn check_retry_after(value: &'static str, expected: Option<u64>) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let seconds = retry_after(&after(&[("retry-after", value)]), now).map(|d| d.as_secs());
        assert_eq!(seconds, expected, "{value}");
    }

    #[test]
    fn rfc_9110_section_10_2_3_retry_after_is_seconds_or_a_date() {
        check_retry_after("0", Some(0));
        check_retry_after("120", Some(120));
        check_retry_after("99999999999999999999999", Some(u64::MAX));
        check_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", Some(0));
        check_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check_retry_after("Sunday, 06-Nov-94 08:50:37 GMT", Some(60));
        check_retry_after("Sun Nov  6 08:50:37 1994", Some(60));
        check_retry_after("Sun, 06 Nov 1904 08:49:37 GMT", Some(0));
        for wrong in ["", "-1", "1.5", "soon", "1 2"] {
            check_retry_after(wrong, None);
        }
    }

    #[test]
    fn a_retry_after_is_obeyed_up_to_the_longest() {
        let policy = RetryPolicy::up_to(2).first_delay(Duration::ZERO);
        for (value, expected) in
            [("60", Decision::After(Duration::from_secs(60))), ("61", Decision::GiveUp)]
        {
            let headers = after(&[("retry-after", value)]);
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let ended = Ended::Answered { status, headers: &headers };
            assert_eq!(decide(&policy, ended, GET, FIRST), expected);
        }
    }

    #[test]
    fn the_bucket_is_filled_by_calls_and_by_time() {
        let budget = RetryBudget { burst: 2, percent_of_calls: 50, per_second: 1 };
        let mut bucket = Bucket::new(budget);
        let at = |millis| Moment::ZERO.plus(Duration::from_millis(millis));
        assert!(bucket.pay(at(1)) && bucket.pay(at(1)) && !bucket.pay(at(1)));
        bucket.earn();
        assert!(!bucket.pay(at(1)));
        bucket.earn();
        assert!(bucket.pay(at(1)) && !bucket.pay(at(1)));
        assert!(!bucket.pay(at(1000)));
        assert!(bucket.pay(at(1001)), "what was earned before is not lost");
        (0..100).for_each(|_| bucket.earn());
        assert!(bucket.pay(at(1001)) && bucket.pay(at(1001)) && !bucket.pay(at(1001)));
    }
}
