//! What does it cost to have a lane do nothing and to be told so? `cargo bench --bench crossing`
//! answers.
//!
//! A job is handed to a connection that answers at once, without a socket and without HTTP. Lanes,
//! their wheels and keepers, mailboxes, the lives of connections and the wait for an answer are
//! abide's own source files; what they name besides is replaced by next to nothing. Every thread has a
//! connection of its own; with callers that lend their threads each is on a lane of its own, else all
//! are on one. The time is that between two answers, whoever gets them.

#![expect(clippy::print_stdout, reason = "the answers")]

#[expect(dead_code, reason = "nothing forks here")]
#[path = "../src/environment.rs"]
mod environment;
#[expect(dead_code, reason = "nothing is read here")]
#[path = "../src/life.rs"]
mod life;
#[expect(dead_code, unreachable_pub, reason = "nothing is shut down here")]
#[path = "../src/lifecycle.rs"]
mod lifecycle;
#[expect(dead_code, reason = "nobody wants to know")]
#[path = "../src/load.rs"]
mod load;
#[path = "../src/moment.rs"]
mod moment;
#[path = "../src/post.rs"]
mod post;
#[path = "crossing/runtime.rs"]
mod runtime;
#[expect(dead_code, reason = "nothing is left alone here")]
#[path = "../src/steward.rs"]
mod steward;
#[path = "../src/sync.rs"]
mod sync;
#[path = "crossing/transport.rs"]
mod transport;
#[expect(dead_code, unused_imports, reason = "nothing is dialed here")]
#[path = "../src/wheel.rs"]
mod wheel;

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use context::CallContext;
use runtime::{Connection, Way};

fn main() -> error::Result<()> {
    let ways = [
        (Way::Attended, "by the caller, who attends"),
        (Way::Driven, "by the caller, who drives"),
        (Way::Kept, "by the keeper"),
    ];
    let mut answers = Vec::new();
    for (way, what) in ways {
        for threads in THREADS {
            let question = format!("an empty crossing {what}, threads: {threads}");
            answers.push((question, Connection::open(way, threads)?, Vec::new()));
        }
    }
    for _ in 0..ROUNDS {
        for (_, connections, samples) in &mut answers {
            samples.push(per_crossing(connections)?);
        }
    }
    for (question, _, mut samples) in answers {
        samples.sort_by(f64::total_cmp);
        let at = |part: usize| samples[(samples.len() - 1) * part / 4];
        println!("{question:60}{:>9.1} ns  ({:.1} to {:.1})", at(2), at(1), at(3));
    }
    Ok(())
}

/// Nanoseconds from one answer to the next, on whichever connection.
fn per_crossing(connections: &[Connection]) -> error::Result<f64> {
    let together = Barrier::new(connections.len());
    let times = thread::scope(|scope| {
        let run = |connection: &Connection| {
            let cx = CallContext::default();
            together.wait();
            let began = Instant::now();
            (0..TURNS).try_for_each(|_| connection.cross(&cx))?;
            Ok((began, Instant::now()))
        };
        let running: Vec<_> =
            connections.iter().map(|connection| scope.spawn(move || run(connection))).collect();
        let times = running.into_iter().map(|thread| thread.join().expect("no panic"));
        times.collect::<error::Result<Vec<_>>>()
    })?;
    let began = times.iter().map(|(began, _)| *began).min();
    let ended = times.iter().map(|(_, ended)| *ended).max();
    let elapsed = began.zip(ended).map_or(Duration::ZERO, |(began, ended)| ended - began);
    Ok(elapsed.as_secs_f64() * 1e9 / (connections.len() * TURNS) as f64)
}

const ROUNDS: usize = 21;
const TURNS: usize = 2_000;
const THREADS: [usize; 3] = [1, 4, 16];

mod context {
    use crate::{error::Result, lifecycle::Running, moment::Moment};

    /// A call without budgets, spans and a client.
    #[derive(Debug, Default)]
    pub(crate) struct CallContext {
        pub(crate) trail: Trail,
    }

    #[derive(Debug, Default)]
    pub(crate) struct Trail;

    impl CallContext {
        pub(crate) const fn running(&self) -> Option<&Running> {
            None
        }

        pub(crate) const fn same_process(&self) -> Result<()> {
            Ok(())
        }

        pub(crate) const fn wake_at(&self) -> Moment {
            Moment::NEVER
        }

        pub(crate) const fn waiting_since(&self) -> Moment {
            Moment::ZERO
        }
    }

    impl Trail {
        #[expect(clippy::unused_self, reason = "the real one knows it")]
        pub(crate) const fn is_listened_to(&self) -> bool {
            false
        }

        pub(crate) fn around<T>(&self, poll: impl FnOnce() -> T) -> T {
            poll()
        }
    }
}

mod error {
    use std::io;

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Error;

    #[derive(Clone, Copy, Debug)]
    pub(crate) enum ErrorKind {
        Internal,
    }

    pub(crate) type Result<T> = std::result::Result<T, Error>;

    impl Error {
        pub(crate) const fn new(_: ErrorKind, _: &str) -> Self {
            Self
        }

        pub(crate) fn because(self, _: io::Error) -> Self {
            self
        }
    }
}

mod reporter {
    use crate::{context::CallContext, moment::Moment};

    /// Nobody wants to hear of a crossing.
    #[derive(Debug)]
    pub(crate) struct Reporter;

    impl Reporter {
        pub(crate) const fn is_due(&self, _: &CallContext, _: bool) -> bool {
            false
        }

        pub(crate) const fn tell(&self, _: &CallContext) {}

        pub(crate) const fn next(&self, _: &CallContext) -> Moment {
            Moment::NEVER
        }
    }
}

mod threads {
    use std::{io, thread};

    use crate::sync::Arc;

    #[derive(Debug)]
    pub(crate) struct Crew;

    impl Crew {
        pub(crate) fn start(
            self: &Arc<Self>,
            what: &str,
            run: impl FnOnce() + Send + 'static,
        ) -> io::Result<()> {
            thread::Builder::new().name(what.to_owned()).spawn(run).map(drop)
        }
    }
}
