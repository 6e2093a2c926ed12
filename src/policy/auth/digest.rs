//! A user of Digest, and what the servers it knows have said last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderName, header::WWW_AUTHENTICATE};

use crate::{
    digest::Session,
    error::{Error, Result},
    origin::Origin,
    secret::Secret,
};

/// User and password, and a session for each origin that was answered lately.
///
/// The sessions are those of the origins only, whatever `domain` a challenge names: one origin must
/// not say what others are sent.
pub(crate) struct DigestAccount {
    user: String,
    password: Secret,
    /// The latest last. Held for a look or a change; answers are computed outside.
    sessions: Mutex<Vec<(Origin, Arc<Session>)>>,
}

impl DigestAccount {
    pub(super) fn new(user: &str, password: Secret) -> Result<Self> {
        if user.as_bytes().iter().chain(password.expose()).any(u8::is_ascii_control) {
            let message = "a user name or password with control characters is not sent";
            return Err(Error::invalid(message));
        }
        Ok(Self { user: user.to_owned(), password, sessions: Mutex::default() })
    }

    /// What answers the challenges of this origin, if it has said before what it wants.
    pub(crate) fn session(&self, origin: &Origin) -> Option<Arc<Session>> {
        let sessions = self.sessions();
        let known = sessions.iter().find(|(known, _)| known == origin);
        known.map(|(_, session)| Arc::clone(session))
    }

    /// Takes the challenges of a 401; gives what answers one, if the request is worth sending again.
    ///
    /// That is for this request alone until it has been answered: a server that counts takes a
    /// number that comes after a larger one for a replay, as it happens to those who share a nonce.
    ///
    /// `answers` is how often challenges were answered for this hop already. An answer that was
    /// refused says that the password is wrong, unless the nonce was too old; and a server that
    /// finds every nonce too old is not asked for ever.
    pub(crate) fn challenged(
        &self,
        origin: &Origin,
        headers: &HeaderMap,
        answers: u32,
    ) -> Result<Option<Arc<Session>>> {
        let session = Session::answering(headers, WWW_AUTHENTICATE, &self.user, &self.password)?;
        let session = session.filter(|session| answers == 0 || session.is_stale());
        match session {
            Some(session) if answers < ANSWERS_MAX => Ok(Some(Arc::new(session))),
            _ => {
                self.sessions().retain(|(known, _)| known != origin);
                Ok(None)
            }
        }
    }

    /// Goes on with the nonce that an answered request was told to use next.
    pub(crate) fn answered(&self, origin: &Origin, headers: &HeaderMap) {
        let info = HeaderName::from_static("authentication-info");
        if !headers.contains_key(&info) {
            return;
        }
        let renewed = self.session(origin).and_then(|session| session.renewed(headers, info));
        if let Some(renewed) = renewed {
            self.keep(origin, Arc::new(renewed));
        }
    }

    /// Has all requests to the origin answer this challenge from now on.
    pub(crate) fn keep(&self, origin: &Origin, session: Arc<Session>) {
        let mut sessions = self.sessions();
        sessions.retain(|(known, _)| known != origin);
        if sessions.len() >= SESSIONS_MAX {
            sessions.remove(0);
        }
        sessions.push((origin.clone(), session));
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<(Origin, Arc<Session>)>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The challenge, and one more because the nonce has become too old.
const ANSWERS_MAX: u32 = 2;
/// Origins of one user, which can be many only where a `*` allows them.
const SESSIONS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use url::Url;

    use super::*;

    fn account() -> DigestAccount {
        DigestAccount::new("u", Secret::new("p")).expect("valid")
    }

    fn origin(host: &str) -> Origin {
        Origin::of(&Url::parse(&format!("https://{host}/")).expect("a URL")).expect("an origin")
    }

    fn challenge(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_static(text))])
    }

    const PLAIN: &str = "Digest realm=r, nonce=n, qop=auth";
    const STALE: &str = "Digest realm=r, nonce=m, qop=auth, stale=true";

    #[track_caller]
    fn check(headers: &HeaderMap, answers: u32, expected: bool) {
        let session = account().challenged(&origin("a.test"), headers, answers).expect("valid");
        assert_eq!(session.is_some(), expected);
    }

    #[test]
    fn rfc_7616_section_3_3_a_refused_answer_is_repeated_only_for_a_stale_nonce() {
        check(&challenge(PLAIN), 0, true);
        check(&challenge(PLAIN), 1, false);
        check(&challenge(STALE), 1, true);
        check(&challenge(STALE), 2, false);
        check(&challenge("Basic realm=r"), 0, false);
        check(&HeaderMap::new(), 0, false);
    }

    #[test]
    fn a_session_is_used_for_its_origin_and_no_other() {
        let (account, a, b) = (account(), origin("a.test"), origin("b.test"));
        let wide = challenge("Digest realm=r, nonce=n, qop=auth, domain=\"https://b.test/\"");
        let session = account.challenged(&a, &wide, 0).expect("valid").expect("a challenge");
        assert!(account.session(&a).is_none(), "shared before it was answered");
        account.keep(&a, session);
        assert!(account.session(&a).is_some());
        assert!(account.session(&b).is_none());
    }

    #[test]
    fn a_refused_user_is_not_offered_again() {
        let (account, a) = (account(), origin("a.test"));
        let session = account.challenged(&a, &challenge(PLAIN), 0).expect("valid");
        account.keep(&a, session.expect("a challenge"));
        assert!(account.challenged(&a, &challenge(PLAIN), 1).expect("valid").is_none());
        assert!(account.session(&a).is_none());
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let account = account();
        for number in 0..SESSIONS_MAX + 3 {
            let origin = origin(&format!("h{number}.test"));
            let session = account.challenged(&origin, &challenge(PLAIN), 0).expect("valid");
            account.keep(&origin, session.expect("a challenge"));
        }
        assert_eq!(account.sessions().len(), SESSIONS_MAX);
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(DigestAccount::new("u\r\nx: y", Secret::new("p")).is_err());
        assert!(DigestAccount::new("u", Secret::new("p\n")).is_err());
    }
}
