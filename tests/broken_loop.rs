//! A program that closes all files it knows nothing of, as daemons do, takes a client its event loops.
//!
//! A program of its own, because that is what happens to it.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

#[expect(dead_code, unused_imports, reason = "it needs less than the behaviour tests")]
mod support;

use std::{
    fs::{self, File},
    mem, panic,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use abide::{Client, Driving, ErrorKind, Limits};

use support::Server;

#[test]
fn calls_end_and_the_next_ones_go_by_other_event_loops() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    panic::set_hook(Box::new(|_| {
        PANICS.fetch_add(1, Ordering::SeqCst);
    }));
    for driving in [Driving::Background, Driving::Lent] {
        let server = Server::http(|exchange| {
            exchange.reply(200, &[], b"");
        });
        let url = server.url("/");
        let client = Client::builder().driving(driving).no_proxy().build().unwrap();
        client.get(&url).send().unwrap();
        close_event_queues();
        let before = PANICS.load(Ordering::SeqCst);
        let call = || panic::catch_unwind(panic::AssertUnwindSafe(|| client.get(&url).send()));
        // The first may be lost with its connection.
        let ended = [call(), call(), call()].map(|call| call.map(|ended| ended.is_ok()).ok());
        assert!(ended[0].is_some(), "{driving:?}: the call panicked");
        assert_eq!(ended[1..], [Some(true); 2], "{driving:?}");
        assert_eq!(PANICS.load(Ordering::SeqCst) - before, 1, "{driving:?}: of the event loop");
        let end = client.shutdown(Duration::from_secs(5)).unwrap();
        assert!(end.is_complete(), "{driving:?}: {end:?}");
    }
    when_there_is_no_other_every_call_is_told_so();
    drop(panic::take_hook());
}

/// As many callers as there can be event loops; each loop fails when it is run next.
fn when_there_is_no_other_every_call_is_told_so() {
    let server = Server::http(|exchange| {
        exchange.signal("asked");
        exchange.await_signal("answer", 1);
        exchange.reply(200, &[], b"");
    });
    let url = server.url("/");
    let limits = Limits::default().places_per_route(LANES);
    let client = Client::builder().limits(limits).no_proxy().build().unwrap();
    thread::scope(|scope| {
        let call = |_| {
            let calls = || panic::catch_unwind(panic::AssertUnwindSafe(|| client.get(&url).send()));
            scope.spawn(calls)
        };
        let calls: Vec<_> = (0..LANES).map(call).collect();
        server.await_signal("asked", LANES);
        close_event_queues();
        server.signal("answer");
        for call in calls {
            assert!(call.join().unwrap().is_ok(), "a call panicked");
        }
    });
    let failed = (0..10 * LANES).find_map(|_| {
        let error = client.get(&url).send().err()?;
        (error.kind() == ErrorKind::Internal).then(|| error.to_string())
    });
    let failed = failed.expect("calls to fail");
    assert!(failed.contains("a new client has new ones"), "{failed}");
}

/// Of a client whose callers drive.
const LANES: usize = 16;

/// Closes the event queues of the process, and has their numbers taken by others.
fn close_event_queues() {
    let files = fs::read_dir("/proc/self/fd").unwrap();
    let queues = files.filter_map(|file| {
        let path = file.ok()?.path();
        let is_queue = fs::read_link(&path).ok()?.ends_with("anon_inode:[eventpoll]");
        is_queue.then(|| path.file_name()?.to_str()?.parse::<i32>().ok()).flatten()
    });
    let queues: Vec<_> = queues.collect();
    assert!(!queues.is_empty());
    for queue in queues {
        nix::unistd::close(queue).unwrap();
        mem::forget(File::open("/dev/null").unwrap());
    }
}
