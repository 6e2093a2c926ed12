//! Sees to it that lanes have keepers when they need one.
//!
//! Callers drive their lanes themselves, so most lanes need no thread while they are used. One
//! thread for all of them, the steward, looks whether connections are left to themselves, and has a
//! keeper started for them. Invariant: a lane with connections has a keeper, or there is a steward.
//! Connections are counted before one of them is called, and both leave only if they have not been
//! called since they last looked.

use std::time::Duration;

use crate::{
    post::Post,
    sync::Arc,
    wheel::{Care, Held, Wheel},
};

/// A lane, as far as its steward has to do with it.
pub(crate) trait Tended {
    fn wheel(&self) -> &Arc<Wheel>;

    /// Reads what has happened to the lane's connections.
    fn look(&self, held: Held);
}

/// The steward's life, until no lane needs it or its post is closed.
pub(crate) fn tend<'l, L, I>(post: &Post, lanes: impl Fn() -> I)
where
    L: Tended + 'l,
    I: Iterator<Item = &'l Arc<L>>,
{
    let mut tenure = post.take_up();
    while !post.is_closed() {
        match lanes().filter_map(|lane| see_to(&**lane)).min() {
            Some(patience) => drop(tenure.wait(patience)),
            None if tenure.give_up() => return,
            None => (),
        }
    }
}

/// When the lane has to be looked at again, if ever.
fn see_to(lane: &impl Tended) -> Option<Duration> {
    match lane.wheel().care() {
        Care::Nothing => None,
        Care::After(patience) => Some(patience),
        Care::Now if lane.wheel().fill_keeper() => None,
        Care::Now => {
            // No thread can be started. The steward does a little of it until one can.
            lane.wheel().take_as_caller().into_iter().for_each(|held| lane.look(held));
            Some(NEED_INTERVAL)
        }
    }
}

/// How often a lane is looked at that needs a keeper and can have none.
const NEED_INTERVAL: Duration = Duration::from_millis(1);
