//! What a thread does before the next one takes its place.

use std::{
    io::Read as _,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use abide::{
    Body, Client, Error, Feedback, InterceptorError, RedirectAction, RedirectPolicy,
    RequestBuilder, Timeouts,
};

use crate::{
    BUDGET, WATCH,
    dice::Dice,
    nested::{self, CallingSubscriber, Pieces, Wish},
    support::Server,
};

pub(crate) struct Caller<'s> {
    pub(crate) client: &'s Client,
    pub(crate) server: &'s Server,
    pub(crate) seen: &'s Seen,
    pub(crate) dice: Dice,
}

/// What happened, so that one can see that all of it did.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    replies: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    out_of_time: AtomicU64,
    panicked: AtomicU64,
    nested: AtomicU64,
    /// The most that a call took longer than it may need.
    longest_micros: AtomicU64,
}

impl Seen {
    pub(crate) fn has_all(&self) -> bool {
        let all = [&self.replies, &self.cancelled, &self.out_of_time, &self.panicked, &self.nested];
        all.iter().all(|count| count.load(Relaxed) > 0)
    }
}

impl Caller<'_> {
    pub(crate) fn live(mut self) {
        for _ in 0..=self.dice.below(8) {
            if self.dice.percent(30) {
                self.nests();
                continue;
            }
            match self.dice.below(7) {
                0 => self.is_cancelled(),
                1 => self.leaves_half_read(),
                2 => self.listener_panics(),
                3 => self.has_little_time(),
                _ => self.gets(),
            }
        }
    }

    fn get(&self, target: &str) -> RequestBuilder<'static> {
        self.client.get(self.server.url(target)).timeout(BUDGET)
    }

    fn pick<'t>(&mut self, targets: &[&'t str]) -> &'t str {
        targets[self.dice.below(targets.len())]
    }

    /// Counts how a call ended, and holds it to what it needs.
    fn watch<T>(&self, needs: Duration, call: impl FnOnce() -> Result<T, Error>) {
        let (began, made) = (Instant::now(), nested::made());
        let ended = catch_unwind(AssertUnwindSafe(call));
        let made = nested::made() - made;
        let longer = began.elapsed().saturating_sub(needs + nested::BUDGET * made);
        self.seen.nested.fetch_add(made.into(), Relaxed);
        self.seen.longest_micros.fetch_max(longer.as_micros() as u64, Relaxed);
        let error = ended.as_ref().ok().and_then(|ended| ended.as_ref().err());
        assert!(longer < WATCH, "{longer:?} longer than {needs:?}: {error:?}");
        let counter = match &ended {
            Ok(Ok(_)) => &self.seen.replies,
            Ok(Err(error)) if error.is_cancelled() => &self.seen.cancelled,
            Ok(Err(error)) if error.is_timeout() => &self.seen.out_of_time,
            Ok(Err(_)) => &self.seen.failed,
            Err(_) => &self.seen.panicked,
        };
        counter.fetch_add(1, Relaxed);
    }

    fn gets(&mut self) {
        let target = self.pick(&["/small", "/large", "/close", "/slow", "/moved"]);
        self.watch(Duration::ZERO, || self.get(target).send());
    }

    fn is_cancelled(&mut self) {
        let target = self.pick(&["/small", "/large", "/slow"]);
        let (feedback, after) = (Feedback::new(), self.micros(2_000));
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(after);
                feedback.cancel();
            });
            self.watch(after, || self.get(target).feedback(&feedback).send());
        });
    }

    fn leaves_half_read(&mut self) {
        let (bytes, pause) = (self.dice.below(200_000), self.micros(15_000));
        self.watch(pause, || {
            let mut reply = self.get("/large").open()?;
            let mut buffer = vec![0; bytes / 2];
            // How it ends does not matter here.
            let _ = reply.read_exact(&mut buffer);
            thread::sleep(pause);
            let _ = reply.read_exact(&mut buffer);
            Ok(())
        });
    }

    fn listener_panics(&self) {
        let feedback = Feedback::new();
        // Without the hook that would print it.
        feedback.on_download(|_| resume_unwind(Box::new("a listener's panic")));
        self.watch(Duration::ZERO, || self.get("/large").feedback(&feedback).send());
    }

    fn has_little_time(&mut self) {
        let budget = self.micros(3_000);
        let timeouts = Timeouts::none().total(budget);
        self.watch(budget, || self.get("/slow").timeouts(timeouts).send());
    }

    /// Makes calls from a callback; the client's observer is one in each of them.
    fn nests(&mut self) {
        let _wish = Wish::new(self.client, self.server.url("/small"));
        let feedback = Feedback::new();
        let request = match self.dice.below(8) {
            0 => self.get("/large").intercept_requests(|_| nests()),
            1 => self.get("/large").intercept_replies(|_| nests()),
            2 => self.get("/moved").redirects(RedirectPolicy::custom(|_| {
                nested::call();
                RedirectAction::Follow
            })),
            3 => {
                feedback.on_download(|_| nested::call());
                self.get("/large").feedback(&feedback)
            }
            4 => {
                feedback.on_upload(|_| nested::call());
                self.uploads(Body::from(vec![b'u'; 20_000])).feedback(&feedback)
            }
            5 => self.uploads(Body::reader(Pieces(20_000))),
            6 => return self.subscriber_nests(),
            _ => self.get("/small"),
        };
        self.watch(Duration::ZERO, || request.send());
    }

    fn subscriber_nests(&self) {
        let calls = || self.watch(Duration::ZERO, || self.get("/large").send());
        tracing::subscriber::with_default(CallingSubscriber, calls);
    }

    fn uploads(&self, body: Body<'static>) -> RequestBuilder<'static> {
        self.client.post(self.server.url("/small")).timeout(BUDGET).body(body)
    }

    fn micros(&mut self, end: usize) -> Duration {
        Duration::from_micros(self.dice.below(end) as u64)
    }
}

/// As an interceptor.
#[expect(clippy::unnecessary_wraps, reason = "interceptors may fail")]
fn nests() -> Result<(), InterceptorError> {
    nested::call();
    Ok(())
}
