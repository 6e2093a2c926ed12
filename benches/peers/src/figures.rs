//! What a round of one client gives: names and numbers, as they go into the JSON.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::meter::Usage;
use crate::statistics::quantile;

pub(crate) type Figures = BTreeMap<String, f64>;

/// What one thread or task did while the clock ran.
pub(crate) struct Samples {
    pub(crate) latencies: Vec<Duration>,
    pub(crate) ended: Instant,
}

/// Opened when everything is warm, closed when the last thread has ended.
pub(crate) struct Clock {
    pub(crate) started: Instant,
    usage: Usage,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let usage = Usage::of_this_process();
        Self { started: Instant::now(), usage }
    }

    pub(crate) fn figures(&self, samples: &[Samples]) -> Figures {
        let used = Usage::of_this_process().since(self.usage);
        let ended = samples.iter().map(|one| one.ended).max().unwrap_or(self.started);
        let seconds = (ended - self.started).as_secs_f64();
        let latencies: Vec<Duration> =
            samples.iter().flat_map(|one| one.latencies.iter().copied()).collect();
        let requests = latencies.len() as f64;
        let mut figures = Figures::new();
        figures.insert("requests".into(), requests);
        figures.insert("seconds".into(), seconds);
        figures.insert("requests_per_second".into(), requests / seconds);
        figures.insert("cpu_us_per_request".into(), micros(used.cpu) / requests);
        figures.insert("context_switches_per_request".into(), used.switches as f64 / requests);
        insert_latencies(&mut figures, &latencies);
        figures
    }
}

pub(crate) fn insert_latencies(figures: &mut Figures, latencies: &[Duration]) {
    let mut sorted: Vec<f64> = latencies.iter().map(|&one| micros(one)).collect();
    sorted.sort_by(f64::total_cmp);
    for (name, share) in [("p50_us", 0.5), ("p99_us", 0.99), ("max_us", 1.0)] {
        if let Some(value) = quantile(&sorted, share) {
            figures.insert(name.into(), value);
        }
    }
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
