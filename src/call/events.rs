//! What observers hear of hops and attempts; a client without one pays for a look at an `Option`.

use http::Method;
use url::Url;

use super::hops::HopReply;
use crate::{
    context::CallContext,
    error::{Error, Result},
    observer::Happening,
    origin,
    runtime::{Answer, Failure, Outcome},
};

/// The call begins.
pub(crate) fn call_began(cx: &CallContext, method: &Method, url: &Url) {
    let Some(observed) = cx.observed() else { return };
    observed.note(Happening::CallBegan { method: method.clone(), url: origin::redacted(url) });
}

/// A hop begins, after so many others.
pub(super) fn hop_began(cx: &CallContext, before: usize, method: &Method, url: &Url) {
    let Some(observed) = cx.observed() else { return };
    observed.enter_hop(u32::try_from(before).map_or(u32::MAX, |before| before.saturating_add(1)));
    observed.note(Happening::HopBegan { method: method.clone(), url: origin::redacted(url) });
}

pub(super) fn hop_ended(cx: &CallContext, ended: &Result<HopReply>) {
    match ended {
        Ok(reply) => hop_answered(cx, reply),
        Err(error) => cx.note(|| Happening::HopFailed { kind: error.kind() }),
    }
}

pub(super) fn hop_answered(cx: &CallContext, HopReply { head, .. }: &HopReply) {
    cx.note(|| Happening::HopAnswered { status: head.status, cache: head.cache });
}

/// An attempt begins.
pub(super) fn queued(cx: &CallContext, attempt: u32) {
    let Some(observed) = cx.observed() else { return };
    observed.enter_attempt(attempt);
    observed.note(Happening::Queued);
}

pub(super) fn attempt_ended(cx: &CallContext, ended: &Result<Outcome>) {
    let Some(observed) = cx.observed() else { return };
    observed.look(&cx.watch);
    match ended {
        Ok(Ok(Answer { head, .. })) => {
            if let Some(connection) = head.connection {
                observed.note(Happening::Answered { status: head.status, connection });
            }
        }
        Ok(Err(Failure { error, .. })) | Err(error) => {
            observed.note(Happening::AttemptFailed { kind: Error::kind(error) });
        }
    }
}
