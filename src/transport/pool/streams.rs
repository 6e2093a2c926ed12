//! Connections that many exchanges share, in the books.

use std::time::Duration;

use super::{
    route::StreamEnd,
    state::{Effects, State},
};
use crate::{
    moment::Moment,
    origin::Route,
    transport::{bridge::Job, mailbox::Mailbox},
};

impl State {
    /// An HTTP/2 exchange has ended; the next one for the same connection, if somebody waits.
    pub(super) fn stream_ended(
        &mut self,
        route: &Route,
        connection: u64,
        lane: usize,
        end: StreamEnd,
    ) -> (Option<Box<Job>>, Effects) {
        let mut effects = Vec::new();
        let Some(state) = self.routes.get_mut(route) else { return (None, effects) };
        state.stream_ended(connection, end);
        // Nobody asks an idle connection whether it lives; over HTTP/1.1 it would have ended too.
        self.closing += state.evict_suspect(&mut effects);
        if self.closed {
            self.closing += state.evict_oldest(&mut effects);
            return (None, effects);
        }
        self.let_background_before(&mut effects);
        let may_begin_background = self.background > 0 && self.may_begin_background(route, 0);
        let state = self.route_mut(route);
        let may_go_on = end != StreamEnd::Refused && state.has_stream(connection);
        let waiter = may_go_on
            .then(|| state.queue.take(may_begin_background, |order| order.avoid != Some(lane)))
            .flatten();
        if let Some(waiter) = &waiter {
            state.stream_started(connection);
            self.left_queue(waiter);
        }
        // Its limit may have risen meanwhile, or others may be willing.
        self.settle(route, &mut effects);
        self.settle_if_short(&mut effects);
        (waiter.map(|waiter| waiter.job), effects)
    }

    /// An HTTP/2 server allows another number of streams from now on, or is trusted again.
    pub(super) fn streams_changed(
        &mut self,
        route: &Route,
        connection: u64,
        streams_max: usize,
    ) -> Effects {
        let mut effects = Vec::new();
        let Some(state) = self.routes.get_mut(route) else { return effects };
        state.streams_allowed = streams_max;
        if let Some(shared) = state.shared_mut(connection) {
            shared.streams_max = streams_max;
        }
        self.settle(route, &mut effects);
        effects
    }

    /// An HTTP/2 connection takes no more calls.
    pub(super) fn remove_shared(&mut self, route: &Route, connection: u64) -> Effects {
        let mut effects = Vec::new();
        if let Some(state) = self.routes.get_mut(route) {
            state.shared.retain(|shared| shared.connection != connection);
            self.settle(route, &mut effects);
        }
        effects
    }

    /// A connection has not taken a job, so it has ended.
    pub(super) fn remove_ended(&mut self, route: &Route, mailbox: &Mailbox) {
        if let Some(state) = self.routes.get_mut(route) {
            state.shared.retain(|shared| !shared.mailbox.is_same(mailbox));
        }
    }

    /// Takes an HTTP/2 connection off the books if it has been idle for `limit`.
    pub(super) fn retire_idle_shared(
        &mut self,
        route: &Route,
        connection: u64,
        limit: Duration,
    ) -> bool {
        let Some(state) = self.routes.get_mut(route) else { return false };
        let is_due = |since: Moment| since.plus(limit) <= Moment::now();
        let at = state
            .shared
            .iter()
            .position(|shared| shared.connection == connection && shared.since.is_some_and(is_due));
        at.map(|at| state.shared.remove(at)).is_some()
    }
}
