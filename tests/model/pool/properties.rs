//! What has to hold in every interleaving of callers, dials and connections.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use shuttle::{
    Config, MaxSteps, Runner,
    future::block_on,
    rand::{Rng, thread_rng},
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use crate::{
    error::{Error, ErrorKind},
    host_options::ConnectionOptions,
    limits::{Limits, Timeouts},
    moment::Moment,
    origin::{Origin, Route, Way},
    priority::Priority,
    traffic::Traffic,
    transport::{
        bridge::{Job, Order, Outcome, job},
        mailbox::Jobs,
        pool::{Dial, Member, Next, Place, Pool, StreamEnd, WarmOrder},
    },
    watch::Watch,
    wheel::Wheel,
};

type Property = fn();

pub(crate) const ALL: &[(&str, Property)] = &[
    ("every call over HTTP/1 ends with one answer, and the bounds hold", || {
        world(&[(false, false)], 3, Limits { places_per_route: 2, ..LIMITS });
    }),
    ("so it is when the first dial has to tell what is spoken", || {
        world(&[(true, false)], 3, LIMITS);
    }),
    ("every call over HTTP/2 ends with one answer, and the bounds hold", || {
        world(&[(true, true)], 4, LIMITS);
    }),
    ("routes that share the total all get their turn", || {
        world(
            &[(false, false), (false, false), (true, true)],
            4,
            Limits { places_total: 1, ..LIMITS },
        );
    }),
    ("with one place and one dial at a time it is the same", || {
        let limits = Limits { places_per_route: 1, places_total: 2, dials_total: 1 };
        world(&[(false, false), (true, false)], 4, limits);
    }),
    ("calls of one route are served in the order in which they came", in_turn),
];

const LIMITS: Limits = Limits { places_per_route: 2, places_total: 3, dials_total: 2 };

/// What is counted from the sockets' side.
struct Sockets {
    open: AtomicUsize,
    max: usize,
}

struct Socket(Arc<Sockets>, #[expect(dead_code, reason = "freed when the socket is closed")] Place);

impl Socket {
    fn open(sockets: &Arc<Sockets>, place: Place) -> Self {
        let open = sockets.open.fetch_add(1, SeqCst) + 1;
        assert!(open <= sockets.max, "{open} sockets are open");
        Self(Arc::clone(sockets), place)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Its place is dropped after this.
        self.0.open.fetch_sub(1, SeqCst);
    }
}

fn world(routes: &[(bool, bool)], callers: usize, limits: Limits) {
    let routes: Vec<Route> = routes
        .iter()
        .enumerate()
        .map(|(number, &(secure, speaks_http2))| {
            Arc::new(Way { origin: Origin { secure, speaks_http2, number } })
        })
        .collect();
    let sockets = Arc::new(Sockets { open: AtomicUsize::new(0), max: limits.places_total });
    let pool = Pool::new(limits, ConnectionOptions, true);
    let lives = Arc::new(Mutex::new(Vec::new()));
    let of_dials = (Arc::clone(&sockets), Arc::clone(&lives));
    pool.start_dials_with(move |dial| {
        let sockets = Arc::clone(&of_dials.0);
        of_dials.1.lock().unwrap().push(thread::spawn(move || live(dial, &sockets)));
        Ok(())
    });
    let callers: Vec<_> = (0..callers)
        .map(|caller| {
            let (pool, route) = (Arc::clone(&pool), Arc::clone(&routes[caller % routes.len()]));
            thread::spawn(move || call(&pool, &route))
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    let stats = pool.stats();
    assert_eq!(stats.queued(), 0, "{stats:?}");
    pool.close();
    // Each of them may have begun another one, but none does so any more.
    while let Some(life) = { lives.lock().unwrap().pop() } {
        life.join().unwrap();
    }
    let stats = pool.stats();
    assert_eq!((stats.open(), stats.dialing(), sockets.open.load(SeqCst)), (0, 0, 0));
}

/// A caller: it asks, may give up, and asks again when its connection was dead.
fn call(pool: &Arc<Pool>, route: &Route) {
    if thread_rng().gen_bool(0.1) {
        return warm_up(pool, route);
    }
    let priority = match thread_rng().gen_bool(0.3) {
        true => Priority::Background,
        false => Priority::Interactive,
    };
    let watch = Arc::new(Watch::new(None, Moment::now()));
    for attempt in 1..=ATTEMPTS {
        let order = Order {
            route: Arc::clone(route),
            watch: Arc::clone(&watch),
            timeouts: Timeouts,
            priority,
            attempt,
            fresh: attempt > 1,
            avoid: None,
        };
        let (mut ticket, hand_in) = pool.submit(job(order), thread_rng().gen_bool(0.5));
        if let Some(hand_in) = hand_in {
            match thread_rng().gen_bool(0.5) {
                true => hand_in.inside(),
                false => drop(hand_in),
            }
        }
        if thread_rng().gen_bool(0.2) {
            return drop(ticket);
        }
        if ticket.pending.wait() != Outcome::NeverSent {
            return;
        }
    }
}

/// One connection at a time serves them all, and whenever it was idle it may end.
fn in_turn() {
    let origin = Origin { secure: false, speaks_http2: false, number: 0 };
    let route = Arc::new(Way { origin });
    let limits = Limits { places_per_route: 1, places_total: 1, dials_total: 1 };
    let pool = Pool::new(limits, ConnectionOptions, true);
    let served = Arc::new(Mutex::new(Vec::new()));
    let of_dials = Arc::clone(&served);
    pool.start_dials_with(move |mut dial| {
        let served = Arc::clone(&of_dials);
        drop(thread::spawn(move || {
            let Some(place) = dial.take_place() else { return };
            let (traffic, wheel) = (Arc::new(Traffic), Arc::new(Wheel));
            let (member, jobs, next) = dial.into_http1(&traffic, &wheel, Weak::new());
            serve_in_turn(&member, &jobs, next, &served);
            drop((member, jobs, place));
        }));
        Ok(())
    });
    let callers: Vec<_> = (0..CALLERS_IN_TURN)
        .map(|_| {
            let (pool, route) = (Arc::clone(&pool), Arc::clone(&route));
            thread::spawn(move || call_in_turn(&pool, &route))
        })
        .collect();
    let answered = callers.into_iter().map(|caller| caller.join().unwrap()).filter(|is| *is);
    let (answered, served) = (answered.count(), served.lock().unwrap());
    assert!(served.len() >= answered, "{served:?}");
    assert!(served.is_sorted(), "{served:?}");
    pool.close();
}

/// Whether it waited for its answer, which it then had.
fn call_in_turn(pool: &Arc<Pool>, route: &Route) -> bool {
    let order = Order {
        route: Arc::clone(route),
        watch: Arc::new(Watch::new(None, Moment::now())),
        timeouts: Timeouts,
        priority: Priority::Interactive,
        attempt: 1,
        fresh: false,
        avoid: None,
    };
    let (mut ticket, _) = pool.submit(job(order), false);
    if thread_rng().gen_bool(0.2) {
        return false;
    }
    assert_eq!(ticket.pending.wait(), Outcome::Answered);
    true
}

fn serve_in_turn(member: &Member, jobs: &Jobs, mut next: Next, served: &Mutex<Vec<u64>>) {
    loop {
        let job = match next {
            Next::Job(job) => Some(job),
            Next::Idle if thread_rng().gen_bool(0.2) && member.leave_idle() => return,
            Next::Idle => next_of(jobs),
            Next::Close => None,
        };
        let Some(job) = job else { return };
        served.lock().unwrap().push(job.order.watch.turn());
        next = member.next_job(Moment::now(), false);
        job.answer();
    }
}

fn warm_up(pool: &Arc<Pool>, route: &Route) {
    let (route, timeouts) = (Arc::clone(route), Timeouts);
    let warming = pool.warm_up(WarmOrder { route, connections: 2, timeouts, avoid: None });
    if thread_rng().gen_bool(0.3) {
        return drop(warming);
    }
    let ended = pin!(warming).poll(&mut Context::from_waker(Waker::noop()));
    assert!(ended.is_ready());
}

/// A dial, and the connection that comes of it.
fn live(mut dial: Dial, sockets: &Arc<Sockets>) {
    dial.put_on(0);
    if thread_rng().gen_bool(0.15) {
        return dial.fail(Error::new(ErrorKind::Internal, "refused"));
    }
    let Some(place) = dial.take_place() else { return };
    let socket = Socket::open(sockets, place);
    let wheel = Arc::new(Wheel);
    if dial.route().origin.speaks_http2 {
        let (member, jobs) = dial.into_http2(STREAMS, &Arc::new(Traffic), &wheel);
        share(&member, jobs);
    } else {
        let (member, jobs, next) = dial.into_http1(&Arc::new(Traffic), &wheel, Weak::new());
        serve(&member, jobs, next);
    }
    drop(socket);
}

/// One exchange after the other, as in `wire/http1.rs`.
fn serve(member: &Member, jobs: Jobs, mut next: Next) {
    loop {
        let job = match next {
            Next::Job(job) => Some(job),
            Next::Idle if thread_rng().gen_bool(0.2) && member.leave_idle() => return,
            Next::Idle => next_of(&jobs),
            Next::Close => None,
        };
        let Some(job) = job else { return };
        if thread_rng().gen_bool(0.2) {
            // The server closes; the request was never read.
            return drop(job);
        }
        next = member.next_job(Moment::now(), false);
        job.answer();
    }
}

/// Waits for a job, or for the word to close.
fn next_of(jobs: &Jobs) -> Option<Box<Job>> {
    block_on(poll_fn(|cx| jobs.poll_next(cx))).map(|(job, _)| job)
}

/// Exchanges side by side, as in `wire/http2.rs`, but that they end in the order they began.
fn share(member: &Member, jobs: Jobs) {
    let mut is_told_to_close = false;
    while !is_told_to_close && let Some(job) = next_of(&jobs) {
        let mut job = Some(job);
        let mut others = Vec::new();
        while let Some(present) = job {
            if thread_rng().gen_bool(0.1) {
                member.streams_changed(thread_rng().gen_range(1..=STREAMS + 1));
            }
            if thread_rng().gen_bool(0.3) {
                member.loaded(if thread_rng().gen_bool(0.7) { 100 } else { 0 });
            }
            match jobs.poll_next(&Context::from_waker(Waker::noop())) {
                Poll::Ready(Some((job, _))) => others.push(job),
                Poll::Ready(None) => is_told_to_close = true,
                Poll::Pending => {}
            }
            let end = match thread_rng().gen_range(0..6) {
                0 => StreamEnd::Refused,
                1 => StreamEnd::Other,
                _ => StreamEnd::Fine,
            };
            job = member.stream_ended(end);
            match end {
                StreamEnd::Refused => drop(present),
                _ => present.answer(),
            }
            job = job.or_else(|| others.pop());
        }
        if thread_rng().gen_bool(0.1) {
            break;
        }
    }
    drop(jobs);
    member.leave_shared();
}

/// Tries many interleavings for the usual time.
pub(crate) fn check(execution: Property) {
    let seconds = std::env::var("ABIDE_MODEL_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(SECONDS);
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config.max_time = Some(Duration::from_secs_f64(seconds));
    let random = Box::new(RandomScheduler::new(ITERATIONS_MAX));
    let rare = Box::new(PctScheduler::new(CHANGES_MAX, ITERATIONS_MAX));
    for scheduler in [random as Box<dyn Scheduler + Send>, rare] {
        let iterations = Runner::new(scheduler, config.clone()).run(execution);
        println!("{iterations} interleavings");
    }
}

const STREAMS: usize = 2;
const CALLERS_IN_TURN: usize = 4;
const ATTEMPTS: u32 = 3;
/// For each scheduler and property; `ABIDE_MODEL_SECONDS` says otherwise.
const SECONDS: f64 = 3.0;
const ITERATIONS_MAX: usize = 1_000_000;
/// An execution that takes longer has a call that waits for ever.
const STEPS_MAX: usize = 50_000;
/// How many turns a bug may need at the right moments.
const CHANGES_MAX: usize = 4;
