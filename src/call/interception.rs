//! Running the interceptors of a call, on its thread.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::Version;

use super::{Means, OpenBody, hop::Hop, hops::HopReply};
use crate::{
    answer_head::AnswerHead,
    context::CallContext,
    error::{Error, ErrorKind, Result},
    history::PastHop,
    interceptors::{
        Hook, IncomingReply, InterceptorError, InterceptorId, LocalAnswer, OutgoingRequest,
    },
    trailers::Trailers,
};

/// The interceptors of one call, the client's first.
pub(super) struct Chain {
    of_client: Option<Arc<Vec<(InterceptorId, Hook)>>>,
    of_call: Vec<Hook>,
}

impl Chain {
    pub(super) fn new(means: &Means, of_call: Vec<Hook>) -> Self {
        Self { of_client: means.config().interceptors.all(), of_call }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.of_client.is_none() && self.of_call.is_empty()
    }

    fn hooks(&self) -> impl Iterator<Item = &Hook> {
        let of_client = self.of_client.iter().flat_map(|hooks| hooks.iter());
        of_client.map(|(_, hook)| hook).chain(&self.of_call)
    }

    /// Shows a hop that is about to go out; what is returned is an answer in place of the network.
    pub(super) fn before(
        &self,
        cx: &CallContext,
        hop: &mut Hop<'_>,
        history: &[PastHop],
    ) -> Result<Option<HopReply>> {
        if self.is_empty() {
            return Ok(None);
        }
        // Not for a call that nobody wants any more.
        cx.still_runs()?;
        for hook in self.hooks() {
            let Hook::Request(hook) = hook else { continue };
            let answer = hop.shown_to(cx.id, history, |request| run(cx, || hook(request)))?;
            if let Some(answer) = answer {
                cx.still_runs()?;
                return Ok(Some(local_reply(answer)));
            }
        }
        Ok(None)
    }

    /// Shows the head of a hop's answer.
    pub(super) fn after(
        &self,
        cx: &CallContext,
        hop: &Hop<'_>,
        head: &mut AnswerHead,
        history: &[PastHop],
    ) -> Result<()> {
        for hook in self.hooks() {
            let Hook::Reply(hook) = hook else { continue };
            let mut reply = IncomingReply {
                request_id: cx.id,
                method: &hop.method,
                url: &hop.url,
                history,
                status: head.status,
                version: head.version,
                headers: &mut head.headers,
            };
            run(cx, || hook(&mut reply))?;
            cx.still_runs()?;
        }
        Ok(())
    }
}

/// Runs code of the user: whatever becomes of it ends this call only.
fn run(cx: &CallContext, hook: impl FnOnce() -> Result<(), InterceptorError>) -> Result<()> {
    guarded(cx, "an interceptor", hook)?.map_err(|error| {
        Error::new(ErrorKind::Interceptor, "an interceptor ended the call").because(error)
    })
}

/// Runs code of the user that takes part in making requests: its panic is an error of the call.
pub(super) fn guarded<T>(cx: &CallContext, what: &str, code: impl FnOnce() -> T) -> Result<T> {
    let ended = catch_unwind(AssertUnwindSafe(code));
    // It may have forked, and this may be the child.
    cx.same_process()?;
    ended.map_err(|panic| {
        let message = format!("{what} panicked: {}", words_of(&*panic));
        Error::new(ErrorKind::Interceptor, message)
    })
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

fn local_reply(answer: LocalAnswer) -> HopReply {
    let LocalAnswer { status, headers, body } = answer;
    let head = AnswerHead::local(status, Version::HTTP_11, headers);
    HopReply { head: Box::new(head), body: OpenBody::complete(body, Trailers::default()) }
}

impl Hop<'_> {
    /// Lets `see` see and change this hop, and tells what it answered in place of the network.
    fn shown_to(
        &mut self,
        request_id: u64,
        history: &[PastHop],
        see: impl FnOnce(&mut OutgoingRequest<'_>) -> Result<()>,
    ) -> Result<Option<LocalAnswer>> {
        let mut url = self.url.clone();
        let (method, options) = (self.method.clone(), self.options());
        let mut request = OutgoingRequest {
            request_id,
            method: &method,
            url: &mut url,
            headers: self.headers_mut(),
            history,
            options,
            answer: None,
        };
        see(&mut request)?;
        let answer = request.answer.take();
        self.go_to(url);
        Ok(answer)
    }
}
