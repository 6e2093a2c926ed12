//! How later replies change stored ones: 304, `HEAD`, and methods that change the resource.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, DATE, ETAG,
        LAST_MODIFIED, LOCATION,
    },
};
use url::Url;

use super::{
    conditions::opaque,
    storable::{OF_THE_CONNECTION, connection_options},
};

/// Whether a 304 is about the stored reply: a tag in it must be the stored one (RFC 9111 §4.3.4).
pub(crate) fn is_confirmed(stored: &HeaderMap, not_modified: &HeaderMap) -> bool {
    let tag = |headers: &HeaderMap| headers.get(ETAG).map(|tag| opaque(tag.as_bytes()).to_owned());
    match (tag(stored), tag(not_modified)) {
        (Some(stored), Some(new)) => stored == new,
        // A tag that the stored reply does not have may be of any other one.
        (None, Some(_)) => stored.contains_key(LAST_MODIFIED),
        (_, None) => true,
    }
}

/// What a `HEAD` says of the stored reply to a `GET` (RFC 9111 §4.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// It is the same one; its fields are news.
    Same,
    /// It is another one, or gone.
    Other,
    Unknown,
}

pub(crate) fn compare(stored: &HeaderMap, status: StatusCode, head: &HeaderMap) -> Compared {
    match status.as_u16() {
        200 => {}
        404 | 410 => return Compared::Other,
        _ => return Compared::Unknown,
    }
    let is_same = [ETAG, LAST_MODIFIED, CONTENT_LENGTH]
        .iter()
        .all(|name| head.get(name).is_none_or(|new| stored.get(name).is_none_or(|old| old == new)));
    if is_same { Compared::Same } else { Compared::Other }
}

/// The fields of a stored reply after news of it (RFC 9111 §3.2).
pub(crate) fn merged(stored: &HeaderMap, news: &HeaderMap) -> HeaderMap {
    let mut merged = stored.clone();
    let unkept: Vec<HeaderName> = connection_options(news).collect();
    let is_news = |name: &HeaderName| {
        !OF_THE_CONNECTION.contains(name) && !OF_THE_BODY.contains(name) && !unkept.contains(name)
    };
    for name in news.keys().filter(|name| is_news(name)) {
        merged.remove(name);
        for value in news.get_all(name) {
            merged.append(name, value.clone());
        }
    }
    // An age of before would be added to the new one.
    for name in [AGE, DATE].iter().filter(|name| !news.contains_key(*name)) {
        merged.remove(name);
    }
    merged
}

/// What describes the bytes that are stored, and stays with them.
static OF_THE_BODY: [HeaderName; 3] = [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE];

/// The validators of a stored reply, as conditions of a request (RFC 9111 §4.3.1).
pub(crate) fn validators(stored: &HeaderMap) -> (Option<&HeaderValue>, Option<&HeaderValue>) {
    (stored.get(ETAG), stored.get(LAST_MODIFIED))
}

/// Whether a method changes the resource, as far as one can know (RFC 9110 §9.2.1).
pub(crate) fn is_unsafe(method: &Method) -> bool {
    let safe = ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "REPORT", "SEARCH"];
    !safe.contains(&method.as_str())
}

/// The other URLs whose replies such a method may have changed (RFC 9111 §4.4).
pub(crate) fn also_changed(url: &Url, reply: &HeaderMap) -> impl Iterator<Item = Url> {
    let named = [LOCATION, CONTENT_LOCATION].map(|name| {
        let place = reply.get(name)?.to_str().ok()?;
        let place = url.join(place).ok()?;
        // Nobody speaks for another origin.
        (place.origin() == url.origin()).then_some(place)
    });
    named.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    #[test]
    fn rfc9111_4_3_4_a_304_with_another_tag_is_about_another_reply() {
        let confirmed = |stored: &[(&'static str, &str)], new: &[(&'static str, &str)]| {
            is_confirmed(&headers(stored), &headers(new))
        };
        assert!(confirmed(&[("etag", "\"a\"")], &[("etag", "\"a\"")]));
        assert!(confirmed(&[("etag", "W/\"a\"")], &[("etag", "\"a\"")]));
        assert!(confirmed(&[("etag", "\"a\"")], &[]));
        assert!(confirmed(&[("last-modified", "x")], &[("etag", "\"a\"")]));
        assert!(!confirmed(&[("etag", "\"a\"")], &[("etag", "\"b\"")]));
        assert!(!confirmed(&[], &[("etag", "\"b\"")]));
    }

    #[test]
    fn rfc9111_3_2_news_replace_fields_but_not_those_of_body_and_connection() {
        let stored = headers(&[
            ("content-type", "text/plain"),
            ("content-length", "5"),
            ("content-encoding", "gzip"),
            ("set-cookie", "a=b"),
            ("set-cookie", "c=d"),
            ("x-kept", "old"),
            ("age", "30"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        let news = headers(&[
            ("content-type", "text/plain;charset=utf-8"),
            ("content-length", "0"),
            ("content-encoding", "br"),
            ("content-range", "bytes 0-1/2"),
            ("set-cookie", "a=c"),
            ("x-new", "1"),
            ("x-hop", "2"),
            ("connection", "x-hop"),
            ("transfer-encoding", "chunked"),
        ]);
        let expected = headers(&[
            ("content-type", "text/plain;charset=utf-8"),
            ("content-length", "5"),
            ("content-encoding", "gzip"),
            ("set-cookie", "a=c"),
            ("x-kept", "old"),
            ("x-new", "1"),
        ]);
        assert_eq!(merged(&stored, &news), expected);
    }

    #[test]
    fn rfc9111_4_3_5_head_tells_whether_it_is_the_same() {
        let stored = [("etag", "\"a\""), ("last-modified", "x"), ("content-length", "5")];
        let compared = |status: u16, head: &[(&'static str, &str)]| {
            let status = StatusCode::from_u16(status).expect("a status");
            compare(&headers(&stored), status, &headers(head))
        };
        assert_eq!(compared(200, &[]), Compared::Same);
        assert_eq!(compared(200, &stored), Compared::Same);
        assert_eq!(compared(200, &[("content-length", "6")]), Compared::Other);
        assert_eq!(compared(200, &[("etag", "\"b\"")]), Compared::Other);
        assert_eq!(compared(200, &[("last-modified", "y")]), Compared::Other);
        assert_eq!(compared(410, &stored), Compared::Other);
        assert_eq!(compared(503, &[("etag", "\"b\"")]), Compared::Unknown);
        assert_eq!(compared(301, &[]), Compared::Unknown);
    }

    #[test]
    fn rfc9111_4_4_unsafe_and_unknown_methods_change_things() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FOO", "get"] {
            assert!(is_unsafe(&method.parse().expect("a method")), "{method}");
        }
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND"] {
            assert!(!is_unsafe(&method.parse().expect("a method")), "{method}");
        }
    }

    #[test]
    fn rfc9111_4_4_other_urls_are_of_the_same_origin() {
        let url = Url::parse("http://host:8080/a/b?q").expect("a URL");
        let changed = |lines: &[(&'static str, &str)]| {
            also_changed(&url, &headers(lines)).map(String::from).collect::<Vec<_>>()
        };
        assert_eq!(
            changed(&[("location", "c"), ("content-location", "/d?e")]),
            ["http://host:8080/a/c", "http://host:8080/d?e"]
        );
        assert_eq!(changed(&[("location", "http://HOST:8080/x")]), ["http://host:8080/x"]);
        for other in ["http://host/x", "https://host:8080/x", "http://other:8080/x", "http://:"] {
            assert_eq!(changed(&[("location", other)]), [""; 0], "{other}");
        }
    }
}
