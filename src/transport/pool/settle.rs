//! Giving what is free to those who wait: connections, the right to dial, places of others.
//!
//! Who is first: within a route the order of `queue.rs`; between routes, when what they share is
//! used up, whose first job waits for longer.

use std::sync::Arc;

use super::{
    queue::Waiter,
    route::RouteState,
    spread::LaneSet,
    state::{DialOrder, Effect, Effects, State},
    warm,
};
use crate::{origin::Route, priority::Priority, transport::mailbox::Mailbox};

impl State {
    /// Gives to those who wait for a route what they can have now.
    pub(super) fn settle(&mut self, route: &Route, effects: &mut Effects) {
        if self.closed || !self.is_awaited(route) {
            return;
        }
        while let Some((mailbox, waiter)) = self.match_one(route) {
            self.left_queue(&waiter);
            effects.push(Effect::Run(mailbox, waiter.job, waiter.ticket));
        }
        self.dial_for(route, effects);
        self.end_warm_ups(route, effects);
        let holds_back = |state: &RouteState| state.queue.has_background();
        self.is_short |= self.routes.get(route).is_some_and(holds_back);
    }

    /// As `settle`, for every route that the bounds of the client may have held up.
    pub(super) fn settle_if_short(&mut self, effects: &mut Effects) {
        if !std::mem::take(&mut self.is_short) {
            return;
        }
        let mut waiting = self
            .routes
            .iter()
            .filter(|(_, state)| !state.queue.is_empty() || !state.warming.is_empty())
            .map(|(route, state)| (state.queue.first().unwrap_or(u64::MAX), Arc::clone(route)))
            .collect::<Vec<_>>();
        waiting.sort_unstable_by_key(|(ticket, _)| *ticket);
        for (_, route) in waiting {
            self.settle(&route, effects);
        }
    }

    pub(super) fn enter_queue(&mut self, route: &Route, waiter: Waiter) {
        self.background += usize::from(waiter.is_background);
        self.route_mut(route).queue.enter(waiter);
    }

    /// A job has left the queue for a connection.
    pub(super) fn left_queue(&mut self, waiter: &Waiter) {
        self.background -= usize::from(waiter.is_background);
        self.has_begun(waiter.job.order.priority);
    }

    pub(super) fn has_begun(&mut self, priority: Priority) {
        if priority == Priority::Interactive && self.background > 0 {
            self.passed_over += 1;
        }
    }

    pub(super) const fn is_backgrounds_turn(&self) -> bool {
        self.background > 0 && self.passed_over >= PASSED_OVER_MAX
    }

    /// If it is its turn, treats the longest waiting job of the background like an interactive one.
    pub(super) fn let_background_before(&mut self, effects: &mut Effects) {
        if !self.is_backgrounds_turn() {
            return;
        }
        let oldest = self
            .routes
            .iter()
            .filter_map(|(route, state)| Some((state.queue.oldest_background()?, route)))
            .min_by_key(|(ticket, _)| *ticket);
        let Some((_, route)) = oldest else { return };
        let route = Arc::clone(route);
        self.route_mut(&route).queue.promote();
        self.background -= 1;
        self.passed_over = 0;
        self.settle(&route, effects);
    }

    /// Whether one more job could begin after one of the background has; `freed` connections are
    /// not in the books yet.
    pub(super) fn may_begin_background(&self, route: &Route, freed: usize) -> bool {
        let Some(state) = self.routes.get(route) else { return true };
        let route_has_more = state.is_single() || state.spare() + freed > 1;
        let idle = self.routes.values().map(RouteState::idle_connections).sum::<usize>();
        let spare = self.limits.places_total.saturating_sub(self.places) + idle + freed;
        let client_has_more =
            self.limits.places_total == 1 || state.shares_a_busy_connection() || spare > 1;
        route_has_more && client_has_more
    }

    /// The next job of a route that a connection can carry at once, and that connection.
    fn match_one(&mut self, route: &Route) -> Option<(Mailbox, Waiter)> {
        if !self.routes.get(route)?.has_lease() {
            return None;
        }
        let may_begin_background = self.background > 0 && self.may_begin_background(route, 0);
        let state = self.routes.get_mut(route)?;
        let mut queue = std::mem::take(&mut state.queue);
        let waiter = queue.take(may_begin_background, |order| state.can_lease(order));
        state.queue = queue;
        let waiter = waiter?;
        let (mailbox, _) = state.lease(&waiter.job.order)?;
        Some((mailbox, waiter))
    }

    /// Starts the dials that are wanted for a route, as far as the bounds allow.
    fn dial_for(&mut self, route: &Route, effects: &mut Effects) {
        loop {
            let may_begin_background = self.background > 0 && self.may_begin_background(route, 0);
            let Some(state) = self.routes.get_mut(route) else { return };
            if state.dials >= state.dials_wanted(self.learns).min(state.bounds.dials) {
                return;
            }
            if !state.has_room() {
                // Only jobs that want another connection wait beside idle ones, and those for which
                // the idle one is suspect.
                let evicted = state.evict_suspect(effects);
                self.closing += evicted;
                if evicted == 0
                    && state.oldest_idle().is_some()
                    && state.closing.len() < state.undialed_fresh()
                {
                    self.closing += state.evict_oldest(effects);
                }
                return;
            }
            let is_full = self.places >= self.limits.places_total;
            if is_full || self.dials >= self.limits.dials_total {
                self.is_short = true;
                if is_full && !state.queue.is_empty() {
                    self.make_room(route, effects);
                }
                return;
            }
            let Some(order) = next_dial(state, route, may_begin_background) else { return };
            self.begin_dial(order, effects);
        }
    }

    /// Takes a place for a dial and has it started.
    pub(super) fn begin_dial(&mut self, order: DialOrder, effects: &mut Effects) {
        let state = self.route_mut(&order.route);
        state.dials += 1;
        state.places += 1;
        self.dials += 1;
        self.places += 1;
        effects.push(Effect::Dial(order));
    }

    /// Has a connection closed for a route that needs its place, unless enough are closing.
    fn make_room(&mut self, route: &Route, effects: &mut Effects) {
        let wanted = |state: &RouteState| state.dials_missing(self.learns);
        let wanted = self.routes.values().map(wanted).sum::<usize>();
        if self.closing >= wanted {
            return;
        }
        let idle = self.routes.values_mut().filter_map(|state| Some((state.oldest_idle()?, state)));
        if let Some((_, state)) = idle.min_by_key(|(since, _)| *since) {
            self.closing += state.evict_oldest(effects);
            return;
        }
        // Connections of HTTP/2 may never be idle; one of them has to do for a route with none.
        if self.routes.get(route).is_some_and(|state| state.places == 0) {
            let shared = self.routes.values_mut().filter(|state| !state.shared.is_empty());
            if let Some(state) = shared.max_by_key(|state| state.places) {
                self.closing += state.retire_shared(effects);
            }
        }
    }

    /// Whether a connection that has become free leaves its place to another route.
    ///
    /// That is so if all places are taken, the other's first job waits for longer than the first
    /// of this route, and the other has fewer connections, by two at least, or none: routes that
    /// all want more come to the same number, and then nobody closes anything any more.
    pub(super) fn gives_way(&self, route: &Route) -> bool {
        if !self.is_short || self.places < self.limits.places_total {
            return false;
        }
        let Some(own) = self.routes.get(route) else { return false };
        let (Some(first), coming) = (own.queue.first(), self.closing) else { return false };
        let has = own.places.saturating_sub(own.closing.len());
        self.routes.values().any(|other| {
            let gets = other.places + coming;
            other.dials_missing(self.learns) > 0
                && other.queue.first().is_some_and(|ticket| ticket < first)
                && (gets == 0 || gets + 1 < has)
        })
    }
}

impl RouteState {
    /// How many more dials the route wants and may have by its own bounds.
    fn dials_missing(&self, learns: bool) -> usize {
        let wanted = self.dials_wanted(learns).min(self.bounds.dials).saturating_sub(self.dials);
        wanted.min(self.places_max().saturating_sub(self.places))
    }
}

/// Finds out for whom the next dial is.
fn next_dial(
    state: &mut RouteState,
    route: &Route,
    may_begin_background: bool,
) -> Option<DialOrder> {
    if let Some(waiter) = state.queue.undialed_mut(may_begin_background) {
        waiter.dialing = true;
        return Some(DialOrder {
            route: Arc::clone(route),
            ticket: waiter.ticket,
            watch: Arc::clone(&waiter.job.order.watch),
            timeouts: waiter.job.order.timeouts,
            avoid: waiter.job.order.avoid,
            elsewhere: LaneSet::default(),
        });
    }
    let at = state.warming.iter().position(|warming| warming.missing(state) > 0)?;
    let warming = &mut state.warming[at];
    warming.dials += 1;
    Some(DialOrder {
        route: Arc::clone(route),
        ticket: warming.ticket,
        watch: warm::nobodys_watch(),
        timeouts: warming.timeouts,
        avoid: warming.avoid,
        elsewhere: LaneSet::default(),
    })
}

/// How many interactive jobs may begin before one of the background that waits is served.
const PASSED_OVER_MAX: u32 = 16;
