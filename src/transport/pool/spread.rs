//! Over how many connections the streams of a route are spread: one is as fast as one core.
//!
//! As long as the lane of its connection has idle moments, one is best: what many calls send and
//! receive at once goes out and comes in together. A connection that is not needed any more is left
//! alone until it has been idle for long enough.

use std::sync::Arc;

use super::{
    route::{RouteState, Shared},
    state::{DialOrder, Effects, State},
    warm,
};
use crate::{moment::Moment, origin::Route};

/// The numbers of some lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LaneSet(u64);

impl FromIterator<usize> for LaneSet {
    fn from_iter<T: IntoIterator<Item = usize>>(lanes: T) -> Self {
        Self(lanes.into_iter().fold(0, |set, lane| set | 1 << (lane % 64)))
    }
}

impl LaneSet {
    pub(crate) const fn contains(self, lane: usize) -> bool {
        self.0 & 1 << (lane % 64) != 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What is known of how busy a connection's lane is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Busyness {
    /// The hundredths of the last look.
    load: u8,
    /// How many looks in a row found the lane used up, and calls that share the connection.
    used_up: u8,
}

impl Busyness {
    const fn note(&mut self, load: u8, streams: usize) {
        self.load = load;
        let is_used_up = load >= USED_UP && streams > 1;
        self.used_up = if is_used_up { self.used_up.saturating_add(1) } else { 0 };
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spreading {
    /// Over one connection more.
    Wider,
    /// So many are right.
    AsItIs,
    /// One fewer would do.
    Narrower,
}

/// What the loads of the connections that are spread over say; `max` is how many there may be.
fn spreading(busyness: impl Iterator<Item = Busyness>, max: usize) -> Spreading {
    let (mut count, mut load, mut all_used_up) = (0, 0, true);
    for one in busyness {
        count += 1;
        load += usize::from(one.load);
        all_used_up &= one.used_up >= LOOKS_TO_WIDEN;
    }
    if count > 0 && all_used_up && count < max {
        Spreading::Wider
    } else if count > 1 && load <= (count - 1) * usize::from(EASY) {
        Spreading::Narrower
    } else {
        Spreading::AsItIs
    }
}

impl State {
    /// Whether the route may have several connections for the sake of the load.
    pub(super) fn may_spread(&self, route: &Route) -> bool {
        self.routes.get(route).is_some_and(|state| state.bounds.http2_cores > 1)
    }

    /// The lane of a connection was awake for so many hundredths of the time.
    pub(super) fn loaded(&mut self, route: &Route, connection: u64, load: u8) -> Effects {
        let mut effects = Vec::new();
        let Some(state) = self.routes.get_mut(route) else { return effects };
        let Some(shared) = state.shared_mut(connection) else { return effects };
        shared.busyness.note(load, shared.streams);
        let spread = state.shared.iter().filter(|shared| !shared.is_surplus);
        match spreading(spread.map(Shared::busyness), state.bounds.http2_cores) {
            Spreading::AsItIs => state.easy_looks = 0,
            Spreading::Narrower => state.look_to_narrow(),
            Spreading::Wider => {
                state.look_anew();
                if let Some(surplus) = state.shared.iter_mut().find(|shared| shared.is_surplus) {
                    surplus.is_surplus = false;
                } else {
                    self.dial_elsewhere(route, connection, &mut effects);
                }
            }
        }
        effects
    }

    /// Starts a dial to a lane that carries no connection of the route, if a place is free.
    fn dial_elsewhere(&mut self, route: &Route, connection: u64, effects: &mut Effects) {
        let is_full =
            self.places >= self.limits.places_total || self.dials >= self.limits.dials_total;
        if self.closed || self.is_short || is_full {
            return;
        }
        let ticket = self.new_ticket();
        let Some(state) = self.routes.get_mut(route) else { return };
        if state.dials > 0 || !state.has_room() || Moment::now() < state.spread_not_before {
            return;
        }
        let Some(timeouts) = state.shared_mut(connection).map(|shared| shared.timeouts) else {
            return;
        };
        let elsewhere = state.shared.iter().map(|shared| shared.mailbox.wheel().number()).collect();
        let (route, watch) = (Arc::clone(route), warm::nobodys_watch());
        let order = DialOrder { route, ticket, watch, timeouts, avoid: None, elsewhere };
        self.begin_dial(order, effects);
    }
}

impl RouteState {
    /// What was seen so far was about other connections.
    pub(super) fn look_anew(&mut self) {
        self.easy_looks = 0;
        self.shared.iter_mut().for_each(|shared| shared.busyness = Busyness::default());
    }

    /// Leaves one connection alone if that has been enough for a while.
    fn look_to_narrow(&mut self) {
        self.easy_looks += 1;
        if self.easy_looks < LOOKS_TO_NARROW {
            return;
        }
        self.easy_looks = 0;
        if let Some(last) = self.shared.iter_mut().rev().find(|shared| !shared.is_surplus) {
            last.is_surplus = true;
        }
    }
}

impl Shared {
    fn busyness(&self) -> Busyness {
        // Without streams nothing is told any more.
        if self.streams > 0 { self.busyness } else { Busyness::default() }
    }
}

/// From how many hundredths on a lane counts as used up.
const USED_UP: u8 = 90;
/// What a lane may well carry, in hundredths, when it takes over what another carried.
const EASY: u8 = 50;
/// A look is taken every 100 ms. One could be all handshakes and first calls.
const LOOKS_TO_WIDEN: u8 = 2;
/// About a second, or half of it if two tell.
const LOOKS_TO_NARROW: u8 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(looks: &[(u8, u8)], max: usize, expected: Spreading) {
        let busyness = looks.iter().map(|&(load, used_up)| Busyness { load, used_up });
        assert_eq!(spreading(busyness, max), expected);
    }

    #[test]
    fn a_route_is_spread_wider_when_all_its_lanes_are_used_up_and_narrower_when_fewer_would_do() {
        use Spreading::{AsItIs, Narrower, Wider};
        check(&[], 4, AsItIs);
        check(&[(100, 1)], 4, AsItIs);
        check(&[(100, 2)], 4, Wider);
        check(&[(100, 2)], 1, AsItIs);
        check(&[(100, 9), (95, 1)], 4, AsItIs);
        check(&[(100, 9), (95, 2)], 4, Wider);
        check(&[(100, 9), (95, 2)], 2, AsItIs);
        check(&[(0, 0)], 4, AsItIs);
        check(&[(25, 0), (25, 0)], 4, Narrower);
        check(&[(25, 0), (26, 0)], 4, AsItIs);
        check(&[(50, 0), (0, 0)], 2, Narrower);
        check(&[(30, 0), (40, 0), (30, 0)], 4, Narrower);
        check(&[(90, 0), (40, 0), (30, 0)], 4, AsItIs);
    }

    #[test]
    fn a_lane_is_used_up_only_by_calls_that_share_it() {
        let mut busyness = Busyness::default();
        for (load, streams, used_up) in
            [(90, 2, 1), (99, 7, 2), (100, 1, 0), (89, 5, 0), (100, 2, 1)]
        {
            busyness.note(load, streams);
            assert_eq!(busyness, Busyness { load, used_up });
        }
    }
}
