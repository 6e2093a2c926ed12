//! The loop of hops: each is a request of its own, until one is answered for good.

use http::{StatusCode, header};

use super::{
    Means, OpenBody, ReplyBody, cached, cookies,
    credentials::CallCredentials,
    events,
    hop::{Hop, Wishes},
    interception::Chain,
    spans,
};
use crate::{
    answer_head::AnswerHead,
    body::Content,
    caching::CacheMode,
    context::CallContext,
    error::{Error, ErrorKind, Result},
    history::PastHop,
    observer::Happening,
    origin,
    policy::{
        auth::Wanted,
        redirect::{self, Asked, Decision, Next},
    },
    redirects::RedirectPolicy,
    reply::ReplyHead,
    request::Request,
    runtime::{Unwanted, Want},
};

/// What a hop was answered.
pub(super) struct HopReply {
    pub(super) head: Box<AnswerHead>,
    pub(super) body: OpenBody,
}

/// How the body of the last reply is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Whole { bytes_max: Option<u64> },
    Stream,
}

/// A call on its way from hop to hop.
pub(super) struct Hops<'c, 'b> {
    cx: &'c CallContext,
    means: &'c Means,
    /// In place of the client's.
    redirects: Option<RedirectPolicy>,
    chain: Chain,
    cache_mode: Option<CacheMode>,
    hop: Hop<'c>,
    content: Content<'b>,
    /// `None` if the call shows none, whatever happens.
    credentials: Option<Box<CallCredentials>>,
    /// Why it cannot even begin.
    refused: Option<Error>,
    only_partial: bool,
    history: Vec<PastHop>,
}

impl<'c, 'b> Hops<'c, 'b> {
    /// Gets ready for the first.
    ///
    /// A call is some kilobytes of state: it stays where this is put, and the futures begin with a
    /// reference to it, so that little is moved.
    pub(super) fn of(cx: &'c CallContext, means: &'c Means, request: Box<Request<'b>>) -> Self {
        let config = means.config();
        let Request { method, url, mut headers, content, redirects, interceptors, .. } = *request;
        let decodes = request.decodes.unwrap_or(config.decodes);
        config.redirects.mark_secrets(&mut headers);
        expect_upload(cx, &content);
        let (credentials, refused) = match Wanted::of(request.auth, means.auth()) {
            Ok(wanted) => (wanted.map(CallCredentials::new).map(Box::new), None),
            Err(error) => (None, Some(error)),
        };
        let wishes = Wishes {
            decodes,
            proxy: request.proxy,
            retries: request.retries,
            jar: request.cookies.jar(config.cookies.as_ref()),
        };
        Self {
            cx,
            means,
            redirects,
            chain: Chain::new(means, interceptors),
            cache_mode: request.cache_mode,
            hop: Hop::first(method, url, headers, config, wishes),
            content,
            credentials,
            refused,
            only_partial: request.only_partial,
            history: Vec::new(),
        }
    }

    fn redirects(&self) -> &RedirectPolicy {
        self.redirects.as_ref().unwrap_or_else(|| &self.means.config().redirects.policy)
    }

    /// Asks, and asks on where the answers lead.
    pub(super) async fn until_the_last(&mut self, form: Form) -> Result<HopReply> {
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        loop {
            let mut reply = match self.chain.before(self.cx, &mut self.hop, &self.history)? {
                Some(reply) => {
                    self.tell_of_local(&reply);
                    reply
                }
                None => self.exchange(form).await?,
            };
            self.chain.after(self.cx, &self.hop, &mut reply.head, &self.history)?;
            match self.decide(&reply.head)? {
                Decision::Deliver => {
                    self.check_range(&reply.head)?;
                    reply.body.count(self.cx, || announced_length(&self.hop, &reply.head));
                    return Ok(reply);
                }
                Decision::Refuse(refusal) => {
                    self.remember(reply.head);
                    return Err(Error::new(ErrorKind::Redirect, refusal.to_string()));
                }
                Decision::Follow(next) => {
                    Box::pin(reply.body.drain(self.cx)).await?;
                    self.follow(*next, reply.head);
                }
            }
        }
    }

    /// Tells of an answer that an interceptor gave.
    fn tell_of_local(&self, reply: &HopReply) {
        events::hop_began(self.cx, self.history.len(), &self.hop.method, &self.hop.url);
        events::hop_answered(self.cx, reply);
    }

    /// Has the hop answered by the cache or the network; one that is refused may be made again, with other
    /// credentials.
    async fn exchange(&mut self, form: Form) -> Result<HopReply> {
        self.check_scheme()?;
        loop {
            let reply = self.ask(form).await?;
            if !self.is_asked_again(&reply.head)? {
                return Ok(reply);
            }
            self.cx.note(|| Happening::Challenged { status: reply.head.status });
            Box::pin(reply.body.drain(self.cx)).await?;
            self.remember(reply.head);
            self.cx.watch.begin_again();
        }
    }

    /// Has the hop answered once, and tells of that.
    async fn ask(&mut self, form: Form) -> Result<HopReply> {
        let span = self.cx.trail.begin(|| spans::hop(self.history.len(), &self.hop));
        events::hop_began(self.cx, self.history.len(), &self.hop.method, &self.hop.url);
        self.apply_cookies();
        let answered = match self.apply_credentials().await {
            Ok(()) => {
                let want = self.want(form);
                let asked = (&self.hop, &mut self.content);
                cached::run(self.cx, self.means, self.cache_mode, asked, want).await
            }
            Err(error) => Err(error),
        };
        events::hop_ended(self.cx, &answered);
        match &answered {
            Ok(reply) => spans::answered(&span, reply.head.status),
            Err(error) => spans::failed(&span, error),
        }
        answered
    }

    fn apply_cookies(&mut self) {
        if let Some(jar) = &self.hop.jar {
            self.hop.cookies = cookies::header(jar, &self.hop.url, self.hop.headers());
        }
    }

    async fn apply_credentials(&mut self) -> Result<()> {
        if let Some(credentials) = &mut self.credentials {
            // What was applied before must not be seen by those who make it anew.
            self.hop.applied = None;
            let applied = credentials.for_hop(self.cx, self.means, &self.hop, &self.content);
            // Large, and seldom needed.
            self.hop.applied = Box::pin(applied).await?;
        }
        Ok(())
    }

    fn is_asked_again(&mut self, head: &AnswerHead) -> Result<bool> {
        match &mut self.credentials {
            None => Ok(false),
            Some(credentials) => credentials.answered(self.cx, head, &self.hop, &self.content),
        }
    }

    fn check_scheme(&self) -> Result<()> {
        if self.means.config().redirects.https_only && self.hop.url.scheme() != "https" {
            return Err(Error::invalid("the URL is not https, and the client is https only"));
        }
        Ok(())
    }

    /// The whole of it may be what the caller wanted to avoid.
    fn check_range(&self, head: &AnswerHead) -> Result<()> {
        if self.only_partial
            && head.status == StatusCode::OK
            && self.hop.method != http::Method::HEAD
            && self.hop.headers().contains_key(header::RANGE)
        {
            let message = "the server does not support range requests";
            return Err(Error::new(ErrorKind::Status, message));
        }
        Ok(())
    }

    fn want(&self, form: Form) -> Want {
        let credentials = self.credentials.as_ref();
        let unwanted = Unwanted {
            redirects: self.redirects().may_follow(),
            challenges: credentials.is_some_and(|credentials| credentials.may_ask_again()),
            refusals: self.hop.retries(self.means.config()).is_on(),
        };
        match form {
            // What must not be received whole cannot be left to the lane.
            Form::Whole { .. } if self.only_partial => Want::Stream { unwanted },
            Form::Whole { bytes_max } => Want::Whole { bytes_max, unwanted },
            Form::Stream => Want::Stream { unwanted },
        }
    }

    fn decide(&self, head: &AnswerHead) -> Result<Decision> {
        let asked = Asked {
            method: &self.hop.method,
            url: &self.hop.url,
            is_replayable: self.content.is_replayable(),
            history: &self.history,
        };
        let https_only = self.means.config().redirects.https_only;
        let redirects = self.redirects();
        let decision = redirect::decide(redirects, https_only, asked, (head.status, &head.headers));
        if redirects.asks() {
            // The user's function may have forked, and this may be the child.
            self.cx.same_process()?;
        }
        Ok(decision)
    }

    /// Makes the next hop the one to go.
    fn follow(&mut self, next: Next, head: Box<AnswerHead>) {
        tracing::debug!(
            call = self.cx.id,
            status = head.status.as_u16(),
            leaves_origin = next.leaves_origin,
            "redirected"
        );
        self.cx.note(|| {
            let url = origin::redacted(&next.url);
            Happening::Redirected { status: head.status, url }
        });
        if next.becomes_get {
            self.content = Content::Empty;
        }
        let past = self.hop.redirect(next, |method, url| past_hop(method, url, *head));
        self.history.push(past);
        if let Some(credentials) = &mut self.credentials {
            credentials.redirected();
        }
        self.cx.watch.begin_again();
    }

    /// Makes the hop that is over a part of the history.
    fn remember(&mut self, head: Box<AnswerHead>) {
        let (method, url) = (self.hop.method.clone(), self.hop.url.clone());
        self.history.push(past_hop(method, url, *head));
    }

    /// What comes of the call: its reply, the codings undone if it was this client that offered them.
    pub(super) fn ended(self, answer: Result<HopReply>) -> Result<(ReplyHead, ReplyBody)> {
        let HopReply { mut head, body } = match answer {
            Ok(reply) => reply,
            Err(error) => return Err(self.failed(error)),
        };
        self.tell_of_answer(&head);
        let ratio_max = self.means.config().limits.decode_ratio;
        let decoded = match self.hop.offers_codings() {
            true => ReplyBody::decoded(body, &self.hop.method, &mut head, ratio_max),
            false => Ok((ReplyBody::plain(body), None)),
        };
        let (body, undone) = match decoded {
            Ok(decoded) => decoded,
            Err(error) => return Err(self.failed(error)),
        };
        let (url, request_id, history) = (self.hop.url, self.cx.id, self.history);
        Ok((ReplyHead { answer: head, url, request_id, history, undone }, body))
    }

    fn tell_of_answer(&self, head: &AnswerHead) {
        let call = self.cx.id;
        let reused = head.connection.is_some_and(|connection| connection.is_reused);
        tracing::debug!(
            call,
            status = head.status.as_u16(),
            reused,
            attempts = head.attempts,
            "answered"
        );
    }

    #[cold]
    fn failed(self, error: Error) -> Error {
        error.during(|| self.hop.shown()).after(self.history)
    }
}

fn past_hop(method: http::Method, url: url::Url, head: AnswerHead) -> PastHop {
    PastHop {
        method,
        url,
        status: head.status,
        headers: head.headers.into_own(),
        attempts: head.attempts,
    }
}

/// Says once for all hops how much there is to send.
fn expect_upload(cx: &CallContext, content: &Content<'_>) {
    if let Some(feedback) = cx.feedback()
        && !content.is_empty()
    {
        feedback.expect_upload(content.length());
    }
}

/// How long a body is that was not counted while it was not known to be wanted.
fn announced_length(hop: &Hop<'_>, head: &AnswerHead) -> Option<u64> {
    if hop.method == http::Method::HEAD {
        return Some(0);
    }
    head.announced_length()
}
