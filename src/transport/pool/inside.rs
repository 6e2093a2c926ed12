//! Calls that are made from inside a lane: it stands still until they return.
//!
//! Only a `tracing` subscriber runs there. What its call needs must not be on that lane; and if
//! nothing else is left to wait for, the call would only wait for itself.

use super::{route::RouteState, spread::LaneSet, state::State};
use crate::{origin::Route, transport::bridge::Order};

/// How many places there are on each lane, by its number.
#[derive(Debug, Default)]
pub(super) struct Berths(Vec<usize>);

impl Berths {
    fn add(&mut self, lane: usize) {
        if self.0.len() <= lane {
            self.0.resize(lane + 1, 0);
        }
        self.0[lane] += 1;
    }

    pub(super) fn remove(&mut self, lane: usize) {
        self.0[lane] -= 1;
    }

    #[cfg(test)]
    pub(super) fn total(&self) -> usize {
        self.0.iter().sum()
    }

    fn on(&self, lanes: LaneSet) -> usize {
        let there = self.0.iter().enumerate().filter(|(lane, _)| lanes.contains(*lane));
        there.map(|(_, places)| *places).sum()
    }
}

impl State {
    /// The lane of a dial is known.
    pub(super) fn put_on_lane(&mut self, route: &Route, lane: usize) {
        self.route_mut(route).berths.add(lane);
    }

    /// Whether a job would wait for what only lanes can give that stand still until it has ended:
    /// its caller's own, and those of others that wait for the same.
    ///
    /// A caller elsewhere may still give up what it has on such a lane; more it cannot do either.
    pub(super) fn would_wait_for_itself(&self, order: &Order) -> bool {
        let (Some(lane), Some(state)) = (order.avoid, self.routes.get(&order.route)) else {
            return false;
        };
        let waiters = state.queue.iter().filter_map(|waiter| waiter.job.order.avoid);
        let still = waiters.chain([lane]).collect();
        // Whatever else there is of the route may become free for it, dials without a place included:
        // they are about to end.
        if state.berths.on(still) < state.places.max(state.dials) {
            return false;
        }
        if !state.has_room() || state.dials >= state.bounds.dials {
            return true;
        }
        let is_full =
            self.places >= self.limits.places_total || self.dials >= self.limits.dials_total;
        let on_them = |state: &RouteState| state.berths.on(still);
        is_full && self.routes.values().map(on_them).sum::<usize>() == self.places.max(self.dials)
    }
}
