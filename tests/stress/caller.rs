//! What a thread does before the next one takes its place.

use std::{
    io::{self, Read as _},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use abide::{
    Body, Client, Error, Feedback, InterceptorError, Phase, RedirectAction, RedirectPolicy,
    RequestBuilder, Timeouts,
};

use crate::{
    BUDGET, WATCH,
    dice::Dice,
    nested::{self, CallingSubscriber, Kind, Pieces, Tally, Wishing},
    support::Server,
};

pub(crate) struct Caller<'s> {
    pub(crate) client: &'s Client,
    pub(crate) server: &'s Server,
    /// The callbacks that there are.
    pub(crate) kinds: &'s [Kind],
    pub(crate) seen: &'s Seen,
    pub(crate) dice: Dice,
}

/// What happened, so that one can see that all of it did.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    replies: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    /// How many of these were while a connection carried the call.
    cancelled_on_the_way: AtomicU64,
    out_of_time: AtomicU64,
    /// In listeners, mostly when the exchange has ended.
    panicked: AtomicU64,
    /// In readers, which are asked while a connection carries the call.
    panicked_on_the_way: AtomicU64,
    nested: Arc<Tally>,
    /// The most that a call took longer than it may need.
    longest_micros: AtomicU64,
}

impl Seen {
    /// Whether everything has happened, and calls of all callbacks were made, and answered if
    /// there is room for them.
    pub(crate) fn has_all(&self, kinds: &[Kind], is_roomy: bool) -> bool {
        let all = [
            &self.replies,
            &self.cancelled,
            &self.cancelled_on_the_way,
            &self.out_of_time,
            &self.panicked,
            &self.panicked_on_the_way,
        ];
        let is_there = |kind: &Kind| match is_roomy {
            true => self.nested.has_answers(*kind),
            false => self.nested.has_calls(*kind),
        };
        all.iter().all(|count| count.load(Relaxed) > 0) && kinds.iter().all(is_there)
    }
}

/// How many calls took how long.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    calls: AtomicU64,
    /// Those that took as long as one whose hand-over was lost.
    slow: AtomicU64,
    /// What all the others took.
    others_micros: AtomicU64,
}

impl Pace {
    /// A few calls, one after the other, that get an answer.
    pub(crate) fn of_calls(&self, client: &Client, server: &Server, mut dice: Dice) {
        for _ in 0..=dice.below(16) {
            let target = ["/small", "/small", "/large", "/close"][dice.below(4)];
            let began = Instant::now();
            client.get(server.url(target)).timeout(BUDGET).send().unwrap();
            let took = began.elapsed();
            self.calls.fetch_add(1, Relaxed);
            match took < RESCUED_AFTER {
                true => self.others_micros.fetch_add(took.as_micros() as u64, Relaxed),
                false => self.slow.fetch_add(1, Relaxed),
            };
        }
    }

    /// Whether few were slow, or so were all the others: then the machine is too busy to tell.
    pub(crate) fn is_brisk(&self) -> bool {
        let (calls, slow) = (self.calls.load(Relaxed), self.slow.load(Relaxed));
        let others = Duration::from_micros(self.others_micros.load(Relaxed));
        slow * 10 <= calls || others > OTHERS_TAKE * (calls - slow) as u32
    }
}

impl Caller<'_> {
    pub(crate) fn live(mut self) {
        for _ in 0..=self.dice.below(8) {
            if self.dice.percent(30) {
                self.nests();
                continue;
            }
            match self.dice.below(8) {
                0 => self.is_cancelled(),
                1 => self.leaves_half_read(),
                2 => self.listener_panics(),
                3 => self.is_ended_by_its_reader(),
                4 => self.has_little_time(),
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
        self.seen.longest_micros.fetch_max(longer.as_micros() as u64, Relaxed);
        let error = ended.as_ref().ok().and_then(|ended| ended.as_ref().err());
        assert!(longer < WATCH, "{longer:?} longer than {needs:?}: {error:?}");
        let counter = match &ended {
            Ok(Ok(_)) => &self.seen.replies,
            Ok(Err(error)) if error.is_cancelled() => {
                if let Some(Phase::Send | Phase::FirstByte | Phase::Body) = error.phase() {
                    self.seen.cancelled_on_the_way.fetch_add(1, Relaxed);
                }
                &self.seen.cancelled
            }
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

    /// A connection carries the call by then.
    fn is_ended_by_its_reader(&mut self) {
        let (read, feedback) = (self.dice.below(100_000), Feedback::new());
        let how = match self.dice.percent(50) {
            true => Ending::Cancel(feedback.clone()),
            false => Ending::Panic(self.seen),
        };
        let body = Body::reader(io::repeat(b'p').take(read as u64).chain(how));
        self.watch(Duration::ZERO, || self.uploads(body).feedback(&feedback).send());
    }

    fn has_little_time(&mut self) {
        let budget = self.micros(3_000);
        let timeouts = Timeouts::none().total(budget);
        self.watch(budget, || self.get("/slow").timeouts(timeouts).send());
    }

    /// Makes calls from a callback.
    fn nests(&mut self) {
        let kind = self.kinds[self.dice.below(self.kinds.len())];
        let _wishing =
            Wishing::begin(kind, self.client, self.server.url("/small"), &self.seen.nested);
        let feedback = Feedback::new();
        let request = match kind {
            Kind::RequestInterceptor => self.get("/large").intercept_requests(move |_| nests(kind)),
            Kind::ReplyInterceptor => self.get("/large").intercept_replies(move |_| nests(kind)),
            Kind::RedirectPolicy => {
                self.get("/moved").redirects(RedirectPolicy::custom(move |_| {
                    nested::call(kind);
                    RedirectAction::Follow
                }))
            }
            Kind::DownloadListener => {
                feedback.on_download(move |_| nested::call(kind));
                self.get("/large").feedback(&feedback)
            }
            Kind::UploadListener => {
                feedback.on_upload(move |_| nested::call(kind));
                self.uploads(Body::from(vec![b'u'; 20_000])).feedback(&feedback)
            }
            Kind::Reader => self.uploads(Body::reader(Pieces(20_000))),
            Kind::Factory => self.uploads(Body::factory(None, move || {
                nested::call(kind);
                Ok(&b"made"[..])
            })),
            Kind::Subscriber => return self.subscriber_nests(),
            Kind::Observer | Kind::TraceSource | Kind::ProxyRule | Kind::Credentials => {
                self.get("/large")
            }
        };
        self.watch(Duration::ZERO, || request.send());
    }

    fn subscriber_nests(&self) {
        let calls = || self.watch(Duration::ZERO, || self.get("/large").send());
        tracing::subscriber::with_default(CallingSubscriber, calls);
    }

    fn uploads<'b>(&self, body: Body<'b>) -> RequestBuilder<'b> {
        self.client.post(self.server.url("/small")).timeout(BUDGET).body(body)
    }

    fn micros(&mut self, end: usize) -> Duration {
        Duration::from_micros(self.dice.below(end) as u64)
    }
}

/// As an interceptor.
#[expect(clippy::unnecessary_wraps, reason = "interceptors may fail")]
fn nests(kind: Kind) -> Result<(), InterceptorError> {
    nested::call(kind);
    Ok(())
}

/// A reader that ends its call.
enum Ending<'s> {
    Cancel(Feedback),
    /// Counted here.
    Panic(&'s Seen),
}

impl io::Read for Ending<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Cancel(feedback) => feedback.cancel(),
            Self::Panic(seen) => {
                seen.panicked_on_the_way.fetch_add(1, Relaxed);
                resume_unwind(Box::new("a reader's panic"))
            }
        }
        buffer[..1].fill(b'c');
        Ok(1)
    }
}

/// A lane that nobody drives is looked after in 100 ms, so that a hand-over which was lost costs that.
const RESCUED_AFTER: Duration = Duration::from_millis(90);
/// What a call takes on a machine that is not too busy, with plenty to spare.
const OTHERS_TAKE: Duration = Duration::from_millis(5);
