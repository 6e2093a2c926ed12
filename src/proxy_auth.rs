//! What one says to a proxy about oneself: `Proxy-Authorization`, and the answer to a 407.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::{
    basic::basic,
    digest::Session,
    error::Result,
    proxy::{Credentials, Proxy},
};

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
    fn say(&self, method: &Method, target: impl Display) -> Option<HeaderValue> {
        let session = self.session().clone();
        match session {
            Some(session) => session.answer(method, &target.to_string()).ok(),
            None => self.unasked.clone(),
        }
    }

    /// Reads a 407 that came although `said` was said.
    fn hear(
        &self,
        known_as: &Credentials,
        said: Option<&HeaderValue>,
        answer: &HeaderMap,
    ) -> Heard {
        let Credentials { user, password } = known_as;
        let answering = Session::answering(answer, header::PROXY_AUTHENTICATE, user, password);
        let has_said_digest = said.is_some_and(|said| said.as_bytes().starts_with(b"Digest "));
        match answering {
            Ok(Some(session)) => {
                // Wrong credentials are not said again (RFC 7616 §3.3, `stale`).
                let is_answerable = session.is_stale() || !has_said_digest;
                Heard::Challenge { session: Arc::new(session), is_answerable }
            }
            Ok(None) => {
                let was_known = self.session().take().is_some();
                match was_known && has_said_digest && self.unasked.is_some() {
                    true => Heard::Another,
                    false => Heard::Nothing,
                }
            }
            Err(_) => Heard::Nothing,
        }
    }

    fn keep(&self, session: Arc<Session>) {
        *self.session() = Some(session);
    }

    /// Goes on with the nonce that an answer names for the next request (RFC 7616 §3.5).
    fn heed(&self, answer: &HeaderMap) {
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

/// What a 407 says.
enum Heard {
    /// Nothing that can be answered.
    Nothing,
    /// It has changed its mind: what is said unasked will do again.
    Another,
    /// A challenge, which is not worth an answer if it says that the credentials are wrong.
    Challenge { session: Arc<Session>, is_answerable: bool },
}

/// What one request tells its proxy about who asks, in one or two attempts.
#[derive(Default)]
pub(crate) struct Asker {
    said: Option<HeaderValue>,
    /// What answers the challenge to this very request.
    ///
    /// Others get to use it when it was answered, or when it is not going to be. A proxy that
    /// counts takes a number that comes after a larger one for a replay, as it happens to those
    /// who share a nonce, so that an answer could be refused again and again.
    own: Option<Arc<Session>>,
    is_challenged: bool,
}

impl Asker {
    /// What to say now; anew each time, because an answer to a challenge is good for one request.
    pub(crate) fn say(
        &mut self,
        proxy: &Proxy,
        method: &Method,
        target: impl Display,
    ) -> Option<HeaderValue> {
        self.said = match &self.own {
            Some(session) => session.answer(method, &target.to_string()).ok(),
            None => proxy.introduction().say(method, target),
        };
        self.said.clone()
    }

    /// Reads an answer; whether it is the proxy's wish to know who asks, and the same request is
    /// to fulfil it if it `may_repeat`.
    pub(crate) fn is_challenged(
        &mut self,
        proxy: &Proxy,
        (status, headers): (StatusCode, &HeaderMap),
        may_repeat: bool,
    ) -> bool {
        let Some(known_as) = proxy.known_as() else { return false };
        let introduction = proxy.introduction();
        let own = self.own.take();
        if status != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            own.into_iter().for_each(|session| introduction.keep(session));
            introduction.heed(headers);
            return false;
        }
        let may_answer = may_repeat && !self.is_challenged;
        let is_answered = match introduction.hear(known_as, self.said.as_ref(), headers) {
            Heard::Challenge { session, is_answerable: true } if may_answer => {
                self.own = Some(session);
                true
            }
            Heard::Challenge { session, .. } => {
                // So that the next request knows what the proxy wants.
                introduction.keep(session);
                false
            }
            Heard::Another => may_answer,
            Heard::Nothing => false,
        };
        self.is_challenged |= is_answered;
        is_answered
    }
}

const INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");
