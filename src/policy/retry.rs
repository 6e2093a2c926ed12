//! When an exchange that failed may be made again.

use http::{HeaderMap, Method};

/// What is known of an exchange that failed for want of a good connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    /// Whether the server may have seen the request.
    pub(crate) perhaps_sent: bool,
    /// Whether the server refused this very request before it looked at it (RFC 9113 §8.7).
    pub(crate) refused: bool,
    /// Whether the connection had carried another exchange before.
    pub(crate) reused: bool,
    /// Whether the reply had begun.
    pub(crate) answered: bool,
    /// Whether it was the connection that failed, and not a limit or the user's own body.
    pub(crate) connection_failed: bool,
    /// How often the request was tried, this time included.
    pub(crate) attempts: u32,
}

/// What is known of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sendable {
    pub(crate) is_idempotent: bool,
    pub(crate) is_replayable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Send it once more, on a connection that is known to be good.
    Again,
    GiveUp,
}

/// Whether sending a request twice is the same as sending it once (RFC 9110 §9.2.2), by its
/// method or by the word of its sender.
pub(crate) fn is_idempotent(method: &Method, headers: &HeaderMap) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    ) || headers.contains_key("idempotency-key")
}

/// Decides about a connection that turned out to be dead (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
///
/// A kept connection may be closed by the server just when it is used again. That is nobody's
/// fault and worth another attempt, but only if the request cannot have been acted upon or may be
/// acted upon twice.
pub(crate) fn decide(failed: Failed, request: Sendable) -> Decision {
    let may_be_stale = failed.reused && request.is_idempotent;
    let is_safe = !failed.answered && (!failed.perhaps_sent || may_be_stale);
    if failed.connection_failed
        && is_safe
        && request.is_replayable
        && failed.attempts < attempts_max(failed)
    {
        Decision::Again
    } else {
        Decision::GiveUp
    }
}

/// Each attempt may meet another dead connection.
const fn attempts_max(failed: Failed) -> u32 {
    if failed.perhaps_sent || failed.refused { ATTEMPTS_MAX } else { UNSENT_ATTEMPTS_MAX }
}

const ATTEMPTS_MAX: u32 = 5;
/// A server that ends each connection after a few requests leaves those out that came after them.
/// Many callers at once take many connections until each has been served.
const UNSENT_ATTEMPTS_MAX: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const STALE: Failed = Failed {
        perhaps_sent: true,
        refused: false,
        reused: true,
        answered: false,
        connection_failed: true,
        attempts: 1,
    };
    const GET: Sendable = Sendable { is_idempotent: true, is_replayable: true };
    const POST: Sendable = Sendable { is_idempotent: false, is_replayable: true };

    #[track_caller]
    fn check(failed: Failed, request: Sendable, expected: Decision) {
        assert_eq!(decide(failed, request), expected, "{failed:?} {request:?}");
    }

    #[test]
    fn rfc_9110_section_9_2_2_only_idempotent_requests_are_sent_twice() {
        check(STALE, GET, Decision::Again);
        check(STALE, POST, Decision::GiveUp);
        let refused = Failed { perhaps_sent: false, reused: false, ..STALE };
        check(refused, POST, Decision::Again);
        let drained = Sendable { is_replayable: false, ..GET };
        check(STALE, drained, Decision::GiveUp);
    }

    #[test]
    fn only_a_kept_connection_that_never_answered_counts_as_stale() {
        check(Failed { reused: false, ..STALE }, GET, Decision::GiveUp);
        check(Failed { answered: true, ..STALE }, GET, Decision::GiveUp);
        check(Failed { connection_failed: false, ..STALE }, GET, Decision::GiveUp);
    }

    #[test]
    fn attempts_are_bounded() {
        check(Failed { attempts: 4, ..STALE }, GET, Decision::Again);
        check(Failed { attempts: 5, ..STALE }, GET, Decision::GiveUp);
        let unsent = Failed { perhaps_sent: false, reused: false, ..STALE };
        check(Failed { attempts: 19, ..unsent }, POST, Decision::Again);
        check(Failed { attempts: 20, ..unsent }, POST, Decision::GiveUp);
        let refused = Failed { refused: true, ..unsent };
        check(Failed { attempts: 4, ..refused }, POST, Decision::Again);
        check(Failed { attempts: 5, ..refused }, POST, Decision::GiveUp);
    }

    #[test]
    fn an_idempotency_key_makes_a_post_repeatable() {
        let mut headers = HeaderMap::new();
        assert!(!is_idempotent(&Method::POST, &headers));
        headers.insert("idempotency-key", http::HeaderValue::from_static("1"));
        assert!(is_idempotent(&Method::POST, &headers));
        assert!(is_idempotent(&Method::PUT, &HeaderMap::new()));
    }
}
