//! The origins that may see credentials.

use std::fmt;

use url::{Host, Url};

use crate::{
    error::{Error, Result},
    origin::{self, Origin},
};

/// The origins (scheme, host and port) that credentials may be sent to.
///
/// Every [`AuthConfig`](crate::AuthConfig) has some, and there is no default: where a secret may go
/// is for its owner to say.
///
/// ```
/// use abide::AuthOrigins;
/// let two = AuthOrigins::only(["https://api.example.org", "https://tiles.example.org:8443"])?;
/// let below = AuthOrigins::only(["https://*.example.org"])?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AuthOrigins(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exactly(Origin),
    /// Every host below the one of the origin, at any depth, and not that host itself.
    Below(Origin),
    AnySecure,
    Any,
}

/// How closely a set of origins describes one; the closest is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    Any,
    AnySecure,
    /// By the length of the host that it is below.
    Below(usize),
    Exact,
}

impl AuthOrigins {
    /// These origins and no others, written as URLs without a path.
    ///
    /// `https://*.example.org` is every host below `example.org` and not `example.org` itself. What
    /// is written as `http` may be read by everybody on the way.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if one is not a URL of scheme,
    /// host and perhaps port, or if there is none.
    pub fn only<S: AsRef<str>>(origins: impl IntoIterator<Item = S>) -> Result<Self> {
        let patterns: Vec<Pattern> =
            origins.into_iter().map(|text| Pattern::read(text.as_ref())).collect::<Result<_>>()?;
        if patterns.is_empty() {
            return Err(Error::invalid("credentials without an origin can never be used"));
        }
        Ok(Self(patterns))
    }

    /// Every origin of every server, encrypted ones only.
    ///
    /// Whatever URL a call is given, and wherever a server redirects it to, gets the secret.
    #[must_use]
    pub fn any_https() -> Self {
        Self(vec![Pattern::AnySecure])
    }

    /// Every origin of every server, without encryption too.
    #[must_use]
    pub fn any_even_unencrypted() -> Self {
        Self(vec![Pattern::Any])
    }

    pub(crate) fn allow(&self, origin: &Origin) -> bool {
        self.fit(origin).is_some()
    }

    /// The closest of the patterns that allow an origin.
    pub(crate) fn fit(&self, origin: &Origin) -> Option<Fit> {
        self.0.iter().filter_map(|pattern| pattern.fit(origin)).max()
    }
}

impl Pattern {
    fn read(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            let shown = origin::redacted_text(text);
            Err(Error::invalid(format!("`{shown}` is no origin for credentials: {why}")))
        };
        let is_below = text.contains("://*.");
        let Ok(url) = Url::parse(&text.replacen("://*.", "://", 1)) else {
            return wrong("write it like `https://example.org`");
        };
        let has_more = !matches!(url.path(), "" | "/")
            || url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some();
        if has_more {
            return wrong("it is scheme, host and port; paths do not keep secrets apart");
        }
        if url.host_str().is_some_and(|host| host.contains('*')) {
            return wrong("a `*` stands for whole names in front of the rest only");
        }
        let is_name = matches!(url.host(), Some(Host::Domain(_)));
        let origin = Origin::of(&url)?;
        match is_below {
            false => Ok(Self::Exactly(origin)),
            true if is_name => Ok(Self::Below(origin)),
            true => wrong("there are no names below an address"),
        }
    }

    fn fit(&self, origin: &Origin) -> Option<Fit> {
        match self {
            Self::Exactly(allowed) => (allowed == origin).then_some(Fit::Exact),
            Self::Below(parent) => {
                let same_way = parent.secure == origin.secure && parent.port == origin.port;
                let front = origin.host.strip_suffix(&*parent.host)?;
                let is_below = front.len() > 1 && front.ends_with('.');
                (same_way && is_below).then_some(Fit::Below(parent.host.len()))
            }
            Self::AnySecure => origin.secure.then_some(Fit::AnySecure),
            Self::Any => Some(Fit::Any),
        }
    }
}

impl fmt::Debug for AuthOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(ToString::to_string)).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(origin) => origin.fmt(f),
            Self::Below(Origin { host, port, .. }) => {
                let scheme =
                    if matches!(self, Self::Below(o) if o.secure) { "https" } else { "http" };
                write!(f, "{scheme}://*.{host}:{port}")
            }
            Self::AnySecure => f.write_str("any https"),
            Self::Any => f.write_str("any"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&Url::parse(url).expect("a URL")).expect("an origin")
    }

    #[track_caller]
    fn check(allowed: &str, url: &str, expected: bool) {
        let origins = AuthOrigins::only([allowed]).expect("an origin");
        assert_eq!(origins.allow(&origin(url)), expected, "{allowed} {url}");
    }

    #[test]
    fn rfc_6454_scheme_host_and_port_must_all_be_the_same() {
        check("https://a.example", "https://a.example/path?query", true);
        check("https://a.example:443/", "https://A.EXAMPLE/", true);
        check("https://a.example", "http://a.example/", false);
        check("https://a.example", "https://a.example:8443/", false);
        check("https://a.example", "https://b.a.example/", false);
        check("https://a.example", "https://a.example./", false);
        check("https://a.example", "https://a.example.evil.test/", false);
        check("https://a.example", "https://a.example@evil.test/", false);
        check("http://127.0.0.1:80", "http://127.1/", true);
        check("http://127.0.0.1:80", "http://[::1]/", false);
    }

    #[test]
    fn a_star_stands_for_names_in_front() {
        check("https://*.a.example", "https://b.a.example/", true);
        check("https://*.a.example", "https://c.b.a.example/", true);
        check("https://*.a.example", "https://a.example/", false);
        check("https://*.a.example", "https://evila.example/", false);
        check("https://*.a.example", "https://.a.example/", false);
        check("https://*.a.example", "http://b.a.example/", false);
        check("https://*.a.example", "https://b.a.example:444/", false);
        check("https://*.a.example", "https://b.a.example.evil.test/", false);
    }

    #[test]
    fn everything_has_to_be_spelled_out() {
        let (plain, secure) = (origin("http://x.test/"), origin("https://x.test/"));
        assert!(AuthOrigins::any_even_unencrypted().allow(&plain));
        assert!(AuthOrigins::any_https().allow(&secure));
        assert!(!AuthOrigins::any_https().allow(&plain));
        assert!(AuthOrigins::only::<&str>([]).is_err());
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused() {
        for text in [
            "",
            "*",
            "a.example",
            "https://",
            "https://*",
            "https://*.*.example",
            "https://a.*.example",
            "https://*.127.0.0.1",
            "https://a.example/path",
            "https://a.example?query",
            "https://a.example#fragment",
            "https://user:hidden@a.example",
            "ftp://a.example",
        ] {
            let error = AuthOrigins::only([text]).expect_err(text);
            assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
        }
    }

    #[test]
    fn the_closest_description_wins() {
        let fit = |text: &str| {
            let origins = AuthOrigins::only([text]).expect("an origin");
            origins.fit(&origin("https://c.b.example/")).expect("allowed")
        };
        let exact = fit("https://c.b.example");
        let below = fit("https://*.b.example");
        let far_below = fit("https://*.example");
        assert!(exact > below && below > far_below && far_below > Fit::AnySecure);
        assert!(Fit::AnySecure > Fit::Any);
    }
}
