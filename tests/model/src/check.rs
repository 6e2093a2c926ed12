//! How a property is checked.

use std::time::Duration;

use shuttle::{
    Config, MaxSteps, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
    sync::Arc,
};

/// Runs many interleavings, half of them at random and half as rare bugs like them.
pub(crate) fn check(execution: impl Fn() + Send + Sync + 'static) {
    let seconds = std::env::var("ABIDE_MODEL_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(SECONDS);
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config.max_time = Some(Duration::from_secs_f64(seconds));
    let execution = Arc::new(execution);
    let random = Box::new(RandomScheduler::new(ITERATIONS_MAX));
    let rare = Box::new(PctScheduler::new(CHANGES_MAX, ITERATIONS_MAX));
    for scheduler in [random as Box<dyn Scheduler + Send>, rare] {
        let execution = Arc::clone(&execution);
        let iterations = Runner::new(scheduler, config.clone()).run(move || execution());
        println!("{iterations} interleavings");
    }
}

/// For each scheduler and property; `ABIDE_MODEL_SECONDS` says otherwise.
const SECONDS: f64 = 3.0;
const ITERATIONS_MAX: usize = 1_000_000;
/// An execution that takes longer has a call that waits for ever.
const STEPS_MAX: usize = 20_000;
/// How many turns a bug may need at the right moments.
const CHANGES_MAX: usize = 4;
