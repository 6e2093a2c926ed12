//! The threads of a client: none before it is needed, none after it was dropped.
//!
//! They are counted in a process that runs nothing else: this test binary, started once more.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use abide::{Client, Driving, ErrorKind};

use crate::{
    alone::{run_alone, run_alone_with_little_room},
    many_cancels,
    support::Server,
};

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

#[test]
fn a_client_has_no_more_threads_than_it_needs() {
    run_alone("threads::alone_one_thread_calls", &[]);
}

#[test]
#[ignore = "looks at the threads of its process; run by another test"]
fn alone_one_thread_calls() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"");
    });
    for driving in [Driving::Lent, Driving::Background] {
        let idle = Duration::from_millis(400);
        let client = Client::builder().driving(driving).idle_timeout(idle).build().unwrap();
        for _ in 0..2 {
            (0..100).for_each(|_| drop(client.get(server.url("/")).send().unwrap()));
            let during = names();
            assert!(!during.is_empty() && during.len() <= 2, "{driving:?}: {during:?}");
            // It watches the connection while that is idle.
            await_names(&["abide-lane-0"]);
            assert_eq!(client.stats().open(), 1);
            await_names(&[]);
            assert_eq!(client.stats().open(), 0);
        }
    }
}

#[test]
fn calls_end_though_the_system_refuses_threads() {
    run_alone_with_little_room("threads::alone_threads_are_refused");
}

#[test]
#[ignore = "uses its process's memory up; run by another test"]
fn alone_threads_are_refused() {
    let url = format!("http://{}/", serve_one_connection());
    let client = Client::builder().driving(Driving::Lent).build().unwrap();
    client.get(&url).send().unwrap();
    let in_background = Client::builder().driving(Driving::Background).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    // No room for the stack of a thread, enough for everything else.
    let mut room = Vec::new();
    let stack = std::env::var("RUST_MIN_STACK").unwrap().parse().unwrap();
    loop {
        let mut part = Vec::<u8>::new();
        if part.try_reserve_exact(stack).is_err() {
            break;
        }
        room.push(part);
    }
    assert!(thread::Builder::new().spawn(|| ()).is_err());
    // Here nobody may lend a thread, so that the client needs one of its own.
    runtime.block_on(async {
        for _ in 0..3 {
            client.get(&url).send().unwrap();
        }
    });
    let error = in_background.get(&url).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);

    drop(room);
    runtime.block_on(async {
        client.get(&url).send().unwrap();
    });
    assert!(names().contains(&"abide-lane-0".to_owned()), "{:?}", names());
}

/// Answers on one connection after the other, by a thread that is there from the beginning.
fn serve_one_connection() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            while socket.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        }
    });
    address
}

/// The names of clients' threads.
fn names() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    // A thread may end meanwhile.
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("abide-")).collect()
}

#[track_caller]
fn await_names(expected: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while names() != expected {
        assert!(Instant::now() < deadline, "{expected:?} expected, {:?}", names());
        thread::sleep(Duration::from_millis(5));
    }
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
