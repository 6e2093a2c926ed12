//! Connections opened before they are needed.

use std::sync::Arc;

use super::{
    route::{Protocol, RouteState},
    state::{Effect, Effects, State},
};
use crate::{
    error::Error, limits::Timeouts, moment::Moment, origin::Route, transport::bridge::Reply,
};

/// What a warm-up has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warmed {
    pub(super) opened: usize,
    pub(super) open: usize,
    pub(super) is_http2: bool,
}

impl Warmed {
    /// Connections that the warm-up opened.
    #[must_use]
    pub const fn opened(&self) -> usize {
        self.opened
    }

    /// Connections that are open to the route, those that carry calls included.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.open
    }

    /// Whether the server speaks HTTP/2, so that one connection serves many calls.
    #[must_use]
    pub const fn is_http2(&self) -> bool {
        self.is_http2
    }
}

/// How a warm-up ends; `None` is a pool that was closed.
pub(super) type WarmAnswer = Reply<Result<Warmed, Error>>;

/// What a warm-up asks for.
#[derive(Debug)]
pub(crate) struct WarmOrder {
    pub(crate) route: Route,
    /// How many connections there shall be, those that are there included.
    pub(crate) connections: usize,
    pub(crate) timeouts: Timeouts,
    /// The lane that must not carry them, because the caller is inside that lane.
    pub(crate) avoid: Option<usize>,
}

/// A warm-up in the books.
#[derive(Debug)]
pub(super) struct Warming {
    pub(super) ticket: u64,
    connections: usize,
    pub(super) timeouts: Timeouts,
    pub(super) avoid: Option<usize>,
    pub(super) dials: usize,
    opened: usize,
    answer: WarmAnswer,
}

impl Warming {
    /// How many dials are to be started for it.
    pub(super) fn missing(&self, state: &RouteState) -> usize {
        match state.protocol {
            Protocol::Http2 => usize::from(state.shared.is_empty() && state.dials == 0),
            _ => self.connections.saturating_sub(state.places),
        }
    }

    /// Whether there is nothing more to wait for: it never waits for the end of somebody's call.
    fn is_over(&self, state: &RouteState, has_room: bool) -> bool {
        if state.protocol == Protocol::Http2 && !state.shared.is_empty() {
            return true;
        }
        state.open() >= self.connections || (state.dials == 0 && !has_room)
    }

    fn end(self, state: &RouteState) -> Effect {
        let warmed = Warmed {
            opened: self.opened,
            open: state.open(),
            is_http2: state.protocol == Protocol::Http2,
        };
        Effect::Warmed(self.answer, Ok(warmed))
    }
}

impl State {
    /// Begins a warm-up.
    pub(super) fn warm(&mut self, order: WarmOrder, answer: WarmAnswer) -> (u64, Effects) {
        let mut effects = Vec::new();
        let ticket = self.new_ticket();
        if self.closed {
            return (ticket, effects);
        }
        let WarmOrder { route, connections, timeouts, avoid } = order;
        let warming = Warming { ticket, connections, timeouts, avoid, dials: 0, opened: 0, answer };
        self.route_mut(&route).warming.push(warming);
        self.settle(&route, &mut effects);
        (ticket, effects)
    }

    /// Ends a warm-up whose caller has gone; its dials go on.
    pub(super) fn stop_warming(&mut self, route: &Route, ticket: u64) -> Option<Warming> {
        let warming = &mut self.routes.get_mut(route)?.warming;
        let at = warming.iter().position(|warming| warming.ticket == ticket)?;
        Some(warming.remove(at))
    }

    /// A dial that a warm-up caused has given a connection.
    pub(super) fn warm_dial_ended(state: &mut RouteState, ticket: u64) {
        let of_dial = state.warming.iter_mut().find(|warming| warming.ticket == ticket);
        if let Some(warming) = of_dial {
            warming.dials -= 1;
            warming.opened += 1;
        }
    }

    /// Answers the warm-ups of a route that have come to their end.
    pub(super) fn end_warm_ups(&mut self, route: &Route, effects: &mut Effects) {
        let total_has_room = self.places < self.limits.places_total;
        let Some(state) = self.routes.get_mut(route) else { return };
        if state.warming.is_empty() {
            return;
        }
        let has_room = state.has_room() && total_has_room;
        let warming = std::mem::take(&mut state.warming);
        let (over, going_on) =
            warming.into_iter().partition(|warming| warming.is_over(state, has_room));
        state.warming = going_on;
        let over: Vec<Warming> = over;
        effects.extend(over.into_iter().map(|warming| warming.end(state)));
    }
}

impl Warming {
    /// Ends it with the error of a dial of its own.
    pub(super) fn fail(self, error: Error) {
        self.answer.send(Err(error));
    }
}

/// The watch of a dial that no call waits for.
pub(super) fn nobodys_watch() -> Arc<crate::watch::Watch> {
    Arc::new(crate::watch::Watch::new(None, Moment::now()))
}
