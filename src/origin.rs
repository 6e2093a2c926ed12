//! Whom one talks to: scheme, host and port, and how URLs are shown.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState},
    net::IpAddr,
    path::Path,
    sync::{Arc, LazyLock},
};

use http::{HeaderValue, uri::Authority};
use url::{Host, Url};

use crate::{
    certificates::TlsIdentity,
    error::{Error, Result},
    proxy::Proxy,
};

/// Scheme, host and port of a URL (RFC 6454).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) secure: bool,
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
}

/// Where one dials; compared often, so shared.
pub(crate) type Route = Arc<Way>;

/// Everything that decides where and how one dials, so that connections are never shared across it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// Of the rest, made once: the pool is asked for a way several times a call.
    digest: u64,
    /// Who answers requests on the connection.
    pub(crate) origin: Origin,
    pub(crate) via: Via,
    /// The client certificate that the origin is shown, if it is not the client's own.
    pub(crate) identity: Option<TlsIdentity>,
}

/// What stands between.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Via {
    Nothing,
    /// Who answers is on this machine and listens at this path.
    UnixSocket(Arc<Path>),
    /// The connection goes through this proxy.
    Tunnel(Proxy),
    /// The connection ends at this proxy, which is the origin here and asked for what is elsewhere,
    /// whatever its origin.
    Forwarder(Proxy),
}

impl Way {
    /// The way to an origin, through a proxy if there is one.
    ///
    /// Only what is not secure can be asked of an HTTP proxy (RFC 9110 §7.3.2, §9.3.6).
    pub(crate) fn to(origin: Origin, proxy: Option<Proxy>) -> Self {
        let (origin, via) = match proxy {
            None => (origin, Via::Nothing),
            Some(proxy) if proxy.protocol().is_http() && !origin.secure => {
                (proxy.origin(), Via::Forwarder(proxy))
            }
            Some(proxy) => (origin, Via::Tunnel(proxy)),
        };
        Self::by(origin, via, None)
    }

    /// The way to an origin on this machine.
    pub(crate) fn at(origin: Origin, path: Arc<Path>) -> Self {
        Self::by(origin, Via::UnixSocket(path), None)
    }

    /// The same, with another client certificate shown than the client's own.
    pub(crate) fn showing(self, identity: TlsIdentity) -> Self {
        Self::by(self.origin, self.via, Some(identity))
    }

    fn by(origin: Origin, via: Via, identity: Option<TlsIdentity>) -> Self {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let digest = KEYS.hash_one((&origin, &via, &identity));
        Self { digest, origin, via, identity }
    }

    pub(crate) const fn proxy(&self) -> Option<&Proxy> {
        match &self.via {
            Via::Nothing | Via::UnixSocket(_) => None,
            Via::Tunnel(proxy) | Via::Forwarder(proxy) => Some(proxy),
        }
    }

    pub(crate) const fn forwarder(&self) -> Option<&Proxy> {
        match &self.via {
            Via::Forwarder(proxy) => Some(proxy),
            Via::Nothing | Via::UnixSocket(_) | Via::Tunnel(_) => None,
        }
    }

    /// Whether the handshake tells which protocol is spoken: only HTTP/1.1 is with a proxy.
    pub(crate) const fn negotiates(&self) -> bool {
        self.origin.secure && !matches!(self.via, Via::Forwarder(_))
    }
}

impl Hash for Way {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

/// A map that does not hash the digest of a route once more: its keys are secret already.
pub(crate) type ByRoute<T> = HashMap<Route, T, BuildHasherDefault<AsDigested>>;

/// Takes a digest for the hash.
#[derive(Debug, Default)]
pub(crate) struct AsDigested(u64);

impl Hasher for AsDigested {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }

    /// Not used by a way.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.via {
            Via::Nothing => self.origin.fmt(f),
            Via::UnixSocket(path) => write!(f, "{} at {}", self.origin, path.display()),
            Via::Tunnel(proxy) => write!(f, "{} through {proxy}", self.origin),
            Via::Forwarder(proxy) => write!(f, "by {proxy}"),
        }
    }
}

impl Origin {
    pub(crate) fn of(url: &Url) -> Result<Self> {
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            other => {
                let hint =
                    if url.cannot_be_a_base() { "; does `http://` miss in front?" } else { "" };
                return Err(Error::invalid(format!(
                    "the scheme `{other}` is unknown; use http or https{hint}"
                )));
            }
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| Error::invalid("the URL names no host"))?;
        let port = url.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { secure, host: host.into(), port })
    }

    /// Whether it is the origin of this URL.
    pub(crate) fn is_of(&self, url: &Url) -> bool {
        url.scheme() == self.scheme()
            && url.host_str() == Some(&self.host)
            && url.port_or_known_default() == Some(self.port)
    }

    pub(crate) const fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// The host as an address, if it is written as one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match Host::parse(&self.host).ok()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// Host and port as the `Host` header and `:authority` want them: no default port.
    pub(crate) fn authority(&self) -> Result<(Authority, HeaderValue)> {
        let default = if self.secure { 443 } else { 80 };
        let text = if self.port == default {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        };
        let invalid = || Error::invalid("the URL's host cannot be sent in a request");
        let bytes = bytes::Bytes::from(text);
        let header =
            HeaderValue::from_maybe_shared(bytes.clone()).map_err(|e| invalid().because(e))?;
        let authority = Authority::from_maybe_shared(bytes).map_err(|e| invalid().because(e))?;
        Ok((authority, header))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme(), self.host, self.port)
    }
}

/// Whether two URLs have one scheme, host and port (RFC 6454 §5).
pub(crate) fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// The URL without user information, query and fragment.
pub(crate) fn redacted(url: &Url) -> String {
    let mut shown = format!("{}://", url.scheme());
    if url.cannot_be_a_base() {
        shown.truncate(url.scheme().len() + 1);
        return shown + "...";
    }
    shown.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        shown.push_str(&format!(":{port}"));
    }
    shown.push_str(url.path());
    shown
}

/// What can be shown of text that is not a URL: nothing that might be a password or a query.
pub(crate) fn redacted_text(text: &str) -> String {
    const SHOWN_MAX: usize = 200;
    let before_query = text.split(['?', '#']).next().unwrap_or_default();
    let after_scheme = before_query.find("://").map_or(0, |at| at + 3);
    let hidden_user = text[before_query.len()..].contains('@');
    let mut shown = match before_query.rfind('@') {
        _ if hidden_user => format!("{}...", &before_query[..after_scheme]),
        Some(at) if at >= after_scheme => {
            format!("{}...{}", &before_query[..after_scheme], &before_query[at..])
        }
        Some(_) => "...".to_owned(),
        None => before_query.to_owned(),
    };
    if let Some((cut, _)) = shown.char_indices().nth(SHOWN_MAX) {
        shown.truncate(cut);
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(input: &str, expected: &str) {
        assert_eq!(redacted_text(input), expected);
    }

    #[test]
    fn text_that_is_no_url_is_shown_without_secrets() {
        check_text("not a url", "not a url");
        check_text("http://host:99999/a?key=1", "http://host:99999/a");
        check_text("http://user:word@host:99999/", "http://...@host:99999/");
        check_text("http://user:wo?rd@host/", "http://...");
        check_text("http://user:wo#rd@host/", "http://...");
        check_text("user:word@", "...@");
        check_text("", "");
    }

    #[test]
    fn a_url_is_shown_without_user_query_and_fragment() {
        let url = Url::parse("https://user:word@host:8443/a/b?key=1#top").expect("a URL");
        assert_eq!(redacted(&url), "https://host:8443/a/b");
        let url = Url::parse("mailto:someone@example.org").expect("a URL");
        assert_eq!(redacted(&url), "mailto:...");
    }

    #[test]
    fn the_default_port_is_not_part_of_the_authority() {
        let origin = Origin::of(&Url::parse("https://[::1]:443/").expect("a URL")).expect("origin");
        assert_eq!(origin.authority().expect("authority").1, "[::1]");
        let origin = Origin::of(&Url::parse("http://host:443/").expect("a URL")).expect("origin");
        assert_eq!(origin.authority().expect("authority").1, "host:443");
    }
}
