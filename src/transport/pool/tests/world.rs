//! A world of toys: connections that are numbers, dials that end when the test says so.
//!
//! After each step the books must balance, and nobody may wait whom something free could serve.

use std::collections::HashMap;

use http::{
    HeaderMap, Method,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::super::{
    route::{Idle, Protocol, RouteState, Shared, StreamEnd},
    state::{Bereaved, DialOrder, Effect, Effects, Next, PlaceOfDial, Placement, State},
};
use crate::{
    host_options::ConnectionOptions,
    limits::{Limits, Timeouts},
    moment::Moment,
    origin::{Origin, Route, Way},
    post::Post,
    priority::Priority,
    stats::{Connections, Stats},
    sync::{Arc, Weak},
    traffic::Traffic,
    transport::{
        bridge::{self, Head, Job, Order, Pending, Target, Unwanted, Upload, Want},
        mailbox::{Jobs, Mailbox},
    },
    watch::Watch,
    wheel::Wheel,
};

/// What a route of the world speaks; by the last letter of its host.
fn speaks_http2(route: &Route) -> bool {
    route.origin.host.ends_with('2')
}

pub(super) fn route(url: &str) -> Route {
    Arc::new(Way::to(Origin::of(&url.parse().expect("a URL")).expect("an origin"), None))
}

/// A job as simple as possible, and where it is answered.
pub(super) fn job(route: &Route, watch: &Arc<Watch>) -> (Box<Job>, Pending) {
    let target = Target {
        scheme: Scheme::HTTP,
        authority: Authority::from_static("a.example"),
        path_and_query: PathAndQuery::from_static("/"),
    };
    let (answer, pending) = bridge::answer();
    let order = Order {
        route: Arc::clone(route),
        head: Head { method: Method::GET, target, headers: HeaderMap::new() },
        upload: Upload::Empty,
        want: Want::Stream { unwanted: Unwanted::default() },
        watch: Arc::clone(watch),
        timeouts: Timeouts::none(),
        priority: Priority::default(),
        attempt: 1,
        fresh: false,
        avoid: None,
        lane_watches: false,
        lane_patience: None,
        may_be_invited: false,
    };
    (Box::new(Job { order, answer }), pending)
}

pub(super) struct World {
    pub(super) state: State,
    /// Of two lanes.
    wheels: [Arc<Wheel>; 2],
    pub(super) dials: Vec<DialOrder>,
    /// By number.
    pub(super) connections: HashMap<u64, Connection>,
    /// The callers' ends of the jobs that wait, by ticket.
    pub(super) waiting: HashMap<u64, Waiting>,
    /// Who has begun, in that order.
    pub(super) begun: Vec<u64>,
    opened: u64,
    pub(super) warmed: Vec<(usize, usize)>,
}

pub(super) struct Waiting {
    route: Route,
    pending: Pending,
    watch: Arc<Watch>,
}

pub(super) struct Connection {
    pub(super) route: Route,
    pub(super) lane: usize,
    mailbox: Mailbox,
    traffic: Arc<Traffic>,
    _jobs: Jobs,
    is_http2: bool,
    pub(super) exchanges: usize,
    pub(super) is_told_to_close: bool,
}

impl World {
    pub(super) fn new(limits: Limits) -> Self {
        Self::with(limits, ConnectionOptions::default())
    }

    pub(super) fn with(limits: Limits, options: ConnectionOptions) -> Self {
        Self {
            state: State::new(limits, options, true),
            wheels: [0, 1].map(|lane| Wheel::new(lane, false, nobody(), Arc::new(nobody()))),
            dials: Vec::new(),
            connections: HashMap::new(),
            waiting: HashMap::new(),
            begun: Vec::new(),
            opened: 0,
            warmed: Vec::new(),
        }
    }

    /// A call comes; its ticket.
    pub(super) fn call(&mut self, route: &Route, priority: Priority, fresh: bool) -> u64 {
        self.place(route, priority, fresh, None).expect("it may wait")
    }

    /// A call comes from inside of a lane; its ticket, or nothing if it would wait for itself.
    pub(super) fn insider(&mut self, route: &Route, lane: usize) -> Option<u64> {
        self.place(route, Priority::Interactive, false, Some(lane))
    }

    fn place(
        &mut self,
        route: &Route,
        priority: Priority,
        fresh: bool,
        avoid: Option<usize>,
    ) -> Option<u64> {
        let watch = Arc::new(Watch::new(None, Moment::now()));
        let (mut job, pending) = job(route, &watch);
        job.order.priority = priority;
        job.order.fresh = fresh;
        job.order.avoid = avoid;
        let ticket = self.state.next_ticket(1, 0);
        self.waiting.insert(ticket, Waiting { route: Arc::clone(route), pending, watch });
        match self.state.place(job, ticket) {
            Placement::Run(mailbox, job, _) => self.begin(&mailbox, job, ticket),
            Placement::Queued(effects, _) => self.carry_out(effects),
            Placement::Refused(_) => panic!("the books are open"),
            Placement::InVain(_) => {
                self.waiting.remove(&ticket);
                self.check();
                return None;
            }
        }
        self.check();
        Some(ticket)
    }

    pub(super) fn interactive(&mut self, route: &Route) -> u64 {
        self.call(route, Priority::Interactive, false)
    }

    pub(super) fn background(&mut self, route: &Route) -> u64 {
        self.call(route, Priority::Background, false)
    }

    pub(super) fn begin(&mut self, mailbox: &Mailbox, job: Box<Job>, ticket: u64) {
        let connection = self.connections.values_mut().find(|c| c.mailbox.is_same(mailbox));
        let connection = connection.expect("a connection that is there");
        assert!(!connection.is_told_to_close, "a job for a connection that ends");
        assert!(connection.is_http2 || connection.exchanges == 0, "two exchanges at once");
        connection.exchanges += 1;
        connection.traffic.begin_exchange();
        connection.traffic.add_sent(REQUEST_BYTES);
        assert!(self.waiting.remove(&ticket).is_some(), "{ticket} begins twice");
        self.begun.push(ticket);
        drop(job);
    }

    pub(super) fn carry_out(&mut self, effects: Effects) {
        for effect in effects {
            match effect {
                Effect::Dial(order) => {
                    self.state.put_on_lane(&order.route, lane_of(&order));
                    self.dials.push(order);
                }
                Effect::Run(mailbox, job, ticket) => self.begin(&mailbox, job, ticket),
                Effect::Close(mailbox) => {
                    let told = self.connections.values_mut().find(|c| c.mailbox.is_same(&mailbox));
                    told.expect("a connection that is there").is_told_to_close = true;
                }
                Effect::Warmed(_, warmed) => {
                    let warmed = warmed.expect("no error of a dial");
                    self.warmed.push((warmed.opened, warmed.open));
                }
            }
        }
    }

    /// The ticket of a job that the books handed over directly.
    pub(super) fn ticket_of(&self, job: &Job) -> u64 {
        let is_it = |waiting: &Waiting| Arc::ptr_eq(&waiting.watch, &job.order.watch);
        let found = self.waiting.iter().find(|(_, waiting)| is_it(waiting));
        *found.expect("somebody waits for it").0
    }

    /// A dial succeeds; the connection's number.
    pub(super) fn connect(&mut self, at: usize) -> u64 {
        let dial = self.dials.remove(at);
        let lane = lane_of(&dial);
        let (mailbox, jobs) = Mailbox::open(&self.wheels[lane], Weak::new());
        let is_http2 = speaks_http2(&dial.route);
        let traffic = Arc::new(Traffic::default());
        self.opened += 1;
        let connection = |mailbox| Connection {
            route: Arc::clone(&dial.route),
            lane,
            mailbox,
            traffic: Arc::clone(&traffic),
            _jobs: jobs,
            is_http2,
            exchanges: 0,
            is_told_to_close: false,
        };
        if is_http2 {
            // Its number is known before its effects are carried out.
            let shared = Shared::new(mailbox.clone(), STREAMS, Arc::clone(&traffic));
            let (number, effects) = self.state.opened_http2(&dial, shared);
            self.connections.insert(number, connection(mailbox));
            self.carry_out(effects);
            self.check();
            return number;
        }
        let (number, next, effects) = self.state.opened_http1(&dial, &mailbox, &traffic);
        self.connections.insert(number, connection(mailbox));
        self.follow(number, next, effects);
        number
    }

    pub(super) fn follow(&mut self, number: u64, next: Next, effects: Effects) {
        self.carry_out(effects);
        match next {
            Next::Job(job) => {
                let ticket = self.ticket_of(&job);
                let mailbox = self.connections[&number].mailbox.clone();
                self.begin(&mailbox, job, ticket);
            }
            Next::Idle => {}
            Next::Close => self.close(number),
        }
        self.check();
    }

    pub(super) fn fail_dial(&mut self, at: usize) {
        let dial = self.dials.remove(at);
        self.dial_failed(&dial, PlaceOfDial::Free { lane: Some(lane_of(&dial)) });
    }

    /// A dial fails after it had opened a socket, which is closed first.
    pub(super) fn fail_handshake(&mut self, at: usize) {
        let dial = self.dials.remove(at);
        let effects = self.state.place_freed(&dial.route, 0, Some(lane_of(&dial)));
        self.carry_out(effects);
        self.dial_failed(&dial, PlaceOfDial::WithSocket);
    }

    fn dial_failed(&mut self, dial: &DialOrder, place: PlaceOfDial) {
        let (bereaved, effects) = self.state.dial_failed(dial, place);
        self.carry_out(effects);
        match bereaved {
            Bereaved::Job(_) => drop(self.waiting.remove(&dial.ticket)),
            Bereaved::Warming(_) => self.warmed.push((0, 0)),
            Bereaved::Nobody => {}
        }
        self.check();
    }

    /// An exchange ends well.
    pub(super) fn finish(&mut self, number: u64) {
        let connection = self.connections.get_mut(&number).expect("a connection that is there");
        connection.exchanges -= 1;
        let (route, mailbox) = (Arc::clone(&connection.route), connection.mailbox.clone());
        let lane = connection.lane;
        if connection.is_http2 {
            let (job, effects) = self.state.stream_ended(&route, number, lane, StreamEnd::Fine);
            // It goes on at once, whatever it is told afterwards.
            if let Some(job) = job {
                let ticket = self.ticket_of(&job);
                self.begin(&mailbox, job, ticket);
            }
            self.carry_out(effects);
            self.end_if_told(number);
            return self.check();
        }
        let idle = Idle { connection: number, mailbox, since: Moment::now() };
        let (next, effects) = self.state.next_job(&route, idle, false);
        self.follow(number, next, effects);
    }

    /// The lane of a connection is found to be as busy as this.
    pub(super) fn look_at_load(&mut self, number: u64, load: u8) {
        let route = Arc::clone(&self.connections[&number].route);
        let effects = self.state.loaded(&route, number, load);
        self.carry_out(effects);
        self.check();
    }

    /// What a connection does that was told to close and has nothing more to do.
    pub(super) fn end_if_told(&mut self, number: u64) {
        let connection = &self.connections[&number];
        if connection.is_told_to_close && connection.exchanges == 0 {
            self.close(number);
        }
    }

    /// A connection's socket is closed.
    pub(super) fn close(&mut self, number: u64) {
        let connection = self.connections.remove(&number).expect("a connection that is there");
        let effects = match connection.is_http2 {
            true => self.state.remove_shared(&connection.route, number),
            false => {
                self.state.remove_idle(&connection.route, number);
                Vec::new()
            }
        };
        self.carry_out(effects);
        let effects = self.state.place_freed(&connection.route, number, Some(connection.lane));
        self.carry_out(effects);
    }

    /// A socket is closed behind the back of its connection: its place is free before the books hear
    /// of the connection's end.
    pub(super) fn cut(&mut self, number: u64) {
        let connection = self.connections.remove(&number).expect("a connection that is there");
        let Connection { route, lane, is_http2, exchanges, .. } = connection;
        let effects = self.state.place_freed(&route, number, Some(lane));
        self.carry_out(effects);
        self.check();
        if !is_http2 {
            self.state.remove_idle(&route, number);
            return self.check();
        }
        for _ in 0..exchanges {
            let ended = self.state.stream_ended(&route, number, lane, StreamEnd::Other);
            let (None, effects) = ended else { panic!("a job for a connection that has ended") };
            self.carry_out(effects);
            self.check();
        }
        let effects = self.state.remove_shared(&route, number);
        self.carry_out(effects);
        self.check();
    }

    /// A caller gives up.
    pub(super) fn cancel(&mut self, ticket: u64) {
        let Waiting { route, pending, .. } = self.waiting.remove(&ticket).expect("it waits");
        drop(self.state.abandon(&route, ticket));
        drop(pending);
        self.check();
    }

    /// All that is told to close is closed, again and again.
    pub(super) fn let_close(&mut self) {
        let ends = |(number, c): (&u64, &Connection)| {
            (c.is_told_to_close && c.exchanges == 0).then_some(*number)
        };
        while let Some(number) = self.connections.iter().find_map(ends) {
            self.close(number);
            self.check();
        }
    }

    pub(super) fn busy(&self) -> Vec<u64> {
        let mut busy: Vec<_> =
            self.connections.iter().filter(|(_, c)| c.exchanges > 0).map(|(n, _)| *n).collect();
        busy.sort_unstable();
        busy
    }

    /// The books balance, the bounds hold, and nobody waits in vain.
    pub(super) fn check(&self) {
        let state = &self.state;
        let sum = |count: fn(&RouteState) -> usize| state.routes.values().map(count).sum::<usize>();
        assert_eq!(state.places, sum(|route| route.places));
        assert_eq!(state.dials, sum(|route| route.dials));
        assert_eq!(state.closing, sum(|route| route.closing.len()));
        assert_eq!(
            state.background,
            sum(|route| { route.queue.iter().filter(|waiter| waiter.is_background).count() })
        );
        assert!(state.places <= state.limits.places_total);
        assert!(state.dials <= state.limits.dials_total);
        assert_eq!(sum(|route| route.queue.len()), self.waiting.len());
        for (name, route) in &state.routes {
            let is_there = |told: &u64| self.connections.contains_key(told);
            assert!(route.closing.iter().all(is_there), "{name}: {:?}", route.closing);
            assert_eq!(route.places, route.berths.total(), "{name}");
            assert!(route.dials <= route.bounds.dials, "{name}");
            // What was opened before it was known to speak HTTP/2 may be more than it would be.
            let places_max = route.bounds.places.max(route.bounds.http2_connections);
            assert!(route.places <= places_max, "{name}: {} places", route.places);
            let tickets: Vec<_> = route.queue.iter().map(|waiter| waiter.ticket).collect();
            let mut waiters = route.queue.iter().filter(|waiter| !waiter.is_background);
            let in_vain = waiters.find(|waiter| route.can_lease(&waiter.job.order));
            assert!(in_vain.is_none(), "{name}: {in_vain:?} of {tickets:?} waits in vain");
        }
        self.check_stats();
    }

    /// What the client tells fits together, and is what has happened.
    fn check_stats(&self) {
        let Stats { connections, routes, connections_opened, carried, .. } = self.state.stats();
        let mut together = Connections::default();
        routes.iter().for_each(|route| together.add(&route.connections));
        assert_eq!(connections, together);
        let is_idle = |c: &&Connection| c.exchanges == 0 && !c.is_told_to_close;
        let counted = Connections {
            open: self.connections.len(),
            idle: self.connections.values().filter(is_idle).count(),
            queued: self.waiting.len(),
            dialing: self.dials.len(),
        };
        assert_eq!(connections, counted);
        assert_eq!(connections_opened, self.opened);
        // Also those of connections that have ended.
        let begun = self.begun.len() as u64;
        assert_eq!((carried.exchanges, carried.sent), (begun, begun * REQUEST_BYTES as u64));
    }

    pub(super) fn protocol(&self, route: &Route) -> Protocol {
        self.state.routes[route].protocol
    }
}

const REQUEST_BYTES: usize = 100;

/// What each HTTP/2 connection carries.
pub(super) const STREAMS: usize = 3;

/// The lane of a dial: the first, or the second if the caller is inside of that.
fn lane_of(order: &DialOrder) -> usize {
    usize::from(order.avoid == Some(0))
}

/// A post that no thread is needed for.
fn nobody() -> Post {
    Post::new(|| Ok(()))
}
