//! Whether a reply may be kept, and what of it (RFC 9111 §3).

use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{
        CONNECTION, CONTENT_LOCATION, EXPIRES, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
        TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};
use url::Url;

use super::{
    directives::{ReplyDirectives, RequestDirectives},
    lifetime::is_heuristically_cacheable,
    vary::Vary,
};
use crate::caching::NotStored;

/// Decides whether a whole reply may be kept.
pub(crate) fn decide(
    (method, url, request): (&Method, &Url, &RequestDirectives),
    (status, headers): (StatusCode, &HeaderMap),
    reply: &ReplyDirectives,
) -> Result<(), NotStored> {
    if !(*method == Method::GET || answers_later_gets(method, url, headers, reply)) {
        return Err(NotStored::Method);
    }
    if request.no_store {
        return Err(NotStored::ByRequest);
    }
    // What is for the connection, a part, or the answer to somebody's condition is no reply of the
    // resource.
    if status.is_informational() || matches!(status.as_u16(), 206 | 304 | 407 | 416) {
        return Err(NotStored::Status);
    }
    if reply.must_understand {
        // §5.2.2.3: `no-store` is there for those who do not.
        if !is_understood(status) {
            return Err(NotStored::Status);
        }
    } else if reply.no_store {
        return Err(NotStored::ByReply);
    }
    if Vary::of(headers) == Vary::OnEverything {
        return Err(NotStored::VariesOnEverything);
    }
    let is_allowed = reply.public
        || reply.private
        || reply.max_age.is_some()
        || headers.contains_key(EXPIRES)
        || is_heuristically_cacheable(status);
    if is_allowed { Ok(()) } else { Err(NotStored::Status) }
}

/// RFC 9110 §9.3.3: a reply to a `POST` that is what a `GET` would bring, and says for how long.
fn answers_later_gets(
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
    reply: &ReplyDirectives,
) -> bool {
    if *method != Method::POST || !(reply.max_age.is_some() || headers.contains_key(EXPIRES)) {
        return false;
    }
    let place = headers.get(CONTENT_LOCATION).and_then(|value| value.to_str().ok());
    place.and_then(|place| url.join(place).ok()).is_some_and(|mut place| {
        place.set_fragment(url.fragment());
        place == *url
    })
}

/// The header fields that are kept: those about the reply, not about the connection (§3.1).
pub(crate) fn kept(headers: &HeaderMap, reply: &ReplyDirectives) -> HeaderMap {
    let options: Vec<HeaderName> = connection_options(headers).collect();
    let is_kept = |name: &HeaderName| {
        !OF_THE_CONNECTION.contains(name)
            && !options.contains(name)
            && !reply.unkept_fields.contains(name)
    };
    // Two more are added to each reply that is served.
    let mut kept = HeaderMap::with_capacity(headers.len() + 2);
    for (name, value) in headers.iter().filter(|(name, _)| is_kept(name)) {
        kept.append(name, value.clone());
    }
    kept
}

/// The names that `Connection` lists.
pub(super) fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let values = headers.get_all(CONNECTION).into_iter();
    let names = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
}

pub(super) static OF_THE_CONNECTION: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The statuses whose rules for caches are followed here.
const fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=205 | 207 | 208 | 300..=303 | 307 | 308 | 400..=406 | 408..=418 | 421..=426 | 428
        | 429 | 431 | 451 | 500..=508 | 511
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        method: &Method,
        request: &str,
        status: u16,
        lines: &[(&'static str, &str)],
        expected: Result<(), NotStored>,
    ) {
        let mut asked = HeaderMap::new();
        asked.insert("cache-control", request.parse().expect("a value"));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        let url = Url::parse("http://host/path?q#part").expect("a URL");
        let status = StatusCode::from_u16(status).expect("a status");
        let request = RequestDirectives::of(&asked);
        let reply = ReplyDirectives::of(&headers);
        let decided = decide((method, &url, &request), (status, &headers), &reply);
        assert_eq!(decided, expected, "{method} {status} {lines:?}");
    }

    fn get(status: u16, lines: &[(&'static str, &str)], expected: Result<(), NotStored>) {
        check(&Method::GET, "", status, lines, expected);
    }

    #[test]
    fn rfc9111_3_only_what_a_get_brings_is_stored() {
        let fresh = ("cache-control", "max-age=60");
        get(200, &[fresh], Ok(()));
        for method in [Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            check(&method, "", 200, &[fresh], Err(NotStored::Method));
        }
    }

    #[test]
    fn rfc9110_9_3_3_a_post_that_tells_its_place_and_its_lifetime_is_stored() {
        let fresh = ("cache-control", "max-age=60");
        check(&Method::POST, "", 200, &[fresh, ("content-location", "/path?q")], Ok(()));
        let elsewhere = [fresh, ("content-location", "/other")];
        check(&Method::POST, "", 200, &elsewhere, Err(NotStored::Method));
        let no_lifetime = [("content-location", "/path?q")];
        check(&Method::POST, "", 200, &no_lifetime, Err(NotStored::Method));
        check(&Method::PUT, "", 200, &[fresh, no_lifetime[0]], Err(NotStored::Method));
    }

    #[test]
    fn rfc9111_3_a_status_needs_a_lifetime_or_must_allow_guesses() {
        for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
            get(status, &[], Ok(()));
        }
        for status in [201, 202, 302, 303, 307, 400, 403, 429, 500, 502, 503, 504, 599] {
            get(status, &[], Err(NotStored::Status));
            get(status, &[("cache-control", "max-age=60")], Ok(()));
            get(status, &[("cache-control", "public")], Ok(()));
            get(status, &[("cache-control", "private")], Ok(()));
            get(status, &[("expires", "0")], Ok(()));
        }
        for status in [206, 304, 407, 416] {
            get(status, &[("cache-control", "max-age=60")], Err(NotStored::Status));
        }
    }

    #[test]
    fn rfc9111_5_2_no_store_is_obeyed_on_both_sides() {
        get(200, &[("cache-control", "max-age=60, No-Store")], Err(NotStored::ByReply));
        let fresh = [("cache-control", "max-age=60")];
        check(&Method::GET, "no-store", 200, &fresh, Err(NotStored::ByRequest));
        check(&Method::GET, "no-cache", 200, &fresh, Ok(()));
    }

    #[test]
    fn rfc9111_5_2_2_3_must_understand_depends_on_the_status() {
        let both = [("cache-control", "no-store, must-understand, max-age=60")];
        get(200, &both, Ok(()));
        get(599, &both, Err(NotStored::Status));
        get(599, &[("cache-control", "must-understand, max-age=60")], Err(NotStored::Status));
    }

    #[test]
    fn rfc9111_5_2_2_7_private_is_for_a_cache_like_this() {
        get(200, &[("cache-control", "private, max-age=60")], Ok(()));
        get(200, &[("cache-control", "private=\"x-one\", max-age=60")], Ok(()));
    }

    #[test]
    fn rfc9111_4_1_what_varies_on_everything_is_not_stored() {
        for vary in ["*", "*, *", ", *", "*, Foo", "Foo, *"] {
            let lines = [("cache-control", "max-age=60"), ("vary", vary)];
            get(200, &lines, Err(NotStored::VariesOnEverything));
        }
    }

    #[test]
    fn rfc9213_targeted_directives_are_for_others() {
        let lines = [("cdn-cache-control", "no-store"), ("surrogate-control", "no-store")];
        get(200, &lines, Ok(()));
    }

    #[test]
    fn rfc9111_3_1_fields_of_the_connection_are_not_kept() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "a, B"),
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("d", "4"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("proxy-authenticate", "Basic"),
            ("set-cookie", "a=b"),
            ("cache-control", "no-cache=\"d\""),
        ] {
            headers.append(name, value.parse().expect("a value"));
        }
        let kept = kept(&headers, &ReplyDirectives::of(&headers));
        let names: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["c", "set-cookie", "cache-control"]);
    }
}
