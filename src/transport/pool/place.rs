//! Places and what travels with them: they come back in `Drop`, whatever happens.

use super::{
    Pool,
    route::{Idle, Shared, StreamEnd},
    spread::LaneSet,
    state::{Bereaved, DialOrder, Effects, Next, PlaceOfDial},
};
use crate::{
    error::{Error, ErrorKind},
    life::Life,
    limits::Timeouts,
    moment::Moment,
    origin::Route,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    traffic::Traffic,
    transport::{
        bridge::Job,
        mailbox::{Jobs, Mailbox},
    },
    watch::Watch,
    wheel::Wheel,
};

/// The right to have one connection to a route; lives as long as the socket.
#[derive(Debug)]
pub(crate) struct Place {
    pool: Arc<Pool>,
    route: Route,
    /// The connection's number; 0 while it is being dialed.
    connection: Arc<AtomicU64>,
    /// `None` until it is known.
    lane: Option<usize>,
    /// Whether the books have it back already.
    is_given_back: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_given_back {
            return;
        }
        self.pool.place_freed(&self.route, self.connection.load(Ordering::Relaxed), self.lane);
    }
}

/// A dial to be made; ends in a connection, a failure, or, if it is dropped, a failure too.
#[derive(Debug)]
pub(crate) struct Dial {
    /// `None` once it has ended.
    order: Option<DialOrder>,
    /// `None` once a socket has it.
    place: Option<Place>,
    pool: Arc<Pool>,
    route: Route,
    watch: Arc<Watch>,
    timeouts: Timeouts,
    connection: Arc<AtomicU64>,
}

impl Dial {
    pub(super) fn new(pool: Arc<Pool>, order: DialOrder) -> Self {
        let connection = Arc::new(AtomicU64::new(0));
        let place = Place {
            pool: Arc::clone(&pool),
            route: Arc::clone(&order.route),
            connection: Arc::clone(&connection),
            lane: None,
            is_given_back: false,
        };
        Self {
            place: Some(place),
            pool,
            route: Arc::clone(&order.route),
            watch: Arc::clone(&order.watch),
            timeouts: order.timeouts,
            connection,
            order: Some(order),
        }
    }

    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    /// The watch of the call that caused the dial.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The lane that must not carry the connection, because the caller is inside that lane.
    pub(crate) fn avoid(&self) -> Option<usize> {
        self.order.as_ref().and_then(|order| order.avoid)
    }

    /// The lanes that the connection is to take load from, by being on another one.
    pub(crate) fn elsewhere(&self) -> LaneSet {
        self.order.as_ref().map_or_else(LaneSet::default, |order| order.elsewhere)
    }

    /// Says on which lane it is going to be made.
    pub(crate) fn put_on(&mut self, lane: usize) {
        if let Some(place) = &mut self.place {
            self.pool.lock().put_on_lane(&self.route, lane);
            place.lane = Some(lane);
        }
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Whether anybody waits for a connection to the route.
    pub(crate) fn is_wanted(&self) -> bool {
        self.pool.lock().is_awaited(&self.route)
    }

    /// Takes the place, to be kept beside the socket; there is one to take once.
    pub(crate) fn take_place(&mut self) -> Option<Place> {
        self.place.take()
    }

    /// The dial gave a connection that carries one exchange at a time, and what it does first.
    pub(crate) fn into_http1(
        mut self,
        traffic: &Arc<Traffic>,
        wheel: &Arc<Wheel>,
        life: Weak<Life>,
    ) -> (Member, Jobs, Next) {
        let (mailbox, jobs) = Mailbox::open(wheel, life);
        let (number, next) = match self.order.take() {
            None => (0, Next::Close),
            Some(order) => {
                let mut state = self.pool.lock();
                let (number, next, effects) = state.opened_http1(&order, &mailbox, traffic);
                self.connection.store(number, Ordering::Relaxed);
                drop(state);
                self.pool.carry_out(effects);
                (number, next)
            }
        };
        (self.member(number, mailbox), jobs, next)
    }

    /// The dial gave a connection that many exchanges share.
    pub(crate) fn into_http2(
        mut self,
        streams_max: usize,
        traffic: &Arc<Traffic>,
        wheel: &Arc<Wheel>,
    ) -> (Member, Jobs) {
        let (mailbox, jobs) = Mailbox::open(wheel, Weak::new());
        let number = self.order.take().map_or(0, |order| {
            let shared = Shared::new(mailbox.clone(), streams_max, Arc::clone(traffic));
            let mut state = self.pool.lock();
            let (number, effects) = state.opened_http2(&order, shared);
            self.connection.store(number, Ordering::Relaxed);
            drop(state);
            self.pool.carry_out(effects);
            number
        });
        (self.member(number, mailbox), jobs)
    }

    fn member(&self, number: u64, mailbox: Mailbox) -> Member {
        let (pool, route) = (Arc::clone(&self.pool), Arc::clone(&self.route));
        Member { pool, route, number, mailbox }
    }

    /// The dial failed; the call that caused it learns why, if it still waits.
    pub(crate) fn fail(mut self, error: Error) {
        self.end(error);
    }

    /// As [`fail`](Self::fail), but what comes of that is left to be carried out.
    pub(super) fn fail_before_it_began(mut self, error: Error) -> Effects {
        let Some((bereaved, effects)) = self.leave_books() else { return Effects::new() };
        bereaved.learn(error);
        effects
    }

    fn end(&mut self, error: Error) {
        if let Some((bereaved, effects)) = self.leave_books() {
            self.pool.carry_out(effects);
            bereaved.learn(error);
        }
    }

    /// `None` if it has ended before.
    fn leave_books(&mut self) -> Option<(Bereaved, Effects)> {
        let order = self.order.take()?;
        // Whoever learns of the failure finds the place free.
        let place = match &mut self.place {
            None => PlaceOfDial::WithSocket,
            Some(place) => {
                place.is_given_back = true;
                PlaceOfDial::Free { lane: place.lane }
            }
        };
        Some(self.pool.lock().dial_failed(&order, place))
    }
}

impl Bereaved {
    fn learn(self, error: Error) {
        match self {
            Self::Job(job) => job.refuse(error),
            Self::Warming(warming) => warming.fail(error),
            Self::Nobody => {}
        }
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        self.end(Error::new(ErrorKind::Internal, "the dial ended without a connection"));
    }
}

/// What a connection asks of the pool.
#[derive(Debug)]
pub(crate) struct Member {
    pool: Arc<Pool>,
    route: Route,
    number: u64,
    /// What the pool gets while the connection is idle.
    mailbox: Mailbox,
}

impl Member {
    /// What a connection does that is free; `is_new` if it has not carried an exchange yet.
    pub(crate) fn next_job(&self, since: Moment, is_new: bool) -> Next {
        let idle = Idle { connection: self.number, mailbox: self.mailbox.clone(), since };
        self.pool.next_job(&self.route, idle, is_new)
    }

    /// Ends being idle because the connection ends; false if the pool was quicker, and has sent a
    /// job or the word to close.
    pub(crate) fn leave_idle(&self) -> bool {
        self.pool.lock().remove_idle(&self.route, self.number)
    }

    /// A stream has ended; the next job for the same connection, if somebody waits.
    pub(crate) fn stream_ended(&self, end: StreamEnd) -> Option<Box<Job>> {
        let lane = self.mailbox.wheel().number();
        let (job, effects) = self.pool.lock().stream_ended(&self.route, self.number, lane, end);
        self.pool.carry_out(effects);
        job
    }

    /// The server allows another number of streams from now on, or the connection is trusted again.
    pub(crate) fn streams_changed(&self, streams_max: usize) {
        let effects = self.pool.lock().streams_changed(&self.route, self.number, streams_max);
        self.pool.carry_out(effects);
    }

    /// Whether it would be of use to know how busy the lane of the shared connection is.
    pub(crate) fn may_spread(&self) -> bool {
        self.pool.lock().may_spread(&self.route)
    }

    /// The lane of the shared connection was awake for so many hundredths of the time.
    pub(crate) fn loaded(&self, load: u8) {
        let effects = self.pool.lock().loaded(&self.route, self.number, load);
        self.pool.carry_out(effects);
    }

    /// The shared connection takes no more jobs.
    pub(crate) fn leave_shared(&self) {
        let effects = self.pool.lock().remove_shared(&self.route, self.number);
        self.pool.carry_out(effects);
    }

    /// Takes the shared connection off the books if it has been idle for `limit`.
    pub(crate) fn retire_if_idle(&self, limit: std::time::Duration) -> bool {
        self.pool.lock().retire_idle_shared(&self.route, self.number, limit)
    }
}
