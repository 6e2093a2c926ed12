//! Many calls that miss the same reply at once: one asks, the others wait for it.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::store::CacheKey;
use crate::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// The requests that are under way, by what is asked for.
pub(crate) struct Flights {
    /// Held for a look or a change only.
    under_way: Mutex<HashMap<CacheKey, Arc<Flight>>>,
    /// Keys whose replies were of no use to others: nobody waits for those. A place is one key's at
    /// a time, so that they are bounded.
    useless: Box<[AtomicU64; USELESS]>,
}

#[derive(Default)]
struct Flight(Mutex<State>);

#[derive(Default)]
struct State {
    landed: Option<Landed>,
    wakers: Vec<Waker>,
}

/// How a flight ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landed {
    /// There is an answer, and others may find it stored.
    Answered,
    /// It was cancelled: somebody else has to ask.
    Abandoned,
}

/// What a call that misses something does.
pub(crate) enum Turn {
    /// Ask, for others too.
    Lead(Leader),
    /// Wait for the one that asks.
    Follow(Follower),
    /// Ask, for itself.
    Alone,
}

impl Flights {
    /// Takes part in the flight for `key`, or begins it.
    pub(crate) fn join(self: &Arc<Self>, key: CacheKey) -> Turn {
        if self.useless_place(key).load(Ordering::Relaxed) == folded(key) {
            return Turn::Alone;
        }
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        match under_way.entry(key) {
            Entry::Occupied(flight) => Turn::Follow(Follower(Arc::clone(flight.get()))),
            Entry::Vacant(place) => {
                let flight = Arc::clone(place.insert(Arc::default()));
                let landed = Landed::Abandoned;
                Turn::Lead(Leader { flights: Arc::clone(self), key, flight, landed })
            }
        }
    }

    /// Notes that the replies to `key` are of use to others again.
    pub(crate) fn useful(&self, key: CacheKey) {
        let place = self.useless_place(key);
        if place.load(Ordering::Relaxed) == folded(key) {
            place.store(0, Ordering::Relaxed);
        }
    }

    fn useless_place(&self, key: CacheKey) -> &AtomicU64 {
        &self.useless[(folded(key) % USELESS as u64) as usize]
    }
}

/// The call that asks; when it is dropped the others go on.
pub(crate) struct Leader {
    flights: Arc<Flights>,
    key: CacheKey,
    flight: Arc<Flight>,
    landed: Landed,
}

impl Leader {
    /// Ends the flight with an answer, or with an error, which is the asker's own; the others see
    /// to themselves at once. With `is_useful` others may find a stored reply.
    pub(crate) fn land(mut self, is_useful: bool) {
        self.landed = Landed::Answered;
        if !is_useful {
            self.flights.useless_place(self.key).store(folded(self.key), Ordering::Relaxed);
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.flights.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        let wakers = {
            let mut state = self.flight.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.landed = Some(self.landed);
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Ready when the flight has landed.
pub(crate) struct Follower(Arc<Flight>);

impl Future for Follower {
    type Output = Landed;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Landed> {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landed) = state.landed {
            return Poll::Ready(landed);
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(task.waker())) {
            state.wakers.push(task.waker().clone());
        }
        Poll::Pending
    }
}

impl Default for Flights {
    fn default() -> Self {
        let useless = Box::new([const { AtomicU64::new(0) }; USELESS]);
        Self { under_way: Mutex::default(), useless }
    }
}

/// Never zero, which is nobody's.
const fn folded(key: CacheKey) -> u64 {
    let number = (key.0 >> 64) as u64 ^ key.0 as u64;
    if number == 0 { 1 } else { number }
}

const USELESS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: CacheKey = CacheKey(9);

    fn lead(flights: &Arc<Flights>) -> Leader {
        match flights.join(KEY) {
            Turn::Lead(leader) => leader,
            _ => panic!("there is a leader already"),
        }
    }

    fn follow(flights: &Arc<Flights>) -> Follower {
        match flights.join(KEY) {
            Turn::Follow(follower) => follower,
            _ => panic!("there is nobody to follow"),
        }
    }

    fn poll(follower: &mut Follower) -> Poll<Landed> {
        Pin::new(follower).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_first_leads_and_others_follow_until_it_lands() {
        let flights = Arc::new(Flights::default());
        let leader = lead(&flights);
        let mut follower = follow(&flights);
        assert!(poll(&mut follower).is_pending());
        leader.land(true);
        assert_eq!(poll(&mut follower), Poll::Ready(Landed::Answered));
        drop(lead(&flights));
    }

    #[test]
    fn a_dropped_leader_leaves_its_place_to_the_next() {
        let flights = Arc::new(Flights::default());
        let leader = lead(&flights);
        let mut follower = follow(&flights);
        drop(leader);
        assert_eq!(poll(&mut follower), Poll::Ready(Landed::Abandoned));
        let _next = lead(&flights);
        follow(&flights);
    }

    #[test]
    fn nobody_waits_for_what_was_useless_until_it_is_of_use() {
        let flights = Arc::new(Flights::default());
        lead(&flights).land(false);
        assert!(matches!(flights.join(KEY), Turn::Alone));
        flights.useful(KEY);
        drop(lead(&flights));
    }
}
