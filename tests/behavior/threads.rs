//! The threads of a client: none before it is needed, none after it was dropped.
//!
//! They are counted in a process that runs nothing else: this test binary, started once more.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use abide::Client;

use crate::{alone::run_alone, many_cancels, support::Server};

#[test]
fn a_client_starts_no_thread_before_its_first_call() {
    run_alone("threads::alone_a_client_is_made", &[]);
}

#[test]
#[ignore = "counts the threads of its process; run by another test"]
fn alone_a_client_is_made() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"");
    });
    let before = count();
    let clients: Vec<_> = (0..100).map(|_| Client::new()).collect();
    assert_eq!(count(), before);
    for client in &clients {
        client.get(server.url("/")).send().unwrap();
    }
    assert!(count() > before);
    drop(clients);
    await_count(before);
}

#[test]
fn a_client_leaves_no_thread_behind() {
    run_alone("threads::alone_calls_are_cancelled", &[]);
}

#[test]
#[ignore = "counts the threads of its process; run by another test"]
fn alone_calls_are_cancelled() {
    let before = count();
    many_cancels::cancel_a_thousand(&["/at-once", "/never", "/half", "/endless", "/upload"]);
    await_count(before);
}

fn count() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[track_caller]
fn await_count(expected: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while count() > expected {
        let now = count();
        assert!(Instant::now() < deadline, "{expected} threads before, {now} after");
        thread::sleep(Duration::from_millis(5));
    }
}
