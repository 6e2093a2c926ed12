//! Credentials that the user's own code makes.

use std::{error::Error as StdError, fmt, sync::Arc};

use http::{HeaderMap, HeaderName, Method};
use url::Url;

use super::config::{field_name, field_value};
use crate::{
    error::{Error, Result},
    feedback::Feedback,
    secret::Secret,
};

/// Makes the credentials of each request, for a [`AuthConfig::source`](crate::AuthConfig::source).
///
/// It runs on the thread that makes the call, with no connection held, and may make calls of its
/// own; give them [`AuthRequest::feedback`], so that they end with the call they are for. A panic in
/// it passes through the call to its caller.
///
/// ```
/// use abide::{AuthRequest, CredentialSource, Credentials};
///
/// struct Vault;
///
/// impl CredentialSource for Vault {
///     fn credentials(
///         &self,
///         request: &AuthRequest<'_>,
///     ) -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>> {
///         let signature = format!("{} {}", request.method(), request.url().path());
///         Ok(Credentials::new().header("x-signature", signature)?)
///     }
/// }
/// ```
pub trait CredentialSource: Send + Sync + 'static {
    /// The credentials for one request: asked for every hop whose origin is allowed to see them.
    ///
    /// # Errors
    /// Whatever it says becomes the source of an error of kind [`Auth`](crate::ErrorKind::Auth);
    /// nothing is sent then. It must not contain the secret.
    fn credentials(
        &self,
        request: &AuthRequest<'_>,
    ) -> Result<Credentials, Box<dyn StdError + Send + Sync>>;

    /// Asked once in a call, when its request was answered with 401: whether there are other
    /// credentials now, and the request is worth sending again with them. No, by default.
    ///
    /// # Errors
    /// As [`credentials`](Self::credentials).
    fn refused(
        &self,
        request: &AuthRequest<'_>,
        challenge: &HeaderMap,
    ) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        let _ = (request, challenge);
        Ok(false)
    }
}

/// The request that a [`CredentialSource`] is asked about.
pub struct AuthRequest<'r> {
    pub(crate) method: &'r Method,
    pub(crate) url: &'r Url,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) body: Option<&'r [u8]>,
    pub(crate) feedback: Feedback,
    pub(crate) time_left: Option<std::time::Duration>,
}

impl AuthRequest<'_> {
    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        self.method
    }

    /// The URL of this hop, redirects followed so far.
    #[must_use]
    pub const fn url(&self) -> &Url {
        self.url
    }

    /// The header fields as they will be sent, but for `Cookie` and what the credentials add.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        self.headers
    }

    /// The content, if all of it is in memory: a signature may need its hash.
    #[must_use]
    pub const fn body(&self) -> Option<&[u8]> {
        self.body
    }

    /// Ends when the call does; for calls that the source makes. It counts for itself.
    #[must_use]
    pub fn feedback(&self) -> Feedback {
        self.feedback.clone()
    }

    /// How much of the call's deadline is left, if it has one.
    #[must_use]
    pub const fn time_left(&self) -> Option<std::time::Duration> {
        self.time_left
    }
}

impl fmt::Debug for AuthRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthRequest({} {})", self.method, crate::origin::redacted(self.url))
    }
}

/// What a [`CredentialSource`] adds to a request.
#[derive(Clone, Default)]
#[must_use = "credentials are of use to the request that they are returned for"]
pub struct Credentials {
    pub(crate) headers: Vec<(HeaderName, Secret)>,
    pub(crate) query: Vec<(String, Secret)>,
}

impl Credentials {
    /// Nothing yet; a request may well go without any.
    pub const fn new() -> Self {
        Self { headers: Vec::new(), query: Vec::new() }
    }

    /// Sets a header field, in place of one that the request has.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for what cannot be sent, and for
    /// fields that say how a message is framed.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Result<Self, Error> {
        let (name, value) = (field_name(name)?, Secret::new(value));
        field_value(&name, value.expose())?;
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
        Ok(self)
    }

    /// Sets a pair of the query, in place of those of this name that the URL has.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.query.retain(|(other, _)| *other != name);
        self.query.push((name, Secret::new(value)));
        self
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("query", &self.query.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

impl<S: CredentialSource + ?Sized> CredentialSource for Arc<S> {
    fn credentials(
        &self,
        request: &AuthRequest<'_>,
    ) -> Result<Credentials, Box<dyn StdError + Send + Sync>> {
        (**self).credentials(request)
    }

    fn refused(
        &self,
        request: &AuthRequest<'_>,
        challenge: &HeaderMap,
    ) -> Result<bool, Box<dyn StdError + Send + Sync>> {
        (**self).refused(request, challenge)
    }
}
