//! The books under everything that can happen to them, in any order.
//!
//! A world of toys: connections that are numbers, dials that end when the test says so. After each
//! step the books must balance, and nobody may wait whom something free could serve.

use std::collections::HashMap;

use http::{HeaderMap, Method, Uri};

use super::{
    route::{Idle, Protocol, Shared, StreamEnd},
    state::{Bereaved, DialOrder, Effect, Effects, Next, Placement, State},
    warm::WarmOrder,
};
use crate::{
    host_options::{ConnectionOptions, HostOptions},
    limits::{Limits, Timeouts},
    moment::Moment,
    origin::{Origin, Route, Way},
    priority::Priority,
    sync::{Arc, Weak},
    traffic::Traffic,
    transport::bridge::{self, Head, Job, Jobs, Mailbox, Order, Pending, Unwanted, Upload, Want},
    watch::Watch,
    wheel::Wheel,
};

/// What a route of the world speaks; by the last letter of its host.
fn speaks_http2(route: &Route) -> bool {
    route.origin.host.ends_with('2')
}

fn route(url: &str) -> Route {
    Arc::new(Way::to(Origin::of(&url.parse().expect("a URL")).expect("an origin")))
}

struct World {
    state: State,
    wheel: Arc<Wheel>,
    dials: Vec<DialOrder>,
    /// By number.
    connections: HashMap<u64, Connection>,
    /// The callers' ends of the jobs that wait, by ticket.
    waiting: HashMap<u64, Waiting>,
    /// Who has begun, in that order.
    begun: Vec<u64>,
    warmed: Vec<(usize, usize)>,
}

struct Waiting {
    route: Route,
    pending: Pending,
    watch: Arc<Watch>,
}

struct Connection {
    route: Route,
    mailbox: Mailbox,
    _jobs: Jobs,
    is_http2: bool,
    exchanges: usize,
    is_told_to_close: bool,
}

impl World {
    fn new(limits: Limits) -> Self {
        Self::with(limits, ConnectionOptions::default())
    }

    fn with(limits: Limits, options: ConnectionOptions) -> Self {
        Self {
            state: State::new(limits, options, true),
            wheel: Wheel::new(0, false),
            dials: Vec::new(),
            connections: HashMap::new(),
            waiting: HashMap::new(),
            begun: Vec::new(),
            warmed: Vec::new(),
        }
    }

    /// A call comes; its ticket.
    fn call(&mut self, route: &Route, priority: Priority, fresh: bool) -> u64 {
        let watch = Arc::new(Watch::new(None));
        let order = Order {
            route: Arc::clone(route),
            head: Head { method: Method::GET, uri: Uri::default(), headers: HeaderMap::new() },
            upload: Upload::Empty,
            want: Want::Stream { unwanted: Unwanted::default() },
            watch: Arc::clone(&watch),
            timeouts: Timeouts::none(),
            priority,
            attempt: 1,
            fresh,
            avoid: None,
            lane_watches: false,
        };
        let (job, pending) = bridge::job(order);
        let ticket = self.state.next_ticket(1);
        self.waiting.insert(ticket, Waiting { route: Arc::clone(route), pending, watch });
        match self.state.place(Box::new(job), ticket) {
            Placement::Run(mailbox, job, _) => self.begin(&mailbox, job, ticket),
            Placement::Queued(effects) => self.carry_out(effects),
            Placement::Refused(_) => panic!("the books are open"),
        }
        self.check();
        ticket
    }

    fn interactive(&mut self, route: &Route) -> u64 {
        self.call(route, Priority::Interactive, false)
    }

    fn background(&mut self, route: &Route) -> u64 {
        self.call(route, Priority::Background, false)
    }

    fn begin(&mut self, mailbox: &Mailbox, job: Box<Job>, ticket: u64) {
        let connection = self.connections.values_mut().find(|c| c.mailbox.is_same(mailbox));
        let connection = connection.expect("a connection that is there");
        assert!(!connection.is_told_to_close, "a job for a connection that ends");
        assert!(connection.is_http2 || connection.exchanges == 0, "two exchanges at once");
        connection.exchanges += 1;
        assert!(self.waiting.remove(&ticket).is_some(), "{ticket} begins twice");
        self.begun.push(ticket);
        drop(job);
    }

    fn carry_out(&mut self, effects: Effects) {
        for effect in effects {
            match effect {
                Effect::Dial(order) => self.dials.push(order),
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
    fn ticket_of(&self, job: &Job) -> u64 {
        let is_it = |waiting: &Waiting| Arc::ptr_eq(&waiting.watch, &job.order.watch);
        let found = self.waiting.iter().find(|(_, waiting)| is_it(waiting));
        *found.expect("somebody waits for it").0
    }

    /// A dial succeeds; the connection's number.
    fn connect(&mut self, at: usize) -> u64 {
        let dial = self.dials.remove(at);
        let (mailbox, jobs) = bridge::mailbox(&self.wheel, Weak::new());
        let is_http2 = speaks_http2(&dial.route);
        let connection = |mailbox| Connection {
            route: Arc::clone(&dial.route),
            mailbox,
            _jobs: jobs,
            is_http2,
            exchanges: 0,
            is_told_to_close: false,
        };
        if is_http2 {
            // Its number is known before its effects are carried out.
            let shared = Shared::new(mailbox.clone(), STREAMS, Arc::new(Traffic::default()));
            let (number, effects) = self.state.opened_http2(&dial, shared);
            self.connections.insert(number, connection(mailbox));
            self.carry_out(effects);
            self.check();
            return number;
        }
        let (number, next, effects) = self.state.opened_http1(&dial, &mailbox);
        self.connections.insert(number, connection(mailbox));
        self.follow(number, next, effects);
        number
    }

    fn follow(&mut self, number: u64, next: Next, effects: Effects) {
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

    fn fail_dial(&mut self, at: usize) {
        let dial = self.dials.remove(at);
        let (bereaved, effects) = self.state.dial_failed(&dial);
        self.carry_out(effects);
        match bereaved {
            Bereaved::Job(_) => drop(self.waiting.remove(&dial.ticket)),
            Bereaved::Warming(_) => self.warmed.push((0, 0)),
            Bereaved::Nobody => {}
        }
        let effects = self.state.place_freed(&dial.route, 0);
        self.carry_out(effects);
        self.check();
    }

    /// An exchange ends well.
    fn finish(&mut self, number: u64) {
        let connection = self.connections.get_mut(&number).expect("a connection that is there");
        connection.exchanges -= 1;
        let (route, mailbox) = (Arc::clone(&connection.route), connection.mailbox.clone());
        if connection.is_http2 {
            let (job, effects) = self.state.stream_ended(&route, number, 0, StreamEnd::Fine);
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

    /// What a connection does that was told to close and has nothing more to do.
    fn end_if_told(&mut self, number: u64) {
        let connection = &self.connections[&number];
        if connection.is_told_to_close && connection.exchanges == 0 {
            self.close(number);
        }
    }

    /// A connection's socket is closed.
    fn close(&mut self, number: u64) {
        let connection = self.connections.remove(&number).expect("a connection that is there");
        let effects = match connection.is_http2 {
            true => self.state.remove_shared(&connection.route, number),
            false => {
                self.state.remove_idle(&connection.route, number);
                Vec::new()
            }
        };
        self.carry_out(effects);
        let effects = self.state.place_freed(&connection.route, number);
        self.carry_out(effects);
    }

    /// A caller gives up.
    fn cancel(&mut self, ticket: u64) {
        let Waiting { route, pending, .. } = self.waiting.remove(&ticket).expect("it waits");
        drop(self.state.abandon(&route, ticket));
        drop(pending);
        self.check();
    }

    /// All that is told to close is closed, again and again.
    fn let_close(&mut self) {
        let ends = |(number, c): (&u64, &Connection)| {
            (c.is_told_to_close && c.exchanges == 0).then_some(*number)
        };
        while let Some(number) = self.connections.iter().find_map(ends) {
            self.close(number);
            self.check();
        }
    }

    fn busy(&self) -> Vec<u64> {
        let mut busy: Vec<_> =
            self.connections.iter().filter(|(_, c)| c.exchanges > 0).map(|(n, _)| *n).collect();
        busy.sort_unstable();
        busy
    }

    /// The books balance, the bounds hold, and nobody waits in vain.
    fn check(&self) {
        let state = &self.state;
        let sum = |count: fn(&super::route::RouteState) -> usize| {
            state.routes.values().map(count).sum::<usize>()
        };
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
            assert!(route.dials <= route.bounds.dials, "{name}");
            // What was opened before it was known to speak HTTP/2 may be more than it would be.
            let places_max = route.bounds.places.max(route.bounds.http2_connections);
            assert!(route.places <= places_max, "{name}: {} places", route.places);
            let tickets: Vec<_> = route.queue.iter().map(|waiter| waiter.ticket).collect();
            let mut waiters = route.queue.iter().filter(|waiter| !waiter.is_background);
            let in_vain = waiters.find(|waiter| route.can_lease(&waiter.job.order));
            assert!(in_vain.is_none(), "{name}: {in_vain:?} of {tickets:?} waits in vain");
        }
    }

    fn protocol(&self, route: &Route) -> Protocol {
        self.state.routes[route].protocol
    }
}

const STREAMS: usize = 3;

#[test]
fn one_dial_learns_what_a_secure_route_speaks_and_the_rest_follow() {
    let mut world = World::new(Limits::default().dials_per_route(4));
    let (old, new) = (route("https://host1/"), route("https://host2/"));
    for _ in 0..9 {
        world.interactive(&old);
        world.interactive(&new);
    }
    assert_eq!(world.dials.len(), 2);
    world.connect(1);
    assert_eq!(world.dials.len(), 3, "three serve nine where three are carried each");
    world.connect(0);
    assert_eq!(world.dials.iter().filter(|dial| dial.route == old).count(), 4);
    while !world.dials.is_empty() {
        world.connect(0);
    }
    assert_eq!(world.begun.len(), 18);
    // What is known outlives the connections.
    let all: Vec<_> = world.connections.keys().copied().collect();
    all.into_iter().for_each(|number| world.close(number));
    assert_eq!((world.protocol(&old), world.protocol(&new)), (Protocol::Http1, Protocol::Http2));
    for _ in 0..3 {
        world.interactive(&old);
        world.interactive(&new);
    }
    assert_eq!(world.dials.len(), 4);
}

#[test]
fn a_failed_first_dial_lets_the_others_try_each_for_itself() {
    let mut world = World::new(Limits::default());
    let host = route("https://host1/");
    for _ in 0..5 {
        world.interactive(&host);
    }
    world.fail_dial(0);
    assert_eq!(world.dials.len(), 4);
    while !world.dials.is_empty() {
        world.fail_dial(0);
    }
    assert!(world.waiting.is_empty());
    assert_eq!(world.protocol(&host), Protocol::Unknown);
}

#[test]
fn a_job_that_comes_back_keeps_its_turn() {
    let mut world = World::new(Limits::default().places_per_route(1));
    let host = route("http://host1/");
    let first = world.interactive(&host);
    let connection = world.connect(0);
    let (second, third) = (world.interactive(&host), world.interactive(&host));
    let waiter = world.state.route_mut(&host).queue.leave(second).expect("it waits");
    let Placement::Queued(effects) = world.state.place(waiter.job, second) else {
        panic!("nothing is free")
    };
    world.carry_out(effects);
    world.finish(connection);
    world.finish(connection);
    assert_eq!(world.begun, [first, second, third]);
}

#[test]
fn a_fresh_job_gets_the_place_of_an_idle_connection_and_one_only() {
    let mut world = World::new(Limits::default().places_per_route(3));
    let host = route("http://host1/");
    for _ in 0..3 {
        world.interactive(&host);
    }
    let connections: Vec<_> = (0..3).map(|_| world.connect(0)).collect();
    connections.iter().for_each(|number| world.finish(*number));
    let fresh = world.call(&host, Priority::Interactive, true);
    let told = |world: &World| world.connections.values().filter(|c| c.is_told_to_close).count();
    assert_eq!(told(&world), 1);
    // Others may use the rest, and are no reason to close more.
    world.interactive(&host);
    assert_eq!(told(&world), 1);
    world.let_close();
    world.connect(0);
    assert_eq!(world.begun.last(), Some(&fresh));
}

#[test]
fn routes_share_the_total_by_whose_first_job_waits_for_longer() {
    let mut world = World::new(Limits::default().places_total(4));
    let (one, other) = (route("http://a1/"), route("http://b1/"));
    for _ in 0..8 {
        world.interactive(&one);
    }
    while !world.dials.is_empty() {
        world.connect(0);
    }
    for _ in 0..8 {
        world.interactive(&other);
        world.interactive(&one);
    }
    // Both always want more; in the end both have the same, and nothing is closed any more.
    let mut opened = 0;
    for turn in 0..200 {
        let busy = world.busy();
        let number = busy[turn % busy.len()];
        let host = Arc::clone(&world.connections[&number].route);
        world.finish(number);
        world.let_close();
        while !world.dials.is_empty() {
            world.connect(0);
            opened += 1;
        }
        world.interactive(&host);
    }
    let places = |host: &Route| world.state.routes[host].places;
    assert_eq!((places(&one), places(&other)), (2, 2));
    assert_eq!(opened, 2, "a connection was closed for another again and again");
}

#[test]
fn a_route_that_has_nothing_gets_the_place_of_a_shared_connection() {
    let mut world = World::new(Limits::default().places_total(1));
    let (shared, other) = (route("https://a2/"), route("http://b1/"));
    world.interactive(&shared);
    let connection = world.connect(0);
    let waiting = world.interactive(&other);
    let later = world.interactive(&shared);
    world.finish(connection);
    world.let_close();
    let connection = world.connect(0);
    assert_eq!(world.begun.last(), Some(&waiting));
    world.finish(connection);
    world.let_close();
    world.connect(0);
    assert_eq!(world.begun.last(), Some(&later));
}

#[test]
fn the_background_leaves_one_place_and_gets_its_turn() {
    let mut world = World::new(Limits::default().places_per_route(2));
    let host = route("http://host1/");
    let back = world.background(&host);
    let waits = world.background(&host);
    assert_eq!(world.dials.len(), 1);
    let busy = world.connect(0);
    assert_eq!(world.begun, [back]);
    // Interactive calls use the other place, one after the other.
    let mut other = None;
    for _ in 0..16 {
        world.interactive(&host);
        let number = *other.get_or_insert_with(|| world.connect(0));
        assert!(!world.begun.contains(&waits));
        world.finish(number);
    }
    world.interactive(&host);
    assert!(world.begun.contains(&waits), "it is its turn");
    world.finish(busy);
    assert!(world.waiting.is_empty());
}

#[test]
fn the_background_leaves_the_last_stream_too() {
    let mut world = World::new(Limits::default().http2_connections_per_route(1));
    let host = route("https://host2/");
    for _ in 0..4 {
        world.background(&host);
    }
    let connection = world.connect(0);
    assert_eq!(world.begun.len(), STREAMS - 1);
    world.interactive(&host);
    assert_eq!(world.begun.len(), STREAMS);
    world.finish(connection);
    assert_eq!(world.begun.len(), STREAMS, "one stays free");
    world.finish(connection);
    assert_eq!(world.begun.len(), STREAMS + 1);
}

#[test]
fn a_refused_stream_goes_elsewhere_while_there_is_an_elsewhere() {
    let mut world = World::new(Limits::default().http2_connections_per_route(2));
    let host = route("https://host2/");
    world.interactive(&host);
    let unwilling = world.connect(0);
    let refused = world.state.stream_ended(&host, unwilling, 0, StreamEnd::Refused);
    world.connections.get_mut(&unwilling).expect("it is there").exchanges -= 1;
    world.carry_out(refused.1);
    world.call(&host, Priority::Interactive, true);
    assert_eq!((world.dials.len(), world.begun.len()), (1, 1));
    let willing = world.connect(0);
    assert_eq!(world.connections[&willing].exchanges, 1);
    // The willing one is preferred until it is full.
    for _ in 0..STREAMS {
        world.interactive(&host);
    }
    assert_eq!(world.connections[&willing].exchanges, STREAMS);
    assert_eq!(world.connections[&unwilling].exchanges, 1);
}

#[test]
fn a_bound_of_streams_that_changes_is_kept() {
    let mut world = World::new(Limits::default().http2_connections_per_route(1));
    let host = route("https://host2/");
    world.interactive(&host);
    let connection = world.connect(0);
    let changed = |world: &mut World, streams_max| {
        let effects = world.state.streams_changed(&host, connection, streams_max);
        world.carry_out(effects);
        world.check();
    };
    changed(&mut world, 0);
    let host = route("https://host2/");
    for _ in 0..5 {
        world.interactive(&host);
    }
    world.finish(connection);
    assert_eq!(world.begun.len(), 1);
    changed(&mut world, 4);
    assert_eq!(world.begun.len(), 5);
}

#[test]
fn a_warm_up_opens_what_the_bounds_allow_and_takes_nothing_from_others() {
    let mut world = World::new(Limits::default().places_total(3).dials_total(2));
    let (host, other) = (route("https://host1/"), route("http://b1/"));
    world.interactive(&other);
    let busy = world.connect(0);
    world.finish(busy);
    let order = |connections| WarmOrder {
        route: Arc::clone(&host),
        connections,
        timeouts: Timeouts::none(),
        avoid: None,
    };
    let (answer, _awaited) = bridge::reply();
    let (_, effects) = world.state.warm(order(5), answer);
    world.carry_out(effects);
    assert_eq!(world.dials.len(), 1, "first it has to be known what is spoken");
    world.connect(0);
    assert_eq!((world.dials.len(), world.warmed.len()), (1, 0));
    world.connect(0);
    assert_eq!(world.warmed, [(2, 2)]);
    assert!(!world.connections[&busy].is_told_to_close);
}

#[test]
fn hosts_have_their_own_bounds() {
    let mut options = ConnectionOptions::default();
    options.hosts.set("host1", HostOptions::default().places(2).dials(1)).expect("a host");
    let mut world = World::with(Limits::default(), options);
    let host = route("http://host1/");
    for _ in 0..5 {
        world.interactive(&host);
    }
    assert_eq!(world.dials.len(), 1);
    world.connect(0);
    assert_eq!(world.dials.len(), 1);
    world.connect(0);
    assert_eq!((world.dials.len(), world.waiting.len()), (0, 3));
}

/// A small generator (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

#[test]
fn the_books_balance_whatever_happens_and_everybody_is_served() {
    let hosts =
        ["http://a1/", "https://b1/", "https://c2/", "https://d2/", "http://e1/"].map(route);
    for seed in 1..150_u64 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (seed << 20));
        let mut limits = Limits::default().places_total(1 + random.below(6));
        limits = limits.places_per_route(1 + random.below(4)).dials_total(1 + random.below(5));
        limits = limits.http2_connections_per_route(1 + random.below(3));
        let mut world = World::new(limits.dials_per_route(1 + random.below(3)));
        for _ in 0..300 {
            step(&mut world, &mut random, &hosts);
        }
        // No more calls come; what runs ends, what is dialed is connected, what is told to closes.
        for _ in 0..5_000 {
            world.let_close();
            if let Some(number) = world.busy().first() {
                world.finish(*number);
            } else if !world.dials.is_empty() {
                world.connect(0);
            } else {
                break;
            }
        }
        let left: Vec<_> = world.waiting.keys().collect();
        assert!(left.is_empty(), "seed {seed}: {left:?} wait for ever: {:?}", world.state);
    }
}

fn step(world: &mut World, random: &mut Random, hosts: &[Route]) {
    let host = &hosts[random.below(hosts.len())];
    match random.below(12) {
        0..=3 => {
            let priority = match random.below(3) {
                0 => Priority::Background,
                _ => Priority::Interactive,
            };
            let fresh = random.below(5) == 0;
            world.call(host, priority, fresh);
        }
        4..=5 if !world.dials.is_empty() => {
            let at = random.below(world.dials.len());
            match random.below(5) {
                0 => world.fail_dial(at),
                _ => {
                    world.connect(at);
                }
            }
        }
        6..=8 => {
            let busy = world.busy();
            if !busy.is_empty() {
                world.finish(busy[random.below(busy.len())]);
            }
        }
        9 => {
            // Any connection may end at any time.
            let mut all: Vec<_> = world.connections.keys().copied().collect();
            all.sort_unstable();
            if !all.is_empty() {
                world.close(all[random.below(all.len())]);
                world.check();
            }
        }
        10 => {
            let mut tickets: Vec<_> = world.waiting.keys().copied().collect();
            tickets.sort_unstable();
            if !tickets.is_empty() {
                world.cancel(tickets[random.below(tickets.len())]);
            }
        }
        _ => world.let_close(),
    }
}
