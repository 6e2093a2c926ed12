//! The lanes of a client: which there are, and where the next connection goes.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    thread,
    time::Duration,
};

use super::{lane::Lane, lend::Lending};
use crate::{
    error::{Error, ErrorKind, Result},
    moment::Moment,
    post::Post,
    steward::{Tended, tend},
    threads::{Crew, processors},
    transport::pool::LaneSet,
    wheel::OnLane,
};

#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: [OnceLock<Arc<Lane>>; LANES_MAX],
    /// Held while a lane is chosen and, if need be, made.
    choosing: Mutex<()>,
    lending: Lending,
    crew: Arc<Crew>,
    /// Looks after lanes without a keeper.
    steward: Arc<Post>,
}

impl Lanes {
    pub(super) fn new(lending: Lending, crew: Arc<Crew>) -> Arc<Self> {
        Arc::new_cyclic(|lanes: &Weak<Self>| {
            let (lanes, stewards) = (Weak::clone(lanes), Arc::clone(&crew));
            let steward = Post::new(move || match lanes.upgrade() {
                Some(lanes) => stewards.start("abide-steward", move || lanes.tend()),
                None => Err(io::Error::other("the client has ended")),
            });
            let steward = Arc::new(steward);
            Self { lanes: Default::default(), choosing: Mutex::new(()), lending, crew, steward }
        })
    }

    fn tend(&self) {
        tend(&self.steward, || self.made_so_far());
    }

    pub(super) fn get(&self, number: usize) -> Option<&Arc<Lane>> {
        self.lanes.get(number)?.get()
    }

    /// The lane for a new connection, which counts there from now on; `avoid` is not it, nor is
    /// one of those that are used up, if there is another.
    pub(super) fn for_dial(
        &self,
        avoid: Option<usize>,
        used_up: LaneSet,
    ) -> Result<(&Arc<Lane>, OnLane)> {
        // One at a time: two connections that could have a lane each must not share one.
        let _choosing = self.choosing.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = self.made(self.choose(avoid, used_up))?;
        if lane.is_broken() {
            // There is no other: what is begun there would fail and make way for the next.
            let message = "all event loops of the client have failed, as they do when a program \
                           closes their files; a new client has new ones";
            return Err(Error::new(ErrorKind::Internal, message));
        }
        Ok((lane, lane.connection()?))
    }

    fn choose(&self, avoid: Option<usize>, used_up: LaneSet) -> usize {
        let is_broken = |number: &usize| self.get(*number).is_some_and(|lane| lane.is_broken());
        let may = |number: &usize| {
            avoid != Some(*number) && !used_up.contains(*number) && !is_broken(number)
        };
        let connections = |number: &usize| self.get(*number).map_or(0, |l| l.wheel().connections());
        let mut allowed = (0..LANES_MAX).filter(may);
        if !self.lending.is_possible() {
            return allowed.next().unwrap_or(0);
        }
        if let Some(free) = allowed.clone().find(|number| connections(number) == 0) {
            return free;
        }
        // More connections than lanes: few of them are then driven for many at a time, one for each
        // core, so that decrypting and taking apart what comes is spread.
        allowed.take(processors()).min_by_key(connections).unwrap_or(0)
    }

    fn made(&self, number: usize) -> Result<&Arc<Lane>> {
        let slot = &self.lanes[number];
        if let Some(lane) = slot.get() {
            return Ok(lane);
        }
        let lane = Lane::make(number, self.lending, &self.crew, &self.steward)?;
        Ok(slot.get_or_init(|| lane))
    }

    /// Starts no threads any more.
    pub(super) fn start_no_more(&self) {
        self.made_so_far().for_each(|lane| lane.fill_no_more());
        self.steward.fill_no_more();
    }

    pub(super) fn stop(&self) {
        self.steward.close();
        self.made_so_far().for_each(|lane| lane.stop());
    }

    /// Closes all connections, whatever they do; how many are left when the time is over.
    pub(super) fn close_connections(&self, limit: Duration) -> usize {
        let left = || self.made_so_far().map(|lane| lane.wheel().connections()).sum::<usize>();
        self.made_so_far().for_each(|lane| lane.abort());
        let until = Moment::now().plus(limit);
        // Nobody else should pay for telling, so they are looked at now and then.
        while left() > 0 && Moment::now() < until {
            thread::sleep(LOOK_INTERVAL);
        }
        left()
    }

    /// Gives the event loops back that nobody drives.
    pub(super) fn end(&self) {
        self.made_so_far().for_each(|lane| lane.end());
    }

    fn made_so_far(&self) -> impl Iterator<Item = &Arc<Lane>> {
        self.lanes.iter().filter_map(OnceLock::get)
    }
}

const LOOK_INTERVAL: Duration = Duration::from_millis(1);
const LANES_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// Lanes with connections that nobody opens.
    struct World {
        lanes: Arc<Lanes>,
        crew: Arc<Crew>,
        connections: Vec<(usize, OnLane)>,
    }

    impl World {
        fn new(lending: Lending) -> Self {
            let crew = Arc::<Crew>::default();
            Self { lanes: Lanes::new(lending, Arc::clone(&crew)), crew, connections: Vec::new() }
        }

        /// The lane that the next connection goes to.
        fn dial(
            &mut self,
            avoid: Option<usize>,
            used_up: impl IntoIterator<Item = usize>,
        ) -> usize {
            let used_up = used_up.into_iter().collect();
            let (lane, connection) = self.lanes.for_dial(avoid, used_up).expect("a lane");
            self.connections.push((lane.wheel().number(), connection));
            lane.wheel().number()
        }

        fn close_all_on(&mut self, lane: usize) {
            self.connections.retain(|(number, _)| *number != lane);
        }
    }

    impl Drop for World {
        fn drop(&mut self) {
            self.connections.clear();
            self.lanes.stop();
            self.crew.join(Duration::from_secs(10));
        }
    }

    #[test]
    fn in_the_background_all_share_a_lane_but_those_that_need_another() {
        let mut world = World::new(Lending::Never);
        assert_eq!((0..3).map(|_| world.dial(None, [])).max(), Some(0));
        assert_eq!(world.dial(None, [0]), 1);
        assert_eq!(world.dial(None, [0, 1]), 2);
        assert_eq!(world.dial(None, [1]), 0);
        assert_eq!(world.dial(Some(0), []), 1);
        assert_eq!(world.dial(Some(0), [1, 2]), 3);
        assert_eq!(world.dial(None, 0..LANES_MAX), 0);
    }

    #[test]
    fn a_connection_has_a_lent_lane_for_itself_while_there_is_one() {
        let mut world = World::new(Lending::Always);
        assert_eq!(world.dial(None, []), 0);
        assert_eq!(world.dial(Some(1), [2]), 3);
        assert_eq!(world.dial(None, [1]), 2);
        assert_eq!(world.dial(None, []), 1);
        for lane in 4..LANES_MAX {
            assert_eq!(world.dial(None, []), lane);
        }
        world.close_all_on(9);
        assert_eq!(world.dial(None, []), 9);
    }

    #[test]
    fn more_connections_than_lent_lanes_share_one_for_each_core() {
        let mut world = World::new(Lending::Always);
        (0..LANES_MAX).for_each(|lane| assert_eq!(world.dial(None, []), lane));
        let shared = processors().min(LANES_MAX);
        for lane in (0..shared).chain(0..shared) {
            assert_eq!(world.dial(None, []), lane);
        }
    }

    #[test]
    fn more_connections_than_lent_lanes_share_those_that_are_allowed() {
        let mut world = World::new(Lending::Always);
        (0..LANES_MAX).for_each(|lane| assert_eq!(world.dial(None, []), lane));
        assert_eq!(world.dial(Some(0), [1]), 2);
        assert_eq!(world.dial(None, [0, 1, 2]), 3);
        assert_eq!(world.dial(Some(0), 0..LANES_MAX), 0);
    }
}
