//! A client made, used for one request, and dropped, over and over.

use std::time::{Duration, Instant};

use crate::clients::{self, Setup};
use crate::figures::{Clock, Figures, Samples, micros};
use crate::outcome::Outcome;
use crate::spec::Spec;
use crate::statistics::Quartiles;
use crate::task::Task;

pub(super) fn run(spec: &Spec, task: &Task) -> Outcome<Figures> {
    let setup = Setup::of(spec, task);
    for _ in 0..WARM_UP_CLIENTS {
        once(spec, &setup, task)?;
    }
    let clock = Clock::start();
    let (mut latencies, mut makings) = (Vec::new(), Vec::new());
    let mut now = clock.started;
    while now < clock.started + spec.pace.measured {
        let begun = now;
        makings.push(micros(once(spec, &setup, task)?));
        now = Instant::now();
        latencies.push(now - begun);
    }
    let mut figures = clock.figures(&[Samples { latencies, ended: now }]);
    if let Some(quartiles) = Quartiles::of(&makings) {
        figures.insert("create_p50_us".into(), quartiles.median);
    }
    Ok(figures)
}

/// How long the making of the client alone took.
fn once(spec: &Spec, setup: &Setup, task: &Task) -> Outcome<Duration> {
    let begun = Instant::now();
    let client = clients::client(spec.client, setup)?;
    let made = begun.elapsed();
    client.caller(task)?.call()?;
    Ok(made)
}

const WARM_UP_CLIENTS: usize = 3;
