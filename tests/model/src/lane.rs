//! A lane with a toy for an event loop: jobs come by mail, as with tokio, lives are polled when they
//! are woken, events reach them through the loop only, and a future says when to end.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    task::{Context, Poll, Wake, Waker},
};

use shuttle::{
    rand::{Rng, thread_rng},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use crate::{
    life::Life,
    moment::{self, Moment},
    parker::Parker,
    post::Post,
    steward::{Tended, tend},
    sync,
    transport::pool::HandIn,
    wheel::{Held, Lull, OnLane, Turn, Wheel, Work},
};

pub(crate) struct Lane {
    pub(crate) wheel: Arc<Wheel>,
    steward: Arc<Post>,
    events: Arc<Events>,
    threads: Arc<Threads>,
}

/// The threads of a lane's client.
#[derive(Default)]
pub(crate) struct Threads {
    /// A thread may be started by one that panics, which does not poison it.
    all: sync::Mutex<Vec<JoinHandle<()>>>,
    keepers: AtomicUsize,
    stewards: AtomicUsize,
    /// Whether none can be started.
    pub(crate) are_scarce: AtomicBool,
}

impl Lane {
    pub(crate) fn make(is_lent: bool) -> Arc<Self> {
        Arc::new_cyclic(|lane: &Weak<Self>| {
            let threads = Arc::<Threads>::default();
            let steward = Threads::post(&threads, lane, |lane, threads| {
                let _counted = Counted::new(&threads.stewards);
                tend(&lane.steward, || std::iter::once(lane));
            });
            let keeper = Threads::post(&threads, lane, |lane, threads| {
                let _counted = Counted::new(&threads.keepers);
                let mut keeping = lane.wheel.take_up_keeping();
                while let Some(turn) = lane.wheel.await_turn(&mut keeping) {
                    let turned = catch_unwind(AssertUnwindSafe(|| lane.keep_turn(&turn)));
                    drop(turn);
                    match turned {
                        Ok(()) => keeping.succeed(),
                        Err(_) if moment::passes() => keeping.fail(),
                        // As if nothing had caught it.
                        Err(panic) => resume_unwind(panic),
                    }
                }
            });
            let steward = Arc::new(steward);
            let wheel = Wheel::new(0, is_lent, keeper, Arc::clone(&steward));
            Self { wheel, steward, events: Arc::default(), threads }
        })
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.threads
    }

    pub(crate) fn connection(&self) -> OnLane {
        self.wheel.connection().unwrap()
    }

    /// As a client that is shut down.
    pub(crate) fn end(&self) {
        self.steward.close();
        self.wheel.stop();
        while let Some(thread) = self.threads.take() {
            thread.join().unwrap();
        }
    }

    pub(crate) fn take_as_caller(&self) -> Option<Held> {
        self.wheel.take_as_caller()
    }

    fn keep_turn(&self, turn: &Turn) {
        let mut was_over = false;
        self.block_on(poll_fn(|cx| {
            let is_over = turn.is_over(cx);
            if is_over && was_over {
                return Poll::Ready(());
            }
            if is_over {
                cx.waker().wake_by_ref();
            }
            was_over = is_over;
            Poll::Pending
        }));
    }

    /// As a caller that waits.
    pub(crate) fn drive(
        &self,
        held: Held,
        hand_in: Option<HandIn>,
        parker: &Parker,
        until: Moment,
    ) -> bool {
        self.block_on(async {
            hand_in.into_iter().for_each(HandIn::inside);
            let mut notified = pin!(parker.notified());
            // In real life a timer of the event loop; the toy's are always due.
            poll_fn(|cx| match notified.as_mut().poll(cx) {
                Poll::Pending if until != Moment::NEVER => {
                    cx.waker().wake_by_ref();
                    thread::yield_now();
                    let is_over = thread_rng().gen_bool(0.5);
                    if is_over { Poll::Ready(()) } else { Poll::Pending }
                }
                polled => polled,
            })
            .await;
        });
        drop(held);
        true
    }

    /// Polls a life whenever it is woken and nobody attends it.
    pub(crate) fn spawn(&self, life: &Arc<Life>) {
        let task = Arc::new(Task { life: Arc::clone(life), events: Arc::clone(&self.events) });
        self.events.push(Event::Woken(task));
        self.wheel.see_to_it();
    }

    /// The system tells the loop of something, which wakes who listens when it is run.
    pub(crate) fn tell(&self, listener: Waker) {
        self.events.push(Event::Happened(listener));
    }

    /// For a driver: what begins a job inside of the loop.
    pub(crate) fn hand_in(self: &Arc<Self>, job: Job) -> HandIn {
        let lane = Arc::clone(self);
        HandIn::new(move |is_inside| if is_inside { lane.mail(job) } else { lane.send(job) })
    }

    /// From outside: for somebody else to drive.
    pub(crate) fn send(&self, job: Job) {
        self.mail(job);
        self.wheel.see_to_it();
    }

    fn mail(&self, mut job: Job) {
        job.work.get_or_insert_with(|| self.wheel.work());
        self.events.push(Event::Mail(job));
    }

    /// How many jobs have come to their end.
    pub(crate) fn await_ends(&self, jobs: usize) {
        let queue = self.events.queue();
        drop(self.events.ended.wait_while(queue, |queue| queue.ends < jobs));
    }

    /// Runs jobs on this thread until the future is ready; the future is polled only when woken.
    fn block_on(&self, future: impl Future<Output = ()>) {
        let _alone = Alone::enter(&self.events);
        let mut future = pin!(future);
        let waker = Waker::from(Arc::clone(&self.events));
        let mut cx = Context::from_waker(&waker);
        self.events.queue().is_woken = true;
        loop {
            let (is_woken, event) = self.events.next();
            match event {
                Some(Event::Mail(job)) => self.run(job),
                Some(Event::Happened(listener)) => listener.wake(),
                Some(Event::Woken(task)) => task.poll(),
                None => (),
            }
            if is_woken && future.as_mut().poll(&mut cx).is_ready() {
                return;
            }
        }
    }

    fn run(&self, mut job: Job) {
        if job.panics {
            // Without the hook that would print it.
            resume_unwind(Box::new("a driver's panic"));
        }
        if job.turns > 0 {
            job.turns -= 1;
            return self.events.push(Event::Mail(job));
        }
        if job.is_open.load(SeqCst) {
            // The head has come; now it is for the caller to go on.
            job.lull = job.lull.or_else(|| job.work.as_ref().map(Work::lull));
            let (answer, events) = (job.answer.clone(), Arc::clone(&self.events));
            events.queue().lulled.push(job);
            return answer.give();
        }
        drop(job.lull);
        // As on the wire: who waits for the answer finds nothing left to do.
        drop(job.work);
        job.answer.give();
        self.events.queue().ends += 1;
        self.events.ended.notify_all();
    }

    /// Its caller or the server goes on with an open job; wakes the job's task and nobody else.
    pub(crate) fn end_lull(&self, is_open: &AtomicBool) {
        is_open.store(false, SeqCst);
        let mut queue = self.events.queue();
        let lulled = std::mem::take(&mut queue.lulled);
        let (open, ended) = lulled.into_iter().partition(|job| job.is_open.load(SeqCst));
        queue.lulled = open;
        let ended: Vec<Job> = ended;
        queue.events.extend(ended.into_iter().map(Event::Mail));
        drop(queue);
        self.events.happened.notify_one();
    }
}

impl Tended for Lane {
    fn wheel(&self) -> &Arc<Wheel> {
        &self.wheel
    }

    fn look(&self, held: Held) {
        let mut was_here = false;
        self.block_on(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut was_here, true) { Poll::Ready(()) } else { Poll::Pending }
        }));
        drop(held);
    }
}

impl Threads {
    fn post(
        threads: &Arc<Self>,
        lane: &Weak<Lane>,
        run: impl Fn(&Arc<Lane>, &Self) + Copy + Send + Sync + 'static,
    ) -> Post {
        let (threads, lane) = (Arc::clone(threads), Weak::clone(lane));
        Post::new(move || {
            if threads.are_scarce.load(SeqCst) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let lane = lane.upgrade().unwrap();
            let held = Arc::clone(&threads);
            // A panic is a job's; in real life nothing gets out of a keeper's turn.
            let life = move || drop(catch_unwind(AssertUnwindSafe(|| run(&lane, &held))));
            let thread = thread::spawn(life);
            threads.all.lock().unwrap().push(thread);
            Ok(())
        })
    }

    fn take(&self) -> Option<JoinHandle<()>> {
        self.all.lock().unwrap().pop()
    }

    /// How many have been started.
    pub(crate) fn started(&self) -> usize {
        self.all.lock().unwrap().len()
    }

    /// How many keepers and stewards there are.
    pub(crate) fn alive(&self) -> (usize, usize) {
        (self.keepers.load(SeqCst), self.stewards.load(SeqCst))
    }
}

/// Counts a thread until it ends.
struct Counted<'t>(&'t AtomicUsize);

impl<'t> Counted<'t> {
    fn new(threads: &'t AtomicUsize) -> Self {
        threads.fetch_add(1, SeqCst);
        Self(threads)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// What needs the event loop.
pub(crate) struct Job {
    pub(crate) answer: Arc<Answer>,
    /// How often it has to be run before it is done.
    pub(crate) turns: u8,
    pub(crate) panics: bool,
    /// Whether it answers and then waits for its caller.
    pub(crate) is_open: Arc<AtomicBool>,
    work: Option<Work>,
    lull: Option<Lull>,
}

impl Job {
    pub(crate) fn new(answer: &Arc<Answer>, turns: u8) -> Self {
        let (answer, is_open) = (Arc::clone(answer), Arc::default());
        Self { answer, turns, panics: false, is_open, work: None, lull: None }
    }
}

/// A oneshot to a caller, and its cancelling.
pub(crate) struct Answer {
    times: AtomicUsize,
    waker: Waker,
}

impl Answer {
    pub(crate) fn new(parker: &Arc<Parker>) -> Arc<Self> {
        let waker = Waker::from(Arc::clone(parker));
        Arc::new(Self { times: AtomicUsize::new(0), waker })
    }

    pub(crate) fn give(&self) {
        self.times.fetch_add(1, SeqCst);
        self.waker.wake_by_ref();
    }

    pub(crate) fn is_there(&self) -> bool {
        self.times() > 0
    }

    /// How often it was given: an open job gives its head and its end.
    pub(crate) fn times(&self) -> usize {
        self.times.load(SeqCst)
    }
}

#[derive(Default)]
struct Events {
    queue: Mutex<Queue>,
    happened: Condvar,
    ended: Condvar,
    is_run: AtomicBool,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    lulled: Vec<Job>,
    is_woken: bool,
    ends: usize,
}

enum Event {
    Mail(Job),
    Happened(Waker),
    Woken(Arc<Task>),
}

/// The lane's task of a life.
struct Task {
    life: Arc<Life>,
    events: Arc<Events>,
}

impl Task {
    fn poll(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        // Whoever woke it for the last time keeps it; its life has ended then.
        let _ = self.life.poll_on_lane(&Context::from_waker(&waker));
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.events.push(Event::Woken(Arc::clone(&self)));
    }
}

impl Events {
    /// What a driver leaves behind that panics is whole.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: Event) {
        self.queue().events.push_back(event);
        self.happened.notify_one();
    }

    fn next(&self) -> (bool, Option<Event>) {
        let queue = self.queue();
        let is_quiet = |queue: &mut Queue| !queue.is_woken && queue.events.is_empty();
        let mut queue =
            self.happened.wait_while(queue, is_quiet).unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut queue.is_woken), queue.events.pop_front())
    }
}

impl Wake for Events {
    fn wake(self: Arc<Self>) {
        self.queue().is_woken = true;
        self.happened.notify_one();
    }
}

/// Asserts that a lane has one driver at most.
struct Alone<'e>(&'e Events);

impl<'e> Alone<'e> {
    fn enter(events: &'e Events) -> Self {
        assert!(!events.is_run.swap(true, SeqCst), "two drive one lane");
        Self(events)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.is_run.store(false, SeqCst);
    }
}
