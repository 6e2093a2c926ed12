//! What each thread does, and what it holds its calls to.

use std::{
    io::Read as _,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use abide::{
    Budget, Client, Error, ErrorKind, Feedback, Priority, Reply, RequestBuilder, Result, Timeouts,
};

use crate::{
    dice::Dice,
    servers::{Deeds, STREAMS, body_of},
    support::Server,
};

/// What happened, so that one can see that all of it did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    replies: AtomicUsize,
    retried: AtomicUsize,
    posts_lost: AtomicUsize,
    cancelled: AtomicUsize,
    timed_out: AtomicUsize,
    cut_short: AtomicUsize,
    left: AtomicUsize,
    /// By connections that were cut, before their first reply and in the middle of others.
    unsaved: AtomicUsize,
    begun: AtomicUsize,
    longest_micros: AtomicU64,
}

impl Tally {
    pub(crate) fn check(&self) {
        let Self { replies, retried, posts_lost, cancelled, timed_out, cut_short, left, .. } = self;
        for count in [replies, retried, posts_lost, cancelled, timed_out, cut_short, left] {
            assert!(count.load(Relaxed) > 0, "something never happened: {self:?}");
        }
    }
}

pub(crate) struct Caller<'s> {
    number: usize,
    client: &'s Client,
    server: &'s Server,
    deeds: &'s Deeds,
    tally: &'s Tally,
    dice: Dice,
    calls: u64,
}

impl<'s> Caller<'s> {
    pub(crate) fn new(
        number: usize,
        seed: u64,
        client: &'s Client,
        server: &'s Server,
        (deeds, tally): (&'s Deeds, &'s Tally),
    ) -> Self {
        let dice = Dice::new(seed, number as u64);
        Self { number, client, server, deeds, tally, dice, calls: 0 }
    }

    pub(crate) fn live(mut self, end: Instant) {
        while Instant::now() < end {
            let started = Instant::now();
            self.calls += 1;
            match self.dice.below(100) {
                0..=59 => self.gets(),
                60..=69 => self.puts(),
                70..=84 => self.posts(),
                85..=90 => self.is_cancelled(),
                91..=92 => self.times_out(),
                93..=95 => self.is_cut_short(),
                _ => self.leaves(),
            }
            let took = started.elapsed();
            assert!(took < BUDGET + SLACK, "a call took {took:?}");
            self.tally.longest_micros.fetch_max(took.as_micros() as u64, Relaxed);
        }
    }

    fn target(&self, kind: &str) -> String {
        format!("/{kind}/{}/{}", self.number, self.calls)
    }

    fn send(&mut self, request: RequestBuilder<'_>) -> Result<Reply> {
        let priority = match self.dice.percent(20) {
            true => Priority::Background,
            false => Priority::Interactive,
        };
        request.priority(priority).timeout(BUDGET).send()
    }

    fn gets(&mut self) {
        let target = self.target("get");
        let reply = self.send(self.client.get(self.server.url(&target)));
        self.must_succeed(&target, reply);
    }

    fn puts(&mut self) {
        let target = self.target("put");
        let body = vec![b'p'; self.dice.below(20_000)];
        let reply = self.send(self.client.put(self.server.url(&target)).body(body));
        self.must_succeed(&target, reply);
    }

    #[track_caller]
    fn must_succeed(&self, target: &str, reply: Result<Reply>) {
        match reply {
            Ok(reply) => self.saw(target, &reply),
            Err(error) => self.was_cut(target, &error),
        }
    }

    /// Fails unless a connection was cut under the call in such a way that no retry could save it.
    #[track_caller]
    fn was_cut(&self, target: &str, error: &Error) {
        let cuts = self.deeds.cuts();
        let (lost, most) = match error.kind() {
            // A connection on which nothing has ever been answered is no reason to try again.
            ErrorKind::Protocol => (&self.tally.unsaved, cuts),
            // What the caller has seen of a reply cannot be taken back.
            ErrorKind::Body => (&self.tally.begun, cuts * STREAMS as usize),
            _ => panic!("{target}: {error:?}"),
        };
        let lost = lost.fetch_add(1, Relaxed) + 1;
        assert!(lost <= most, "a retry could have saved {target}: {error:?}; {cuts} cuts");
    }

    #[track_caller]
    fn saw(&self, target: &str, reply: &Reply) {
        assert_eq!(reply.status(), 200, "{target}");
        assert!(
            reply.bytes()[..] == body_of(target)[..],
            "{target}: {} bytes",
            reply.bytes().len()
        );
        self.tally.replies.fetch_add(1, Relaxed);
        self.tally.retried.fetch_add(usize::from(reply.attempts() > 1), Relaxed);
    }

    fn posts(&mut self) {
        let target = self.target("post");
        let body = vec![b'p'; self.dice.below(20_000)];
        let reply = self.send(self.client.post(self.server.url(&target)).body(body));
        let (most, times) = self.deeds.times(self.number, self.calls);
        assert!(most <= 1, "a POST of {} was applied {most} times", self.number);
        match reply {
            Ok(reply) => {
                self.saw(&target, &reply);
                assert_eq!(times, 1, "{target} succeeded and was not applied");
            }
            Err(error) => {
                if error.kind() != ErrorKind::Protocol {
                    self.was_cut(&target, &error);
                }
                self.tally.posts_lost.fetch_add(1, Relaxed);
            }
        }
    }

    fn is_cancelled(&mut self) {
        let target = self.target("slow");
        let feedback = Feedback::new();
        let (canceller, after) = (feedback.clone(), self.dice.below(20_000) as u64);
        let request = self.client.get(self.server.url(&target)).feedback(&feedback);
        let cancel = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
            std::thread::sleep(Duration::from_micros(after));
            canceller.cancel();
        });
        match self.send(request) {
            Ok(reply) => self.saw(&target, &reply),
            Err(error) if error.is_cancelled() => {
                self.tally.cancelled.fetch_add(1, Relaxed);
            }
            Err(error) => self.was_cut(&target, &error),
        }
        cancel.unwrap().join().unwrap();
    }

    fn times_out(&self) {
        let target = self.target("stall");
        let timeouts = Timeouts::default().first_byte(Duration::from_millis(20)).total(BUDGET);
        let request = self.client.get(self.server.url(&target)).timeouts(timeouts);
        let error = request.send().unwrap_err();
        if error.budget() != Some(Budget::FirstByte) {
            return self.was_cut(&target, &error);
        }
        self.tally.timed_out.fetch_add(1, Relaxed);
    }

    fn is_cut_short(&mut self) {
        let target = self.target("half");
        let error = self.send(self.client.get(self.server.url(&target))).unwrap_err();
        let is_right = matches!(error.kind(), ErrorKind::Body | ErrorKind::Protocol);
        assert!(is_right, "{target}: {error:?}");
        self.tally.cut_short.fetch_add(1, Relaxed);
    }

    /// Reads a part of a reply and drops it.
    fn leaves(&self) {
        let target = self.target("get");
        let request = self.client.get(self.server.url(&target)).timeout(BUDGET);
        let mut begun = vec![0; body_of(&target).len() / 2];
        let read = request.open().and_then(|mut reply| {
            let read = reply.read_exact(&mut begun);
            read.map_err(|error| error.downcast::<Error>().expect("an error of the call"))
        });
        match read {
            Ok(()) => drop(self.tally.left.fetch_add(1, Relaxed)),
            Err(error) => self.was_cut(&target, &error),
        }
    }
}

/// Far more than any call needs, waiting in the queue included.
const BUDGET: Duration = Duration::from_secs(25);
const SLACK: Duration = Duration::from_secs(5);
