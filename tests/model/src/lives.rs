//! What has to hold of the life of a connection in every interleaving.
//!
//! An event that nobody looks into is a deadlock to the checker: its course never ends, and the
//! lane's task waits for that. That one thread at most polls it is asserted in every poll.

use std::task::{Context, Waker};

use shuttle::{
    rand::{Rng, thread_rng},
    sync::Arc,
    thread,
};

use crate::{
    check::check,
    life::Life,
    moment::{self, Moment, Time},
    parker::Parker,
    wire::{Plan, Wire},
};

#[test]
fn an_event_is_seen_by_whoever_polls_next_while_attendants_come_and_go() {
    check(|| {
        let plan = Plan { events: 4, ..Plan::default() };
        live(plan, 2);
    });
}

/// It has given up polling a course that wakes itself all the time, and has to be asked again.
#[test]
fn a_life_that_wakes_itself_goes_on_though_nothing_else_happens() {
    check(|| {
        let plan = Plan { events: 2, turns: thread_rng().gen_range(14..20), ..Plan::default() };
        live(plan, 1);
    });
}

#[test]
fn a_panic_ends_a_life_for_all_who_wait_for_it() {
    check(|| {
        let event = thread_rng().gen_range(1..=3);
        let wire = live(Plan { events: 4, panics_at: Some(event), ..Plan::default() }, 2);
        assert!(wire.seen() < event);
    });
}

/// An exchange begins like this: the thread that polls next sees its own job at once.
#[test]
fn what_is_done_first_is_seen_by_the_same_poll() {
    check(|| {
        moment::begin(Time::StandsStill);
        let (wire, life) = begin(Plan { events: 4, ..Plan::default() });
        let lane = run_on_lane(&wire, &life);
        let server = send(&wire, 2);
        for _ in 0..2 {
            let before = wire.seen();
            assert!(life.poll(|| wire.happen()).is_ready() || wire.seen() > before);
        }
        server.join().unwrap();
        lane.join().unwrap();
    });
}

/// It has its answer, and the connection has been given to the next one meanwhile.
#[test]
fn one_who_leaves_late_does_not_send_the_next_one_away() {
    check(|| {
        moment::begin(Time::StandsStill);
        let (wire, life) = begin(Plan { events: 2, ..Plan::default() });
        let parkers = [Parker::new(), Parker::new()];
        let wakers = parkers.clone().map(Waker::from);
        life.attend(&wakers[0]);
        assert!(life.poll(|| ()).is_pending());
        life.attend(&wakers[1]);
        life.leave(&wakers[0]);
        let server = send(&wire, 1);
        // Not by its lane's task, which nobody runs here.
        parkers[1].park_until(Moment::NEVER);
        assert!(life.is_woken() && !parkers[0].is_notified());
        server.join().unwrap();
    });
}

/// Runs a life to its end, with events from two threads and attendants one after the other.
fn live(plan: Plan, attendants: usize) -> Arc<Wire> {
    moment::begin(Time::StandsStill);
    let (wire, life) = begin(plan);
    let lane = run_on_lane(&wire, &life);
    let servers = [send(&wire, plan.events / 2), send(&wire, plan.events - plan.events / 2)];
    let each = plan.events / attendants;
    let attendants = (0..attendants).map(|attendant| {
        let (wire, life) = (Arc::clone(&wire), Arc::clone(&life));
        thread::spawn(move || {
            // The next one gets the connection when the one before has its answer, also if that
            // has not left by then.
            wire.await_seen(attendant * each);
            attend(&wire, &life, (attendant + 1) * each);
        })
    });
    let attendants: Vec<_> = attendants.collect();
    attendants.into_iter().for_each(|attendant| attendant.join().unwrap());
    servers.into_iter().for_each(|server| server.join().unwrap());
    lane.join().unwrap();
    assert!(wire.has_ended());
    assert!(life.poll(|| ()).is_ready(), "it stays ended");
    wire
}

fn begin(plan: Plan) -> (Arc<Wire>, Arc<Life>) {
    let wire = Arc::new(Wire::default());
    let life = Life::begin(|life| wire.course(plan, life));
    (wire, life)
}

/// The lane's task: polls when it was woken, until the life has ended.
fn run_on_lane(wire: &Arc<Wire>, life: &Arc<Life>) -> thread::JoinHandle<()> {
    let (wire, life) = (Arc::clone(wire), Arc::clone(life));
    thread::spawn(move || {
        let parker = Parker::new();
        let waker = Waker::from(Arc::clone(&parker));
        while life.poll_on_lane(&Context::from_waker(&waker)).is_pending() {
            parker.park_until(Moment::NEVER);
        }
        // Whoever ended it may be about to drop what is left.
        wire.await_seen(usize::MAX);
    })
}

fn send(wire: &Arc<Wire>, events: usize) -> thread::JoinHandle<()> {
    let wire = Arc::clone(wire);
    thread::spawn(move || (0..events).for_each(|_| wire.happen()))
}

/// As `runtime/attendance.rs` does it, by a thread that may lose its patience.
fn attend(wire: &Wire, life: &Life, events: usize) {
    let parker = Parker::new();
    let waker = Waker::from(Arc::clone(&parker));
    wire.tell(&parker);
    let mut looks = thread_rng().gen_bool(0.5).then(|| thread_rng().gen_range(0..3));
    life.attend(&waker);
    let _ = life.poll(|| ());
    while !wire.is_past(events) && looks != Some(0) {
        match &mut looks {
            Some(looks) => *looks -= 1,
            None => parker.park_until(Moment::NEVER),
        }
        if life.is_woken() {
            let _ = life.poll(|| ());
        }
    }
    if life.is_woken() {
        let _ = life.poll(|| ());
    }
    life.leave(&waker);
}
