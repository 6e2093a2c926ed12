//! The pool's books, behind a lock as in the pool.

#![expect(dead_code, unreachable_pub, unused_imports, reason = "a lease needs little of them")]

#[path = "../../src/transport/pool/inside.rs"]
mod inside;
#[path = "../../src/transport/pool/queue.rs"]
mod queue;
#[path = "../../src/transport/pool/route.rs"]
mod route;
#[path = "../../src/transport/pool/settle.rs"]
mod settle;
#[path = "../../src/transport/pool/spread.rs"]
mod spread;
#[path = "../../src/transport/pool/state.rs"]
mod state;
#[path = "../../src/transport/pool/warm.rs"]
mod warm;

use self::{
    route::Idle,
    state::{Effect, Next, Placement, State},
    warm::WarmOrder,
};
use super::{
    bridge::{self, Job},
    mailbox::{Jobs, Mailbox},
};
use crate::{
    host_options::ConnectionOptions,
    life::Life,
    limits::{Limits, Timeouts},
    moment::Moment,
    origin::Route,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    traffic::Traffic,
    wheel::Wheel,
};

pub(crate) struct Books {
    state: Mutex<State>,
    connections: Vec<Connection>,
}

/// What would read what is sent.
struct Connection {
    _life: Arc<Life>,
    _jobs: Jobs,
}

/// A connection that a job has.
pub(crate) struct Lease {
    mailbox: Mailbox,
    life: Arc<Life>,
}

impl Books {
    /// Those of a client with idle connections of one route.
    pub(crate) fn with_idle(route: &Route, connections: usize) -> Self {
        let limits = Limits {
            places_per_route: connections,
            places_total: connections,
            dials_total: connections,
        };
        let mut state = State::new(limits, ConnectionOptions, false);
        let order = WarmOrder {
            route: Arc::clone(route),
            connections,
            timeouts: Timeouts::none(),
            avoid: None,
        };
        let (_, effects) = state.warm(order, bridge::reply().0);
        let opened = effects.into_iter().zip(1..).map(|(effect, connection)| {
            let Effect::Dial(dial) = effect else { panic!("{effect:?}") };
            let life = Arc::new(Life { connection });
            let (mailbox, jobs) = Mailbox::open(&Arc::new(Wheel), Arc::downgrade(&life));
            let (number, next, _) = state.opened_http1(&dial, &mailbox, &Arc::new(Traffic));
            assert!(number == connection && matches!(next, Next::Idle), "{next:?}");
            Connection { _life: life, _jobs: jobs }
        });
        let connections = opened.collect();
        Self { state: Mutex::new(state), connections }
    }

    /// As `Pool::submit`.
    pub(crate) fn take(&self, job: Box<Job>) -> Option<(Lease, Box<Job>)> {
        let mut state = self.lock();
        let ticket = state.next_ticket(job.order.attempt, job.order.watch.turn());
        job.order.watch.set_turn(ticket);
        let placement = state.place(job, ticket);
        drop(state);
        let Placement::Run(mailbox, job, _) = placement else { return None };
        let life = mailbox.life()?;
        Some((Lease { mailbox, life }, job))
    }

    /// As `Member::next_job`.
    pub(crate) fn give_back(&self, route: &Route, lease: Lease) {
        let Lease { mailbox, life } = lease;
        let idle = Idle { connection: life.connection, mailbox, since: Moment::now() };
        let (next, effects) = self.lock().next_job(route, idle, false);
        assert!(matches!(next, Next::Idle) && effects.is_empty(), "{next:?}");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
