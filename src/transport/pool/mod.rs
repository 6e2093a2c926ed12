//! The client-wide pool: places, leases, the queue, and who holds what.
//!
//! Asked on the caller's thread before it is known which connection will do the work. A place is
//! the right to have a connection, from before its dial until its socket is closed. A job either
//! goes straight to a connection that is free or waits in its route's queue, first come first
//! served; a connection that becomes free takes the next job itself, on its lane.
//!
//! One mutex guards the books (`state.rs`, the file to read first). It is held for a few moves
//! only: never across an await, a wake-up, a send or a drop of a job.

mod inside;
#[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "what only HTTP/2 shares"))]
mod place;
mod queue;
mod route;
mod settle;
mod spread;
mod state;
mod streams;
#[cfg(test)]
mod tests;
mod warm;

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::OnceLock,
    task::{Context, Poll},
};

pub use self::warm::Warmed;
pub(crate) use self::{
    place::{Dial, Member, Place},
    route::StreamEnd,
    spread::LaneSet,
    state::Next,
    warm::WarmOrder,
};
use self::{
    route::Idle,
    state::{Effect, Effects, Placement, State},
};
use super::{
    bridge::{self, Awaited, Job, Pending},
    mailbox::Mailbox,
};
use crate::{
    doorstep::{Doorstep, Invitation},
    environment::OfProcess,
    error::Error,
    host_options::ConnectionOptions,
    life::Life,
    limits::Limits,
    moment::Moment,
    origin::Route,
    stats::Stats,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Starts a dial on some lane; gives it back, with the reason, if there is none.
type Starter = Box<dyn Fn(Dial) -> Result<(), Unstarted> + Send + Sync>;

/// A dial that no lane could be found for, and why.
pub(crate) type Unstarted = (Box<Dial>, Error);

pub(crate) struct Pool {
    state: Mutex<State>,
    starter: OnceLock<Starter>,
}

impl Pool {
    /// `learns` says whether secure routes may turn out to speak HTTP/2.
    pub(crate) fn new(limits: Limits, options: ConnectionOptions, learns: bool) -> Arc<Self> {
        let state = Mutex::new(State::new(limits, options, learns));
        Arc::new(Self { state, starter: OnceLock::new() })
    }

    /// Says how dials are started; once, before the first job.
    pub(crate) fn start_dials_with(
        &self,
        starter: impl Fn(Dial) -> Result<(), Unstarted> + Send + Sync + 'static,
    ) {
        let _ = self.starter.set(Box::new(starter));
    }

    /// Has an exchange made by the first connection that is free for it.
    ///
    /// If the caller may attend the connection or drive its lane, and `may_hand_in`, the job comes
    /// back with its mailbox, for the caller to hand in.
    pub(crate) fn submit(
        self: &Arc<Self>,
        (mut job, pending): (Box<Job>, Pending),
        may_hand_in: bool,
    ) -> (Ticket, Option<HandIn>) {
        let (route, attempt) = (Arc::clone(&job.order.route), job.order.attempt);
        let (mut hand_in, mut queued, mut ended) = (None, None, None);
        let mut state = self.lock();
        let number = state.next_ticket(attempt, job.order.watch.turn());
        job.order.watch.set_turn(number);
        loop {
            if let Some(mailbox) = ended.take() {
                state.remove_ended(&route, &mailbox);
            }
            let placement = state.place(job, number);
            drop(state);
            match placement {
                Placement::Run(mailbox, ready, idle_since)
                    if may_hand_in && mailbox.is_for_callers() =>
                {
                    hand_in = Some(HandIn::new(mailbox, ready, idle_since));
                    break;
                }
                Placement::Run(mailbox, ready, _) => match mailbox.send(ready) {
                    Ok(()) => break,
                    Err(refused) => {
                        job = refused;
                        ended = Some(mailbox);
                    }
                },
                Placement::Queued(effects, doorstep) => {
                    let (pool, route) = (Arc::clone(self), Arc::clone(&route));
                    let place = Queued { pool, route, number, doorstep, is_over: false };
                    queued = Some(OfProcess::new(place));
                    self.carry_out(effects);
                    break;
                }
                Placement::Refused(job) => {
                    job.refuse(Error::shut_down());
                    break;
                }
                Placement::InVain(job) => {
                    job.refuse(Error::waits_for_itself());
                    break;
                }
            }
            state = self.lock();
        }
        (Ticket { queued, pending }, hand_in)
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().stats()
    }

    pub(crate) fn close_idle(&self) {
        let idle = self.lock().drain_idle();
        idle.iter().for_each(Mailbox::close);
    }

    /// Refuses all jobs from now on and closes the idle connections.
    pub(crate) fn close(&self) {
        let ((waiting, warming), idle) = {
            let mut state = self.lock();
            (state.close(), state.drain_idle())
        };
        waiting.into_iter().for_each(|waiter| waiter.job.refuse(Error::shut_down()));
        warming.into_iter().for_each(|warming| warming.fail(Error::shut_down()));
        idle.iter().for_each(Mailbox::close);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The books change in steps that cannot panic half-way, so a poisoned lock is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what was decided, and what comes of that: each job in a long queue may be the reason for
    /// a dial that fails at once.
    fn carry_out(self: &Arc<Self>, effects: Effects) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Dial(order) => {
                    let dial = Dial::new(Arc::clone(self), order);
                    if let Some(start) = self.starter.get()
                        && let Err((dial, error)) = start(dial)
                    {
                        effects.extend(dial.fail_before_it_began(error));
                    }
                }
                Effect::Close(mailbox) => mailbox.close(),
                Effect::Run(mailbox, job, ticket) => {
                    if let Err(job) = mailbox.send(job) {
                        effects.extend(self.place_again(job, ticket, &mailbox));
                    }
                }
                Effect::Warmed(answer, warmed) => answer.send(warmed),
            }
        }
    }

    /// Finds another connection for a job whose connection has just ended; it keeps its turn.
    fn place_again(&self, job: Box<Job>, ticket: u64, ended: &Mailbox) -> Effects {
        let placement = {
            let mut state = self.lock();
            state.remove_ended(&job.order.route, ended);
            state.place(job, ticket)
        };
        match placement {
            Placement::Run(mailbox, job, _) => return vec![Effect::Run(mailbox, job, ticket)],
            // It has waited before, so its caller is where it was.
            Placement::Queued(effects, _) => return effects,
            Placement::Refused(job) => job.refuse(Error::shut_down()),
            Placement::InVain(job) => job.refuse(Error::waits_for_itself()),
        }
        Effects::new()
    }

    /// Opens connections of a route that nobody needs yet.
    pub(crate) fn warm_up(self: &Arc<Self>, order: WarmOrder) -> WarmUp {
        let route = Arc::clone(&order.route);
        let (answer, awaited) = bridge::reply();
        let (number, effects) = self.lock().warm(order, answer);
        self.carry_out(effects);
        let warming = Warmth { pool: Arc::clone(self), route, number };
        WarmUp { warming: OfProcess::new(warming), awaited }
    }

    fn place_freed(self: &Arc<Self>, route: &Route, connection: u64, lane: Option<usize>) {
        let effects = self.lock().place_freed(route, connection, lane);
        self.carry_out(effects);
    }

    fn next_job(self: &Arc<Self>, route: &Route, idle: Idle, is_new: bool) -> Next {
        let (next, effects) = self.lock().next_job(route, idle, is_new);
        self.carry_out(effects);
        next
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}

/// A job that has a connection and is not there yet; dropping it sends it there.
#[derive(Debug)]
pub(crate) struct HandIn {
    lane: usize,
    idle_since: Moment,
    parcel: OfProcess<Parcel>,
}

#[derive(Debug)]
struct Parcel {
    mailbox: Mailbox,
    /// `None` once it was handed in.
    job: Option<Box<Job>>,
}

impl HandIn {
    fn new(mailbox: Mailbox, job: Box<Job>, idle_since: Moment) -> Self {
        let lane = mailbox.wheel().number();
        Self { lane, idle_since, parcel: OfProcess::new(Parcel { mailbox, job: Some(job) }) }
    }

    /// The number of the lane to drive.
    pub(crate) const fn lane(&self) -> usize {
        self.lane
    }

    /// Since when nothing was sent on the connection.
    pub(crate) const fn idle_since(&self) -> Moment {
        self.idle_since
    }

    /// The life of the connection, if the caller may attend it.
    pub(crate) fn life(&mut self) -> Option<Arc<Life>> {
        self.parcel.get_mut().and_then(|parcel| parcel.mailbox.life())
    }

    /// Hands it in while driving the lane or attending the connection.
    pub(crate) fn inside(mut self) {
        if let Some(Parcel { mailbox, job }) = self.parcel.get_mut()
            && let Some(job) = job.take()
        {
            // If the connection has ended, dropping the job says that it was never sent.
            let _ = mailbox.hand_in(job);
        }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            // Somebody else drives then.
            let _ = self.mailbox.send(job);
        }
    }
}

/// A job that was submitted: the answer to come, and the place in the queue until then.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// Nothing if a connection was free.
    queued: Option<OfProcess<Queued>>,
    pub(crate) pending: Pending,
}

impl Ticket {
    /// Tells once that the caller is to attend the connection that has begun its exchange.
    pub(crate) fn look_for_invitation(&mut self, cx: &Context<'_>) -> Option<Invitation> {
        let queued = self.queued.as_mut()?.get_mut()?;
        let invitation = queued.doorstep.as_ref()?.look(cx)?;
        queued.doorstep = None;
        Some(invitation)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.pending.is_answered()
            && let Some(queued) = self.queued.as_mut().and_then(OfProcess::get_mut)
        {
            queued.is_over = true;
        }
    }
}

#[derive(Debug)]
struct Queued {
    pool: Arc<Pool>,
    route: Route,
    number: u64,
    /// Where it hears that it may attend its connection; `None` once it has.
    doorstep: Option<Arc<Doorstep>>,
    is_over: bool,
}

impl Drop for Queued {
    fn drop(&mut self) {
        if !self.is_over {
            let job = self.pool.lock().abandon(&self.route, self.number);
            drop(job);
        }
    }
}

/// A warm-up under way; dropping it leaves its dials to the pool.
#[derive(Debug)]
pub(crate) struct WarmUp {
    warming: OfProcess<Warmth>,
    awaited: Awaited<Result<Warmed, Error>>,
}

impl Future for WarmUp {
    type Output = Result<Warmed, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.awaited).poll(cx);
        answer.map(|answer| answer.unwrap_or_else(|| Err(Error::shut_down())))
    }
}

impl Drop for WarmUp {
    fn drop(&mut self) {
        if let Some(Warmth { pool, route, number }) = self.warming.get_mut() {
            let warming = pool.lock().stop_warming(route, *number);
            drop(warming);
        }
    }
}

#[derive(Debug)]
struct Warmth {
    pool: Arc<Pool>,
    route: Route,
    number: u64,
}
