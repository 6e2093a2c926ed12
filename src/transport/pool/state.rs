//! The pool's books: who holds which place, who waits, what to do next.
//!
//! Nothing here waits, locks or does I/O. Each method changes the books and returns what has to
//! be done about it, which `Pool` does after letting go of the lock.

use std::{collections::HashMap, sync::Arc};

use super::{
    route::{Idle, Protocol, RouteState, Shared, Waiter},
    stats::Stats,
};
use crate::{
    limits::Limits,
    moment::Moment,
    origin::Route,
    transport::bridge::{Job, Mailbox},
    watch::Watch,
};

/// What to do with a job.
#[derive(Debug)]
pub(super) enum Placement {
    /// Hand it to this connection, on which nothing was sent since then.
    Run(Mailbox, Box<Job>, Moment),
    /// It waits; do these.
    Queued(Effects),
    /// The pool is closed.
    Refused(Box<Job>),
}

/// What has to be done after the books have changed.
#[derive(Debug)]
pub(super) enum Effect {
    /// Start a dial; its place is taken already.
    Dial(DialOrder),
    /// Tell this connection to close; that frees a place.
    Close(Mailbox),
    /// Hand a job to a shared connection.
    Run(Mailbox, Box<Job>),
}

/// What a connection does that has become free.
#[derive(Debug)]
pub(crate) enum Next {
    Job(Box<Job>),
    Idle,
    /// Somebody needs its place for a new connection.
    Close,
}

pub(super) type Effects = Vec<Effect>;

/// What a dial must know of the job that caused it.
#[derive(Debug)]
pub(super) struct DialOrder {
    pub(super) route: Route,
    pub(super) ticket: u64,
    pub(super) watch: Arc<Watch>,
    pub(super) timeouts: crate::limits::Timeouts,
    /// The lane that must not carry the connection.
    pub(super) avoid: Option<usize>,
}

#[derive(Debug)]
pub(super) struct State {
    routes: HashMap<Route, RouteState>,
    limits: Limits,
    /// Whether a secure route may turn out to speak HTTP/2, so that it is worth waiting to learn.
    learns: bool,
    places: usize,
    /// Idle connections told to close that still hold their places.
    closing: usize,
    closed: bool,
    next_ticket: u64,
    next_connection: u64,
    opened: u64,
    calls: u64,
}

impl State {
    pub(super) fn new(limits: Limits, learns: bool) -> Self {
        Self {
            routes: HashMap::new(),
            limits,
            learns,
            places: 0,
            closing: 0,
            closed: false,
            next_ticket: 0,
            next_connection: 0,
            opened: 0,
            calls: 0,
        }
    }

    /// Finds a connection for a job, or puts it into its route's queue.
    pub(super) fn place(&mut self, job: Box<Job>, ticket: u64) -> Placement {
        if self.closed {
            return Placement::Refused(job);
        }
        let route = Arc::clone(&job.order.route);
        let state = self.routes.entry(Arc::clone(&route)).or_default();
        if !job.order.fresh
            && let Some(idle) = state.take_idle(&job.order)
        {
            return Placement::Run(idle.mailbox, job, idle.since);
        }
        if let Some(shared) = state.free_stream(job.order.avoid) {
            return Placement::Run(shared, job, Moment::NEVER);
        }
        state.waiters.push_back(Waiter { ticket, job, dialing: false });
        let mut effects = Vec::new();
        self.dial_for(&route, &mut effects);
        Placement::Queued(effects)
    }

    /// Numbers a job; called once for each exchange that is asked for.
    pub(super) fn next_ticket(&mut self, attempt: u32) -> u64 {
        self.next_ticket += 1;
        self.calls += u64::from(attempt == 1);
        self.next_ticket
    }

    /// Takes a job out of the queue whose caller has gone.
    pub(super) fn abandon(&mut self, route: &Route, ticket: u64) -> Option<Box<Job>> {
        let waiters = &mut self.routes.get_mut(route)?.waiters;
        let at = waiters.iter().position(|waiter| waiter.ticket == ticket)?;
        waiters.remove(at).map(|waiter| waiter.job)
    }

    /// Whether anybody waits for a connection to a route.
    pub(super) fn is_awaited(&self, route: &Route) -> bool {
        self.routes.get(route).is_some_and(|state| !state.waiters.is_empty())
    }

    /// The next job of an HTTP/1 connection that is free; without one it becomes idle.
    pub(super) fn next_job(&mut self, route: &Route, idle: Idle, is_new: bool) -> (Next, Effects) {
        let state = self.routes.entry(Arc::clone(route)).or_default();
        let mut effects = Vec::new();
        let places_max = state.places_max(&self.limits);
        let lane = idle.mailbox.wheel().number();
        let job = if is_new {
            state.next_waiter(lane)
        } else if state.places >= places_max && state.first_needs_a_new_connection() {
            return (Next::Close, effects);
        } else {
            state.next_waiter_for_a_used_connection(lane)
        };
        match job {
            Some(job) => (Next::Job(job), effects),
            None if self.closed => (Next::Close, effects),
            None => {
                state.idle.push(idle);
                self.dial_if_full(&mut effects);
                (Next::Idle, effects)
            }
        }
    }

    /// Takes an idle connection off the books; false if it has been given a job meanwhile.
    pub(super) fn remove_idle(&mut self, route: &Route, connection: u64) -> bool {
        let Some(state) = self.routes.get_mut(route) else { return false };
        let at = state.idle.iter().position(|idle| idle.connection == connection);
        at.map(|at| state.idle.remove(at)).is_some()
    }

    /// A dial has given an HTTP/1 connection: its number, and what it does first.
    ///
    /// One step, so that a dial which ends at the same time on another lane sees who is served.
    pub(super) fn opened_http1(
        &mut self,
        dial: &DialOrder,
        mailbox: &Mailbox,
    ) -> (u64, Next, Effects) {
        self.dial_ended(dial).protocol = Protocol::Http1;
        self.opened += 1;
        self.next_connection += 1;
        let connection = self.next_connection;
        let idle = Idle { connection, mailbox: mailbox.clone(), since: Moment::now() };
        let (next, mut effects) = self.next_job(&dial.route, idle, true);
        self.dial_for(&dial.route, &mut effects);
        (connection, next, effects)
    }

    /// A dial has given an HTTP/2 connection; its number.
    pub(super) fn opened_http2(&mut self, dial: &DialOrder, mut shared: Shared) -> (u64, Effects) {
        self.opened += 1;
        self.next_connection += 1;
        let connection = self.next_connection;
        let state = self.dial_ended(dial);
        state.protocol = Protocol::Http2;
        shared.connection = connection;
        state.shared.push(shared);
        let mut effects = Vec::new();
        while let Some(mailbox) = state.stream_for_waiter() {
            let number = mailbox.wheel().number();
            match state.next_waiter(number) {
                Some(job) => effects.push(Effect::Run(mailbox, job)),
                None => {
                    state.stream_ended(connection, None);
                    break;
                }
            }
        }
        self.dial_for(&dial.route, &mut effects);
        (connection, effects)
    }

    /// A dial has failed; the job that caused it, if it still waits.
    pub(super) fn dial_failed(&mut self, dial: &DialOrder) -> (Option<Box<Job>>, Effects) {
        let state = self.dial_ended(dial);
        if state.protocol == Protocol::Unknown {
            // Nothing was learnt; whoever waits now tries on its own.
            state.protocol = Protocol::Unlearnable;
        }
        let job = self.abandon(&dial.route, dial.ticket);
        let mut effects = Vec::new();
        self.dial_for(&dial.route, &mut effects);
        (job, effects)
    }

    fn dial_ended(&mut self, dial: &DialOrder) -> &mut RouteState {
        let state = self.routes.entry(Arc::clone(&dial.route)).or_default();
        state.dials -= 1;
        if let Some(waiter) = state.waiters.iter_mut().find(|w| w.ticket == dial.ticket) {
            waiter.dialing = false;
            waiter.job.order.watch.enter(crate::phase::Phase::Queue);
        }
        state
    }

    /// An HTTP/2 exchange has ended; the next one for the same connection, if somebody waits.
    pub(super) fn stream_ended(
        &mut self,
        route: &Route,
        connection: u64,
        lane: usize,
        streams_max: usize,
    ) -> (Option<Box<Job>>, Effects) {
        let mut effects = Vec::new();
        let Some(state) = self.routes.get_mut(route) else { return (None, effects) };
        state.stream_ended(connection, Some(streams_max));
        let job = if state.has_stream(connection) { state.next_waiter(lane) } else { None };
        if job.is_some() {
            state.stream_started(connection);
        } else {
            self.dial_if_full(&mut effects);
        }
        (job, effects)
    }

    /// An HTTP/2 connection takes no more calls.
    pub(super) fn remove_shared(&mut self, route: &Route, connection: u64) -> Effects {
        let mut effects = Vec::new();
        if let Some(state) = self.routes.get_mut(route) {
            state.shared.retain(|shared| shared.connection != connection);
            self.dial_for(route, &mut effects);
        }
        effects
    }

    /// Takes an HTTP/2 connection off the books if it has been idle for `limit`.
    pub(super) fn retire_idle_shared(
        &mut self,
        route: &Route,
        connection: u64,
        limit: std::time::Duration,
    ) -> bool {
        let Some(state) = self.routes.get_mut(route) else { return false };
        let is_due = |since: Moment| since.plus(limit) <= Moment::now();
        let at = state
            .shared
            .iter()
            .position(|shared| shared.connection == connection && shared.since.is_some_and(is_due));
        at.map(|at| state.shared.remove(at)).is_some()
    }

    /// A place is free: its socket is closed, or its dial has ended without one.
    pub(super) fn place_freed(&mut self, route: &Route, was_told: bool) -> Effects {
        let mut effects = Vec::new();
        let was_full = self.places >= self.limits.places_total;
        self.places -= 1;
        self.closing = self.closing.saturating_sub(usize::from(was_told));
        if let Some(state) = self.routes.get_mut(route) {
            state.place_freed();
        }
        if was_full {
            self.dial_for_any(&mut effects);
        } else {
            self.dial_for(route, &mut effects);
        }
        self.forget_empty(route);
        effects
    }

    /// Closes all idle connections.
    pub(super) fn drain_idle(&mut self) -> Vec<Mailbox> {
        let idle = self.routes.values_mut().flat_map(RouteState::drain_idle).collect::<Vec<_>>();
        self.closing += idle.len();
        idle
    }

    /// Refuses jobs from now on; those who wait get nothing.
    pub(super) fn close(&mut self) -> Vec<Waiter> {
        self.closed = true;
        self.routes.values_mut().flat_map(|state| state.waiters.drain(..)).collect()
    }

    pub(super) fn stats(&self) -> Stats {
        let routes = self.routes.values();
        let sum = |count: fn(&RouteState) -> usize| routes.clone().map(count).sum::<usize>();
        let dialing = sum(|state| state.dials);
        let open = self.places - dialing;
        let idle = sum(RouteState::idle_connections);
        Stats {
            connections_opened: self.opened,
            calls: self.calls,
            open,
            idle,
            active: open.saturating_sub(idle),
            queued: sum(|state| state.waiters.len()),
            dialing,
        }
    }

    /// A connection has become idle: while all places are taken, another route may want its place.
    fn dial_if_full(&mut self, effects: &mut Effects) {
        if self.places >= self.limits.places_total {
            self.dial_for_any(effects);
        }
    }

    /// Starts the dials that the waiters of any route want, the longest waiting first.
    fn dial_for_any(&mut self, effects: &mut Effects) {
        let mut waiting = self
            .routes
            .iter()
            .filter_map(|(route, state)| Some((state.waiters.front()?.ticket, Arc::clone(route))))
            .collect::<Vec<_>>();
        waiting.sort_unstable_by_key(|(ticket, _)| *ticket);
        for (_, route) in waiting {
            self.dial_for(&route, effects);
        }
    }

    /// Starts the dials that the waiters of a route want.
    fn dial_for(&mut self, route: &Route, effects: &mut Effects) {
        while !self.closed {
            let Some(state) = self.routes.get_mut(route) else { return };
            if state.dials >= state.dials_wanted(self.learns) {
                return;
            }
            if state.places >= state.places_max(&self.limits) {
                // Only a job that wants a fresh connection waits beside idle ones.
                self.closing += state.evict_oldest(effects);
                return;
            }
            if self.places >= self.limits.places_total {
                self.evict_anywhere(effects);
                return;
            }
            let Some(waiter) = state.waiters.iter_mut().find(|waiter| !waiter.dialing) else {
                return;
            };
            waiter.dialing = true;
            effects.push(Effect::Dial(DialOrder {
                route: Arc::clone(route),
                ticket: waiter.ticket,
                watch: Arc::clone(&waiter.job.order.watch),
                timeouts: waiter.job.order.timeouts,
                avoid: waiter.job.order.avoid,
            }));
            state.dials += 1;
            state.places += 1;
            self.places += 1;
        }
    }

    /// Has the connection closed that is idle for the longest time, unless enough are closing.
    fn evict_anywhere(&mut self, effects: &mut Effects) {
        let waiting = self.routes.values().map(RouteState::undialed).sum::<usize>();
        if self.closing >= waiting {
            return;
        }
        let oldest = self
            .routes
            .values_mut()
            .filter(|state| state.oldest_idle().is_some())
            .min_by_key(|state| state.oldest_idle());
        if let Some(state) = oldest {
            self.closing += state.evict_oldest(effects);
        }
    }

    /// Keeps what is known of a route, but not of endlessly many.
    fn forget_empty(&mut self, route: &Route) {
        if self.routes.len() > ROUTES_KEPT
            && self.routes.get(route).is_some_and(RouteState::is_empty)
        {
            self.routes.remove(route);
        }
    }
}

const ROUTES_KEPT: usize = 1024;
