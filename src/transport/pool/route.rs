//! The books of one route.

use std::sync::Arc;

use super::{
    inside::Berths,
    queue::Queue,
    spread::Busyness,
    state::{Effect, Effects},
    warm::Warming,
};
use crate::{
    host_options::RouteBounds,
    limits::Timeouts,
    moment::Moment,
    origin::Route,
    stats::{Connections, RouteStats},
    traffic::Traffic,
    transport::{bridge::Order, mailbox::Mailbox},
};

#[derive(Debug)]
pub(super) struct RouteState {
    pub(super) bounds: RouteBounds,
    pub(super) protocol: Protocol,
    /// Connections, idle ones included, and dials.
    pub(super) places: usize,
    pub(super) dials: usize,
    pub(super) berths: Berths,
    /// Connections that were told to close and still hold their places.
    pub(super) closing: Vec<u64>,
    /// Idle HTTP/1 connections, the newest last.
    pub(super) idle: Vec<Idle>,
    /// HTTP/2 connections.
    pub(super) shared: Vec<Shared>,
    /// How many streams the server allowed when it last said so; a new connection begins with that.
    pub(super) streams_allowed: usize,
    pub(super) queue: Queue,
    pub(super) warming: Vec<Warming>,
    /// How many looks in a row found that one connection fewer would do.
    pub(super) easy_looks: u8,
    /// Until when no connection is opened to spread load.
    pub(super) spread_not_before: Moment,
}

/// What the route was found to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Unknown,
    /// The dial that should have told failed; until one succeeds nobody waits for another's.
    Unlearnable,
    Http1,
    Http2,
}

#[derive(Debug)]
pub(super) struct Idle {
    pub(super) connection: u64,
    pub(super) mailbox: Mailbox,
    pub(super) since: Moment,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) connection: u64,
    pub(super) mailbox: Mailbox,
    pub(super) streams: usize,
    pub(super) streams_max: usize,
    /// Since when it has no streams; `None` while it has some or has not had any.
    pub(super) since: Option<Moment>,
    /// Whether it refused a stream and has carried none to its end since.
    pub(super) is_unwilling: bool,
    pub(super) traffic: Arc<Traffic>,
    /// Those of the dial that opened it.
    pub(super) timeouts: Timeouts,
    pub(super) busyness: Busyness,
    /// Whether the others do, so that it is used only if they are full.
    pub(super) is_surplus: bool,
}

impl Shared {
    /// Its number is given when it is entered into the books.
    pub(super) fn new(mailbox: Mailbox, streams_max: usize, traffic: Arc<Traffic>) -> Self {
        Self {
            connection: 0,
            mailbox,
            streams: 0,
            streams_max,
            since: None,
            is_unwilling: false,
            traffic,
            timeouts: Timeouts::none(),
            busyness: Busyness::default(),
            is_surplus: false,
        }
    }

    fn take_stream(&mut self) {
        self.streams += 1;
        self.since = None;
        // It is needed again.
        self.is_surplus = false;
    }

    fn free_streams(&self) -> usize {
        if self.traffic.is_suspect() { 0 } else { self.streams_max.saturating_sub(self.streams) }
    }
}

/// How a stream ended, as far as its connection is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// The server answered.
    Fine,
    /// The server did not want it.
    Refused,
    /// Neither: it was cancelled or failed.
    Other,
}

impl RouteState {
    pub(super) fn new(bounds: RouteBounds, protocol: Protocol) -> Self {
        Self {
            bounds,
            protocol,
            places: 0,
            dials: 0,
            berths: Berths::default(),
            closing: Vec::new(),
            idle: Vec::new(),
            shared: Vec::new(),
            streams_allowed: usize::MAX,
            queue: Queue::default(),
            warming: Vec::new(),
            easy_looks: 0,
            spread_not_before: Moment::ZERO,
        }
    }

    /// The connection that carries a job now, if there is one, and since when nothing was sent on
    /// it; takes it.
    pub(super) fn lease(&mut self, order: &Order) -> Option<(Mailbox, Moment)> {
        if !order.fresh
            && let Some(idle) = self.take_idle(order)
        {
            return Some((idle.mailbox, idle.since));
        }
        Some((self.free_stream(order)?, Moment::NEVER))
    }

    /// Takes the idle connection that serves an order best: the newest on a lane with nothing else
    /// to do, so that its caller can drive it, else the newest.
    pub(super) fn take_idle(&mut self, order: &Order) -> Option<Idle> {
        let may = |idle: &Idle| order.avoid != Some(idle.mailbox.wheel().number());
        let is_free = |idle: &Idle| may(idle) && !idle.mailbox.wheel().is_busy();
        let at = self.idle.iter().rposition(is_free).or_else(|| self.idle.iter().rposition(may))?;
        Some(self.idle.remove(at))
    }

    /// Whether a connection could carry this job now.
    pub(super) fn can_lease(&self, order: &Order) -> bool {
        let may = |idle: &Idle| order.avoid != Some(idle.mailbox.wheel().number());
        (!order.fresh && self.idle.iter().any(may)) || self.stream_for(order).is_some()
    }

    /// Takes a stream of the connection that is best for a job.
    fn free_stream(&mut self, order: &Order) -> Option<Mailbox> {
        let at = self.stream_for(order)?;
        let shared = &mut self.shared[at];
        shared.take_stream();
        Some(shared.mailbox.clone())
    }

    /// The least busy connection that has a stream for a job.
    fn stream_for(&self, order: &Order) -> Option<usize> {
        // A job that has to begin anew goes elsewhere, while there is an elsewhere.
        let only_willing = order.fresh && (self.has_room() || self.dials > 0);
        let may = |shared: &Shared| {
            shared.free_streams() > 0
                && order.avoid != Some(shared.mailbox.wheel().number())
                && !(only_willing && shared.is_unwilling)
        };
        let free = (0..self.shared.len()).filter(|at| may(&self.shared[*at]));
        free.min_by_key(|at| {
            let shared = &self.shared[*at];
            (shared.is_unwilling, shared.is_surplus, shared.streams)
        })
    }

    /// Whether any connection could carry one more job.
    pub(super) fn has_lease(&self) -> bool {
        !self.idle.is_empty() || self.shared.iter().any(|shared| shared.free_streams() > 0)
    }

    /// How many jobs could begin without waiting for another's end.
    pub(super) fn spare(&self) -> usize {
        let streams = self.shared.iter().map(Shared::free_streams).sum::<usize>();
        self.idle.len() + streams + self.places_max().saturating_sub(self.places)
    }

    /// Whether the bounds allow one job at a time.
    pub(super) fn is_single(&self) -> bool {
        let streams = self.shared.iter().map(|shared| shared.streams_max).sum::<usize>();
        self.places_max() == 1 && streams <= 1
    }

    /// Whether one more job needs no connection that nobody uses.
    pub(super) fn shares_a_busy_connection(&self) -> bool {
        self.shared.iter().any(|shared| shared.streams > 0 && shared.free_streams() > 0)
    }

    /// Whether it is the turn of a job that only a new connection can serve, and none is dialed.
    pub(super) fn first_needs_a_new_connection(&self) -> bool {
        self.queue.iter().next().is_some_and(|waiter| waiter.job.order.fresh && !waiter.dialing)
    }

    /// How many dials should be under way for those who wait.
    pub(super) fn dials_wanted(&self, learns: bool) -> usize {
        let warming = self.warming.iter().map(|warming| warming.missing(self)).max().unwrap_or(0);
        let wanted = self.queue.len().max(warming + self.dials);
        let wanted = match self.protocol {
            Protocol::Http1 | Protocol::Unlearnable => wanted,
            // One new connection serves many.
            Protocol::Http2 => wanted.div_ceil(self.streams_expected()),
            Protocol::Unknown if learns => wanted.min(1),
            Protocol::Unknown => wanted,
        };
        // Those may be on a lane that stands still until who is inside of it is served.
        wanted.max(self.dials + self.queue.undialed_insiders())
    }

    /// What one more HTTP/2 connection will carry.
    fn streams_expected(&self) -> usize {
        let others = self.shared.iter().map(|shared| shared.streams_max).max();
        others.unwrap_or(usize::MAX).min(self.streams_allowed).max(1)
    }

    pub(super) const fn places_max(&self) -> usize {
        match self.protocol {
            Protocol::Http2 => self.bounds.http2_connections,
            _ => self.bounds.places,
        }
    }

    /// Whether the route's own bound allows one more connection.
    pub(super) const fn has_room(&self) -> bool {
        self.places < self.places_max()
    }

    /// How many jobs wait that no connection of the present can serve.
    pub(super) fn undialed_fresh(&self) -> usize {
        let wait = self.queue.iter().filter(|waiter| !waiter.dialing);
        wait.filter(|waiter| waiter.job.order.fresh || waiter.job.order.avoid.is_some()).count()
    }

    pub(super) fn has_stream(&self, connection: u64) -> bool {
        let shared = self.shared.iter().find(|shared| shared.connection == connection);
        shared.is_some_and(|shared| shared.free_streams() > 0)
    }

    pub(super) fn stream_started(&mut self, connection: u64) {
        if let Some(shared) = self.shared_mut(connection) {
            shared.take_stream();
        }
    }

    pub(super) fn stream_ended(&mut self, connection: u64, end: StreamEnd) {
        if let Some(shared) = self.shared_mut(connection) {
            shared.streams -= 1;
            shared.since = (shared.streams == 0).then(Moment::now);
            shared.is_unwilling = match end {
                StreamEnd::Fine => false,
                StreamEnd::Refused => true,
                StreamEnd::Other => shared.is_unwilling,
            };
        }
    }

    pub(super) fn shared_mut(&mut self, connection: u64) -> Option<&mut Shared> {
        self.shared.iter_mut().find(|shared| shared.connection == connection)
    }

    pub(super) fn idle_connections(&self) -> usize {
        self.idle.len() + self.shared.iter().filter(|shared| shared.streams == 0).count()
    }

    /// Since when the longest idle connection is idle.
    pub(super) fn oldest_idle(&self) -> Option<Moment> {
        let shared = self.shared.iter().filter_map(|shared| shared.since);
        shared.chain(self.idle.first().map(|idle| idle.since)).min()
    }

    /// Has a shared connection closed that nobody uses and nobody may: it is suspect, and nothing is
    /// waited for that could clear it; how many that were.
    pub(super) fn evict_suspect(&mut self, effects: &mut Effects) -> usize {
        let is_stuck = |shared: &Shared| shared.since.is_some() && shared.traffic.is_suspect();
        let Some(at) = self.shared.iter().position(is_stuck) else { return 0 };
        let Shared { connection, mailbox, .. } = self.shared.swap_remove(at);
        self.closing.push(connection);
        effects.push(Effect::Close(mailbox));
        1
    }

    /// Has the longest idle connection closed; how many that were.
    pub(super) fn evict_oldest(&mut self, effects: &mut Effects) -> usize {
        let Some(oldest) = self.oldest_idle() else { return 0 };
        let (connection, mailbox) = if self.idle.first().is_some_and(|idle| idle.since == oldest) {
            let Idle { connection, mailbox, .. } = self.idle.remove(0);
            (connection, mailbox)
        } else if let Some(at) = self.shared.iter().position(|s| s.since == Some(oldest)) {
            let Shared { connection, mailbox, .. } = self.shared.remove(at);
            (connection, mailbox)
        } else {
            return 0;
        };
        self.closing.push(connection);
        effects.push(Effect::Close(mailbox));
        1
    }

    /// Has the least busy shared connection take no more jobs and close; how many that were.
    pub(super) fn retire_shared(&mut self, effects: &mut Effects) -> usize {
        let least = (0..self.shared.len()).min_by_key(|at| self.shared[*at].streams);
        let Some(least) = least else { return 0 };
        let Shared { connection, mailbox, .. } = self.shared.swap_remove(least);
        self.closing.push(connection);
        effects.push(Effect::Close(mailbox));
        1
    }

    /// Takes all idle connections off the books.
    pub(super) fn drain_idle(&mut self) -> Vec<Mailbox> {
        let unused = self.shared.extract_if(.., |shared| shared.since.is_some());
        let unused = unused.map(|shared| (shared.connection, shared.mailbox)).collect::<Vec<_>>();
        let idle = self.idle.drain(..).map(|idle| (idle.connection, idle.mailbox));
        let (numbers, mailboxes): (Vec<_>, Vec<_>) = unused.into_iter().chain(idle).unzip();
        self.closing.extend(numbers);
        mailboxes
    }

    /// A connection or a dial has ended; whether the connection had been told to.
    pub(super) fn place_freed(&mut self, connection: u64) -> bool {
        self.places -= 1;
        // A socket may be gone before its connection says so; what is left of that is good for nothing.
        self.idle.retain(|idle| idle.connection != connection);
        self.shared.retain(|shared| shared.connection != connection);
        if self.is_empty() && self.protocol == Protocol::Unlearnable {
            self.protocol = Protocol::Unknown;
        }
        let told = self.closing.iter().position(|told| *told == connection);
        told.map(|at| self.closing.swap_remove(at)).is_some()
    }

    /// How many connections are open.
    pub(super) const fn open(&self) -> usize {
        // Where a handshake over an open socket fails, the place is free before the dial has ended.
        self.places.saturating_sub(self.dials)
    }

    pub(super) fn stats(&self, route: &Route) -> RouteStats {
        let connections = Connections {
            open: self.open(),
            idle: self.idle_connections(),
            queued: self.queue.len(),
            dialing: self.dials,
        };
        let speaks_http2 = self.protocol == Protocol::Http2;
        RouteStats { way: Arc::clone(route), connections, speaks_http2 }
    }

    pub(super) fn is_empty(&self) -> bool {
        let is_unused = self.places == 0 && self.dials == 0;
        is_unused && self.queue.is_empty() && self.warming.is_empty()
    }
}
