//! What does it cost to wake a thread that waits for its call? `cargo bench --bench waking` answers.
//!
//! Two threads wake each other by turns, as a lane and a caller do. The parker is abide's own source
//! file, beside a bare park and unpark; both are measured in every round.

#![expect(clippy::print_stdout, reason = "the answers")]

#[expect(dead_code, reason = "waiting needs little of it")]
#[path = "../src/moment.rs"]
mod moment;
#[expect(dead_code, reason = "nobody drives here")]
#[path = "../src/runtime/parker.rs"]
mod parker;
#[expect(unused_imports, reason = "waiting needs little of it")]
#[path = "../src/sync.rs"]
mod sync;

use std::{
    sync::OnceLock,
    thread::{self, Thread},
    time::{Duration, Instant},
};

use moment::Moment;
use parker::Parker;

fn main() {
    let mut answers = [
        ("waking a thread that is awake", Vec::new()),
        ("waking one that waits, there and back, by parkers", Vec::new()),
        ("waking one that waits, there and back, by bare threads", Vec::new()),
    ];
    for _ in 0..ROUNDS {
        for ((_, samples), measure) in answers.iter_mut().zip([awake, by_parkers, by_threads]) {
            samples.push(measure());
        }
    }
    for (question, mut samples) in answers {
        samples.sort_by(f64::total_cmp);
        let at = |part: usize| samples[(samples.len() - 1) * part / 4];
        println!("{question:55}{:>9.1} ns  ({:.1} to {:.1})", at(2), at(1), at(3));
    }
}

/// Nanoseconds for each wake-up of a thread that looks at once, by itself.
fn awake() -> f64 {
    let parker = Parker::new();
    per_turn(|| {
        for _ in 0..TURNS {
            parker.notify();
            parker.park_until(Moment::NEVER);
        }
    })
}

fn by_parkers() -> f64 {
    by_turns(Parker::new, |other| other.notify(), |own| own.park_until(Moment::NEVER))
}

fn by_threads() -> f64 {
    let own = || {
        // A wake-up that came before would be taken for the first.
        thread::park_timeout(Duration::ZERO);
        thread::current()
    };
    by_turns(own, Thread::unpark, |_| thread::park())
}

/// Nanoseconds for each time that one thread wakes the other and is woken by it.
fn by_turns<P: Send + Sync>(own: fn() -> P, wake: fn(&P), wait: fn(&P)) -> f64 {
    let (here, there) = (own(), OnceLock::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            let there = there.get_or_init(own);
            for _ in 0..TURNS {
                wait(there);
                wake(&here);
            }
        });
        // No channel: what wakes its receiver would be taken for the first wake-up.
        let there = loop {
            match there.get() {
                Some(there) => break there,
                None => thread::yield_now(),
            }
        };
        per_turn(|| {
            for _ in 0..TURNS {
                wake(there);
                wait(&here);
            }
        })
    })
}

fn per_turn(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1e9 / f64::from(TURNS)
}

const ROUNDS: usize = 21;
const TURNS: u32 = 2_000;
