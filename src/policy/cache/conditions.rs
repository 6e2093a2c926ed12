//! The conditions that a request of the user's own brings (RFC 9110 §13).

use http::{
    HeaderMap, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, IF_MATCH, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, VARY,
    },
};

use super::{directives::split_unquoted, lifetime::date_of};
use crate::policy::date;

/// What a stored reply can say to the conditions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// There are none, or they are met: the reply itself.
    Reply,
    /// 304: the user has it already.
    NotModified,
    /// Only the server can say.
    AskServer,
}

/// Evaluates them against a stored reply that could be served (RFC 9111 §4.3.2).
pub(crate) fn evaluate(request: &HeaderMap, stored: &HeaderMap) -> Answer {
    if request.contains_key(IF_MATCH) || request.contains_key(IF_UNMODIFIED_SINCE) {
        return Answer::AskServer;
    }
    if request.contains_key(IF_NONE_MATCH) {
        let mut tags = request.get_all(IF_NONE_MATCH).into_iter();
        let stored = stored.get(ETAG).map(|tag| opaque(tag.as_bytes()));
        let is_known = tags.any(|list| {
            split_unquoted(list.as_bytes())
                .map(<[u8]>::trim_ascii)
                .any(|tag| tag == b"*" || stored.is_some_and(|stored| stored == opaque(tag)))
        });
        return if is_known { Answer::NotModified } else { Answer::Reply };
    }
    let Some(since) = request.get(IF_MODIFIED_SINCE).and_then(|v| date::parse(v.as_bytes())) else {
        return Answer::Reply;
    };
    let modified = date_of(stored, LAST_MODIFIED).or_else(|| date_of(stored, DATE));
    match modified {
        Some(modified) if modified <= since => Answer::NotModified,
        _ => Answer::Reply,
    }
}

/// Whether a request has conditions of its own, which ours must not mix with.
pub(crate) fn are_in(request: &HeaderMap) -> bool {
    [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE]
        .iter()
        .any(|name| request.contains_key(name))
}

/// Whether `If-Range` allows a part of the stored reply (RFC 9110 §13.1.5).
pub(crate) fn allow_part(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let Some(wanted) = request.get(IF_RANGE).map(HeaderValue::as_bytes) else { return true };
    if wanted.starts_with(b"W/") {
        return false;
    }
    let same = |name| stored.get(name).is_some_and(|value: &HeaderValue| value == wanted);
    if wanted.starts_with(b"\"") { same(ETAG) } else { same(LAST_MODIFIED) }
}

/// What a 304 that is made here keeps of the stored reply (RFC 9110 §15.4.5).
pub(crate) fn of_not_modified(stored: &HeaderMap) -> HeaderMap {
    let kept = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, LAST_MODIFIED, VARY];
    let mut headers = HeaderMap::with_capacity(kept.len() + 2);
    for name in kept {
        for value in stored.get_all(&name) {
            headers.append(&name, value.clone());
        }
    }
    headers
}

/// The tag without its mark of weakness, for the weak comparison (RFC 9110 §8.8.3.2).
pub(super) fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        headers
    }

    #[track_caller]
    fn check(request: &[(&'static str, &str)], stored: &[(&'static str, &str)], expected: Answer) {
        let answer = evaluate(&headers(request), &headers(stored));
        assert_eq!(answer, expected, "{request:?} {stored:?}");
    }

    #[test]
    fn rfc9110_13_1_2_if_none_match_compares_weakly() {
        let strong = [("etag", "\"abc\"")];
        let weak = [("etag", "W/\"abc\"")];
        for stored in [strong, weak] {
            for tags in ["\"abc\"", "W/\"abc\"", "\"1\", \"abc\"", "\"1\",W/\"abc\" , \"2\"", "*"] {
                check(&[("if-none-match", tags)], &stored, Answer::NotModified);
            }
        }
        check(
            &[("if-none-match", "\"1\""), ("if-none-match", "\"abc\"")],
            &strong,
            Answer::NotModified,
        );
        check(&[("if-none-match", "\"a\\bc\"")], &strong, Answer::Reply);
        check(&[("if-none-match", "\"1\"")], &strong, Answer::Reply);
        check(&[("if-none-match", "\"abc\"")], &[], Answer::Reply);
        check(
            &[("if-none-match", "\"abc\u{fc}\"")],
            &[("etag", "\"abc\u{fc}\"")],
            Answer::NotModified,
        );
        check(&[], &strong, Answer::Reply);
    }

    const OLD: &str = "Sat, 05 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn rfc9110_13_1_3_if_modified_since_compares_with_last_modified_or_date() {
        check(&[("if-modified-since", OLD)], &[("last-modified", OLD)], Answer::NotModified);
        check(&[("if-modified-since", NEW)], &[("last-modified", OLD)], Answer::NotModified);
        check(&[("if-modified-since", OLD)], &[("last-modified", NEW)], Answer::Reply);
        check(&[("if-modified-since", NEW)], &[("date", OLD)], Answer::NotModified);
        check(&[("if-modified-since", OLD)], &[("date", NEW)], Answer::Reply);
        check(&[("if-modified-since", "soon")], &[("last-modified", OLD)], Answer::Reply);
        let rfc850 = [("if-modified-since", "Saturday, 05-Nov-94 08:49:37 GMT")];
        check(&rfc850, &[("last-modified", OLD)], Answer::NotModified);
    }

    #[test]
    fn rfc9110_13_2_2_if_none_match_goes_first() {
        let both = [("if-none-match", "\"abc\""), ("if-modified-since", OLD)];
        check(&both, &[("etag", "\"abc\""), ("last-modified", NEW)], Answer::NotModified);
        check(&both, &[("etag", "\"x\""), ("last-modified", OLD)], Answer::Reply);
    }

    #[test]
    fn rfc9111_4_3_2_conditions_for_the_server_are_left_to_it() {
        check(&[("if-match", "\"abc\"")], &[("etag", "\"abc\"")], Answer::AskServer);
        check(&[("if-unmodified-since", NEW)], &[("last-modified", OLD)], Answer::AskServer);
    }

    #[test]
    fn rfc9110_13_1_5_if_range_compares_strongly() {
        let allow = |wanted, stored: &[(&'static str, &str)]| {
            allow_part(&headers(&[("if-range", wanted)]), &headers(stored))
        };
        assert!(allow("\"abc\"", &[("etag", "\"abc\"")]));
        assert!(!allow("\"abc\"", &[("etag", "W/\"abc\"")]));
        assert!(!allow("W/\"abc\"", &[("etag", "W/\"abc\"")]));
        assert!(allow(OLD, &[("last-modified", OLD)]));
        assert!(!allow(NEW, &[("last-modified", OLD)]));
        assert!(allow_part(&HeaderMap::new(), &HeaderMap::new()));
    }
}
