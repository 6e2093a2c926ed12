//! What a GET on a kept connection allocates: abide and its peers, each counted in the same way.
//!
//! `cargo test -p abide-allocations -- --nocapture` shows the figures. Clients that call libcurl are
//! not among them, because C allocates past the counter.
#![cfg(test)]

use std::{
    alloc::System,
    fmt,
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What one call takes, whichever threads do it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Counted {
    allocations: usize,
    bytes: usize,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} allocations of {} bytes", self.allocations, self.bytes)
    }
}

/// The least of some rounds, with everything warm.
fn count(call: impl Fn() -> usize) -> Counted {
    let calls = || (0..CALLS).for_each(|_| assert_eq!(call(), 5));
    let round = || {
        let region = Region::new(COUNTING);
        calls();
        let change = region.change();
        Counted {
            allocations: (change.allocations + change.reallocations) / CALLS,
            bytes: change.bytes_allocated / CALLS,
        }
    };
    calls();
    (0..ROUNDS).map(|_| round()).min().unwrap()
}

/// One test for all, because it counts what the whole process allocates.
#[test]
fn a_get_on_a_kept_connection_takes_at_most_half_of_what_reqwest_takes() {
    let url = server();
    let client = abide::Client::builder().no_proxy().build().unwrap();
    let abide = count(|| client.get(&url).send().unwrap().bytes().len());
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let reqwest = count(|| client.get(&url).send().unwrap().bytes().unwrap().len());
    let client = ureq::Agent::config_builder().proxy(None).build().new_agent();
    let ureq = count(|| client.get(&url).call().unwrap().into_body().read_to_vec().unwrap().len());
    println!("abide: {abide}\nreqwest::blocking: {reqwest}\nureq: {ureq}");
    assert!(abide.allocations * 2 <= reqwest.allocations, "abide: {abide}; reqwest: {reqwest}");
}

/// Allocates nothing while it answers.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                // Heads are smaller and come in one piece; nobody sends the next one unasked.
                while let Ok(1..) = stream.read(&mut [0; 4096]) {
                    let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
                    stream.write_all(reply).unwrap();
                }
            });
        }
    });
    format!("http://{address}/")
}

const ROUNDS: usize = 5;
const CALLS: usize = 200;
