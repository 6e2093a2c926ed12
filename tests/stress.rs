//! Many threads that come and go against a server that answers at once, in both ways of driving.
//!
//! Calls are cancelled, left half read and out of time, listeners panic, and every kind of callback
//! makes calls of its own. Asserts that no call takes longer than its own work needs, and that
//! nothing is left in the books: a wake-up that gets lost shows as a call that waits for its budget.
//!
//! `ABIDE_STRESS_SECONDS` says for how long, for each protocol, number of connections and way of
//! driving; 1 is the default. `ABIDE_STRESS_SEED` repeats what each thread does.
#![cfg(all(target_os = "linux", feature = "tls", feature = "http2"))]
#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]
#![expect(clippy::print_stdout, reason = "one wants to see what a long run did")]

#[path = "stress/caller.rs"]
mod caller;
#[path = "soak/dice.rs"]
mod dice;
#[path = "stress/nested.rs"]
mod nested;
#[path = "stress/servers.rs"]
mod servers;
#[expect(dead_code, unused_imports, reason = "stress needs less than the behaviour tests")]
mod support;

use std::{
    thread,
    time::{Duration, Instant},
};

use abide::{CallEvent, Certificate, Client, ClientBuilder, Driving, Limits};

use caller::{Caller, Seen};
use dice::Dice;
use support::Server;

/// One after the other, since each is to have the machine for itself.
#[test]
fn no_call_waits_longer_than_its_own_work_needs() {
    for driving in [Driving::Lent, Driving::Background] {
        println!("{driving:?}");
        stress("HTTP/1.1", &client(driving, 1).build().unwrap(), &servers::http1());
        stress("HTTP/1.1, observed", &observed(driving, 1), &servers::http1());
        stress("HTTP/1.1, observed", &observed(driving, 6), &servers::http1());
        stress("HTTP/2, observed", &observed(driving, 1), &servers::http2());
    }
}

fn stress(what: &str, client: &Client, server: &Server) {
    let seed = number("ABIDE_STRESS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("{what}, ABIDE_STRESS_SEED={seed}");
    let end = Instant::now() + Duration::from_secs(number("ABIDE_STRESS_SECONDS").unwrap_or(1));
    let seen = Seen::default();
    thread::scope(|scope| {
        for slot in 0..SLOTS {
            let seen = &seen;
            scope.spawn(move || {
                // One thread after the other, each for a few calls.
                for generation in 0.. {
                    if Instant::now() >= end {
                        break;
                    }
                    let dice = Dice::new(seed, (slot << 40) | generation);
                    let caller = Caller { client, server, seen, dice };
                    thread::scope(|scope| scope.spawn(|| caller.live()).join().unwrap());
                }
            });
        }
    });
    println!("{seen:?}");
    assert!(seen.has_all(), "something never happened: {seen:?}");
    let until = Instant::now() + WATCH;
    while client.stats().active() + client.stats().queued() + client.stats().dialing() > 0 {
        assert!(Instant::now() < until, "left over: {:?}", client.stats());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Callers with an observer, which makes calls, are not invited to a connection that they wait for.
fn observed(driving: Driving, places: usize) -> Client {
    client(driving, places).observer(|_: &CallEvent| nested::call()).build().unwrap()
}

fn client(driving: Driving, places: usize) -> ClientBuilder {
    let limits = Limits::default().places_per_route(places).http2_connections_per_route(places);
    let root = Certificate::from_pem(support::ca()).unwrap();
    Client::builder().driving(driving).limits(limits).only_root_certificates([root]).no_proxy()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How many threads there are at a time.
const SLOTS: u64 = 12;
/// How much longer than it needs a call may take on a busy machine; by far less than `BUDGET`.
const WATCH: Duration = Duration::from_secs(2);
/// What a call may take by itself, far more than it needs.
const BUDGET: Duration = Duration::from_secs(20);
