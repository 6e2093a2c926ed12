//! What has to hold in every interleaving.
//!
//! A call that would wait for ever is a deadlock to the checker, or, where time passes, an
//! execution without end. That a lane has one driver at most is asserted in every one of them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use shuttle::{
    rand::{Rng, thread_rng},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use crate::{
    check::check,
    lane::{Answer, Job, Lane},
    moment::{self, Moment, Time},
    parker::Parker,
    post::Post,
    transport::pool::HandIn,
};

/// Where time stands still nothing is found by a look that comes by chance.
#[test]
fn no_call_waits_for_ever_though_time_stands_still() {
    check(|| {
        moment::begin(Time::StandsStill);
        let lane = Lane::make(true);
        let connected = lane.connection();
        let callers = thread_rng().gen_range(1..=3);
        let calls = (0..callers).map(|caller| spawn(&lane, move |lane| calls(lane, caller)));
        let calls: Vec<_> = calls.collect();
        let jobs = calls.into_iter().map(|call| call.join().unwrap()).sum();
        // Also the work of those that left early.
        lane.await_ends(jobs);
        drop(connected);
        lane.end();
    });
}

#[test]
fn a_keeper_that_never_lends_serves_all() {
    check(|| {
        moment::begin(Time::StandsStill);
        let lane = Lane::make(false);
        let calls: Vec<_> =
            (0..2).map(|caller| spawn(&lane, move |lane| calls(lane, caller))).collect();
        let jobs = calls.into_iter().map(|call| call.join().unwrap()).sum();
        lane.await_ends(jobs);
        lane.end();
    });
}

/// A watching keeper takes turns whenever it likes.
#[test]
fn no_call_waits_for_ever_while_the_keeper_watches() {
    check(|| {
        moment::begin(Time::Passes);
        let lane = Lane::make(true);
        let connected = lane.connection();
        let calls: Vec<_> =
            (0..2).map(|caller| spawn(&lane, move |lane| calls(lane, caller))).collect();
        let jobs = calls.into_iter().map(|call| call.join().unwrap()).sum();
        lane.await_ends(jobs);
        drop(connected);
        lane.end();
    });
}

/// Else callers that come one after the other would never drive.
#[test]
fn a_keeper_lets_go_when_the_work_has_ended() {
    check(|| {
        moment::begin(Time::Passes);
        let lane = Lane::make(true);
        let connected = lane.connection();
        while !lane.wheel.is_driven() {
            thread::yield_now();
        }
        // It watches, and from now on it has no reason to begin once more.
        moment::stop();
        let callers: Vec<_> = (0..2)
            .map(|turns| spawn(&lane, move |lane| call(lane, Patience::Endless, turns)))
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        while lane.wheel.is_driven() {
            thread::yield_now();
        }
        drop(connected);
        lane.end();
    });
}

/// Its connection has to be closed though its caller never waits again.
#[test]
fn an_open_reply_that_is_dropped_ends_without_its_caller() {
    check(|| {
        moment::begin(Time::Passes);
        let lane = Lane::make(true);
        let connected = lane.connection();
        let other = spawn(&lane, |lane| calls(lane, 0));
        let parker = Parker::new();
        let answer = Answer::new(&parker);
        let job = Job::new(&answer, 0);
        let is_open = Arc::clone(&job.is_open);
        is_open.store(true, SeqCst);
        await_answer(&lane, job, &parker, Patience::Endless);
        lane.end_lull(&is_open);
        lane.await_ends(1 + other.join().unwrap());
        drop(connected);
        lane.end();
    });
}

/// Its next piece comes while nobody drives and the work looks as if it waited for its caller.
#[test]
fn a_read_is_not_forgotten_when_another_lets_go() {
    check(|| {
        moment::begin(Time::StandsStill);
        let lane = Lane::make(true);
        let connected = lane.connection();
        let other = spawn(&lane, |lane| calls(lane, 0));
        let parker = Parker::new();
        let answer = Answer::new(&parker);
        let job = Job::new(&answer, 0);
        let is_open = Arc::clone(&job.is_open);
        is_open.store(true, SeqCst);
        await_answer(&lane, job, &parker, Patience::Endless);
        let server = spawn(&lane, move |lane| lane.end_lull(&is_open));
        while answer.times() < 2 {
            rest(&lane, None, &parker, Patience::Endless);
        }
        server.join().unwrap();
        lane.await_ends(1 + other.join().unwrap());
        drop(connected);
        lane.end();
    });
}

/// Else the lane would count as driven for ever, and each dial would make another.
#[test]
fn a_watching_keeper_lets_go_of_a_lane_without_connections() {
    check(|| {
        moment::begin(Time::Passes);
        let lane = Lane::make(true);
        let connected = lane.connection();
        while !lane.wheel.is_driven() {
            thread::yield_now();
        }
        drop(connected);
        while lane.wheel.is_driven() {
            thread::yield_now();
        }
        lane.end();
    });
}

/// The waker comes from anywhere at any time, to a thread that drives and parks by turns.
#[test]
fn no_wake_up_is_lost_between_parking_and_driving() {
    check(|| {
        moment::begin(Time::StandsStill);
        let lane = Lane::make(true);
        let parker = Parker::new();
        let answers: Vec<_> = (0..3).map(|_| Answer::new(&parker)).collect();
        let given = answers.clone();
        let giver = thread::spawn(move || given.iter().for_each(|answer| answer.give()));
        // Somebody who has the wheel now and then, so that both ways are gone.
        let other = spawn(&lane, |lane| calls(lane, 0));
        for answer in &answers {
            while !answer.is_there() {
                rest(&lane, None, &parker, Patience::Endless);
            }
        }
        giver.join().unwrap();
        lane.await_ends(other.join().unwrap());
        lane.end();
    });
}

#[test]
fn a_lane_that_callers_drive_needs_no_keeper() {
    check(|| {
        moment::begin(Time::StandsStill);
        let lane = Lane::make(true);
        let connected = lane.connection();
        (0..3).for_each(|turns| call(&lane, Patience::Endless, turns));
        assert_eq!(lane.threads().started(), 1, "the steward alone");
        drop(connected);
        lane.end();
    });
}

#[test]
fn a_keeper_comes_for_connections_that_are_left_alone_and_goes_with_the_last() {
    check(|| {
        moment::begin(Time::Passes);
        let is_lent = thread_rng().gen_bool(0.7);
        let lane = Lane::make(is_lent);
        for _ in 0..2 {
            let connected = lane.connection();
            if thread_rng().gen_bool(0.5) {
                call(&lane, Patience::Endless, 0);
            }
            while thread_rng().gen_bool(0.5) {
                drop(lane.connection());
            }
            // A lane that is not lent is left to its keeper when there is work.
            let _work = (!is_lent).then(|| lane.wheel.work());
            lane.wheel.see_to_it();
            while !lane.wheel.is_driven() {
                thread::yield_now();
            }
            drop(connected);
        }
        while lane.threads().alive() != (0, 0) {
            thread::yield_now();
        }
        lane.end();
    });
}

/// Its thread leaves while it is called: then it has heard that, or another one comes.
#[test]
fn who_calls_a_post_is_heard() {
    check(|| {
        moment::begin(Time::StandsStill);
        let (asked, threads) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let post = Arc::new_cyclic(|post: &Weak<Post>| {
            let (post, asked, threads) = (post.clone(), Arc::clone(&asked), Arc::clone(&threads));
            Post::new(move || {
                let (post, asked) = (post.upgrade().unwrap(), Arc::clone(&asked));
                let thread = thread::spawn(move || {
                    let mut tenure = post.take_up();
                    while !post.is_closed() {
                        if asked.swap(0, SeqCst) > 0 {
                            continue;
                        }
                        if thread_rng().gen_bool(0.5) {
                            tenure.wait(Duration::from_millis(1));
                        } else if tenure.give_up() {
                            break;
                        }
                    }
                });
                threads.lock().unwrap().push(thread);
                Ok(())
            })
        });
        let callers = [(); 2].map(|()| {
            let (post, asked) = (Arc::clone(&post), Arc::clone(&asked));
            thread::spawn(move || {
                for _ in 0..2 {
                    asked.fetch_add(1, SeqCst);
                    post.call().unwrap();
                    while asked.load(SeqCst) > 0 {
                        thread::yield_now();
                    }
                }
            })
        });
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        post.close();
        let threads = std::mem::take(&mut *threads.lock().unwrap());
        threads.into_iter().for_each(|thread: thread::JoinHandle<()>| thread.join().unwrap());
    });
}

/// As if nothing had caught the panic on its way.
#[test]
fn a_keeper_that_panics_is_followed_by_another() {
    check(|| keeper_panics(Time::StandsStill));
}

#[test]
fn a_keeper_whose_event_loop_panics_goes_on_later() {
    check(|| keeper_panics(Time::Passes));
}

fn keeper_panics(time: Time) {
    moment::begin(time);
    let lane = Lane::make(false);
    let connected = lane.connection();
    let mut job = Job::new(&Answer::new(&Parker::new()), 0);
    job.panics = true;
    let sender = spawn(&lane, move |lane| lane.send(job));
    let jobs = calls(&lane, 0);
    sender.join().unwrap();
    lane.await_ends(jobs);
    drop(connected);
    lane.end();
}

/// One that leaves must not take with it what the next one has left for those who end its turn.
#[test]
fn a_keeper_that_follows_another_lets_go() {
    check(|| {
        moment::begin(Time::Passes);
        let lane = Lane::make(false);
        drop(lane.connection());
        // The first one may be about to leave just now.
        let other = spawn(&lane, |lane| {
            (0..thread_rng().gen_range(0..6)).for_each(|_| thread::yield_now());
            let guards = (lane.connection(), lane.wheel.work());
            lane.wheel.see_to_it();
            guards
        });
        let (connected, work) = other.join().unwrap();
        while !lane.wheel.is_driven() {
            thread::yield_now();
        }
        // Time to go for whoever has left the post.
        (0..4).for_each(|_| thread::yield_now());
        drop((work, connected));
        while lane.wheel.is_driven() {
            thread::yield_now();
        }
        lane.end();
    });
}

/// Nobody comes by who would drive in its place.
#[test]
fn work_without_a_keeper_gets_one_when_threads_can_be_started_again() {
    check(|| {
        moment::begin(Time::Passes);
        let lane = Lane::make(true);
        // With a steward, or without: then no keeper can be called either.
        let connected = thread_rng().gen_bool(0.5).then(|| lane.connection());
        let answer = Answer::new(&Parker::new());
        for jobs in 1..=2 {
            lane.threads().are_scarce.store(true, SeqCst);
            let other = spawn(&lane, |lane| {
                lane.threads().are_scarce.store(false, SeqCst);
                lane.wheel.see_to_it();
            });
            lane.send(Job::new(&answer, 0));
            other.join().unwrap();
            lane.wheel.see_to_it();
            lane.await_ends(jobs);
        }
        drop(connected);
        // Whoever helped out has gone; what it knew of must not keep others from calling.
        while lane.threads().alive() != (0, 0) {
            thread::yield_now();
        }
        lane.send(Job::new(&answer, 0));
        lane.await_ends(3);
        lane.end();
    });
}

/// Its steward does a little of everything.
#[test]
fn calls_end_though_no_thread_can_be_started() {
    check(|| {
        moment::begin(Time::Passes);
        let lane = Lane::make(true);
        let connected = lane.connection();
        lane.threads().are_scarce.store(true, SeqCst);
        let callers: Vec<_> =
            (0..2).map(|caller| spawn(&lane, move |lane| calls(lane, caller))).collect();
        if thread_rng().gen_bool(0.5) {
            lane.threads().are_scarce.store(false, SeqCst);
        }
        let jobs = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
        lane.await_ends(jobs);
        drop(connected);
        lane.end();
    });
}

#[test]
fn a_lane_that_nobody_can_watch_has_no_connections() {
    check(|| {
        moment::begin(Time::Passes);
        let lane = Lane::make(thread_rng().gen_bool(0.5));
        lane.threads().are_scarce.store(true, SeqCst);
        let other = spawn(&lane, |lane| {
            lane.threads().are_scarce.store(false, SeqCst);
            drop(lane.connection());
        });
        match lane.wheel.connection() {
            Ok(connected) => drop(connected),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        other.join().unwrap();
        assert_eq!(lane.wheel.connections(), 0);
        while lane.threads().alive() != (0, 0) {
            thread::yield_now();
        }
        lane.end();
    });
}

#[test]
fn a_stop_ends_the_keeper_whatever_it_does() {
    check(|| {
        let time = if thread_rng().gen_bool(0.5) { Time::Passes } else { Time::StandsStill };
        moment::begin(time);
        let lane = Lane::make(thread_rng().gen_bool(0.5));
        let _connected = lane.connection();
        let parker = Parker::new();
        let answer = Answer::new(&parker);
        // Nobody waits for it.
        let sender = spawn(&lane, move |lane| lane.send(Job::new(&answer, 1)));
        lane.end();
        sender.join().unwrap();
    });
}

#[test]
fn a_driver_that_panics_lets_go() {
    check(|| {
        moment::begin(Time::StandsStill);
        let lane = Lane::make(true);
        let panicking = spawn(&lane, |lane| {
            let Some(held) = lane.wheel.take_as_caller() else { return false };
            let parker = Parker::new();
            let mut job = Job::new(&Answer::new(&parker), 0);
            job.panics = true;
            let hand_in = Some(lane.hand_in(job));
            let driving = || lane.drive(held, hand_in, &parker, Moment::NEVER);
            catch_unwind(AssertUnwindSafe(driving)).unwrap_err();
            true
        });
        let other = spawn(&lane, |lane| calls(lane, 0));
        panicking.join().unwrap();
        lane.await_ends(other.join().unwrap());
        assert!(lane.wheel.take_as_caller().is_some() || keeper_drives(&lane));
        lane.end();
    });
}

/// The keeper may still be about to let go; it does.
fn keeper_drives(lane: &Arc<Lane>) -> bool {
    while lane.wheel.is_driven() {
        thread::yield_now();
    }
    true
}

/// Two calls of one thread, one of which may be left early; how many jobs that were.
fn calls(lane: &Arc<Lane>, caller: u8) -> usize {
    let patience = match thread_rng().gen_range(0..3) {
        0 => Patience::Cancelled,
        1 if moment::passes() => Patience::Short,
        _ => Patience::Endless,
    };
    call(lane, patience, caller % 2);
    call(lane, Patience::Endless, 0);
    2
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Endless,
    /// Looks up after some time, and gives up.
    Short,
    /// Somebody else ends it, sooner or later.
    Cancelled,
}

fn call(lane: &Arc<Lane>, patience: Patience, turns: u8) {
    let parker = Parker::new();
    let job = Job::new(&Answer::new(&parker), turns);
    await_answer(lane, job, &parker, patience);
}

/// As `runtime/wait.rs` does it.
fn await_answer(lane: &Arc<Lane>, job: Job, parker: &Arc<Parker>, patience: Patience) {
    let answer = Arc::clone(&job.answer);
    let cancelled = Arc::new(AtomicBool::new(false));
    let canceller = (patience == Patience::Cancelled).then(|| {
        let (cancelled, wake) = (Arc::clone(&cancelled), Answer::new(parker));
        thread::spawn(move || {
            cancelled.store(true, SeqCst);
            wake.give();
        })
    });
    let mut hand_in = Some(lane.hand_in(job));
    if lane.wheel.is_driven() {
        hand_in = None;
    }
    let mut looks = 0;
    while !answer.is_there() && !cancelled.load(SeqCst) && looks < 2 {
        rest(lane, hand_in.take(), parker, patience);
        looks += usize::from(patience == Patience::Short);
    }
    // What was not begun goes its way.
    drop(hand_in);
    canceller.into_iter().for_each(|canceller| canceller.join().unwrap());
}

fn rest(lane: &Arc<Lane>, hand_in: Option<HandIn>, parker: &Arc<Parker>, patience: Patience) {
    let until = match patience {
        Patience::Short => Moment::now().plus(Duration::from_millis(10)),
        _ => Moment::NEVER,
    };
    if let Some(held) = lane.wheel.take_as_caller() {
        lane.drive(held, hand_in, parker, until);
        parker.take_notification();
        return;
    }
    drop(hand_in);
    let _waiting = lane.wheel.wait();
    parker.park_until(until);
}

fn spawn<T: Send + 'static>(
    lane: &Arc<Lane>,
    run: impl FnOnce(&Arc<Lane>) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let lane = Arc::clone(lane);
    thread::spawn(move || run(&lane))
}
