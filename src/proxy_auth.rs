//! What one says to a proxy about oneself: `Proxy-Authorization`, and the answer to a 407.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::{basic::basic, digest::Session, error::Result, proxy::Credentials};

/// How requests are introduced to one proxy; shared by all who use the same [`Proxy`] value.
///
/// [`Proxy`]: crate::Proxy
#[derive(Default)]
pub(crate) struct Introduction {
    /// What is said without being asked.
    unasked: Option<HeaderValue>,
    /// What answers the proxy's last challenge; held for a look or a change only.
    session: Mutex<Option<Arc<Session>>>,
}

impl Introduction {
    /// Basic, which is said before it is asked for (RFC 7617 §2), until Digest is.
    pub(crate) fn of(credentials: &Credentials) -> Result<Self> {
        basic(credentials.user.as_bytes(), &credentials.password).map(Self::fixed)
    }

    pub(crate) fn fixed(mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        Self { unasked: Some(value), session: Mutex::default() }
    }

    /// What a request says.
    pub(crate) fn say(&self, method: &Method, target: impl Display) -> Option<HeaderValue> {
        let session = self.session().clone();
        match session {
            Some(session) => session.answer(method, &target.to_string()).ok(),
            None => self.unasked.clone(),
        }
    }

    /// Reads a 407 that came although `said` was said; whether there is something better to say.
    pub(crate) fn learn(
        &self,
        known_as: &Credentials,
        said: Option<&HeaderValue>,
        answer: &HeaderMap,
    ) -> bool {
        let Credentials { user, password } = known_as;
        let answering = Session::answering(answer, header::PROXY_AUTHENTICATE, user, password);
        let has_said_digest = said.is_some_and(|said| said.as_bytes().starts_with(b"Digest "));
        match answering {
            Ok(Some(session)) => {
                let is_stale = session.is_stale();
                *self.session() = Some(Arc::new(session));
                // Wrong credentials are not said again (RFC 7616 §3.3, `stale`).
                is_stale || !has_said_digest
            }
            Ok(None) => {
                // It has changed its mind.
                self.session().take().is_some() && has_said_digest && self.unasked.is_some()
            }
            Err(_) => false,
        }
    }

    /// Goes on with the nonce that an answer names for the next request (RFC 7616 §3.5).
    pub(crate) fn heed(&self, answer: &HeaderMap) {
        let mut session = self.session();
        let renewed = session.as_ref().and_then(|known| known.renewed(answer, INFO));
        if let Some(renewed) = renewed {
            *session = Some(Arc::new(renewed));
        }
    }

    /// Whether a proxy is told the same unasked.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.unasked == other.unasked
    }

    fn session(&self) -> MutexGuard<'_, Option<Arc<Session>>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");
