//! A proxy: where it is, what is spoken with it, and who one is there.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use http::HeaderValue;
use url::Host;

use crate::{
    error::{Error, Result},
    origin::{self, Origin},
    proxy_auth::Introduction,
    secret::Secret,
};

/// A proxy and the credentials for it; cloning is cheap.
///
/// | scheme | how the origin is reached | who looks its name up |
/// |---|---|---|
/// | `http` | `http` URLs are asked of the proxy, `https` goes through a `CONNECT` tunnel | the proxy |
/// | `https` | the same, and the way to the proxy itself is secured | the proxy |
/// | `socks5h`, `socks4a` | through a SOCKS connection | the proxy |
/// | `socks5`, `socks4` | through a SOCKS connection | this client |
///
/// User information in the URL, percent-encoded, are the credentials. `http` and `https` proxies
/// get them as Basic with the first request, unless such a proxy was found to want Digest (feature
/// `digest`), which then answers its challenges; `socks5` proxies get them if they ask, and
/// `socks4` knows a user only. They are shown nowhere, and no origin ever sees them.
///
/// ```
/// let proxy = abide::Proxy::new("http://surveyor:p%40ss@proxy.example:3128")?;
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
/// let client = abide::Client::builder().proxy(proxy).build()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone)]
pub struct Proxy(Arc<Parts>);

struct Parts {
    protocol: Protocol,
    host: Box<str>,
    port: u16,
    credentials: Option<Credentials>,
    introduction: Introduction,
}

/// A user name and a password as they are, not encoded.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Box<str>,
    pub(crate) password: Secret,
}

/// What is spoken with a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    Http,
    Https,
    Socks4,
    Socks4a,
    Socks5,
    Socks5h,
}

impl Protocol {
    const ALL: [Self; 6] =
        [Self::Http, Self::Https, Self::Socks4, Self::Socks4a, Self::Socks5, Self::Socks5h];

    const fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Socks4 => "socks4",
            Self::Socks4a => "socks4a",
            Self::Socks5 => "socks5",
            Self::Socks5h => "socks5h",
        }
    }

    pub(crate) const fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

impl Proxy {
    /// A proxy by its URL: `scheme://user:password@host:port`, all but the host optional.
    ///
    /// As with curl the scheme is `http` unless another is given, the port 443 for `https` and
    /// **1080** for all others, and a path is ignored. (A [`Url`](crate::Url) made of
    /// `http://host:80` forgets its port, so this takes text.)
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for an unknown scheme, a missing
    /// or impossible host, a bad port, or credentials that the protocol cannot carry.
    pub fn new(url: impl AsRef<str>) -> Result<Self> {
        let text = url.as_ref().trim();
        Self::parse(text).map_err(|why| {
            let shown = origin::redacted_text(text);
            Error::invalid(format!("`{shown}` is not the URL of a proxy: {why}"))
        })
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let (protocol, rest) = match text.split_once("://") {
            None => (Protocol::Http, text),
            Some((scheme, rest)) => (protocol(scheme)?, rest),
        };
        // A path after the authority says nothing; a `/` in a password must be encoded.
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user_info, host_and_port) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let (host, port) = split_port(host_and_port)?;
        let host = Host::parse(host).map_err(|e| match host {
            "" => "there is no host in it".to_owned(),
            _ => format!("its host cannot be one ({e})"),
        })?;
        let proxy = Self(Arc::new(Parts {
            protocol,
            host: host.to_string().into(),
            port: port.unwrap_or(if protocol == Protocol::Https { 443 } else { 1080 }),
            credentials: None,
            introduction: Introduction::default(),
        }));
        let Some(user_info) = user_info.filter(|info| !info.is_empty()) else { return Ok(proxy) };
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        proxy.with(&decoded(user)?, &decoded(password)?)
    }

    /// The same proxy with these credentials, given as they are, without any encoding.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if they cannot be sent: a colon or
    /// a control character in the user name, a zero byte, or more than 255 bytes for SOCKS.
    pub fn credentials(&self, user: &str, password: &str) -> Result<Self> {
        self.with(user, password).map_err(|why| {
            Error::invalid(format!("the credentials for the proxy {self} cannot be used: {why}"))
        })
    }

    fn with(&self, user: &str, password: &str) -> std::result::Result<Self, String> {
        let Parts { protocol, ref host, port, .. } = *self.0;
        let credentials = Credentials { user: user.into(), password: Secret::new(password) };
        let introduction = if protocol.is_http() {
            Introduction::of(&credentials).map_err(|error| error.to_string())?
        } else if user.len() > 255 || password.len() > 255 {
            return Err("SOCKS allows at most 255 bytes for each".to_owned());
        } else if user.contains('\0') {
            return Err("there is a zero byte in the user name".to_owned());
        } else {
            Introduction::default()
        };
        let host = host.clone();
        let credentials = Some(credentials);
        Ok(Self(Arc::new(Parts { protocol, host, port, credentials, introduction })))
    }

    /// The same proxy, which is never told the password itself.
    ///
    /// The first request goes without credentials, and only a Digest challenge is answered. That
    /// costs one more exchange, and a body that cannot be repeated does not survive it.
    #[cfg(feature = "digest")]
    #[must_use]
    pub fn digest_only(&self) -> Self {
        let Parts { protocol, ref host, port, ref credentials, .. } = *self.0;
        let (host, credentials) = (host.clone(), credentials.clone());
        let introduction = Introduction::default();
        Self(Arc::new(Parts { protocol, host, port, credentials, introduction }))
    }

    /// The same proxy with this `Proxy-Authorization` instead of credentials, a token for example.
    ///
    /// It is sent to `http` and `https` proxies as it is; SOCKS has no use for it.
    #[must_use]
    pub fn authorization(&self, value: HeaderValue) -> Self {
        let Parts { protocol, ref host, port, .. } = *self.0;
        let (host, credentials) = (host.clone(), None);
        let introduction = Introduction::fixed(value);
        Self(Arc::new(Parts { protocol, host, port, credentials, introduction }))
    }

    /// The host, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.0.protocol.scheme()
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.0.protocol
    }

    /// The proxy as the server that it is for HTTP.
    pub(crate) fn origin(&self) -> Origin {
        let secure = self.0.protocol == Protocol::Https;
        Origin { secure, host: self.0.host.clone(), port: self.0.port }
    }

    pub(crate) fn known_as(&self) -> Option<&Credentials> {
        self.0.credentials.as_ref()
    }

    pub(crate) fn introduction(&self) -> &Introduction {
        &self.0.introduction
    }
}

fn protocol(scheme: &str) -> std::result::Result<Protocol, String> {
    let known = Protocol::ALL.into_iter().find(|p| p.scheme().eq_ignore_ascii_case(scheme));
    known.ok_or_else(|| {
        "its scheme is unknown; use http, https, socks4, socks4a, socks5 or socks5h".to_owned()
    })
}

fn split_port(text: &str) -> std::result::Result<(&str, Option<u16>), String> {
    let after_address = text.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = text[after_address..].rfind(':').map(|at| after_address + at) else {
        return Ok((text, None));
    };
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    if host.contains(':') && after_address == 0 {
        return Err("an IPv6 address stands in brackets".to_owned());
    }
    match port.parse() {
        _ if port.is_empty() => Ok((host, None)),
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err("its port is not a number from 1 to 65535".to_owned()),
    }
}

fn decoded(text: &str) -> std::result::Result<String, String> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| "its user information is not UTF-8".to_owned())
}

impl PartialEq for Proxy {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Parts, b: &Parts| {
            (a.protocol, &a.host, a.port) == (b.protocol, &b.host, b.port)
                && a.credentials == b.credentials
                && a.introduction.is_like(&b.introduction)
        };
        Arc::ptr_eq(&self.0, &other.0) || same(&self.0, &other.0)
    }
}

impl Eq for Proxy {}

impl Hash for Proxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Proxies that differ in their credentials only are rare.
        (self.0.port, &self.0.host).hash(state);
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme(), self.host(), self.port())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the credentials.
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str, user_and_password: Option<(&str, &str)>) {
        let proxy = Proxy::new(text).expect("a proxy");
        assert_eq!(proxy.to_string(), shown);
        let known_as = proxy.known_as();
        let known_as = known_as.map(|known| (known.user.as_bytes(), known.password.expose()));
        let expected = user_and_password.map(|(user, word)| (user.as_bytes(), word.as_bytes()));
        assert_eq!(known_as, expected);
        let debugged = format!("{proxy:?}");
        assert_eq!(debugged, format!("Proxy({shown})"));
    }

    #[test]
    fn curl_man_page_the_scheme_is_http_unless_given() {
        check("proxy.test", "http://proxy.test:1080", None);
        check("proxy.test:3128", "http://proxy.test:3128", None);
        check("HTTPS://proxy.test", "https://proxy.test:443", None);
        check("socks5h://proxy.test:9050", "socks5h://proxy.test:9050", None);
    }

    #[test]
    fn curl_man_page_the_port_is_1080_unless_given() {
        for scheme in ["http", "socks4", "socks4a", "socks5", "socks5h"] {
            check(&format!("{scheme}://p"), &format!("{scheme}://p:1080"), None);
        }
        check("http://p:80", "http://p:80", None);
        check("http://p:", "http://p:1080", None);
    }

    #[test]
    fn curl_man_page_user_information_is_percent_decoded() {
        check("http://u:p%40ss%3A%2F@p:1", "http://p:1", Some(("u", "p@ss:/")));
        check("http://u:p@ss@p:1", "http://p:1", Some(("u", "p@ss")));
        check("http://u@p:1", "http://p:1", Some(("u", "")));
        check("u:w@p:1", "http://p:1", Some(("u", "w")));
        check("http://@p:1", "http://p:1", None);
    }

    #[test]
    fn addresses_paths_and_blanks_are_understood() {
        check(" http://[::1]:3128/ ", "http://[::1]:3128", None);
        check("[2001:DB8::1]", "http://[2001:db8::1]:1080", None);
        check("http://127.0.0.1/some/path", "http://127.0.0.1:1080", None);
        check("http://PROXY.Test:1", "http://proxy.test:1", None);
    }

    #[track_caller]
    fn check_refused(text: &str, because: &str) {
        let error = Proxy::new(text).expect_err("no proxy");
        assert!(error.to_string().contains(because), "{error}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_showing_the_password() {
        check_refused("", "no host");
        check_refused("http://", "no host");
        check_refused("http://:3128", "no host");
        check_refused("gopher://u:secret@p", "scheme is unknown");
        check_refused("http://u:secret@p:99999", "port");
        check_refused("http://u:secret@p:0", "port");
        check_refused("http://u:secret@p:x", "port");
        check_refused("http://u:secret@a b", "host");
        check_refused("::1", "brackets");
        check_refused("http://u%FF:secret@p", "UTF-8");
        check_refused("http://u%0A:secret@p", "control");
        check_refused("http://u%3A:secret@p", "colon");
        check_refused("socks4://u%00:secret@p", "zero byte");
        check_refused(&format!("socks5://{}:secret@p", "u".repeat(256)), "255");
    }

    #[test]
    fn credentials_make_another_proxy_but_an_equal_one_is_the_same() {
        let proxy = Proxy::new("http://p:1").expect("a proxy");
        let with = |user| proxy.credentials(user, "w").expect("credentials");
        assert_eq!(proxy, Proxy::new("http://p:1").expect("a proxy"));
        assert_eq!(with("u"), Proxy::new("http://u:w@p:1").expect("a proxy"));
        assert_ne!(proxy, with("u"));
        assert_ne!(with("v"), with("u"));
        assert_ne!(proxy, Proxy::new("https://p:1").expect("a proxy"));
        let token = proxy.authorization(HeaderValue::from_static("Bearer t"));
        assert_ne!(proxy, token);
        assert_eq!(token, proxy.authorization(HeaderValue::from_static("Bearer t")));
    }
}
