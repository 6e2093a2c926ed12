//! The books of one route.

use std::{collections::VecDeque, sync::Arc};

use super::state::{Effect, Effects};
use crate::{
    limits::Limits,
    moment::Moment,
    traffic::Traffic,
    transport::bridge::{Job, Mailbox, Order},
};

#[derive(Debug, Default)]
pub(super) struct RouteState {
    pub(super) protocol: Protocol,
    /// Connections, idle ones included, and dials.
    pub(super) places: usize,
    pub(super) dials: usize,
    /// Idle HTTP/1 connections, the newest last.
    pub(super) idle: Vec<Idle>,
    /// HTTP/2 connections.
    pub(super) shared: Vec<Shared>,
    /// Jobs in the order in which they came.
    pub(super) waiters: VecDeque<Waiter>,
}

/// What the route was found to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Protocol {
    #[default]
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
    traffic: Arc<Traffic>,
}

impl Shared {
    /// Its number is given when it is entered into the books.
    pub(super) fn new(mailbox: Mailbox, streams_max: usize, traffic: Arc<Traffic>) -> Self {
        let streams_max = streams_max.max(1);
        Self { connection: 0, mailbox, streams: 0, streams_max, since: None, traffic }
    }

    fn has_stream(&self) -> bool {
        self.streams < self.streams_max && !self.traffic.is_suspect()
    }
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) ticket: u64,
    pub(super) job: Box<Job>,
    /// Whether a dial was started because of it.
    pub(super) dialing: bool,
}

impl RouteState {
    /// Takes the idle connection that serves an order best: the newest on a lane with nothing else
    /// to do, so that its caller can drive it, else the newest.
    pub(super) fn take_idle(&mut self, order: &Order) -> Option<Idle> {
        let may = |idle: &Idle| order.avoid != Some(idle.mailbox.wheel().number());
        let is_free = |idle: &Idle| may(idle) && !idle.mailbox.wheel().is_busy();
        let at = self.idle.iter().rposition(is_free).or_else(|| self.idle.iter().rposition(may))?;
        Some(self.idle.remove(at))
    }

    /// The first in the row whose caller still waits.
    pub(super) fn next_waiter(&mut self, lane: usize) -> Option<Box<Job>> {
        self.take_waiter(|job| job.order.avoid != Some(lane))
    }

    fn take_waiter(&mut self, suits: impl Fn(&Job) -> bool) -> Option<Box<Job>> {
        self.waiters.retain(|waiter| !waiter.job.is_abandoned());
        let at = self.waiters.iter().position(|waiter| suits(&waiter.job))?;
        self.waiters.remove(at).map(|waiter| waiter.job)
    }

    /// The first in the row whose caller still waits and does not insist on a new connection.
    pub(super) fn next_waiter_for_a_used_connection(&mut self, lane: usize) -> Option<Box<Job>> {
        self.take_waiter(|job| !job.order.fresh && job.order.avoid != Some(lane))
    }

    /// Whether it is the turn of a job that only a new connection can serve, and none is dialed.
    pub(super) fn first_needs_a_new_connection(&self) -> bool {
        self.waiters.front().is_some_and(|waiter| waiter.job.order.fresh && !waiter.dialing)
    }

    /// How many dials should be under way for those who wait.
    pub(super) fn dials_wanted(&self, learns: bool) -> usize {
        let waiting = self.waiters.len();
        match self.protocol {
            Protocol::Http1 | Protocol::Unlearnable => waiting,
            // One new connection serves them all.
            Protocol::Http2 => waiting.min(1),
            Protocol::Unknown => {
                let secure = self.waiters.front().is_some_and(|w| w.job.order.route.origin.secure);
                if secure && learns { waiting.min(1) } else { waiting }
            }
        }
    }

    pub(super) fn places_max(&self, limits: &Limits) -> usize {
        match self.protocol {
            Protocol::Http2 => limits.http2_connections_per_route,
            _ => limits.places_per_route,
        }
    }

    pub(super) fn undialed(&self) -> usize {
        self.waiters.iter().filter(|waiter| !waiter.dialing).count()
    }

    /// Takes a stream of the least busy connection that has one.
    pub(super) fn free_stream(&mut self, avoid: Option<usize>) -> Option<Mailbox> {
        let may = |shared: &Shared| avoid != Some(shared.mailbox.wheel().number());
        let free = self.shared.iter_mut().filter(|shared| shared.has_stream() && may(shared));
        let shared = free.min_by_key(|shared| shared.streams)?;
        shared.streams += 1;
        shared.since = None;
        Some(shared.mailbox.clone())
    }

    pub(super) fn stream_for_waiter(&mut self) -> Option<Mailbox> {
        let avoid = self.waiters.front()?.job.order.avoid;
        self.free_stream(avoid)
    }

    pub(super) fn has_stream(&self, connection: u64) -> bool {
        let shared = self.shared.iter().find(|shared| shared.connection == connection);
        shared.is_some_and(Shared::has_stream)
    }

    pub(super) fn stream_started(&mut self, connection: u64) {
        if let Some(shared) = self.shared_mut(connection) {
            shared.streams += 1;
            shared.since = None;
        }
    }

    pub(super) fn stream_ended(&mut self, connection: u64, max: Option<usize>) {
        if let Some(shared) = self.shared_mut(connection) {
            shared.streams -= 1;
            shared.streams_max = max.unwrap_or(shared.streams_max).max(1);
            shared.since = (shared.streams == 0).then(Moment::now);
        }
    }

    fn shared_mut(&mut self, connection: u64) -> Option<&mut Shared> {
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

    /// Has the longest idle connection closed; how many that were.
    pub(super) fn evict_oldest(&mut self, effects: &mut Effects) -> usize {
        let Some(oldest) = self.oldest_idle() else { return 0 };
        let mailbox = if self.idle.first().is_some_and(|idle| idle.since == oldest) {
            self.idle.remove(0).mailbox
        } else if let Some(at) = self.shared.iter().position(|s| s.since == Some(oldest)) {
            self.shared.remove(at).mailbox
        } else {
            return 0;
        };
        effects.push(Effect::Close(mailbox));
        1
    }

    pub(super) fn drain_idle(&mut self) -> Vec<Mailbox> {
        let unused = self.shared.extract_if(.., |shared| shared.since.is_some());
        let unused = unused.map(|shared| shared.mailbox).collect::<Vec<_>>();
        unused.into_iter().chain(self.idle.drain(..).map(|idle| idle.mailbox)).collect()
    }

    pub(super) fn place_freed(&mut self) {
        self.places -= 1;
        if self.is_empty() && self.protocol == Protocol::Unlearnable {
            self.protocol = Protocol::Unknown;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places == 0 && self.waiters.is_empty()
    }
}
