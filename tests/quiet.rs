//! A process with an idle client wakes up for nothing.
//!
//! A program of its own, because all threads of the process are counted.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

#[expect(dead_code, unused_imports, reason = "an idle client needs less than the behaviour tests")]
mod support;

use std::{
    fs,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use abide::{Client, ClientBuilder, Driving};
use support::Server;

#[test]
fn an_idle_client_wakes_up_for_nothing_and_still_sees_its_connections_end() {
    check(Client::builder, || {
        Server::http(|exchange| {
            exchange.reply(200, &[], b"");
        })
    });
}

/// Its connection is asked by PINGs only while calls wait, however often it may be.
#[cfg(feature = "http2")]
#[test]
fn an_idle_client_of_http2_wakes_up_for_nothing_and_still_sees_its_connection_end() {
    let often = Duration::from_millis(50);
    let knowing = || Client::builder().http2_prior_knowledge().http2_keep_alive(often, often);
    check(knowing, || {
        Server::http2_by_hand(|hand| {
            hand.settings(&[]);
            hand.answer_all();
        })
    });
}

#[track_caller]
fn check(client: impl Fn() -> ClientBuilder, serve: impl Fn() -> Server) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for driving in [Driving::Background, Driving::Lent] {
        let server = serve();
        let client = client().no_proxy().driving(driving).build().unwrap();
        let calls = 3;
        thread::scope(|scope| {
            for _ in 0..calls {
                scope.spawn(|| client.get(server.url("/")).send().unwrap());
            }
        });
        // A call may have been served before the connection came that was opened for it.
        while client.stats().dialing() > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        let open = client.stats().open();
        assert!(open > 0, "{:?}", client.stats());
        // What it does for the sake of the calls that have just ended is no waking.
        thread::sleep(Duration::from_millis(300));
        let before = switches();
        thread::sleep(Duration::from_secs(1));
        let woken = switches() - before;
        assert!(woken <= 2, "{driving:?}: {woken} wake-ups in an idle second");
        assert_eq!(client.stats().open(), open);
        drop(server);
        while client.stats().open() > 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// How often the client's threads have gone to sleep.
fn switches() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let sum = tasks.filter_map(|task| {
        // A thread may end meanwhile.
        let status = fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let is_ours = field("Name:")?.trim().starts_with("abide");
        let count = field("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok()?;
        is_ours.then_some(count)
    });
    sum.sum()
}

/// The client's threads are told by their names from others, but not from those of another client.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
