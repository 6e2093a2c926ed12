//! Asking the server, with the validators of what is stored, and making something of its answer.

use http::{Method, StatusCode};

use super::{HopReply, Passage, Served, attempts, fields, serve};
use crate::{
    answer_head::AnswerHead,
    body::Content,
    cache::{Begun, Counted, Epoch, Found, Lookup, Times},
    caching::{CacheMode, CacheOutcome, CacheReport, Forwarded, NotStored},
    error::{Error, ErrorKind, Result},
    policy::cache::{
        Head, Lifetime, ReplyDirectives, Vary, conditions, dated, is_error_of_the_server, storable,
        update,
    },
};

/// What was looked up before the server was asked.
pub(super) type Looked = (Lookup, Option<Found>);

/// What of a passage is known when an answer has come.
struct Answered {
    why: Forwarded,
    lookup: Option<Lookup>,
    found: Option<Found>,
    epoch: Option<Epoch>,
    times: Times,
}

impl Passage<'_> {
    /// Asks the server, and stores what it answers if that may be.
    pub(super) async fn ask(
        &self,
        content: &mut Content<'_>,
        why: Forwarded,
        looked: Option<Looked>,
    ) -> Result<HopReply> {
        let (lookup, mut found) = match looked {
            Some((lookup, found)) => (Some(lookup), found),
            None => (None, None),
        };
        loop {
            let told = fields::for_mode(self.hop, self.asked.mode);
            let hop = told.as_ref().unwrap_or(self.hop);
            let validating = found.as_ref().filter(|found| self.may_validate(found));
            let validating = validating.and_then(|found| fields::validating(hop, found));
            let epoch = self.cache.epoch(self.sought());
            let requested = self.cache.now();
            let sent = validating.as_ref().unwrap_or(hop);
            let reply = attempts::run(self.cx, self.means, sent, content, self.want).await;
            let times = Times { requested, received: self.cache.now() };
            let reply = match reply {
                Ok(reply) => reply,
                Err(error) => return self.unanswered(error, why, found, times),
            };
            let is_not_modified = reply.head.status == StatusCode::NOT_MODIFIED;
            if let (true, true, Some(stored)) = (is_not_modified, validating.is_some(), &found)
                && !update::is_confirmed(&stored.stored.headers, &reply.head.headers)
            {
                // It speaks of another reply than the one that is stored.
                self.cache.forget(stored);
                found = None;
                reply.body.drain(self.cx).await?;
                continue;
            }
            let lookup = lookup;
            let answered = Answered { why, lookup, found, epoch, times };
            if is_not_modified && validating.is_some() {
                return self.confirmed(reply, answered).await;
            }
            return self.answered(reply, answered).await;
        }
    }

    /// Whether the request can carry the validators of what is stored.
    fn may_validate(&self, found: &Found) -> bool {
        self.asked.mode != CacheMode::ForceRefresh
            && !conditions::are_in(self.hop.headers())
            && self.shape(found).is_some()
    }

    /// Serves what is stored, with the news that came with the confirmation.
    async fn confirmed(&self, reply: HopReply, answered: Answered) -> Result<HopReply> {
        let Answered { why, found, times, .. } = answered;
        let Some(found) = found else { return Ok(reply) };
        let HopReply { head, body } = reply;
        body.drain(self.cx).await?;
        let shape = self.shape(&found).unwrap_or(serve::Shape::Whole);
        let found = self.freshened(found, &head, times);
        let status = Some(head.status.as_u16());
        let served = Served { outcome: CacheOutcome::Revalidated, asked: Some((why, status)) };
        let served = self.serve(found, shape, times.received, served)?;
        let mut served = served.ok_or_else(damaged)?;
        served.head.connection = head.connection;
        served.head.proxy = head.proxy;
        served.head.attempts = head.attempts;
        Ok(served)
    }

    /// Takes over the fields of a 304, or of a reply to `HEAD`, that is about what is stored.
    pub(super) fn freshened(&self, found: Found, news: &AnswerHead, times: Times) -> Found {
        let old = &found.stored;
        let mut headers = update::merged(&old.headers, &news.headers);
        dated::note_received(&mut headers, times.received);
        let directives = ReplyDirectives::of(&headers);
        let Times { requested, received } = times;
        let lifetime = Lifetime::of(old.status, &headers, &directives, requested, received);
        let varies_alike = Vary::of(&headers) == Vary::of(&old.headers);
        let head = Head {
            id: old.id,
            url: old.url.clone(),
            status: old.status,
            version: old.version,
            headers,
            trailers: old.trailers.clone(),
            lifetime,
        };
        if directives.no_store || self.asked.forbids_storing() || !varies_alike {
            // Good for this once.
            self.cache.forget(&found);
            return found.with(head);
        }
        self.cache.update(found, head)
    }

    /// Makes something of an answer that is not a confirmation.
    async fn answered(&self, reply: HopReply, mut answered: Answered) -> Result<HopReply> {
        let status = reply.head.status;
        if is_error_of_the_server(status.as_u16())
            && let Some(found) = &answered.found
            && self
                .asked
                .may_serve_instead_of_error(&found.stored.lifetime, answered.times.received)
            && let Some(shape) = self.shape(found)
        {
            reply.body.drain(self.cx).await?;
            let asked = Some((answered.why, Some(status.as_u16())));
            let served = Served { outcome: CacheOutcome::Stale, asked };
            let Some(found) = answered.found else { return Err(damaged()) };
            let served = self.serve(found, shape, answered.times.received, served)?;
            return served.ok_or_else(damaged);
        }
        self.change(&reply.head, &answered);
        if update::is_unsafe(&self.hop.method) {
            // What it has changed itself does not overtake it.
            answered.epoch = self.cache.epoch(self.sought());
        }
        Ok(self.keep(reply, answered))
    }

    /// Applies what an answer says about replies that are stored already.
    fn change(&self, head: &AnswerHead, answered: &Answered) {
        let is_error = head.status.is_client_error() || head.status.is_server_error();
        if update::is_unsafe(&self.hop.method) {
            if !is_error {
                self.invalidate();
                for url in update::also_changed(&self.hop.url, &head.headers) {
                    self.cache.invalidate(&url, self.owner(), None);
                }
            }
            return;
        }
        let Some(found) = &answered.found else { return };
        if self.hop.method == Method::HEAD {
            match update::compare(&found.stored.headers, head.status, &head.headers) {
                update::Compared::Same => {
                    self.freshened(found.without_body(), head, answered.times);
                }
                update::Compared::Other => self.cache.forget(found),
                update::Compared::Unknown => {}
            }
        } else if head.status == StatusCode::NOT_MODIFIED
            && head.headers.contains_key(http::header::ETAG)
            && update::is_confirmed(&found.stored.headers, &head.headers)
        {
            // The answer to a condition of the user's own, which happens to be about it.
            self.freshened(found.without_body(), head, answered.times);
        }
    }

    /// Stores an answer, now or while its body is read, and says what became of it.
    fn keep(&self, reply: HopReply, answered: Answered) -> HopReply {
        let HopReply { mut head, mut body } = reply;
        let directives = ReplyDirectives::of(&head.headers);
        let (method, url) = (&self.hop.method, &self.hop.url);
        let request = &self.asked.directives;
        let may = if self.asked.forbids_storing() {
            Err(NotStored::ByRequest)
        } else {
            storable::decide((method, url, request), (head.status, &head.headers), &directives)
        };
        let begun = Begun {
            times: answered.times,
            status: head.status,
            version: head.version,
            headers: &head.headers,
            directives: &directives,
            length: body.length().or_else(|| head.announced_length()),
        };
        let saving = may.and_then(|()| {
            let epoch = answered.epoch.ok_or(NotStored::StoreFailed)?;
            self.cache.save(answered.lookup.as_ref(), self.sought(), epoch, begun)
        });
        let stored = match saving {
            Ok(saving) => body.keep(saving),
            Err(why) => Some(Err(why)),
        };
        if let Some(Err(why)) = stored {
            self.supersede(&head, &answered, why);
        }
        self.cache.count(Counted::Miss);
        let report = CacheReport { stored, ..CacheReport::forwarded_as(answered.why) };
        serve::tell(&mut head.headers, report);
        head.cache = Some(report);
        HopReply { head, body }
    }

    /// Forgets what is stored if something newer came that is not stored.
    fn supersede(&self, head: &AnswerHead, answered: &Answered, why: NotStored) {
        let is_newer = self.hop.method == Method::GET
            && !head.status.is_server_error()
            && !matches!(head.status.as_u16(), 206 | 304 | 412 | 416 | 429);
        if !is_newer || matches!(why, NotStored::ByRequest | NotStored::Overtaken) {
            return;
        }
        match (&answered.found, &answered.lookup) {
            (Some(found), _) => self.cache.forget(found),
            (None, Some(_)) => {}
            // Nobody has looked yet.
            (None, None) => {
                let looked = self.cache.look_up(self.sought()).map(|lookup| lookup.found);
                if let Some(Ok(found)) = looked {
                    self.cache.forget(&found);
                }
            }
        }
    }

    /// Serves what is stored if the server cannot be asked and that may be.
    fn unanswered(
        &self,
        error: Error,
        why: Forwarded,
        found: Option<Found>,
        times: Times,
    ) -> Result<HopReply> {
        if update::is_unsafe(&self.hop.method) && may_have_been_received(&error) {
            // It may have changed things, answered or not.
            self.invalidate();
        }
        let is_of_the_network = !matches!(
            error.kind(),
            ErrorKind::Cancelled | ErrorKind::InvalidRequest | ErrorKind::Limit | ErrorKind::Forked
        );
        if let Some(found) = found.filter(|_| is_of_the_network)
            && self.asked.may_serve_instead_of_error(&found.stored.lifetime, times.received)
            && let Some(shape) = self.shape(&found)
        {
            let served = Served { outcome: CacheOutcome::Stale, asked: Some((why, None)) };
            tracing::debug!(call = self.cx.id, %error, "served a stale reply instead of an error");
            return self.serve(found, shape, times.received, served)?.ok_or(error);
        }
        Err(error)
    }

    fn invalidate(&self) {
        let host = self.hop.headers().get(http::header::HOST);
        self.cache.invalidate(&self.hop.url, self.owner(), host);
    }
}

fn may_have_been_received(error: &Error) -> bool {
    !error.is_connect() && !matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Forked)
}

#[cold]
fn damaged() -> Error {
    Error::new(
        ErrorKind::Body,
        "the stored body is damaged and was removed from the cache; the call can be made again",
    )
}
