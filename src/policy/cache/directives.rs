//! `Cache-Control`, of requests and of replies (RFC 9111 §5.2).

use std::borrow::Cow;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, PRAGMA},
};

/// What a reply says of its storing and use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplyDirectives {
    /// In seconds; zero if it cannot be read, as a reply with a broken lifetime is stale.
    pub(crate) max_age: Option<u64>,
    pub(crate) stale_while_revalidate: Option<u64>,
    pub(crate) stale_if_error: Option<u64>,
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) public: bool,
    pub(crate) private: bool,
    pub(crate) immutable: bool,
    /// The fields that `no-cache="..."` names; they are not kept.
    pub(crate) unkept_fields: Vec<HeaderName>,
}

/// What a request wants of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestDirectives {
    pub(crate) max_age: Option<u64>,
    pub(crate) min_fresh: Option<u64>,
    /// How stale a reply may be, in seconds.
    pub(crate) max_stale: Option<u64>,
    pub(crate) stale_if_error: Option<u64>,
    pub(crate) no_cache: bool,
    pub(crate) no_store: bool,
    pub(crate) only_if_cached: bool,
}

impl ReplyDirectives {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for_each(headers.get_all(CACHE_CONTROL), |name, argument| {
            let seconds = |slot: &mut Option<u64>| {
                // Of several the first counts (§4.2.1).
                slot.get_or_insert_with(|| argument.and_then(delta_seconds).unwrap_or(0));
            };
            match name {
                "max-age" => seconds(&mut found.max_age),
                "stale-while-revalidate" => seconds(&mut found.stale_while_revalidate),
                "stale-if-error" => seconds(&mut found.stale_if_error),
                "no-store" => found.no_store = true,
                "no-cache" => match argument {
                    None => found.no_cache = true,
                    Some(fields) => found.unkept_fields.extend(field_names(fields)),
                },
                "must-revalidate" => found.must_revalidate = true,
                "must-understand" => found.must_understand = true,
                "public" => found.public = true,
                "private" => found.private = true,
                "immutable" => found.immutable = true,
                _ => {}
            }
        });
        found
    }
}

impl RequestDirectives {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        if !headers.contains_key(CACHE_CONTROL) {
            // What counts for servers of HTTP/1.0 is meant for caches too (§5.4).
            found.no_cache = headers.get(PRAGMA).is_some_and(|value| {
                value.as_bytes().to_ascii_lowercase().windows(8).any(|part| part == b"no-cache")
            });
            return found;
        }
        for_each(headers.get_all(CACHE_CONTROL), |name, argument| {
            let seconds = argument.and_then(delta_seconds);
            match name {
                "max-age" => found.max_age = found.max_age.or_else(|| seconds.or(Some(0))),
                "min-fresh" => found.min_fresh = found.min_fresh.or(seconds),
                // Without a number any age will do.
                "max-stale" if argument.is_none() => found.max_stale = Some(DELTA_SECONDS_MAX),
                "max-stale" => found.max_stale = found.max_stale.or(seconds),
                "stale-if-error" => found.stale_if_error = found.stale_if_error.or(seconds),
                "no-cache" => found.no_cache = true,
                "no-store" => found.no_store = true,
                "only-if-cached" => found.only_if_cached = true,
                _ => {}
            }
        });
        found
    }
}

/// Calls `each` with the lower-case name and the argument, unquoted, of each directive.
fn for_each<'v>(
    values: impl IntoIterator<Item = &'v HeaderValue>,
    mut each: impl FnMut(&str, Option<&str>),
) {
    for value in values {
        for directive in split_unquoted(value.as_bytes()) {
            let directive = String::from_utf8_lossy(directive.trim_ascii());
            match directive.split_once('=') {
                None => each(&in_lower_case(&directive), None),
                // Space around the sign is not part of the grammar, and makes it another name or
                // an argument that is no number.
                Some((name, argument)) => {
                    each(&in_lower_case(name), Some(&unquoted(argument)));
                }
            }
        }
    }
}

/// Splits at commas that are not inside a quoted string.
pub(super) fn split_unquoted(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    let mut escaped = false;
    list.split(move |&byte| {
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            b'\\' if quoted && !was_escaped => escaped = true,
            b'"' if !was_escaped => quoted = !quoted,
            b',' => return !quoted,
            _ => {}
        }
        false
    })
}

fn in_lower_case(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => name.to_ascii_lowercase().into(),
        false => name.into(),
    }
}

fn unquoted(argument: &str) -> Cow<'_, str> {
    let inside = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inside) = inside else { return argument.into() };
    let mut plain = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(char) = chars.next() {
        plain.extend(if char == '\\' { chars.next() } else { Some(char) });
    }
    plain.into()
}

fn field_names(list: &str) -> impl Iterator<Item = HeaderName> {
    list.split(',').filter_map(|name| name.trim().parse().ok())
}

/// A number of seconds (RFC 9111 §1.2.2); more than fits is as good as for ever.
pub(super) fn delta_seconds(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(DELTA_SECONDS_MAX).min(DELTA_SECONDS_MAX))
}

pub(super) const DELTA_SECONDS_MAX: u64 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_bytes(line.as_bytes()).expect("a value");
            headers.append(CACHE_CONTROL, value);
        }
        headers
    }

    #[track_caller]
    fn max_age(lines: &[&str], expected: Option<u64>) {
        assert_eq!(ReplyDirectives::of(&headers(lines)).max_age, expected, "{lines:?}");
    }

    #[test]
    fn rfc9111_5_2_2_1_max_age_is_read() {
        max_age(&["max-age=3600"], Some(3600));
        max_age(&["MaX-aGe=3600"], Some(3600));
        max_age(&["foobar, max-age=3600"], Some(3600));
        max_age(&["public", "max-age=3600"], Some(3600));
        max_age(&["max-age=\"3600\""], Some(3600));
        max_age(&["max-age=003600"], Some(3600));
        max_age(&[",, max-age=7 ,"], Some(7));
        max_age(&["s-maxage=3600"], None);
        max_age(&[""], None);
    }

    #[test]
    fn rfc9111_1_2_2_large_numbers_are_for_ever() {
        max_age(&["max-age=2147483648"], Some(DELTA_SECONDS_MAX));
        max_age(&["max-age=99999999999"], Some(DELTA_SECONDS_MAX));
        max_age(&["max-age=99999999999999999999999999"], Some(DELTA_SECONDS_MAX));
    }

    #[test]
    fn rfc9111_4_2_1_a_broken_lifetime_is_none_and_the_first_of_several_counts() {
        for broken in [
            "max-age",
            "max-age=",
            "max-age= 3600",
            "max-age='3600'",
            "max-age=-3600",
            "max-age=+3600",
            "max-age=a3600",
            "max-age=3600a",
            "max-age=3600.0",
            "max-age=\"3600",
        ] {
            max_age(&[broken], Some(0));
        }
        max_age(&["max-age =3600"], None);
        max_age(&["max-age=1, max-age=1800"], Some(1));
        max_age(&["max-age=1800", "max-age=1"], Some(1800));
    }

    #[test]
    fn rfc9110_5_6_4_what_is_quoted_is_no_directive() {
        max_age(&["extension=\"max-age=3600\", max-age=1"], Some(1));
        max_age(&["max-age=1, extension=\"max-age=3600\""], Some(1));
        max_age(&["extension=\"a, max-age=3600, b\""], None);
        max_age(&["extension=\"a\\\", max-age=3600\", max-age=1"], Some(1));
        max_age(&["extension=\"never ends, max-age=3600"], None);
        let found = ReplyDirectives::of(&headers(&["extension=\"no-store\", x=\"a, no-cache\""]));
        assert_eq!(found, ReplyDirectives::default());
    }

    #[test]
    fn rfc9111_5_2_2_flags_are_read_whatever_their_case() {
        let found = ReplyDirectives::of(&headers(&[
            "No-StOrE, must-revalidate",
            "PUBLIC,immutable,must-understand,private,no-cache",
            "stale-while-revalidate=5, stale-if-error=6",
        ]));
        assert!(found.no_store && found.must_revalidate && found.public && found.immutable);
        assert!(found.must_understand && found.private && found.no_cache);
        assert_eq!((found.stale_while_revalidate, found.stale_if_error), (Some(5), Some(6)));
    }

    #[test]
    fn rfc9111_5_2_2_4_qualified_no_cache_names_fields() {
        let found = ReplyDirectives::of(&headers(&["no-cache=\"a, B\", max-age=1"]));
        assert_eq!(found.unkept_fields, ["a", "b"]);
        assert!(!found.no_cache);
        let found = ReplyDirectives::of(&headers(&["no-cache=a"]));
        assert_eq!(found.unkept_fields, ["a"]);
    }

    #[test]
    fn rfc9111_5_2_1_request_directives_are_read() {
        let found = RequestDirectives::of(&headers(&[
            "max-age=1, min-fresh=2, max-stale=3, stale-if-error=4",
            "no-cache, no-store, only-if-cached",
        ]));
        let expected = RequestDirectives {
            max_age: Some(1),
            min_fresh: Some(2),
            max_stale: Some(3),
            stale_if_error: Some(4),
            no_cache: true,
            no_store: true,
            only_if_cached: true,
        };
        assert_eq!(found, expected);
        let any = RequestDirectives::of(&headers(&["max-stale"]));
        assert_eq!(any.max_stale, Some(DELTA_SECONDS_MAX));
        let broken = RequestDirectives::of(&headers(&["max-age=x, max-stale=x, min-fresh=x"]));
        assert_eq!((broken.max_age, broken.max_stale, broken.min_fresh), (Some(0), None, None));
    }

    #[test]
    fn rfc9111_5_4_pragma_counts_without_cache_control() {
        let mut headers = HeaderMap::new();
        headers.insert(PRAGMA, HeaderValue::from_static("No-Cache"));
        assert!(RequestDirectives::of(&headers).no_cache);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-stale"));
        assert!(!RequestDirectives::of(&headers).no_cache);
        headers.clear();
        headers.insert(PRAGMA, HeaderValue::from_static("unrecognised-extension"));
        assert!(!RequestDirectives::of(&headers).no_cache);
    }
}
