//! Between calls and connections: the lanes that move bytes, and how a thread waits.
//!
//! `wait.rs` is the loop of a blocked caller, `lane.rs` the background event loop. A request is
//! carried here and never looked into.

mod lane;
pub(crate) mod wait;

use std::sync::{Arc, Weak};

use self::lane::Lane;
pub use crate::transport::pool::Stats;
pub(crate) use crate::transport::{
    bridge::{Answer, AnswerBody, Failure, Head, Order, Sent, Upload, Want},
    pipe,
    pool::Ticket,
};
use crate::{
    config::Config,
    error::Result,
    origin::Route,
    transport::{self, connect::Connector, pool::Pool},
};

/// Everything of a client that is alive: its pool, its lane, its connector.
#[derive(Debug)]
pub(crate) struct Runtime {
    pool: Arc<Pool>,
    connector: Arc<Connector>,
    lane: Arc<Lane>,
}

impl Runtime {
    /// Starts the background thread.
    pub(crate) fn start(config: &Config) -> Result<Self> {
        let lane = Arc::new(Lane::start()?);
        let pool = Pool::new(config.limits, transport::learns_http2(config));
        let connector = Arc::new(Connector::new(config));
        let (weak, dialer): (Weak<Lane>, _) = (Arc::downgrade(&lane), Arc::clone(&connector));
        pool.start_dials_with(move |dial| match weak.upgrade() {
            Some(lane) => lane.spawn(transport::establish(dial, Arc::clone(&dialer))),
            None => drop(dial),
        });
        Ok(Self { pool, connector, lane })
    }

    /// Asks for an exchange; the ticket holds its place in the queue and its answer.
    pub(crate) fn submit(&self, order: Order) -> Ticket {
        self.pool.submit(order)
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
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.pool.close();
        self.lane.stop();
    }
}
