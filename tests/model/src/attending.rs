//! What has to hold of callers that attend connections, drive their lane and park, by turns.
//!
//! A call that would wait for ever is a deadlock to the checker, or, where time passes, an
//! execution without end.

use std::{task::Waker, time::Duration};

use shuttle::{
    rand::{Rng, thread_rng},
    sync::{Arc, atomic::AtomicBool, atomic::Ordering::SeqCst},
    thread,
};

use crate::{
    attendance::Attendance,
    check::check,
    connection::{Connection, Request},
    lane::{Answer, Lane},
    lend::Plan,
    moment::{self, Moment, Time},
    parker::Parker,
    steward::Tended,
    wheel::Attended,
};

#[test]
fn every_call_gets_its_answer_though_time_stands_still() {
    check(|| attend_all(Time::StandsStill, true));
}

#[test]
fn every_call_gets_its_answer_while_the_keeper_watches() {
    check(|| attend_all(Time::Passes, true));
}

#[test]
fn every_call_gets_its_answer_from_a_keeper_that_never_lends() {
    check(|| attend_all(Time::StandsStill, false));
}

/// Two connections of one lane, one of which goes from caller to caller.
fn attend_all(time: Time, is_lent: bool) {
    moment::begin(time);
    let lane = Lane::make(is_lent);
    let (dialed, dial) = Connection::dial(&lane);
    let connections = [Connection::open(&lane), dialed];
    let callers = [(0, 0, None), (0, 1, None), (1, 0, Some(dial))];
    let callers = callers.map(|(connection, before, dial)| {
        let (lane, connection) = (Arc::clone(&lane), Arc::clone(&connections[connection]));
        thread::spawn(move || {
            connection.await_freed(before);
            call(&lane, &connection, dial);
        })
    });
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    for (connection, requests) in connections.into_iter().zip([2, 1]) {
        // Also those that were given up.
        connection.await_freed(requests);
        Arc::into_inner(connection).unwrap().close();
    }
    while lane.wheel().is_busy() || lane.wheel().connections() > 0 {
        thread::yield_now();
    }
    lane.end();
}

/// As `runtime/wait.rs` does it; it may be given up, or run a listener now and then.
fn call(lane: &Arc<Lane>, connection: &Connection, dial: Option<Attended>) {
    let parker = Parker::new();
    let waker = Waker::from(Arc::clone(&parker));
    let answer = Answer::new(&parker);
    let is_wanted = Arc::new(AtomicBool::new(true));
    let cancelled = Arc::new(AtomicBool::new(false));
    let canceller = thread_rng().gen_bool(0.3).then(|| {
        let (cancelled, wake) = (Arc::clone(&cancelled), Answer::new(&parker));
        thread::spawn(move || {
            cancelled.store(true, SeqCst);
            wake.give();
        })
    });
    let request = Request { answer: Arc::clone(&answer), is_wanted: Arc::clone(&is_wanted) };
    let mut attendance = Attendance::new(&waker);
    let attends = dial.is_none() && thread_rng().gen_bool(0.8);
    let life = attends.then(|| Arc::clone(&connection.life));
    let hand_in = Some(connection.hand_in(request));
    let plan = Plan { lane: Arc::clone(lane), life, hand_in, dial };
    attendance.take_up(plan, Moment::now());
    loop {
        parker.take_notification();
        if answer.is_there() {
            break;
        }
        if cancelled.load(SeqCst) {
            connection.give_up(&is_wanted);
            break;
        }
        if thread_rng().gen_bool(0.2) {
            // A listener runs, and looks up when there is an answer.
            attendance.leave();
            parker.park_until(Moment::NEVER);
            continue;
        }
        attendance.go_on();
        if !parker.is_notified() {
            attendance.rest(&parker, until());
            attendance.go_on();
        }
    }
    drop(attendance);
    canceller.into_iter().for_each(|canceller| canceller.join().unwrap());
}

/// Where time passes, a call looks at its budgets now and then.
fn until() -> Moment {
    if moment::passes() && thread_rng().gen_bool(0.5) {
        Moment::now().plus(Duration::from_millis(10))
    } else {
        Moment::NEVER
    }
}
