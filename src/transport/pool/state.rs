//! The pool's books: who holds which place, who waits, what to do next.
//!
//! Nothing here waits, locks or does I/O. Each method changes the books and returns what has to
//! be done about it, which `Pool` does after letting go of the lock.
//!
//! Invariant: outside of these methods no job waits that a free connection could carry, but for
//! those of the background that leave it to others (`priority.rs`). So whoever comes may take what
//! is free without overtaking anybody. What restores it is `settle.rs`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    queue::Waiter,
    route::{Idle, Protocol, RouteState, Shared},
    spread::LaneSet,
    warm::{WarmAnswer, Warmed},
};
use crate::{
    doorstep::Doorstep,
    error::Error,
    host_options::ConnectionOptions,
    limits::Limits,
    moment::Moment,
    origin::{ByRoute, Route},
    priority::Priority,
    stats::{Carried, Connections, Stats},
    traffic::Traffic,
    transport::{bridge::Job, mailbox::Mailbox},
    watch::Watch,
};

/// What to do with a job.
#[derive(Debug)]
pub(super) enum Placement {
    /// Hand it to this connection, on which nothing was sent since then.
    Run(Mailbox, Box<Job>, Moment),
    /// It waits, or one of these is about it; where its caller waits, if it may be invited.
    Queued(Effects, Option<Arc<Doorstep>>),
    /// The pool is closed.
    Refused(Box<Job>),
    /// Nothing could ever let it begin, because its caller waits.
    InVain(Box<Job>),
}

/// What has to be done after the books have changed.
#[derive(Debug)]
pub(super) enum Effect {
    /// Start a dial; its place is taken already.
    Dial(DialOrder),
    /// Tell this connection to close; that frees a place.
    Close(Mailbox),
    /// Hand a job that waited to a connection; its ticket is for the case that it has ended.
    Run(Mailbox, Box<Job>, u64),
    /// Answer a warm-up.
    Warmed(WarmAnswer, Result<Warmed, Error>),
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

/// What a dial must know of what caused it.
#[derive(Debug)]
pub(super) struct DialOrder {
    pub(super) route: Route,
    /// Of a job or of a warm-up.
    pub(super) ticket: u64,
    pub(super) watch: Arc<Watch>,
    pub(super) timeouts: crate::limits::Timeouts,
    /// The lane that must not carry the connection.
    pub(super) avoid: Option<usize>,
    /// The lanes that are used up, if the connection is to take load from them.
    pub(super) elsewhere: LaneSet,
}

/// What a dial leaves behind that has failed.
#[derive(Debug)]
pub(super) enum Bereaved {
    Job(Box<Job>),
    Warming(super::warm::Warming),
    Nobody,
}

/// Where the place of a dial is that has failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum PlaceOfDial {
    /// It goes, or has gone, with the socket.
    WithSocket,
    /// No socket has it; the lane is known once the dial was given to one.
    Free { lane: Option<usize> },
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) routes: ByRoute<RouteState>,
    pub(super) limits: Limits,
    options: ConnectionOptions,
    /// Whether a secure route may turn out to speak HTTP/2, so that it is worth waiting to learn.
    pub(super) learns: bool,
    pub(super) places: usize,
    pub(super) dials: usize,
    /// Connections told to close that still hold their places.
    pub(super) closing: usize,
    /// Whether a route wants what the bounds of the client do not give it at present.
    pub(super) is_short: bool,
    /// How many jobs of the background wait.
    pub(super) background: usize,
    /// Interactive jobs that have begun since one of the background was last treated like them.
    pub(super) passed_over: u32,
    pub(super) closed: bool,
    next_ticket: u64,
    next_connection: u64,
    opened: u64,
    retries: u64,
    /// What each open connection carries, by its number.
    carriers: HashMap<u64, Arc<Traffic>>,
    /// What those have carried that are closed.
    carried: Carried,
}

impl State {
    pub(super) fn new(limits: Limits, options: ConnectionOptions, learns: bool) -> Self {
        Self {
            routes: ByRoute::default(),
            limits,
            options,
            learns,
            places: 0,
            dials: 0,
            closing: 0,
            is_short: false,
            background: 0,
            passed_over: 0,
            closed: false,
            next_ticket: 0,
            next_connection: 0,
            opened: 0,
            retries: 0,
            carriers: HashMap::new(),
            carried: Carried::default(),
        }
    }

    /// Finds a connection for a job, or puts it into its route's queue.
    pub(super) fn place(&mut self, mut job: Box<Job>, ticket: u64) -> Placement {
        if self.closed {
            return Placement::Refused(job);
        }
        let priority = job.order.priority;
        let may_begin = match priority {
            Priority::Interactive => !self.is_backgrounds_turn(),
            Priority::Background => self.may_begin_background(&job.order.route, 0),
        };
        let state = self.route_mut(&job.order.route);
        if may_begin
            && !state.queue.is_before(priority)
            && let Some((mailbox, idle_since)) = state.lease(&job.order)
        {
            self.has_begun(priority);
            return Placement::Run(mailbox, job, idle_since);
        }
        if self.would_wait_for_itself(&job.order) {
            return Placement::InVain(job);
        }
        let mut effects = Vec::new();
        let route = Arc::clone(&job.order.route);
        let doorstep = job.await_invitation();
        self.enter_queue(&route, Waiter::new(ticket, job));
        self.let_background_before(&mut effects);
        self.settle(&route, &mut effects);
        Placement::Queued(effects, doorstep)
    }

    /// Numbers a job; called once for each exchange that is asked for, with the number of the one
    /// before it in the same call, or 0.
    ///
    /// A call that is tried again goes on from where it stood in the row. At its end it would be
    /// behind those that were served meanwhile and have come again, time after time: a server that
    /// takes few requests of each connection would always refuse the same ones.
    pub(super) const fn next_ticket(&mut self, attempt: u32, before: u64) -> u64 {
        if attempt == 1 {
            return self.new_ticket();
        }
        self.retries += 1;
        let next = before + 1;
        if next.is_multiple_of(TICKETS_OF_CALL) { self.new_ticket() } else { next }
    }

    /// The first of the tickets of a call, which are enough for its attempts.
    pub(super) const fn new_ticket(&mut self) -> u64 {
        self.next_ticket += TICKETS_OF_CALL;
        self.next_ticket
    }

    /// The books of a route, opened if there are none.
    pub(super) fn route_mut(&mut self, route: &Route) -> &mut RouteState {
        let Self { routes, options, limits, .. } = self;
        routes.entry(Arc::clone(route)).or_insert_with(|| {
            let protocol = match options.knows_http2(route) {
                true => Protocol::Http2,
                false if route.negotiates() => Protocol::Unknown,
                false => Protocol::Http1,
            };
            RouteState::new(options.bounds(&route.origin, limits), protocol)
        })
    }

    /// Takes a job out of the queue whose caller has gone.
    pub(super) fn abandon(&mut self, route: &Route, ticket: u64) -> Option<Box<Job>> {
        let waiter = self.routes.get_mut(route)?.queue.leave(ticket)?;
        self.background -= usize::from(waiter.is_background);
        Some(waiter.job)
    }

    /// Whether anybody waits for a connection to a route.
    pub(super) fn is_awaited(&self, route: &Route) -> bool {
        let waits = |state: &RouteState| !state.queue.is_empty() || !state.warming.is_empty();
        self.routes.get(route).is_some_and(waits)
    }

    /// The next job of an HTTP/1 connection that is free; without one it becomes idle.
    pub(super) fn next_job(&mut self, route: &Route, idle: Idle, is_new: bool) -> (Next, Effects) {
        let mut effects = Vec::new();
        if self.closed {
            return (Next::Close, effects);
        }
        self.let_background_before(&mut effects);
        let gives_way = !is_new && self.gives_way(route);
        let lane = idle.mailbox.wheel().number();
        let may_begin_background = self.background > 0 && self.may_begin_background(route, 1);
        let state = self.route_mut(route);
        if gives_way || (!is_new && !state.has_room() && state.first_needs_a_new_connection()) {
            state.closing.push(idle.connection);
            self.closing += 1;
            return (Next::Close, effects);
        }
        let waiter = state.queue.take(may_begin_background, |order| {
            (is_new || !order.fresh) && order.avoid != Some(lane)
        });
        if let Some(waiter) = waiter {
            self.left_queue(&waiter);
            return (Next::Job(waiter.job), effects);
        }
        state.idle.push(idle);
        self.settle_if_short(&mut effects);
        (Next::Idle, effects)
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
        traffic: &Arc<Traffic>,
    ) -> (u64, Next, Effects) {
        let connection = self.has_opened(traffic);
        let state = self.dial_ended(dial);
        state.protocol = Protocol::Http1;
        Self::warm_dial_ended(state, dial.ticket);
        let idle = Idle { connection, mailbox: mailbox.clone(), since: Moment::now() };
        let (next, mut effects) = self.next_job(&dial.route, idle, true);
        self.settle(&dial.route, &mut effects);
        self.settle_if_short(&mut effects);
        (connection, next, effects)
    }

    /// A dial has given an HTTP/2 connection; its number.
    pub(super) fn opened_http2(&mut self, dial: &DialOrder, mut shared: Shared) -> (u64, Effects) {
        let (connection, is_closed) = (self.has_opened(&shared.traffic), self.closed);
        let state = self.dial_ended(dial);
        state.protocol = Protocol::Http2;
        Self::warm_dial_ended(state, dial.ticket);
        shared.connection = connection;
        // Until the server says it for this connection too.
        shared.streams_max = shared.streams_max.min(state.streams_allowed);
        // Idle unless somebody waits.
        shared.since = Some(Moment::now());
        shared.timeouts = dial.timeouts;
        state.shared.push(shared);
        state.look_anew();
        let mut effects = Vec::new();
        if is_closed {
            self.closing += state.evict_oldest(&mut effects);
        }
        self.settle(&dial.route, &mut effects);
        self.settle_if_short(&mut effects);
        (connection, effects)
    }

    fn has_opened(&mut self, traffic: &Arc<Traffic>) -> u64 {
        self.opened += 1;
        self.next_connection += 1;
        self.carriers.insert(self.next_connection, Arc::clone(traffic));
        self.next_connection
    }

    /// A dial has failed, and gives its place back if no socket has it; who waited for it, if anybody
    /// still does.
    ///
    /// One step, so that nobody's connection is closed for the sake of a place that is free.
    pub(super) fn dial_failed(
        &mut self,
        dial: &DialOrder,
        place: PlaceOfDial,
    ) -> (Bereaved, Effects) {
        let state = self.dial_ended(dial);
        if !dial.elsewhere.is_empty() {
            state.spread_not_before = Moment::now().plus(SPREAD_PAUSE);
        }
        if state.protocol == Protocol::Unknown {
            // Nothing was learnt; whoever waits now tries on its own.
            state.protocol = Protocol::Unlearnable;
        }
        let bereaved = match self.abandon(&dial.route, dial.ticket) {
            Some(job) => Bereaved::Job(job),
            None => {
                let warming = self.stop_warming(&dial.route, dial.ticket);
                warming.map_or(Bereaved::Nobody, Bereaved::Warming)
            }
        };
        if let PlaceOfDial::Free { lane } = place {
            return (bereaved, self.place_freed(&dial.route, 0, lane));
        }
        let mut effects = Vec::new();
        self.settle(&dial.route, &mut effects);
        self.settle_if_short(&mut effects);
        self.forget_empty(&dial.route);
        (bereaved, effects)
    }

    fn dial_ended(&mut self, dial: &DialOrder) -> &mut RouteState {
        self.dials -= 1;
        let state = self.route_mut(&dial.route);
        state.dials -= 1;
        if let Some(waiter) = state.queue.get_mut(dial.ticket) {
            waiter.dialing = false;
            waiter.job.order.watch.wait_on();
        }
        state
    }

    /// A place is free: its socket is closed, or its dial has ended without one.
    pub(super) fn place_freed(
        &mut self,
        route: &Route,
        connection: u64,
        lane: Option<usize>,
    ) -> Effects {
        let mut effects = Vec::new();
        self.places -= 1;
        if let Some(traffic) = self.carriers.remove(&connection) {
            add(&mut self.carried, &traffic);
        }
        if let Some(state) = self.routes.get_mut(route) {
            self.closing -= usize::from(state.place_freed(connection));
            lane.into_iter().for_each(|lane| state.berths.remove(lane));
        }
        // Those who wait for longer first, if the bounds of the client were in their way.
        self.settle_if_short(&mut effects);
        self.settle(route, &mut effects);
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
    pub(super) fn close(&mut self) -> (Vec<Waiter>, Vec<super::warm::Warming>) {
        self.closed = true;
        self.background = 0;
        let (mut waiters, mut warming) = (Vec::new(), Vec::new());
        for state in self.routes.values_mut() {
            waiters.extend(state.queue.drain());
            warming.append(&mut state.warming);
        }
        (waiters, warming)
    }

    /// The routes come in any order.
    pub(super) fn stats(&self) -> Stats {
        let busy = self.routes.iter().filter(|(_, state)| !state.is_empty());
        let routes: Vec<_> = busy.map(|(route, state)| state.stats(route)).collect();
        let (mut connections, mut carried) = (Connections::default(), self.carried);
        routes.iter().for_each(|route| connections.add(&route.connections));
        self.carriers.values().for_each(|traffic| add(&mut carried, traffic));
        Stats {
            connections,
            routes,
            connections_opened: self.opened,
            retries: self.retries,
            carried,
            ..Stats::default()
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

fn add(carried: &mut Carried, traffic: &Traffic) {
    carried.add_connection(traffic.exchanges(), traffic.sent(), traffic.received());
}

/// How long a server that did not take another connection is left in peace.
const SPREAD_PAUSE: Duration = Duration::from_secs(10);
const ROUTES_KEPT: usize = 1024;
const TICKETS_OF_CALL: u64 = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_tried_again_keeps_its_place() {
        let mut state = State::new(Limits::default(), ConnectionOptions::default(), true);
        let first = state.next_ticket(1, 0);
        let second = state.next_ticket(1, 0);
        let mut again = first;
        for attempt in 2..=10 {
            let next = state.next_ticket(attempt, again);
            assert!(again < next && next < second, "attempt {attempt}");
            again = next;
        }
        let third = state.next_ticket(1, 0);
        assert!(second < third);
        // With more attempts than anybody makes it begins anew, so that no number comes twice.
        let mut numbers = std::collections::HashSet::from([first, second, third]);
        assert!(
            (2..=3000)
                .scan(first, |before, attempt| {
                    *before = state.next_ticket(attempt, *before);
                    Some(*before)
                })
                .all(|number| numbers.insert(number))
        );
        assert_eq!(state.retries, 9 + 2999);
    }
}
