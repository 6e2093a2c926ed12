//! A process with an idle client wakes up for nothing.
//!
//! A program of its own, because all threads of the process are counted.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use abide::{Client, Driving};

#[test]
fn an_idle_client_wakes_up_for_nothing_and_still_sees_its_connections_end() {
    for driving in [Driving::Background, Driving::Lent] {
        let (address, end) = serve();
        let client = Client::builder().driving(driving).build().unwrap();
        let calls = 3;
        thread::scope(|scope| {
            for _ in 0..calls {
                scope.spawn(|| client.get(format!("http://{address}/")).send().unwrap());
            }
        });
        let open = client.stats().open();
        assert!(open > 0, "{:?}", client.stats());
        // What it does for the sake of the calls that have just ended is no waking.
        thread::sleep(Duration::from_millis(300));
        let before = switches();
        thread::sleep(Duration::from_secs(1));
        let woken = switches() - before;
        assert!(woken <= 2, "{driving:?}: {woken} wake-ups in an idle second");
        assert_eq!(client.stats().open(), open);
        drop(end);
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

/// A server that answers once per connection and keeps it until what it returns is dropped.
fn serve() -> (SocketAddr, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ended) = channel::<()>();
    thread::spawn(move || {
        let mut open = Vec::new();
        listener.set_nonblocking(true).unwrap();
        while ended.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {
            let Ok((mut socket, _)) = listener.accept() else { continue };
            socket.set_nonblocking(false).unwrap();
            open.push(socket.try_clone().unwrap());
            thread::spawn(move || {
                while socket.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                }
            });
        }
        for socket in open {
            drop(socket.shutdown(std::net::Shutdown::Both));
        }
    });
    (address, end)
}
