//! What does it cost to be given an idle connection and to give it back? `cargo bench --bench lease`
//! answers.
//!
//! The pool's books are abide's own source files. The connections are the toys of the pool's model:
//! nothing is sent and nobody waits, so what is seen is what all calls of a client share. All threads
//! call one route, each with a connection of its own; the time is that between two leases, whoever
//! takes them.

#![expect(clippy::print_stdout, reason = "the answers")]

mod life {
    /// The connection that a mailbox leads to.
    #[derive(Debug)]
    pub(crate) struct Life {
        pub(crate) connection: u64,
    }
}
#[expect(dead_code, reason = "leasing needs little of it")]
#[path = "../src/moment.rs"]
mod moment;
#[expect(unreachable_pub, reason = "it is public where it comes from")]
#[path = "../src/priority.rs"]
mod priority;
#[expect(dead_code, unreachable_pub, reason = "nobody looks at the books")]
#[path = "../src/stats.rs"]
mod stats;
#[expect(unused_imports, reason = "leasing needs little of it")]
#[path = "../src/sync.rs"]
mod sync;
#[expect(dead_code, reason = "no job is sent and nothing is answered")]
#[path = "../tests/model/pool/toys.rs"]
mod toys;
#[path = "lease/transport.rs"]
mod transport;

use std::{
    hint::black_box,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use moment::Moment;
use priority::Priority;
use toys::{
    doorstep, error, host_options, limits,
    origin::{self, Origin, Route, Way},
    traffic,
    watch::{self, Watch},
    wheel,
};
use transport::{
    bridge::{Job, Order, job},
    pool::Books,
};

fn main() {
    let books = Books::with_idle(&route(), THREADS_MAX);
    let mut answers = vec![("a job made and dropped".to_owned(), Vec::new())];
    let threads = [1, 2, 4, THREADS_MAX];
    answers.extend(threads.map(|threads| {
        (format!("the same with a lease taken and given back, threads: {threads}"), Vec::new())
    }));
    for _ in 0..ROUNDS {
        answers[0].1.push(per_turn(1, |route, watch| drop(black_box(made(route, watch)))));
        for ((_, samples), threads) in answers[1..].iter_mut().zip(threads) {
            samples.push(per_turn(threads, |route, watch| {
                let (lease, job) = books.take(made(route, watch)).expect("an idle connection");
                books.give_back(route, lease);
                drop(job);
            }));
        }
    }
    for (question, mut samples) in answers {
        samples.sort_by(f64::total_cmp);
        let at = |part: usize| samples[(samples.len() - 1) * part / 4];
        println!("{question:58}{:>9.1} ns  ({:.1} to {:.1})", at(2), at(1), at(3));
    }
}

fn route() -> Route {
    Arc::new(Way { origin: Origin { secure: false, speaks_http2: false, number: 1 } })
}

fn made(route: &Route, watch: &Arc<Watch>) -> Box<Job> {
    let order = Order {
        route: Arc::clone(route),
        watch: Arc::clone(watch),
        timeouts: limits::Timeouts::none(),
        priority: Priority::Interactive,
        attempt: 1,
        fresh: false,
        avoid: None,
    };
    job(order).0
}

/// Nanoseconds from one turn to the next, whichever thread takes it.
fn per_turn(threads: usize, turn: impl Fn(&Route, &Arc<Watch>) + Sync) -> f64 {
    let together = Barrier::new(threads);
    let times = thread::scope(|scope| {
        let run = || {
            // As each call has: what threads share is the pool alone.
            let (route, watch) = (route(), Arc::new(Watch::new(None, Moment::now())));
            together.wait();
            let began = Instant::now();
            (0..TURNS).for_each(|_| turn(&route, &watch));
            (began, Instant::now())
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
    });
    let began = times.iter().map(|(began, _)| *began).min();
    let ended = times.iter().map(|(_, ended)| *ended).max();
    let elapsed = began.zip(ended).map_or(Duration::ZERO, |(began, ended)| ended - began);
    elapsed.as_secs_f64() * 1e9 / (threads * TURNS) as f64
}

const ROUNDS: usize = 21;
const TURNS: usize = 5_000;
const THREADS_MAX: usize = 16;
