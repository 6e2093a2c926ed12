//! The token of one grant, and who of many callers fetches the next one.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use http::{HeaderValue, StatusCode};

use super::{
    answer::{self, Granted},
    grant::{OAuth2, TokenRequest},
};
use crate::{error::Result, moment::Moment, secret::Secret};

/// A grant and the token that it gave last.
///
/// As a rule one caller fetches at a time. The others wait, each for as long as it likes; if the one
/// that fetches gives up, for whatever reason of its own, one of the others takes over.
pub(crate) struct Tokens {
    grant: OAuth2,
    /// Held for a look or a change only; wakers are called after it.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// The latest refresh token, if the server has given out another one.
    refresh_token: Option<Secret>,
    /// Those who wait for the fetch that is under way.
    fetch: Option<Vec<Waker>>,
    /// How many fetches have begun; the number of the last one.
    fetches: u64,
    /// Why the last fetch failed, and its number.
    failure: Option<(u64, Failure)>,
}

/// A token that can be sent.
#[derive(Clone)]
pub(crate) struct Token {
    /// The fetch that it came from.
    pub(crate) number: u64,
    pub(crate) authorization: HeaderValue,
    /// When it is to be replaced.
    until: Moment,
}

/// Why there is no token, in words that all who waited for it are told.
#[derive(Clone, Debug)]
pub(crate) struct Failure(pub(crate) Arc<str>);

/// What a caller does who needs a token.
pub(crate) enum Turn {
    Use(Token),
    Fetch(Lead),
    Wait(Wait),
}

impl Tokens {
    pub(crate) fn new(grant: OAuth2) -> Self {
        Self { grant, state: Mutex::default() }
    }

    /// Finds out whose turn it is. A token of the number `refused`, or an older one, is no good.
    ///
    /// Who may not wait for another's fetch makes one as well: it may be that fetch which waits.
    pub(crate) fn turn(
        self: &Arc<Self>,
        refused: Option<u64>,
        now: Moment,
        may_wait: bool,
    ) -> Turn {
        let mut state = self.lock();
        if let Some(token) = &state.token
            && now < token.until
            && refused.is_none_or(|refused| refused < token.number)
        {
            return Turn::Use(token.clone());
        }
        if state.fetch.is_some() && may_wait {
            return Turn::Wait(Wait { tokens: Arc::clone(self), number: state.fetches });
        }
        state.fetch.get_or_insert_default();
        state.fetches += 1;
        let number = state.fetches;
        Turn::Fetch(Lead { tokens: Arc::clone(self), number, is_over: false })
    }

    /// The token endpoint as errors show it.
    pub(crate) fn shown(&self) -> String {
        self.grant.shown()
    }

    /// Ends the fetch that is under way and wakes those who wait for it.
    fn end_fetch(&self, change: impl FnOnce(&mut State)) {
        let waiting = {
            let mut state = self.lock();
            change(&mut state);
            mem::take(&mut state.fetch)
        };
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to fetch a token; dropping it hands the duty on.
pub(crate) struct Lead {
    tokens: Arc<Tokens>,
    number: u64,
    is_over: bool,
}

impl Lead {
    pub(crate) fn request(&self) -> Result<TokenRequest> {
        let grant = &self.tokens.grant;
        let latest = self.tokens.lock().refresh_token.clone();
        grant.request(latest.as_ref().or(grant.refresh_token.as_ref()))
    }

    /// Takes the answer of the token endpoint, for all who wait for it.
    ///
    /// # Errors
    /// Why there is no token in it, as the others are told too.
    pub(crate) fn answered(
        self,
        status: StatusCode,
        body: &[u8],
        now: Moment,
    ) -> Result<Token, Failure> {
        let grant = &self.tokens.grant;
        let latest = self.tokens.lock().refresh_token.clone();
        let secrets = grant.secrets().chain(&grant.refresh_token).chain(&latest);
        match answer::read(status, body, secrets) {
            Ok(granted) => Ok(self.granted(granted, now)),
            Err(why) => Err(self.failed(&why)),
        }
    }

    /// Says that no token could be had, to all who wait for it.
    pub(crate) fn failed(mut self, why: &str) -> Failure {
        self.is_over = true;
        let failure = Failure(why.into());
        let noted = (self.number, failure.clone());
        self.tokens.end_fetch(|state| state.failure = Some(noted));
        failure
    }

    fn granted(mut self, granted: Granted, now: Moment) -> Token {
        self.is_over = true;
        let Granted { authorization, lives, refresh_token } = granted;
        let grant = &self.tokens.grant;
        let until = lives.map_or(Moment::NEVER, |lives| {
            now.plus(lives.saturating_sub(grant.leeway.min(lives / LEEWAY_PART)))
        });
        let token = Token { number: self.number, authorization, until };
        // Only who came with a refresh token goes on with one (RFC 6749 §4.4.3).
        let refresh_token = refresh_token.filter(|_| grant.refresh_token.is_some());
        self.tokens.end_fetch(|state| {
            if state.token.as_ref().is_none_or(|present| present.number < token.number) {
                state.token = Some(token.clone());
            }
            state.failure = None;
            if refresh_token.is_some() {
                state.refresh_token.clone_from(&refresh_token);
            }
        });
        if let (Some(listener), Some(refreshed)) = (&grant.on_refresh_token, &refresh_token) {
            listener(&String::from_utf8_lossy(refreshed.expose()));
        }
        token
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.is_over {
            self.tokens.end_fetch(|_| {});
        }
    }
}

/// Waits until a fetch of somebody else has ended.
pub(crate) struct Wait {
    tokens: Arc<Tokens>,
    number: u64,
}

impl Future for Wait {
    /// What the fetch failed of; without it, it is worth asking whose turn it is.
    type Output = Result<(), Failure>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.tokens.lock();
        if state.fetches == self.number
            && let Some(waiting) = &mut state.fetch
        {
            if !waiting.iter().any(|waker| waker.will_wake(task.waker())) {
                waiting.push(task.waker().clone());
            }
            return Poll::Pending;
        }
        Poll::Ready(match &state.failure {
            Some((number, failure)) if *number == self.number => Err(failure.clone()),
            _ => Ok(()),
        })
    }
}

/// The leeway of a token is at most this part of its life.
const LEEWAY_PART: u32 = 10;

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
