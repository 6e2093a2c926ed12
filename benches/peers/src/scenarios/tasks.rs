//! The loops of `repeat.rs` and `new_client.rs` for tasks instead of threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::clients::Setup;
use crate::clients::raw_hyper::{Connection, RawHyper};
use crate::figures::{Clock, Figures, Samples};
use crate::outcome::Outcome;
use crate::spec::{Pace, Spec};
use crate::task::Task;

/// As many tasks as the others have threads, each with a connection of its own.
pub(super) fn repeat(spec: &Spec, task: Task) -> Outcome<Figures> {
    let hyper = RawHyper::new(&Setup::of(spec, &task))?;
    let (task, pace) = (Arc::new(task), spec.pace);
    hyper.runtime.block_on(async {
        let gate = Arc::new(Gate::new(spec.threads));
        let mut tasks = JoinSet::new();
        for _ in 0..spec.threads {
            tasks.spawn(one_task(hyper.config.clone(), task.clone(), gate.clone(), pace));
        }
        let clock = gate.open(spec.threads).await;
        let samples = tasks.join_all().await.into_iter().collect::<Outcome<Vec<Samples>>>()?;
        Ok(clock.figures(&samples))
    })
}

/// One new connection after the other, each for one request.
pub(super) fn new_connections(spec: &Spec, task: Task) -> Outcome<Figures> {
    let hyper = RawHyper::new(&Setup::of(spec, &task))?;
    let (config, measured) = (hyper.config.clone(), spec.pace.measured);
    let all = async move {
        once(&config, &task).await?;
        let clock = Clock::start();
        let mut latencies = Vec::new();
        let mut now = clock.started;
        while now < clock.started + measured {
            let begun = now;
            once(&config, &task).await?;
            now = Instant::now();
            latencies.push(now - begun);
        }
        Ok(clock.figures(&[Samples { latencies, ended: now }]))
    };
    hyper.runtime.block_on(hyper.runtime.spawn(all))?
}

async fn once(config: &Option<Arc<ClientConfig>>, task: &Task) -> Outcome<()> {
    Connection::open(config, task).await?.call(task).await
}

async fn one_task(
    config: Option<Arc<ClientConfig>>,
    task: Arc<Task>,
    gate: Arc<Gate>,
    pace: Pace,
) -> Outcome<Samples> {
    let warm = warm_up(&config, &task, pace.warm_up).await;
    // Passed in any case: the others wait here too.
    let deadline = gate.pass().await? + pace.measured;
    let mut connection = warm?;
    let mut latencies = Vec::new();
    let mut now = Instant::now();
    loop {
        let begun = now;
        connection.call(&task).await?;
        now = Instant::now();
        latencies.push(now - begun);
        if now >= deadline {
            return Ok(Samples { latencies, ended: now });
        }
    }
}

async fn warm_up(
    config: &Option<Arc<ClientConfig>>,
    task: &Task,
    length: Duration,
) -> Outcome<Connection> {
    let mut connection = Connection::open(config, task).await?;
    let deadline = Instant::now() + length;
    while Instant::now() < deadline {
        connection.call(task).await?;
    }
    Ok(connection)
}

/// The gate of the threads, for tasks.
struct Gate {
    warm: AtomicUsize,
    barrier: Barrier,
    started: OnceLock<Instant>,
}

impl Gate {
    fn new(tasks: usize) -> Self {
        let (warm, started) = (AtomicUsize::new(0), OnceLock::new());
        Self { warm, barrier: Barrier::new(tasks + 1), started }
    }

    async fn open(&self, tasks: usize) -> Clock {
        while self.warm.load(Ordering::Acquire) < tasks {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        let clock = Clock::start();
        // Set here and nowhere else.
        let _ = self.started.set(clock.started);
        self.barrier.wait().await;
        clock
    }

    async fn pass(&self) -> Outcome<Instant> {
        self.warm.fetch_add(1, Ordering::Release);
        self.barrier.wait().await;
        self.started.get().copied().ok_or_else(|| "no start".into())
    }
}

const LOOK_INTERVAL: Duration = Duration::from_millis(1);
