//! Credentials of one kind, bound to the origins that may see them.

use std::{fmt, sync::Arc};

use http::{HeaderName, HeaderValue, header};

use super::{AuthOrigins, CredentialSource, digest::DigestAccount, oauth2::Tokens};
use crate::{
    basic::basic,
    certificates::TlsIdentity,
    error::{Error, Result},
    origin::Origin,
    secret::Secret,
};

/// Credentials of one kind and the origins that may see them.
///
/// A client keeps them under an [`AuthId`](crate::AuthId)
/// ([`Client::set_auth`](crate::Client::set_auth)); calls name it
/// ([`RequestBuilder::auth`](crate::RequestBuilder::auth)), so that secrets are in one place. They
/// are sent to the origins they are bound to and nowhere else: to any other, a call that names them
/// fails before anything is sent, and a redirect there goes without them and for the rest of the
/// call. Secrets are wiped from memory when they are dropped here, though not where they were on
/// their way, and never shown.
///
/// ```
/// use abide::{AuthConfig, AuthOrigins, Client};
/// let origins = AuthOrigins::only(["https://tiles.example.org"])?;
/// let client = Client::new();
/// client.set_auth("tiles", AuthConfig::basic(origins, "reader", "secret")?);
/// let request = client.get("https://tiles.example.org/7/66/42").auth("tiles");
/// # Ok::<(), abide::Error>(())
/// ```
pub struct AuthConfig {
    origins: AuthOrigins,
    is_automatic: bool,
    kind: Kind,
}

/// What the credentials are.
pub(crate) enum Kind {
    /// Header fields with values that were checked.
    Headers(Vec<(HeaderName, Secret)>),
    /// Pairs of the URL's query.
    Query(Vec<(String, Secret)>),
    #[cfg_attr(not(feature = "digest"), expect(dead_code, reason = "there is no way to make one"))]
    Digest(DigestAccount),
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is no way to make one"))]
    Certificate(TlsIdentity),
    #[cfg_attr(not(feature = "json"), expect(dead_code, reason = "there is no way to make one"))]
    Tokens(Arc<Tokens>),
    Source(Arc<dyn CredentialSource>),
}

impl AuthConfig {
    /// User and password in clear, with every request (Basic, RFC 7617).
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a colon in the user, and for
    /// control characters.
    pub fn basic(origins: AuthOrigins, user: &str, password: impl Into<String>) -> Result<Self> {
        let value = basic(user.as_bytes(), &Secret::new(password))?;
        Ok(Self::headers(origins, vec![(header::AUTHORIZATION, secret_of(&value))]))
    }

    /// A token in `Authorization: Bearer` (RFC 6750).
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for anything but visible ASCII.
    pub fn bearer(origins: AuthOrigins, token: impl Into<String>) -> Result<Self> {
        let value = bearer(&Secret::new(token))?;
        Ok(Self::headers(origins, vec![(header::AUTHORIZATION, secret_of(&value))]))
    }

    /// Header fields, such as `X-Api-Key`.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for names and values that cannot
    /// be sent, and for fields that say how a message is framed.
    pub fn api_key_headers<N, V>(
        origins: AuthOrigins,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self>
    where
        N: AsRef<str>,
        V: Into<String>,
    {
        let mut headers = Vec::new();
        for (name, value) in pairs {
            let name = field_name(name.as_ref())?;
            let value = Secret::new(value);
            field_value(&name, value.expose())?;
            headers.push((name, value));
        }
        Ok(Self::headers(origins, headers))
    }

    /// Pairs of the query, such as `?key=...`; in place of pairs of these names that the URL has.
    ///
    /// They are part of what is sent and of nothing else: not of [`Reply::url`](crate::Reply::url),
    /// errors or events. Servers and proxies may log them all the same.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for an empty name.
    pub fn api_key_query<K, V>(
        origins: AuthOrigins,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let pairs: Vec<(String, Secret)> =
            pairs.into_iter().map(|(name, value)| (name.into(), Secret::new(value))).collect();
        if pairs.iter().any(|(name, _)| name.is_empty()) {
            return Err(Error::invalid("a pair of a query needs a name"));
        }
        Ok(Self::of(origins, Kind::Query(pairs)))
    }

    /// User and password, never sent themselves: challenges are answered (Digest, RFC 7616).
    ///
    /// MD5, SHA-256 and SHA-512-256, each with `-sess`, with `qop=auth` or without `qop`; of several
    /// challenges the strongest. The first request to an origin costs an exchange more, and its
    /// content must be one that can be sent again; later ones go on with the server's nonce.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for control characters.
    #[cfg(feature = "digest")]
    pub fn digest(origins: AuthOrigins, user: &str, password: impl Into<String>) -> Result<Self> {
        let account = DigestAccount::new(user, Secret::new(password))?;
        Ok(Self::of(origins, Kind::Digest(account)))
    }

    /// A client certificate, shown to servers that ask for one; the origins have to be https.
    ///
    /// Connections on which it may have been shown carry no calls without it.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn client_certificate(origins: AuthOrigins, identity: crate::Identity) -> Self {
        Self::of(origins, Kind::Certificate(TlsIdentity::new(identity)))
    }

    /// Tokens that an authorization server gives out and that run out (OAuth 2, RFC 6749).
    #[cfg(feature = "json")]
    #[must_use]
    pub fn oauth2(origins: AuthOrigins, grant: super::OAuth2) -> Self {
        Self::of(origins, Kind::Tokens(Arc::new(Tokens::new(grant))))
    }

    /// Whatever a source of your own says for each request.
    #[must_use]
    pub fn source(origins: AuthOrigins, source: impl CredentialSource) -> Self {
        Self::of(origins, Kind::Source(Arc::new(source)))
    }

    /// Uses these credentials for every call to their origins that names no others.
    ///
    /// Of several the one with the closest description of the origin is used. A request that has
    /// user information in its URL, or a header field that these credentials would set, goes
    /// without them; see also [`RequestBuilder::no_auth`](crate::RequestBuilder::no_auth).
    #[must_use]
    pub fn automatic(mut self) -> Self {
        self.is_automatic = true;
        self
    }

    fn headers(origins: AuthOrigins, headers: Vec<(HeaderName, Secret)>) -> Self {
        Self::of(origins, Kind::Headers(headers))
    }

    const fn of(origins: AuthOrigins, kind: Kind) -> Self {
        Self { origins, is_automatic: false, kind }
    }

    pub(crate) const fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) const fn origins(&self) -> &AuthOrigins {
        &self.origins
    }

    pub(crate) fn allows(&self, origin: &Origin) -> bool {
        self.origins.allow(origin)
    }

    pub(super) const fn is_automatic(&self) -> bool {
        self.is_automatic
    }
}

impl Kind {
    const fn name(&self) -> &'static str {
        match self {
            Self::Headers(_) => "header fields",
            Self::Query(_) => "query",
            Self::Digest(_) => "Digest",
            Self::Certificate(_) => "client certificate",
            Self::Tokens(_) => "OAuth 2",
            Self::Source(_) => "source",
        }
    }
}

impl fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthConfig")
            .field("kind", &self.kind.name())
            .field("origins", &self.origins)
            .field("automatic", &self.is_automatic)
            .finish()
    }
}

/// A token as the value of `Authorization`.
pub(super) fn bearer(token: &Secret) -> Result<HeaderValue> {
    let token = token.expose();
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return Err(Error::invalid("a token is visible ASCII without spaces"));
    }
    field_value(&header::AUTHORIZATION, &[b"Bearer ", token].concat())
}

/// The name of a field that credentials may set.
pub(super) fn field_name(name: &str) -> Result<HeaderName> {
    let name = HeaderName::try_from(name)
        .map_err(|e| Error::invalid("a header's name is not a token").because(e))?;
    if FRAMING.contains(&name.as_str()) {
        return Err(Error::invalid(format!(
            "the header `{name}` says how a message is sent, and is not for credentials"
        )));
    }
    Ok(name)
}

/// A value that is kept out of logs and of HTTP/2's tables.
pub(super) fn field_value(name: &HeaderName, value: &[u8]) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_bytes(value).map_err(|e| {
        Error::invalid(format!("the value for the header `{name}` cannot be sent")).because(e)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn secret_of(value: &HeaderValue) -> Secret {
    Secret::from_bytes(value.as_bytes().to_vec())
}

/// Fields that belong to the connection (RFC 9110 §7.6.1), to framing, or to a proxy.
const FRAMING: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> AuthOrigins {
        AuthOrigins::only(["https://a.test"]).expect("an origin")
    }

    /// Everything after the line break would be a header field of the attacker's.
    const INJECTION: &str = "hunter2\r\nx-evil: 1";

    #[track_caller]
    fn refused(config: Result<AuthConfig>) {
        let error = config.expect_err("refused");
        assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn no_text_can_end_its_header_field() {
        refused(AuthConfig::basic(origins(), INJECTION, "p"));
        refused(AuthConfig::basic(origins(), "u", INJECTION));
        refused(AuthConfig::basic(origins(), "a:b", "p"));
        refused(AuthConfig::bearer(origins(), INJECTION));
        refused(AuthConfig::bearer(origins(), "a b"));
        refused(AuthConfig::bearer(origins(), ""));
        refused(AuthConfig::bearer(origins(), "é"));
        refused(AuthConfig::api_key_headers(origins(), [("x-key", INJECTION)]));
        refused(AuthConfig::api_key_headers(origins(), [("x-key", "a\0b")]));
        refused(AuthConfig::api_key_headers(origins(), [(INJECTION, "v")]));
        refused(AuthConfig::api_key_headers(origins(), [("x key", "v")]));
        refused(AuthConfig::api_key_query(origins(), [("", "v")]));
    }

    #[test]
    fn how_a_message_is_framed_is_not_for_credentials() {
        for name in ["Host", "Content-Length", "Transfer-Encoding", "Connection", "TE"] {
            refused(AuthConfig::api_key_headers(origins(), [(name, "v")]));
        }
        assert!(AuthConfig::api_key_headers(origins(), [("Cookie", "a=b")]).is_ok());
    }

    #[test]
    fn nothing_of_a_secret_is_shown() {
        let shown = [
            AuthConfig::basic(origins(), "someone", "hunter2"),
            AuthConfig::bearer(origins(), "hunter2"),
            AuthConfig::api_key_headers(origins(), [("x-key", "hunter2")]),
            AuthConfig::api_key_query(origins(), [("key", "hunter2")]),
        ]
        .map(|config| format!("{:?}", config.expect("valid").automatic()));
        for shown in shown {
            assert!(!shown.contains("hunter2") && !shown.contains("someone"), "{shown}");
            assert!(shown.contains("https://a.test:443"), "{shown}");
        }
    }
}
