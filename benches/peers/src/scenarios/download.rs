//! The long body, streamed: how fast, and how much memory it takes over that of an idle client.

use std::time::Instant;

use crate::clients::{self, Setup};
use crate::figures::{Clock, Figures, Samples};
use crate::meter;
use crate::outcome::Outcome;
use crate::payload;
use crate::spec::Spec;
use crate::task::Task;

pub(super) fn run(spec: &Spec, task: &Task) -> Outcome<Figures> {
    let client = clients::client(spec.client, &Setup::of(spec, task))?;
    let small = Task::small(spec.ports);
    let mut small_caller = client.caller(&small)?;
    for _ in 0..SMALL_CALLS {
        small_caller.call()?;
    }
    let mut caller = client.caller(task)?;
    let idle = meter::resident_bytes();
    meter::forget_peak();
    // Unmeasured, because the system finds the right window for a connection only with time, and
    // some have made their small calls on another one.
    caller.call()?;
    let clock = Clock::start();
    let mut latencies = Vec::new();
    let mut now = clock.started;
    while now < clock.started + spec.pace.measured {
        let begun = now;
        caller.call()?;
        now = Instant::now();
        latencies.push(now - begun);
    }
    let bytes = latencies.len() as f64 * payload::LARGE_LENGTH as f64;
    let mut figures = clock.figures(&[Samples { latencies, ended: now }]);
    figures.insert("bytes_per_second".into(), bytes / (now - clock.started).as_secs_f64());
    if let (Some(idle), Some(peak)) = (idle, meter::peak_resident_bytes()) {
        figures.insert("idle_rss_bytes".into(), idle);
        figures.insert("peak_rss_bytes".into(), peak);
        figures.insert("peak_rss_over_idle_bytes".into(), (peak - idle).max(0.0));
    }
    Ok(figures)
}

/// Enough for a client to have started everything it keeps.
const SMALL_CALLS: usize = 20;
