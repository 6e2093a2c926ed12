//! Many threads that come and go against a server that answers at once, in both ways of driving and in one
//! that changes all the time.
//!
//! Calls are cancelled, left half read and out of time, listeners and readers panic, and all
//! callbacks that run on the caller's thread, but for stores of a cache, make calls of their own.
//! Asserts that no call takes longer than its own work needs, and that nothing is left in the books: a
//! wake-up that gets lost for good shows as a call that waits for its budget. One that is made good,
//! because lanes without a driver are looked after, costs 100 ms; that is sought among calls that
//! nothing else holds up, of which only a tenth may take so long, as a busy machine does that too, and
//! where it makes all calls slow nothing is asserted.
//!
//! `ABIDE_STRESS_SECONDS` says for how long, for each protocol, number of connections and way of
//! driving; half a one is the default. `ABIDE_STRESS_SEED` repeats what each thread does.
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
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use abide::{Certificate, Client, ClientBuilder, Driving, Limits};

use caller::{Caller, Pace, Seen};
use dice::Dice;
use nested::Kind;
use support::Server;

#[test]
fn no_call_waits_longer_than_its_own_work_needs() {
    let _alone = alone();
    for driving in [Driving::Lent, Driving::Background, Driving::AtRandom] {
        println!("{driving:?}");
        let plain = Setting { client: plain(driving, 1), places: 1, kinds: Kind::OF_CALLS.into() };
        plain.stress("HTTP/1.1", &servers::http1());
        Setting::with_all(driving, 1).stress("HTTP/1.1, all callbacks", &servers::http1());
        Setting::with_all(driving, 6).stress("HTTP/1.1, all callbacks", &servers::http1());
        Setting::with_all(driving, 1).stress("HTTP/2, all callbacks", &servers::http2());
    }
}

/// Nothing holds a connection up here, so there is nothing to wait for but the others' turns.
#[test]
fn hardly_any_call_waits_until_somebody_looks_after_its_lane() {
    let _alone = alone();
    for driving in [Driving::Lent, Driving::Background] {
        for (server, places) in
            [(servers::http1(), 1), (servers::http1(), 2), (servers::http2(), 1)]
        {
            let (client, pace) = (plain(driving, places), Pace::default());
            let what = format!("{driving:?}, {places} of {}", server.url("/"));
            come_and_go(&what, FEW_SLOTS, |dice| pace.of_calls(&client, &server, dice), || true);
            println!("{pace:?}");
            assert!(pace.is_brisk(), "{what}: {pace:?}");
        }
    }
}

/// One after the other, since each is to have the machine for itself.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client and what runs in its calls.
struct Setting {
    client: Client,
    places: usize,
    kinds: Vec<Kind>,
}

impl Setting {
    fn with_all(driving: Driving, places: usize) -> Self {
        let client = nested::calling(builder(driving, places));
        Self { client, places, kinds: [Kind::OF_CALLS, Kind::OF_CLIENTS].concat() }
    }

    fn stress(&self, what: &str, server: &Server) {
        let Self { client, places, kinds } = self;
        let seen = Seen::default();
        // One connection of HTTP/1 is the outer call's own, or somebody's before it.
        let is_roomy = *places > 1 || server.url("/").starts_with("https:");
        let has_all = || seen.has_all(kinds, is_roomy);
        let live = |dice| Caller { client, server, kinds, seen: &seen, dice }.live();
        come_and_go(what, SLOTS, live, has_all);
        println!("{seen:?}");
        assert!(has_all(), "something never happened: {seen:?}");
        let until = Instant::now() + WATCH;
        while client.stats().active() + client.stats().queued() + client.stats().dialing() > 0 {
            assert!(Instant::now() < until, "left over: {:?}", client.stats());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Threads, one after the other in each of some slots, until the time is over, and for some time
/// more if they have not done all there is to do.
fn come_and_go(
    what: &str,
    slots: u64,
    live: impl Fn(Dice) + Sync,
    have_done_all: impl Fn() -> bool + Sync,
) {
    let seed = number("ABIDE_STRESS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("{what}, ABIDE_STRESS_SEED={seed}");
    let seconds = number("ABIDE_STRESS_SECONDS").map(Duration::from_secs);
    let end = Instant::now() + seconds.unwrap_or(Duration::from_millis(500));
    thread::scope(|scope| {
        for slot in 0..slots {
            let (live, have_done_all) = (&live, &have_done_all);
            scope.spawn(move || {
                for generation in 0.. {
                    let now = Instant::now();
                    if now >= end && (have_done_all() || now >= end + PATIENCE) {
                        break;
                    }
                    let dice = Dice::new(seed, (slot << 40) | generation);
                    thread::scope(|scope| scope.spawn(|| live(dice)).join().unwrap());
                }
            });
        }
    });
}

fn plain(driving: Driving, places: usize) -> Client {
    builder(driving, places).build().unwrap()
}

fn builder(driving: Driving, places: usize) -> ClientBuilder {
    let limits = Limits::default().places_per_route(places).http2_connections_per_route(places);
    let root = Certificate::from_pem(support::ca()).unwrap();
    Client::builder().driving(driving).limits(limits).only_root_certificates([root]).no_proxy()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How much longer a run may take until everything has happened.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many threads there are at a time.
const SLOTS: u64 = 12;
/// The same where a call is to have little to wait for, on a busy machine too.
const FEW_SLOTS: u64 = 2;
/// How much longer than it needs a call may take on a busy machine; by far less than `BUDGET`.
const WATCH: Duration = Duration::from_secs(2);
/// What a call may take by itself, far more than it needs.
const BUDGET: Duration = Duration::from_secs(20);
