//! All threads call a host at once that the client has never called.

use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::clients::{self, Client, Setup};
use crate::figures::{Clock, Figures, Samples, micros};
use crate::outcome::Outcome;
use crate::spec::Spec;
use crate::statistics::Quartiles;
use crate::task::Task;

/// One herd after the other, each with a client of its own, until the time is up.
pub(super) fn run(spec: &Spec, task: &Task) -> Outcome<Figures> {
    let setup = Setup::of(spec, task);
    // What the process does once is no part of a herd: roots, libraries, pages.
    herd(clients::client(spec.client, &setup)?.as_ref(), task, spec.threads)?;
    let clock = Clock::start();
    let deadline = clock.started + spec.pace.measured;
    let (mut latencies, mut alls) = (Vec::new(), Vec::new());
    while Instant::now() < deadline {
        let client = clients::client(spec.client, &setup)?;
        let each = herd(client.as_ref(), task, spec.threads)?;
        alls.extend(each.iter().max().map(|&last| micros(last)));
        latencies.extend(each);
    }
    let mut figures = clock.figures(&[Samples { latencies, ended: Instant::now() }]);
    // With the one that was not measured: the server has counted its connections too.
    figures.insert("herds".into(), alls.len() as f64 + 1.0);
    if let Some(quartiles) = Quartiles::of(&alls) {
        figures.insert("all_us".into(), quartiles.median);
    }
    Ok(figures)
}

/// When each thread had its answer, from the moment at which all began.
fn herd(client: &dyn Client, task: &Task, threads: usize) -> Outcome<Vec<Duration>> {
    let (gate, started) = (Barrier::new(threads), OnceLock::new());
    thread::scope(|scope| {
        let callers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let caller = client.caller(task);
                    // Passed in any case: the others wait here too.
                    gate.wait();
                    let started = *started.get_or_init(Instant::now);
                    caller?.call()?;
                    Ok(started.elapsed())
                })
            })
            .collect();
        let joined = callers.into_iter().map(|thread| thread.join());
        joined.map(|joined| joined.map_err(|_| "a thread panicked")?).collect()
    })
}
