//! What a call shows of itself to each origin, and what it does when that is refused.
//!
//! Who may see what is decided in `policy/auth`; here the credentials of a hop are put together
//! before it goes out, on the caller's thread and with no connection held.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode, header};
use url::{Position, Url};

use super::{Means, hop::Hop, prepared::Prepared, tokens};
use crate::{
    answer_head::AnswerHead,
    auth_id::AuthId,
    body::Content,
    certificates::TlsIdentity,
    context::CallContext,
    digest::Session,
    error::{Error, ErrorKind, Result},
    feedback::Feedback,
    origin::Origin,
    policy::auth::{
        AuthConfig, AuthRequest, Choice, CredentialSource, Credentials, Kind, Wanted, choose,
    },
    secret::Secret,
};

/// The credentials of a call on its way from hop to hop.
pub(super) struct CallCredentials {
    wanted: Wanted,
    /// What the present hop shows.
    shown: Option<Shown>,
    /// What the call has taken to an origin that may not see it.
    lost: Vec<AuthId>,
    is_first: bool,
    /// Whether other credentials were asked for because the first were refused; once for a call.
    has_renewed: bool,
    /// The token that a server refused.
    refused_token: Option<u64>,
}

struct Shown {
    id: AuthId,
    config: Arc<AuthConfig>,
    origin: Origin,
    /// How many challenges were answered for this hop.
    answers: u32,
    /// What answers the challenge to this very request.
    own: Option<Arc<Session>>,
    token: Option<u64>,
}

/// What credentials add to the request of one hop.
#[derive(Clone, Debug, Default)]
pub(super) struct Applied {
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The URL with the pairs of the query, if there are any.
    pub(super) url: Option<Url>,
    pub(super) identity: Option<TlsIdentity>,
    /// What answers the server's challenge, if something does.
    digest: Option<Arc<Session>>,
}

impl Applied {
    /// What a request that is sent again says to a server that challenges: it may take the same
    /// answer for a replay (RFC 7616 §5.12).
    pub(super) fn answer_again(&self, hop: &Hop<'_>) -> Option<HeaderValue> {
        self.digest.as_ref().and_then(|session| answer(session, hop).ok())
    }
}

impl CallCredentials {
    pub(super) const fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            shown: None,
            lost: Vec::new(),
            is_first: true,
            has_renewed: false,
            refused_token: None,
        }
    }

    /// Puts together what the hop shows; it may take a call to get it.
    pub(super) async fn for_hop(
        &mut self,
        cx: &CallContext,
        means: &Means,
        hop: &Hop<'_>,
        content: &Content<'_>,
    ) -> Result<Option<Box<Applied>>> {
        let origin = Origin::of(&hop.url)?;
        self.leave_for(&origin);
        let before = self.shown.take();
        let past = (self.is_first, &*self.lost);
        let choice = choose(&self.wanted, means.auth(), &origin, past);
        self.is_first = false;
        let (id, config) = match choice {
            Choice::Show(id, config) => (id, config),
            Choice::Nothing => return Ok(None),
            Choice::Withhold(id) => {
                tracing::debug!(call = cx.id, auth = %id, %origin, "credentials withheld");
                if !self.lost.contains(&id) {
                    self.lost.push(id);
                }
                return Ok(None);
            }
            Choice::NotAllowed(id, config) => return Err(not_allowed(&id, &origin, &config)),
        };
        if self.yields(hop, &origin, config.kind(), &id)? {
            return Ok(None);
        }
        let before = before.filter(|shown| shown.id == id);
        let answers = before.as_ref().map_or(0, |shown| shown.answers);
        let own = before.filter(|shown| shown.origin == origin).and_then(|shown| shown.own);
        let shown = Shown { id, config, origin, answers, own, token: None };
        let (applied, token) = self.applied(cx, means, (hop, content), &shown).await?;
        let Shown { id, origin, .. } = &shown;
        tracing::debug!(call = cx.id, auth = %id, %origin, "credentials shown");
        self.shown = Some(Shown { token, ..shown });
        Ok(Some(Box::new(applied)))
    }

    /// Notes what the call loses by going to `origin`.
    fn leave_for(&mut self, origin: &Origin) {
        if let Some(shown) = &self.shown
            && !shown.config.allows(origin)
        {
            let Some(Shown { id, .. }) = self.shown.take() else { return };
            tracing::debug!(auth = %id, %origin, "credentials left behind");
            self.lost.push(id);
        }
    }

    /// Whether what the request brings itself goes before these credentials.
    ///
    /// # Errors
    /// Kind `Auth` if the caller has asked for both.
    fn yields(&self, hop: &Hop<'_>, origin: &Origin, kind: &Kind, id: &AuthId) -> Result<bool> {
        let is_taken = |name: &HeaderName| hop.headers().contains_key(name);
        let taken = match kind {
            Kind::Headers(headers) => headers.iter().map(|(name, _)| name).find(|n| is_taken(n)),
            Kind::Digest(_) | Kind::Tokens(_) => {
                Some(&header::AUTHORIZATION).filter(|name| is_taken(name))
            }
            Kind::Query(_) | Kind::Certificate(_) | Kind::Source(_) => None,
        };
        let is_plain = matches!(kind, Kind::Certificate(_)) && !origin.secure;
        if let Wanted::Automatic = self.wanted {
            let has_user = !hop.url.username().is_empty() || hop.url.password().is_some();
            return Ok(taken.is_some() || is_plain || has_user);
        }
        if let Some(name) = taken {
            return Err(Error::new(
                ErrorKind::Auth,
                format!(
                    "the credentials `{id}` set the header `{name}`, and the request has one of \
                     its own; leave one of them out"
                ),
            ));
        }
        if is_plain {
            let message = format!("a client certificate, as in `{id}`, can be shown to https only");
            return Err(Error::new(ErrorKind::Auth, message));
        }
        Ok(false)
    }

    async fn applied(
        &self,
        cx: &CallContext,
        means: &Means,
        (hop, content): (&Hop<'_>, &Content<'_>),
        Shown { id, config, origin, own, .. }: &Shown,
    ) -> Result<(Applied, Option<u64>)> {
        let mut applied = Applied::default();
        let mut number = None;
        match config.kind() {
            Kind::Headers(headers) => applied.headers = values_of(headers)?,
            Kind::Query(pairs) => applied.url = Some(with_query(&hop.url, pairs)),
            Kind::Digest(account) => {
                applied.digest = own.clone().or_else(|| account.session(origin));
                if let Some(session) = &applied.digest {
                    applied.headers.push((header::AUTHORIZATION, answer(session, hop)?));
                }
            }
            Kind::Certificate(identity) => applied.identity = Some(identity.clone()),
            Kind::Tokens(tokens) => {
                let (token, authorization) =
                    tokens::token(cx, means, tokens, self.refused_token).await?;
                number = Some(token);
                applied.headers.push((header::AUTHORIZATION, authorization));
            }
            Kind::Source(source) => {
                let credentials = asked(cx, hop, content, |request| source.credentials(request));
                let Credentials { headers, query } =
                    credentials.map_err(|error| failed_source(id, error))?;
                cx.same_process()?;
                applied.headers = values_of(&headers)?;
                applied.url = (!query.is_empty()).then(|| with_query(&hop.url, &query));
            }
        }
        Ok((applied, number))
    }

    /// Whether a 401 may be answered with the same request once more.
    pub(super) fn may_ask_again(&self) -> bool {
        self.shown.as_ref().is_some_and(|shown| match shown.config.kind() {
            Kind::Digest(_) => true,
            Kind::Tokens(_) | Kind::Source(_) => !self.has_renewed,
            Kind::Headers(_) | Kind::Query(_) | Kind::Certificate(_) => false,
        })
    }

    /// Takes note of the answer to the hop; tells whether the hop is to be made once more.
    pub(super) fn answered(
        &mut self,
        cx: &CallContext,
        head: &AnswerHead,
        hop: &Hop<'_>,
        content: &Content<'_>,
    ) -> Result<bool> {
        let Some(shown) = &mut self.shown else { return Ok(false) };
        let is_refused = head.status == StatusCode::UNAUTHORIZED;
        let may_renew = is_refused && !self.has_renewed && content.is_replayable();
        match shown.config.kind() {
            Kind::Digest(account) if !is_refused => {
                if let Some(own) = shown.own.take() {
                    account.keep(&shown.origin, own);
                }
                account.answered(&shown.origin, &head.headers);
            }
            Kind::Digest(account) => {
                let own = account.challenged(&shown.origin, &head.headers, shown.answers)?;
                if let Some(own) = &own
                    && !content.is_replayable()
                {
                    // The next call knows what to say.
                    account.keep(&shown.origin, Arc::clone(own));
                    return Err(not_replayable(&shown.id));
                }
                shown.answers += 1;
                shown.own = own;
                return Ok(shown.own.is_some());
            }
            Kind::Tokens(_) if may_renew => {
                self.has_renewed = true;
                self.refused_token = shown.token;
                return Ok(true);
            }
            Kind::Source(source) if may_renew => {
                self.has_renewed = true;
                let id = shown.id.clone();
                let refused =
                    asked(cx, hop, content, |request| source.refused(request, &head.headers));
                cx.same_process()?;
                return refused.map_err(|error| failed_source(&id, error));
            }
            _ => {}
        }
        Ok(false)
    }

    /// The next hop is another request, with challenges of its own.
    pub(super) fn redirected(&mut self) {
        if let Some(shown) = &mut self.shown {
            shown.answers = 0;
            shown.own = None;
        }
    }
}

fn values_of(headers: &[(HeaderName, Secret)]) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let value = |(name, secret): &(HeaderName, Secret)| {
        let mut value = HeaderValue::from_bytes(secret.expose())
            .map_err(|_| Error::new(ErrorKind::Auth, "the credentials cannot be sent"))?;
        value.set_sensitive(true);
        Ok((name.clone(), value))
    };
    headers.iter().map(value).collect()
}

/// The URL with these pairs in place of those of the same names.
fn with_query(url: &Url, pairs: &[(String, Secret)]) -> Url {
    let mut with = url.clone();
    let is_replaced = |name: &str| pairs.iter().any(|(other, _)| other == name);
    // What stays is kept as it was written: a server may have signed it.
    let kept = url.query().unwrap_or_default().split('&').filter(|pair| {
        let mut parsed = url::form_urlencoded::parse(pair.as_bytes());
        !pair.is_empty() && !parsed.next().is_some_and(|(name, _)| is_replaced(&name))
    });
    let mut query = kept.collect::<Vec<_>>().join("&");
    for (name, secret) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
        query.push('=');
        query.extend(url::form_urlencoded::byte_serialize(secret.expose()));
    }
    with.set_query(Some(&query));
    with
}

fn answer(session: &Session, hop: &Hop<'_>) -> Result<HeaderValue> {
    session.answer(&hop.method, &hop.url[Position::BeforePath..Position::AfterQuery])
}

type SourceResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Asks a source about the request as it will be sent.
fn asked<T>(
    cx: &CallContext,
    hop: &Hop<'_>,
    content: &Content<'_>,
    ask: impl FnOnce(&AuthRequest<'_>) -> SourceResult<T>,
) -> SourceResult<T> {
    let headers = Prepared::new(hop, content, None)?.headers(hop, None, None);
    ask(&AuthRequest {
        method: &hop.method,
        url: &hop.url,
        headers: &headers,
        body: content.in_memory(),
        feedback: cx.feedback().map(Feedback::apart).unwrap_or_default(),
        time_left: cx.time_left(),
    })
}

#[cold]
fn not_allowed(id: &AuthId, origin: &Origin, config: &AuthConfig) -> Error {
    let bound = config.origins();
    let message =
        format!("the credentials `{id}` are not for {origin}; they are bound to {bound:?}");
    Error::new(ErrorKind::Auth, message)
}

#[cold]
fn not_replayable(id: &AuthId) -> Error {
    let message = format!(
        "the server has asked for the credentials `{id}`, and the content cannot be sent again; \
         give it as bytes, a file or a factory"
    );
    Error::new(ErrorKind::Auth, message)
}

#[cold]
fn failed_source(id: &AuthId, error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(error) if error.is_cancelled() => *error,
        Ok(error) => without_credentials(id).because(error),
        Err(error) => without_credentials(id).because(error),
    }
}

fn without_credentials(id: &AuthId) -> Error {
    Error::new(ErrorKind::Auth, format!("the source of the credentials `{id}` failed"))
}
