//! What a token is asked for with.

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderValue;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::{
    basic::basic,
    error::{Error, Result},
    origin::{self, Origin},
    secret::Secret,
};

/// Where and with what tokens are asked for (RFC 6749), for [`AuthConfig::oauth2`].
///
/// The token is fetched by the first call that needs it, over the same client and within that
/// call's deadline, and kept until shortly before it runs out; many threads share one fetch. A
/// call that is answered with 401 has a new token fetched and is sent once more.
///
/// ```
/// use abide::{AuthConfig, AuthOrigins, OAuth2};
/// let grant = OAuth2::client_credentials("https://login.example.org/token", "robot", "secret")?
///     .scope("tiles.read");
/// let origins = AuthOrigins::only(["https://tiles.example.org"])?;
/// let config = AuthConfig::oauth2(origins, grant);
/// # Ok::<(), abide::Error>(())
/// ```
///
/// [`AuthConfig::oauth2`]: crate::AuthConfig::oauth2
#[must_use = "a grant is of use in credentials"]
pub struct OAuth2 {
    token_url: Url,
    client_id: String,
    client_secret: Option<Secret>,
    sends_secret_in_body: bool,
    pub(super) refresh_token: Option<Secret>,
    parameters: Vec<(String, Secret)>,
    pub(super) leeway: Duration,
    pub(super) on_refresh_token: Option<Listener>,
}

pub(super) type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// A request to the token endpoint.
pub(crate) struct TokenRequest {
    pub(crate) url: Url,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) form: Zeroizing<String>,
}

impl OAuth2 {
    /// The client is its own user (RFC 6749 §4.4).
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a URL that cannot be used.
    pub fn client_credentials(
        token_url: &str,
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> Result<Self> {
        let grant = Self::new(token_url, client_id.into())?;
        Ok(grant.client_secret(client_secret))
    }

    /// The user has agreed before, and there is a refresh token (RFC 6749 §6).
    ///
    /// Servers may give out another refresh token with each token; it takes the place of the old
    /// one here, and [`on_refresh_token`](Self::on_refresh_token) tells of it.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for a URL that cannot be used.
    pub fn refresh_token(
        token_url: &str,
        client_id: impl Into<String>,
        refresh_token: impl Into<String>,
    ) -> Result<Self> {
        let mut grant = Self::new(token_url, client_id.into())?;
        grant.refresh_token = Some(Secret::new(refresh_token));
        Ok(grant)
    }

    fn new(token_url: &str, client_id: String) -> Result<Self> {
        let unusable = || {
            let shown = origin::redacted_text(token_url);
            Error::invalid(format!("the token URL `{shown}` cannot be used"))
        };
        let token_url = Url::parse(token_url).map_err(|e| unusable().because(e))?;
        Origin::of(&token_url).map_err(|e| unusable().because(e))?;
        // What the URL brings would be sent beside the client's own id and secret.
        if !token_url.username().is_empty() || token_url.password().is_some() {
            return Err(Error::invalid(
                "the token URL has user information; give it as the client",
            ));
        }
        Ok(Self {
            token_url,
            client_id,
            client_secret: None,
            sends_secret_in_body: false,
            refresh_token: None,
            parameters: Vec::new(),
            leeway: LEEWAY,
            on_refresh_token: None,
        })
    }

    /// Sets the client's secret; with a refresh token there need not be one.
    pub fn client_secret(mut self, secret: impl Into<String>) -> Self {
        self.client_secret = Some(Secret::new(secret));
        self
    }

    /// Sends the client's id and secret in the form instead of as Basic credentials (§2.3.1).
    pub fn client_secret_in_body(mut self) -> Self {
        self.sends_secret_in_body = true;
        self
    }

    /// Asks for a scope: words with spaces between (§3.3).
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.parameter("scope", scope)
    }

    /// Adds a pair to the form, `audience` or `resource` for example.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), Secret::new(value)));
        self
    }

    /// Sets how long before its end a token is replaced: 30 s by default, and never more than a
    /// tenth of its life.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Calls `listener` with each refresh token that takes the place of the one before, for
    /// keeping it where the next start of the program finds it.
    ///
    /// It runs on the thread whose call fetched the token.
    pub fn on_refresh_token(mut self, listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_refresh_token = Some(Arc::new(listener));
        self
    }

    /// The request for a token; `refresh_token` is the latest, if that is the way.
    pub(super) fn request(&self, refresh_token: Option<&Secret>) -> Result<TokenRequest> {
        let mut form = Form::default();
        match refresh_token {
            Some(token) => {
                form.add("grant_type", b"refresh_token");
                form.add("refresh_token", token.expose());
            }
            None => form.add("grant_type", b"client_credentials"),
        }
        let mut authorization = None;
        match &self.client_secret {
            Some(secret) if !self.sends_secret_in_body => {
                // RFC 6749 §2.3.1: encoded as in a form, before they become Basic credentials.
                let user = encoded(self.client_id.as_bytes());
                let password = encoded(secret.expose());
                let password = Secret::from_bytes(password.as_bytes().to_vec());
                authorization = Some(basic(user.as_bytes(), &password)?);
            }
            secret => {
                form.add("client_id", self.client_id.as_bytes());
                if let Some(secret) = secret {
                    form.add("client_secret", secret.expose());
                }
            }
        }
        for (name, value) in &self.parameters {
            form.add(name, value.expose());
        }
        Ok(TokenRequest { url: self.token_url.clone(), authorization, form: form.0 })
    }

    /// The token endpoint as errors show it.
    pub(super) fn shown(&self) -> String {
        origin::redacted(&self.token_url)
    }

    /// What no text of the server's may show.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.client_secret.iter().chain(self.parameters.iter().map(|(_, value)| value))
    }
}

/// A form whose text is wiped, parts that it outgrew included.
#[derive(Default)]
struct Form(Zeroizing<String>);

impl Form {
    fn add(&mut self, name: &str, value: &[u8]) {
        let (name, value) = (encoded(name.as_bytes()), encoded(value));
        let mut longer =
            Zeroizing::new(String::with_capacity(self.0.len() + name.len() + value.len() + 2));
        longer.push_str(&self.0);
        if !longer.is_empty() {
            longer.push('&');
        }
        longer.push_str(&name);
        longer.push('=');
        longer.push_str(&value);
        self.0 = longer;
    }
}

fn encoded(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(3 * bytes.len()));
    form_urlencoded::byte_serialize(bytes).for_each(|part| text.push_str(part));
    text
}

impl fmt::Debug for OAuth2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2")
            .field("token_url", &self.shown())
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

const LEEWAY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://login.test/token";

    #[track_caller]
    fn check(grant: &OAuth2, authorization: Option<&str>, form: &str) {
        let request = grant.request(grant.refresh_token.as_ref()).expect("a request");
        let sent = request.authorization.as_ref().map(|value| value.to_str().expect("text"));
        assert_eq!(sent, authorization);
        assert_eq!(*request.form, form);
    }

    #[test]
    fn rfc_6749_section_4_4_2_client_credentials() {
        let grant = OAuth2::client_credentials(URL, "s6BhdRkqt3", "gX1fBat3bV").expect("a grant");
        let basic = Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
        check(&grant, basic, "grant_type=client_credentials");
        let grant = grant.scope("a b").parameter("audience", "x&y=z");
        check(&grant, basic, "grant_type=client_credentials&scope=a+b&audience=x%26y%3Dz");
    }

    #[test]
    fn rfc_6749_section_2_3_1_the_client_in_the_form_or_encoded_for_basic() {
        let grant = OAuth2::client_credentials(URL, "a:b", "c d&").expect("a grant");
        // `a%3Ab:c+d%26`
        check(&grant, Some("Basic YSUzQWI6YytkJTI2"), "grant_type=client_credentials");
        let form = "grant_type=client_credentials&client_id=a%3Ab&client_secret=c+d%26";
        check(&grant.client_secret_in_body(), None, form);
    }

    #[test]
    fn rfc_6749_section_6_refresh_tokens() {
        let grant = OAuth2::refresh_token(URL, "app", "tGzv3").expect("a grant");
        check(&grant, None, "grant_type=refresh_token&refresh_token=tGzv3&client_id=app");
        let form = "grant_type=refresh_token&refresh_token=tGzv3";
        check(&grant.client_secret("s"), Some("Basic YXBwOnM="), form);
    }

    #[test]
    fn no_text_can_end_its_pair_or_its_header() {
        let evil = "x\r\nevil: 1&grant_type=password";
        let grant = OAuth2::client_credentials(URL, evil, evil).expect("a grant");
        let request = grant.scope(evil).request(None).expect("a request");
        assert_eq!(request.form.matches('&').count(), 1, "{}", *request.form);
        assert!(!request.form.contains('\n'));
    }

    #[test]
    fn a_url_that_brings_its_own_credentials_or_no_host_is_refused() {
        for url in ["https://user:hunter2@login.test/", "mailto:hunter2@x", "hunter2@", ""] {
            let error = OAuth2::client_credentials(url, "a", "b").expect_err(url);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn nothing_of_a_secret_is_shown() {
        let grant = OAuth2::client_credentials(URL, "app", "hunter2").expect("a grant");
        let shown = format!("{:?}", grant.parameter("assertion", "hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
