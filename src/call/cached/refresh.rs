//! Validating in the background what is served stale meanwhile (RFC 5861 §3).
//!
//! Nobody waits for these exchanges, and no thread is made for them: an answer lies where it came
//! until a call that needs the same reply takes it up.

use std::{
    collections::HashMap,
    future::Future as _,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{self, AUTHORIZATION},
};

use super::{Passage, fields};
use crate::{
    cache::{Begun, Epoch, Found, Sought, Times},
    call::attempts,
    error::Result,
    policy::cache::{Fields, Now, ReplyDirectives, is_error_of_the_server, storable, update},
    runtime::{Answer, AnswerBody, Ticket},
};

/// The exchanges that nobody waits for, by the stored reply that they are about.
#[derive(Default)]
pub(super) struct Refreshes {
    /// Held for a look or a change only.
    under_way: Mutex<HashMap<u64, Refresh>>,
}

struct Refresh {
    ticket: Ticket,
    sent: Sent,
    requested: Now,
    epoch: Epoch,
}

/// The fields of the request that was sent: what the answer varies on is read from these.
struct Sent {
    headers: HeaderMap,
    user: Option<HeaderValue>,
}

impl Passage<'_> {
    /// Has a stale reply validated while it is served, unless that is under way.
    pub(super) fn refresh(&self, found: &Found, now: Now) {
        let refreshes = &self.caching.refreshes;
        drop(refreshes.take_late(now));
        {
            let under_way = refreshes.lock();
            if under_way.contains_key(&found.stored.id) || under_way.len() >= UNDER_WAY_MAX {
                return;
            }
        }
        match self.begin_refresh(found, now) {
            Ok(Some(refresh)) => {
                let earlier = refreshes.lock().insert(found.stored.id, refresh);
                // Another thread was as quick; one answer is enough.
                drop(earlier);
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a stale reply cannot be refreshed"),
        }
    }

    fn begin_refresh(&self, found: &Found, requested: Now) -> Result<Option<Refresh>> {
        let Some(epoch) = self.cache.epoch(self.sought()) else { return Ok(None) };
        let plain = self.hop.with_headers(|headers| {
            for name in OF_THIS_CALL {
                headers.remove(name);
            }
        });
        let validating = fields::validating(&plain, found);
        let hop = validating.as_ref().unwrap_or(&plain);
        let (ticket, headers) = attempts::begin(self.cx, self.means, hop)?;
        let sent = Sent { headers, user: fields::user(self.hop) };
        Ok(Some(Refresh { ticket, sent, requested, epoch }))
    }

    /// Takes up the answer to an earlier refresh of what was found, if it has come; tells whether
    /// there is something new to be looked up.
    pub(super) fn take_news(&self, found: &Found, now: Now) -> bool {
        let taken = {
            let mut under_way = self.caching.refreshes.lock();
            let Some(refresh) = under_way.get_mut(&found.stored.id) else { return false };
            let answer =
                Pin::new(&mut refresh.ticket.pending).poll(&mut Context::from_waker(Waker::noop()));
            if answer.is_pending() && !refresh.is_late(now) {
                return false;
            }
            (under_way.remove(&found.stored.id), answer)
        };
        let (Some(refresh), Poll::Ready(Ok(answer))) = taken else { return false };
        self.apply(found, refresh, answer)
    }

    fn apply(&self, found: &Found, refresh: Refresh, answer: Answer) -> bool {
        let Refresh { ticket: _, sent, requested, epoch } = refresh;
        let Answer { head: news, body } = answer;
        let AnswerBody::Whole { bytes, trailers } = body else { return false };
        // When it came nobody noted; it is not younger than its request.
        let times = Times { requested, received: requested };
        if news.status == StatusCode::NOT_MODIFIED {
            if update::is_confirmed(&found.stored.headers, &news.headers) {
                self.freshened(found.without_body(), &news, times);
                return true;
            }
            self.cache.forget(found);
            return true;
        }
        if is_error_of_the_server(news.status.as_u16()) {
            return false;
        }
        let directives = ReplyDirectives::of(&news.headers);
        let (method, url) = (&self.hop.method, &self.hop.url);
        let asked = &self.asked.directives;
        let decided =
            storable::decide((method, url, asked), (news.status, &news.headers), &directives);
        let begun = Begun {
            times,
            status: news.status,
            version: news.version,
            headers: &news.headers,
            directives: &directives,
            length: Some(bytes.len() as u64),
        };
        let sought = Sought { request: &sent, ..self.sought() };
        let stored = decided.and_then(|()| self.cache.save(None, sought, epoch, begun)).and_then(
            |mut saving| {
                saving.write(&bytes);
                saving.finish(&trailers)
            },
        );
        if stored.is_err() {
            self.cache.forget(found);
        }
        true
    }
}

impl Fields for Sent {
    fn each(&self, name: &HeaderName, each: &mut dyn FnMut(&HeaderValue)) {
        match &self.user {
            Some(user) if *name == AUTHORIZATION => each(user),
            _ => self.headers.get_all(name).into_iter().for_each(each),
        }
    }

    fn each_secret(&self, each: &mut dyn FnMut(&HeaderName)) {
        for (name, _) in self.headers.iter().filter(|(name, value)| fields::is_secret(name, value))
        {
            each(name);
        }
    }
}

impl Refresh {
    fn is_late(&self, now: Now) -> bool {
        now.steady.saturating_sub(self.requested.steady) > PATIENCE
    }
}

impl Refreshes {
    /// Those that nobody has come for, answered or not.
    fn take_late(&self, now: Now) -> Vec<(u64, Refresh)> {
        self.lock().extract_if(|_, refresh| refresh.is_late(now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Refresh>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call says about itself alone.
const OF_THIS_CALL: [HeaderName; 7] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::CACHE_CONTROL,
];

const UNDER_WAY_MAX: usize = 64;
/// How long an answer may take, in milliseconds; then another one is asked for.
const PATIENCE: u64 = 60_000;
