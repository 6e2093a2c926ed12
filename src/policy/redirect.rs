//! Whether a reply makes another hop, and what that hop asks (RFC 9110 §15.4).

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::{
    history::PastHop,
    origin::{self, is_same_origin},
    redirects::{Redirect, RedirectAction, RedirectOptions, RedirectPolicy, Rule, drop_fields},
};

/// What was asked.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'r> {
    pub(crate) method: &'r Method,
    pub(crate) url: &'r Url,
    /// Whether its whole content can be sent again.
    pub(crate) is_replayable: bool,
    pub(crate) history: &'r [PastHop],
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The reply is the answer of the call.
    Deliver,
    Follow(Box<Next>),
    Refuse(Refusal),
}

/// The next hop.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) url: Url,
    /// Whether it is a `GET` without content, whatever the method was.
    pub(crate) becomes_get: bool,
    pub(crate) leaves_origin: bool,
}

/// Why a redirect that should be followed is not; its text is the error's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooMany { limit: u32, to: Url },
    FromHttpsToHttp(Url),
    NotHttps(Url),
    Scheme(String),
    Unusable,
    Ambiguous,
    NotReplayable { status: StatusCode, to: Url },
    Function(String),
}

/// Whether a reply is a redirect that can be followed.
pub(crate) fn is_redirect(status: StatusCode, headers: &HeaderMap) -> bool {
    // 300 leaves the choice to the reader, 304 is none, 305 and 306 are obsolete.
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) && headers.contains_key(header::LOCATION)
}

/// Decides about the reply to a hop; asks the user's function if there is one.
pub(crate) fn decide(
    policy: &RedirectPolicy,
    https_only: bool,
    asked: Asked<'_>,
    (status, headers): (StatusCode, &HeaderMap),
) -> Decision {
    let location = headers.get(header::LOCATION).filter(|location| !location.is_empty());
    let Some(location) = location.filter(|_| is_redirect(status, headers)) else {
        return Decision::Deliver;
    };
    if matches!(policy.rule, Rule::Deliver) {
        return Decision::Deliver;
    }
    if headers.get_all(header::LOCATION).iter().any(|other| other != location) {
        return Decision::Refuse(Refusal::Ambiguous);
    }
    let to = match target(asked.url, location) {
        Ok(to) => to,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    if let Rule::Ask(function) = &policy.rule {
        let redirect = Redirect { status, from: asked.url, to: &to, history: asked.history };
        match function(&redirect) {
            RedirectAction::Follow => {}
            RedirectAction::Deliver => return Decision::Deliver,
            RedirectAction::Refuse(why) => return Decision::Refuse(Refusal::Function(why)),
        }
    }
    follow(policy, https_only, asked, status, to)
}

/// Answers to challenges are hops too, and no redirects.
fn redirects_in(history: &[PastHop]) -> usize {
    history.iter().filter(|hop| hop.status != StatusCode::UNAUTHORIZED).count()
}

fn follow(
    policy: &RedirectPolicy,
    https_only: bool,
    asked: Asked<'_>,
    status: StatusCode,
    to: Url,
) -> Decision {
    let is_secure = to.scheme() == "https";
    let becomes_get = becomes_get(status, asked.method);
    let refusal = if https_only && !is_secure {
        Refusal::NotHttps(to)
    } else if asked.url.scheme() == "https" && !is_secure && !policy.allows_https_to_http {
        Refusal::FromHttpsToHttp(to)
    } else if redirects_in(asked.history) >= policy.limit as usize {
        Refusal::TooMany { limit: policy.limit, to }
    } else if !becomes_get && !asked.is_replayable {
        Refusal::NotReplayable { status, to }
    } else {
        let leaves_origin = !is_same_origin(asked.url, &to);
        return Decision::Follow(Box::new(Next { url: to, becomes_get, leaves_origin }));
    };
    Decision::Refuse(refusal)
}

/// Takes away what must not go along to the next hop.
pub(crate) fn rewrite(headers: &mut HeaderMap, next: &Next, options: &RedirectOptions) {
    if next.becomes_get {
        drop_fields(headers, |name, _| describes_content(name));
    }
    if next.leaves_origin {
        options.drop_secrets(headers);
    }
}

/// The target of a redirect (RFC 9110 §10.2.2, RFC 3986 §5).
fn target(from: &Url, location: &HeaderValue) -> Result<Url, Refusal> {
    let mut to = from.join(&as_ascii(location)).map_err(|_| Refusal::Unusable)?;
    if !matches!(to.scheme(), "http" | "https") {
        return Err(Refusal::Scheme(to.scheme().to_owned()));
    }
    if to.fragment().is_none() {
        to.set_fragment(from.fragment());
    }
    // A server cannot hand out credentials, but does not take away those it has been given.
    let (user, password) = match is_same_origin(from, &to) {
        true => (from.username(), from.password()),
        false => ("", None),
    };
    let unusable = |()| Refusal::Unusable;
    to.set_username(user).map_err(unusable)?;
    to.set_password(password).map_err(unusable)?;
    Ok(to)
}

/// Servers send UTF-8 too; percent-encoded it means the same in a path, and in a host.
fn as_ascii(location: &HeaderValue) -> String {
    let mut text = String::with_capacity(location.len());
    for &byte in location.as_bytes() {
        match byte {
            0x80.. => text.push_str(&format!("%{byte:02X}")),
            _ => text.push(char::from(byte)),
        }
    }
    text
}

/// RFC 9110 §15.4.2 to §15.4.4: what browsers do with 301 and 302, and what 303 is for.
fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::HEAD,
        _ => false,
    }
}

/// RFC 9110 §15.4: fields that are about the content that is not sent any more.
fn describes_content(name: &HeaderName) -> bool {
    name.as_str().starts_with("content-")
        || ["digest", "repr-digest", "last-modified", "expect", "trailer"].contains(&name.as_str())
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = origin::redacted;
        match self {
            Self::TooMany { limit, to } => write!(
                f,
                "more than {limit} redirects, the next one to {} (change the limit with \
                 `RedirectPolicy::up_to`)",
                shown(to)
            ),
            Self::FromHttpsToHttp(to) => write!(
                f,
                "the redirect to {} leaves https and was not followed (allow it with \
                 `RedirectPolicy::allow_https_to_http`)",
                shown(to)
            ),
            Self::NotHttps(to) => {
                write!(
                    f,
                    "the redirect to {} was not followed: the client is https only",
                    shown(to)
                )
            }
            Self::Scheme(scheme) => {
                write!(f, "the redirect to a URL of the scheme `{scheme}` was not followed")
            }
            Self::Unusable => f.write_str("the `Location` of the redirect is not a URL"),
            Self::Ambiguous => f.write_str("the redirect has two `Location`s that differ"),
            Self::NotReplayable { status, to } => write!(
                f,
                "the redirect with {} to {} wants the body again, which can be read only once \
                 (send bytes, a file or a `Body::factory`)",
                status.as_u16(),
                shown(to)
            ),
            Self::Function(why) => write!(f, "the redirect was refused: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "https://user:word@host:8443/a/b?q=1#top";

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn decided(policy: &RedirectPolicy, asked: Asked<'_>, status: u16, location: &str) -> Decision {
        let mut headers = HeaderMap::new();
        let location = HeaderValue::from_bytes(location.as_bytes()).expect("a header value");
        headers.insert(header::LOCATION, location);
        decide(policy, false, asked, (StatusCode::from_u16(status).expect("a status"), &headers))
    }

    fn asked<'r>(method: &'r Method, url: &'r Url) -> Asked<'r> {
        Asked { method, url, is_replayable: true, history: &[] }
    }

    #[track_caller]
    fn check_target(location: &str, expected: &str) {
        let (from, policy) = (url(FROM), RedirectPolicy::default().allow_https_to_http(true));
        match decided(&policy, asked(&Method::GET, &from), 302, location) {
            Decision::Follow(next) => assert_eq!(next.url.as_str(), expected, "{location}"),
            other => panic!("{location}: {other:?}"),
        }
    }

    #[test]
    fn rfc_3986_section_5_a_location_is_resolved_against_the_url() {
        check_target("c", "https://user:word@host:8443/a/c#top");
        check_target("../c?d", "https://user:word@host:8443/c?d#top");
        check_target("/c", "https://user:word@host:8443/c#top");
        check_target("?d=2", "https://user:word@host:8443/a/b?d=2#top");
        check_target("//other/c", "https://other/c#top");
        check_target("http://other:80/c", "http://other/c#top");
        check_target("/gr\u{fc}n?\u{fc}", "https://user:word@host:8443/gr%C3%BCn?%C3%BC#top");
        check_target("//b\u{fc}cher.example/", "https://xn--bcher-kva.example/#top");
        check_target("/a b", "https://user:word@host:8443/a%20b#top");
        check_target("\t/c", "https://user:word@host:8443/c#top");
    }

    #[test]
    fn rfc_9110_section_10_2_2_the_fragment_goes_along_unless_there_is_a_new_one() {
        check_target("/c#own", "https://user:word@host:8443/c#own");
        check_target("#own", "https://user:word@host:8443/a/b?q=1#own");
        check_target("/c#", "https://user:word@host:8443/c#");
    }

    #[test]
    fn user_information_stays_with_its_origin_and_is_never_taken_from_a_server() {
        check_target("https://host:8443/c", "https://user:word@host:8443/c#top");
        check_target("https://evil:x@host:8443/c", "https://user:word@host:8443/c#top");
        check_target("https://evil:x@other/c", "https://other/c#top");
        check_target("https://host/c", "https://host/c#top");
        check_target("http://host:8443/c", "http://host:8443/c#top");
    }

    #[track_caller]
    fn check_method(status: u16, method: Method, becomes_get: bool) {
        let from = url("http://host/");
        match decided(&RedirectPolicy::default(), asked(&method, &from), status, "/c") {
            Decision::Follow(next) => {
                assert_eq!(next.becomes_get, becomes_get, "{status} {method}")
            }
            other => panic!("{status} {method}: {other:?}"),
        }
    }

    #[test]
    fn rfc_9110_section_15_4_the_status_says_what_becomes_of_the_method() {
        for status in [301, 302] {
            check_method(status, Method::POST, true);
            check_method(status, Method::PUT, false);
            check_method(status, Method::DELETE, false);
            check_method(status, Method::HEAD, false);
        }
        check_method(303, Method::POST, true);
        check_method(303, Method::PUT, true);
        check_method(303, Method::HEAD, false);
        for status in [307, 308] {
            check_method(status, Method::POST, false);
            check_method(status, Method::GET, false);
        }
    }

    #[test]
    fn what_is_no_redirect_is_delivered() {
        let from = url("http://host/");
        for status in [200, 201, 300, 304, 305, 306, 400, 401, 503] {
            let policy = RedirectPolicy::default();
            let decision = decided(&policy, asked(&Method::GET, &from), status, "/c");
            assert_eq!(decision, Decision::Deliver, "{status}");
        }
        let decision = decided(&RedirectPolicy::default(), asked(&Method::GET, &from), 302, "");
        assert_eq!(decision, Decision::Deliver);
        let decision = decided(&RedirectPolicy::none(), asked(&Method::GET, &from), 302, "ftp:x");
        assert_eq!(decision, Decision::Deliver);
    }

    #[track_caller]
    fn check_refused(policy: &RedirectPolicy, from: &str, location: &str, expected: Refusal) {
        let from = url(from);
        let decision = decided(policy, asked(&Method::GET, &from), 302, location);
        assert_eq!(decision, Decision::Refuse(expected), "{location}");
    }

    #[test]
    fn a_redirect_to_anything_but_http_and_https_is_refused() {
        for scheme in ["file", "ftp", "data", "javascript", "gopher", "ws"] {
            let location = format!("{scheme}:///etc/passwd");
            let policy = RedirectPolicy::default();
            check_refused(&policy, "http://host/", &location, Refusal::Scheme(scheme.into()));
        }
        check_refused(&RedirectPolicy::default(), "http://host/", "http://[", Refusal::Unusable);
        check_refused(&RedirectPolicy::default(), "http://host/", "http://", Refusal::Unusable);
    }

    #[test]
    fn https_to_http_is_refused_and_names_the_target() {
        let (to, policy) = ("http://host/c?key=1", RedirectPolicy::default());
        check_refused(&policy, "https://host/", to, Refusal::FromHttpsToHttp(url(to)));
        let text = Refusal::FromHttpsToHttp(url(to)).to_string();
        assert!(text.contains("http://host/c") && !text.contains("key"), "{text}");
    }

    #[test]
    fn two_locations_that_differ_are_refused() {
        let (from, mut headers) = (url("http://host/"), HeaderMap::new());
        headers.append(header::LOCATION, HeaderValue::from_static("/a"));
        headers.append(header::LOCATION, HeaderValue::from_static("/a"));
        let policy = RedirectPolicy::default();
        let decide = |headers: &HeaderMap| {
            decide(&policy, false, asked(&Method::GET, &from), (StatusCode::FOUND, headers))
        };
        assert!(matches!(decide(&headers), Decision::Follow(_)));
        headers.append(header::LOCATION, HeaderValue::from_static("/b"));
        assert_eq!(decide(&headers), Decision::Refuse(Refusal::Ambiguous));
    }

    #[test]
    fn content_that_cannot_be_repeated_is_refused_only_where_it_is_wanted_again() {
        let (from, policy) = (url("http://host/"), RedirectPolicy::default());
        let drained = Asked { is_replayable: false, ..asked(&Method::POST, &from) };
        for (status, is_followed) in [(301, true), (303, true), (307, false), (308, false)] {
            let decision = decided(&policy, drained, status, "/c");
            assert_eq!(matches!(decision, Decision::Follow(_)), is_followed, "{status}");
        }
    }

    #[test]
    fn the_limit_lets_pass_what_is_at_it() {
        let from = url("http://host/");
        let past = PastHop {
            method: Method::GET,
            url: from.clone(),
            status: StatusCode::FOUND,
            headers: HeaderMap::new(),
            attempts: 1,
        };
        let history = vec![past; 3];
        for (limit, is_followed) in [(2, false), (3, false), (4, true)] {
            let asked = Asked { history: &history, ..asked(&Method::GET, &from) };
            let decision = decided(&RedirectPolicy::up_to(limit), asked, 302, "/");
            assert_eq!(matches!(decision, Decision::Follow(_)), is_followed, "{limit}");
        }
    }

    #[test]
    fn secrets_and_the_host_stay_behind_and_the_rest_goes_along() {
        let mut secret = HeaderValue::from_static("1");
        secret.set_sensitive(true);
        let all = [
            ("authorization", HeaderValue::from_static("1")),
            ("cookie", HeaderValue::from_static("1")),
            ("proxy-authorization", HeaderValue::from_static("1")),
            ("x-marked", secret),
            ("x-named", HeaderValue::from_static("1")),
            ("host", HeaderValue::from_static("1")),
            ("content-type", HeaderValue::from_static("1")),
            ("range", HeaderValue::from_static("1")),
        ];
        let secret_names = vec![HeaderName::from_static("x-named")];
        let options = RedirectOptions { secret_names, ..RedirectOptions::default() };
        let left = |becomes_get, leaves_origin| {
            let mut headers: HeaderMap = all
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), value.clone()))
                .collect();
            let next = Next { url: url("http://host/"), becomes_get, leaves_origin };
            rewrite(&mut headers, &next, &options);
            let mut names: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(left(false, true), ["content-type", "range"]);
        assert_eq!(left(true, true), ["range"]);
        assert_eq!(left(true, false).len(), 7);
        assert_eq!(left(false, false).len(), 8);
    }
}
