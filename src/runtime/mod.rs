//! Between calls and connections: the lanes that move bytes, and how a thread waits.
//!
//! `wait.rs` is the loop of a blocked caller, `lane.rs` an event loop and its two kinds of driver.
//! A request is carried here and never looked into.

mod alarm;
mod attendance;
mod lane;
mod lanes;
mod lend;
mod parker;
pub(crate) mod wait;

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Weak},
    time::Duration,
};

use self::{
    lane::Lane,
    lanes::Lanes,
    lend::{Lending, Plan},
};
pub use crate::transport::pool::Warmed;
pub(crate) use crate::transport::{
    bridge::{
        Answer, AnswerBody, Failure, Head, Job, Order, Outcome, Sent, Target, Unwanted, Upload,
        Want, answer,
    },
    pipe,
    pool::{Ticket, WarmOrder, WarmUp},
};
use crate::{
    config::{Config, Driving},
    doorstep::Invitation,
    error::{Error, Result},
    life::Life,
    lifecycle::Shutdown,
    origin::Route,
    priority::Priority,
    stats::Stats,
    steward::Tended,
    threads::Crew,
    transport::{
        self,
        bridge::Pending,
        connect::Connector,
        connection::Home,
        pool::{Dial, Pool, Unstarted},
    },
};

/// Everything of a client that is alive: its pool, its lanes, its connector.
#[derive(Debug)]
pub(crate) struct Runtime {
    pool: Arc<Pool>,
    connector: Arc<Connector>,
    lanes: Arc<Lanes>,
    lending: Lending,
    crew: Arc<Crew>,
}

impl Runtime {
    /// Gets ready; lanes are made by the first dials.
    pub(crate) fn start(config: &Config) -> Result<Self> {
        let learns = transport::learns_http2(config);
        let pool = Pool::new(config.limits, config.connections.clone(), learns);
        let crew = Arc::<Crew>::default();
        let lending = match config.driving {
            Driving::Background => Lending::Never,
            Driving::Lent => Lending::Always,
            Driving::AtRandom => Lending::AtRandom,
        };
        let lanes = Lanes::new(lending, Arc::clone(&crew));
        let connector = Arc::new(Connector::new(config, &crew));
        let (weak, dialer) = (Arc::downgrade(&lanes), Arc::clone(&connector));
        pool.start_dials_with(move |dial| start_dial(&weak, dial, &dialer));
        Ok(Self { pool, connector, lanes, lending, crew })
    }

    /// Asks for an exchange; the ticket holds its place in the queue and its answer.
    ///
    /// With `waits_next` the thread does nothing else before it waits, so it can begin the exchange
    /// itself, inside the lane.
    pub(crate) fn submit(
        &self,
        (mut job, pending): (Box<Job>, Pending),
        waits_next: bool,
    ) -> Ticket {
        job.order.avoid = lend::inside();
        if job.order.avoid.is_some() {
            // Whatever it is for, all calls of that lane wait for it.
            job.order.priority = Priority::Interactive;
        }
        let may_attend = self.lending.is_done() && lend::may_attend();
        // A guest that could not drive would only be woken twice.
        job.order.may_be_invited &= self.lending.is_done() && waits_next && lend::may_lend();
        let submits = lend::Submits::begin(may_attend && waits_next);
        let (ticket, hand_in) = self.pool.submit((job, pending), may_attend && waits_next);
        drop(submits);
        if let Some(mut hand_in) = hand_in
            && let Some(lane) = self.lanes.get(hand_in.lane())
        {
            let (lane, life) = (Arc::clone(lane), hand_in.life());
            lend::plan(Plan { lane, life, hand_in: Some(hand_in), job: None });
        }
        ticket
    }

    /// Waits for the answer; if the call is in the queue until then, its thread attends the
    /// connection that takes it out of there.
    pub(crate) async fn answer(&self, ticket: &mut Ticket) -> Outcome {
        poll_fn(|cx| {
            let answer = Pin::new(&mut ticket.pending).poll(cx);
            if answer.is_pending()
                && let Some(Invitation { lane, life, attended }) = ticket.look_for_invitation(cx)
                && let Some(lane) = self.lanes.get(lane)
            {
                let (lane, life) = (Arc::clone(lane), Some(life));
                lend::plan(Plan { lane, life, hand_in: None, job: Some(attended) });
            }
            answer
        })
        .await
    }

    /// What a thread can do that waits for more of a reply.
    pub(crate) fn lender(&self, home: &Home) -> Option<Lender> {
        let lane = self.lanes.get(home.lane).filter(|_| self.lending.is_possible())?;
        Some(Lender { lane: Arc::clone(lane), life: Weak::clone(&home.life) })
    }

    /// Opens connections that nobody needs yet; they go on if what is returned is dropped.
    pub(crate) fn warm_up(&self, mut order: WarmOrder) -> WarmUp {
        order.avoid = lend::inside();
        self.pool.warm_up(order)
    }

    /// Gets ready what a route needs before it can be dialed.
    pub(crate) fn prepare(&self, route: &Route) -> Result<()> {
        self.connector.prepare(route)
    }

    pub(crate) fn stats(&self) -> Stats {
        self.pool.stats()
    }

    pub(crate) fn close_idle(&self) {
        self.pool.close_idle();
    }

    /// Ends everything, now that no call waits any more; what could not be ended.
    pub(crate) fn end(&self) -> Shutdown {
        self.pool.close();
        let connections_left = self.lanes.close_connections(GRACE);
        self.lanes.stop();
        self.connector.end();
        let threads_left = self.crew.join(GRACE);
        self.lanes.end();
        Shutdown { connections_left, threads_left, ..Shutdown::default() }
    }
}

/// For a call that has got what it has waited for, or has given it up: leaves its connection to
/// others, as code of the user may run next.
pub(crate) fn leave_connection() {
    attendance::leave();
}

/// The lane and the connection of an open reply.
#[derive(Debug)]
pub(crate) struct Lender {
    lane: Arc<Lane>,
    life: Weak<Life>,
}

impl Lender {
    /// Has the thread attend the connection when it waits next.
    pub(crate) fn plan(&self) {
        let life = if lend::may_attend() { self.life.upgrade() } else { None };
        lend::plan(Plan { lane: Arc::clone(&self.lane), life, hand_in: None, job: None });
    }

    /// Has somebody look after the lane now: an exchange there was given up.
    pub(crate) fn call_keeper(&self) {
        self.lane.run_once();
    }
}

fn start_dial(
    lanes: &Weak<Lanes>,
    mut dial: Dial,
    connector: &Arc<Connector>,
) -> Result<(), Unstarted> {
    let Some(lanes) = lanes.upgrade() else { return Err((Box::new(dial), Error::shut_down())) };
    let (lane, on_lane) = match lanes.for_dial(dial.avoid(), dial.elsewhere()) {
        Ok(chosen) => chosen,
        Err(error) => return Err((Box::new(dial), error)),
    };
    dial.put_on(lane.wheel().number());
    // Whoever asked for it will wait, and may as well drive its dial.
    let seen_to = lend::submits().then(|| lane.wheel().attended());
    let connector = Arc::clone(connector);
    lane.spawn(on_lane, |wheel, guards, life| {
        transport::establish(dial, connector, wheel, guards, life)
    });
    if seen_to.is_some() {
        lend::plan(Plan { lane: Arc::clone(lane), life: None, hand_in: None, job: seen_to });
    }
    Ok(())
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // What is left on lanes without a keeper is closed with them.
        self.lanes.start_no_more();
        self.pool.close();
        self.lanes.stop();
    }
}

/// How long closing the connections may take, and joining the threads.
const GRACE: Duration = Duration::from_millis(500);
