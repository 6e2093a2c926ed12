//! The same request over and over, on each of the threads, until the time is up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::clients::{self, Caller, Client, Setup};
use crate::figures::{Clock, Figures, Samples};
use crate::outcome::Outcome;
use crate::spec::{Pace, Spec};
use crate::task::Task;

pub(super) fn run(spec: &Spec, task: &Task) -> Outcome<Figures> {
    over(spec, task, &Setup::of(spec, task))
}

/// The same with another setup than the scenario's own.
pub(super) fn over(spec: &Spec, task: &Task, setup: &Setup) -> Outcome<Figures> {
    let client = clients::client(spec.client, setup)?;
    let client = client.as_ref();
    let gate = Gate::new(spec.threads);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..spec.threads)
            .map(|_| scope.spawn(|| one_thread(client, task, &gate, spec.pace)))
            .collect();
        let clock = gate.open(spec.threads);
        let samples = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread panicked")?)
            .collect::<Outcome<Vec<Samples>>>()?;
        Ok(clock.figures(&samples))
    })
}

/// Opens when all are warm and wait here: what the waking of many costs belongs to the round, what
/// their warming costs does not.
struct Gate {
    warm: AtomicUsize,
    barrier: Barrier,
    started: OnceLock<Instant>,
}

impl Gate {
    fn new(threads: usize) -> Self {
        let (warm, started) = (AtomicUsize::new(0), OnceLock::new());
        Self { warm, barrier: Barrier::new(threads + 1), started }
    }

    fn open(&self, threads: usize) -> Clock {
        while self.warm.load(Ordering::Acquire) < threads {
            thread::sleep(LOOK_INTERVAL);
        }
        let clock = Clock::start();
        // Set here and nowhere else.
        let _ = self.started.set(clock.started);
        self.barrier.wait();
        clock
    }

    fn pass(&self) -> Outcome<Instant> {
        self.warm.fetch_add(1, Ordering::Release);
        self.barrier.wait();
        self.started.get().copied().ok_or_else(|| "no start".into())
    }
}

fn one_thread(client: &dyn Client, task: &Task, gate: &Gate, pace: Pace) -> Outcome<Samples> {
    let warm = warm_up(client, task, pace);
    // Passed in any case: the others wait here too.
    let deadline = gate.pass()? + pace.measured;
    let mut caller = warm?;
    let mut latencies = Vec::new();
    let mut now = Instant::now();
    loop {
        let begun = now;
        caller.call()?;
        now = Instant::now();
        latencies.push(now - begun);
        if now >= deadline {
            return Ok(Samples { latencies, ended: now });
        }
    }
}

fn warm_up<'a>(
    client: &'a dyn Client,
    task: &'a Task,
    pace: Pace,
) -> Outcome<Box<dyn Caller + 'a>> {
    let mut caller = client.caller(task)?;
    let deadline = Instant::now() + pace.warm_up;
    while Instant::now() < deadline {
        caller.call()?;
    }
    Ok(caller)
}

const LOOK_INTERVAL: Duration = Duration::from_millis(1);
