//! What has to hold of callers that attend connections, drive their lane and park, by turns.
//!
//! A call that would wait for ever is a deadlock to the checker, or, where time passes, an
//! execution without end.

use std::{
    task::{Context, Waker},
    time::Duration,
};

use shuttle::{
    rand::{Rng, thread_rng},
    sync::{Arc, atomic::AtomicBool, atomic::Ordering::SeqCst},
    thread,
};

use crate::{
    attendance::{Attendance, leave},
    check::check,
    connection::{Connection, Request},
    doorstep::{Doorstep, Invitation},
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

#[test]
fn every_call_in_the_queue_gets_its_answer_though_time_stands_still() {
    check(|| queue_all(Time::StandsStill, true, 3));
}

#[test]
fn every_call_in_the_queue_gets_its_answer_while_the_keeper_watches() {
    check(|| queue_all(Time::Passes, true, 3));
}

#[test]
fn every_call_in_the_queue_gets_its_answer_from_a_keeper_that_never_lends() {
    check(|| queue_all(Time::StandsStill, false, 3));
}

/// Else it would be woken for each answer together with the guest; and it is back if that does not come.
#[test]
fn a_keeper_leaves_work_to_a_guest_for_as_long_as_there_is_one() {
    check(|| {
        moment::begin(Time::StandsStill);
        let lane = Lane::make(true);
        let connected = lane.connection();
        let work = lane.wheel().work();
        lane.wheel().see_to_it();
        await_driven(&lane, true);
        let guest = lane.wheel().attended_by_guest();
        await_driven(&lane, false);
        drop(guest);
        await_driven(&lane, true);
        drop(work);
        await_driven(&lane, false);
        drop(connected);
        lane.end();
    });
}

fn await_driven(lane: &Lane, is_driven: bool) {
    while lane.wheel().is_driven() != is_driven {
        thread::yield_now();
    }
}

/// One connection that callers wait for, and are invited to.
fn queue_all(time: Time, is_lent: bool, callers: usize) {
    moment::begin(time);
    let lane = Lane::make(is_lent);
    let connection = Connection::open(&lane);
    let threads: Vec<_> = (0..callers)
        .map(|_| {
            let (lane, connection) = (Arc::clone(&lane), Arc::clone(&connection));
            thread::spawn(move || call(&lane, &connection, Comes::InTurn))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    connection.await_freed(callers);
    Arc::into_inner(connection).unwrap().close();
    while lane.wheel().is_busy() || lane.wheel().connections() > 0 {
        thread::yield_now();
    }
    lane.end();
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
            call(&lane, &connection, Comes::ToIt(dial));
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
fn call(lane: &Arc<Lane>, connection: &Connection, comes: Comes) {
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
    let doorstep = Arc::<Doorstep>::default();
    let (hand_in, dial) = match comes {
        Comes::ToIt(dial) => (Some(connection.hand_in(request)), dial),
        Comes::InTurn => (connection.place(request, &doorstep), None),
    };
    let mut is_queued = hand_in.is_none();
    if !is_queued {
        let attends = dial.is_none() && thread_rng().gen_bool(0.8);
        let life = attends.then(|| Arc::clone(&connection.life));
        let plan = Plan { lane: Arc::clone(lane), life, hand_in, job: dial };
        attendance.take_up(plan, Moment::now());
    }
    loop {
        parker.take_notification();
        if answer.is_there() {
            attendance.around(leave);
            break;
        }
        if cancelled.load(SeqCst) {
            connection.give_up(&is_wanted);
            break;
        }
        if is_queued && let Some(invitation) = doorstep.look(&Context::from_waker(&waker)) {
            let Invitation { lane: number, life, attended } = invitation;
            assert_eq!(number, lane.wheel().number());
            let (lane, life) = (Arc::clone(lane), Some(life));
            let plan = Plan { lane, life, hand_in: None, job: Some(attended) };
            attendance.take_up(plan, Moment::now());
            is_queued = false;
        }
        // Whoever has listeners is not invited.
        if !is_queued && thread_rng().gen_bool(0.2) {
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
    drop(doorstep);
    drop(attendance);
    canceller.into_iter().for_each(|canceller| canceller.join().unwrap());
}

/// How a call comes to its connection.
enum Comes {
    /// It is its own, or dialed by it.
    ToIt(Option<Attended>),
    /// There may be others before it.
    InTurn,
}

/// Where time passes, a call looks at its budgets now and then.
fn until() -> Moment {
    if moment::passes() && thread_rng().gen_bool(0.5) {
        Moment::now().plus(Duration::from_millis(10))
    } else {
        Moment::NEVER
    }
}
