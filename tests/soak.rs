//! Many threads for a long time on few connections, against a server that does its worst.
//!
//! The ledger at the end: every call was answered once and in time, every success is byte-exact, no
//! idempotent call failed that a retry could save, no POST was applied twice, there were never more
//! connections than allowed, and no thread, file descriptor or memory is left.
//!
//! `ABIDE_SOAK_SECONDS` says for how long, for each protocol and way of driving; 2 is the default.
//! `ABIDE_SOAK_SEED` repeats what each thread does.
#![cfg(all(target_os = "linux", feature = "tls", feature = "http2"))]
#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]
#![expect(clippy::print_stdout, reason = "one wants to see what a long run did")]

#[path = "soak/callers.rs"]
mod callers;
#[path = "soak/dice.rs"]
mod dice;
#[path = "soak/leftovers.rs"]
mod leftovers;
#[path = "soak/servers.rs"]
mod servers;
#[expect(dead_code, unused_imports, reason = "a soak needs less than the behaviour tests")]
mod support;

use std::{
    thread,
    time::{Duration, Instant},
};

use abide::{Certificate, Client, Driving, Limits};

use callers::{Caller, Tally};
use leftovers::Leftovers;
use servers::Deeds;
use support::Server;

/// One after the other, since each counts what the process has.
#[test]
fn nothing_is_lost_twice_or_left_over() {
    for driving in [Driving::Background, Driving::Lent] {
        soak("HTTP/1.1", driving, servers::http1);
        soak("HTTP/2", driving, servers::http2);
    }
}

fn soak(protocol: &str, driving: Driving, serve: fn(u64, Deeds) -> Server) {
    let before = Leftovers::now();
    let seed = number("ABIDE_SOAK_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("{protocol}, {driving:?}, ABIDE_SOAK_SEED={seed}");
    let deeds = Deeds::default();
    let server = serve(seed, deeds.clone());
    let limits = Limits::default().places_per_route(PLACES).http2_connections_per_route(PLACES);
    let root = Certificate::from_pem(support::ca()).unwrap();
    let client = Client::builder()
        .driving(driving)
        .limits(limits)
        .only_root_certificates([root])
        .build()
        .unwrap();
    let tally = Tally::default();
    let lasts = Duration::from_secs(number("ABIDE_SOAK_SECONDS").unwrap_or(2));
    let end = Instant::now() + lasts;
    thread::scope(|scope| {
        for number in 0..THREADS {
            let caller = Caller::new(number, seed, &client, &server, (&deeds, &tally));
            // Small stacks: what is left over shall be seen.
            let thread = thread::Builder::new().stack_size(512 << 10);
            let live = move || {
                leftovers::touch_stack();
                caller.live(end);
            };
            thread.spawn_scoped(scope, live).unwrap();
        }
        let watched = (&client, &server);
        scope.spawn(move || {
            leftovers::watch_memory(end, lasts, || {
                assert!(watched.0.stats().open() <= PLACES, "{:?}", watched.0.stats());
                assert!(watched.1.max_open() <= PLACES, "{} at once", watched.1.max_open());
            })
        });
    });
    println!("{tally:?}, {} connections, {} cut", server.connections(), deeds.cuts());
    tally.check();
    assert_eq!(deeds.cuts() > 0, protocol == "HTTP/2");
    assert!(server.max_open() <= PLACES, "{} connections at once", server.max_open());
    eventually("no call is left", || {
        let stats = client.stats();
        stats.active() + stats.queued() + stats.dialing() == 0
    });
    drop(client);
    drop(server);
    eventually("no thread or file is left", || Leftovers::now() == before);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[track_caller]
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: {:?}", Leftovers::now());
        thread::sleep(Duration::from_millis(5));
    }
}

const THREADS: usize = 256;
const PLACES: usize = 8;
