//! How many connections there may be, to whom, and who gets the next one.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Duration,
};

use abide::{Body, Budget, Client, Feedback, HostOptions, Limits, Phase, Reply, Timeouts};

use crate::{
    clients::{await_quiet, await_stats, builder},
    random::Random,
    support::{BlackHole, Exchange, Server},
    waiting::{Running, start},
};

/// Says `in`, waits for a signal that is named like the target, and answers with its connection.
pub(crate) fn wait_for_target(exchange: &mut Exchange) {
    let target = exchange.target().to_owned();
    exchange.signal("in");
    exchange.await_signal(&target, 1);
    let connection = exchange.connection().to_string();
    exchange.reply(200, &[], connection.as_bytes());
}

pub(crate) fn get(client: &Client, url: String) -> Running<Reply> {
    let client = client.clone();
    start(move || client.get(url).send().unwrap())
}

#[test]
fn a_host_can_have_bounds_of_its_own() {
    let (gentle, other) = (Server::http(wait_for_target), Server::http(wait_for_target));
    let own = HostOptions::default().places(1);
    let client = builder()
        .limits(Limits::default().places_per_route(3))
        .host_options(&gentle.addr().to_string(), own)
        .build()
        .unwrap();
    let calls: Vec<_> = [&gentle, &other]
        .iter()
        .flat_map(|server| (0..4).map(|_| get(&client, server.url("/go"))).collect::<Vec<_>>())
        .collect();
    gentle.await_signal("in", 1);
    other.await_signal("in", 3);
    await_stats(&client, "the others wait", |stats| stats.queued() == 4);
    gentle.signal("/go");
    other.signal("/go");
    calls.into_iter().for_each(|call| drop(call.join()));
    assert_eq!((gentle.max_open(), other.max_open()), (1, 3));
}

#[cfg(feature = "http2")]
#[test]
fn a_host_can_have_a_bound_of_http2_connections_of_its_own() {
    let server = || {
        Server::http2_by_hand(|hand| {
            let stream = hand.next_request();
            hand.await_signal("go on", 1);
            hand.settings(&[]);
            hand.answer(stream);
            hand.answer_all();
        })
    };
    let (gentle, other) = (server(), server());
    let own = HostOptions::default().http2_connections(1);
    let client = crate::http2_by_hand::knowing()
        .limits(Limits::default().http2_connections_per_route(3).http2_streams_per_connection(1))
        .host_options(&gentle.addr().to_string(), own)
        .build()
        .unwrap();
    let calls: Vec<_> = [&gentle, &other]
        .iter()
        .flat_map(|server| (0..4).map(|_| get(&client, server.url("/"))).collect::<Vec<_>>())
        .collect();
    gentle.await_signal("request", 1);
    other.await_signal("request", 3);
    await_stats(&client, "the others wait", |stats| stats.queued() == 4);
    gentle.signal("go on");
    other.signal("go on");
    calls.into_iter().for_each(|call| drop(call.join()));
    assert_eq!((gentle.max_open(), other.max_open()), (1, 3));
}

#[test]
fn what_is_no_host_cannot_have_options() {
    let error = builder().host_options("a b", HostOptions::default()).build().unwrap_err();
    assert_eq!(error.kind(), abide::ErrorKind::InvalidRequest);
}

#[test]
fn dials_are_bounded_for_each_route_and_in_total() {
    let holes = [(); 2].map(|()| BlackHole::new());
    let limits = Limits::default().dials_per_route(3).dials_total(4);
    let timeouts = Timeouts::none().connect(Duration::from_millis(300));
    let client = builder().limits(limits).timeouts(timeouts).build().unwrap();
    let call = |hole: &BlackHole| {
        let (client, url) = (client.clone(), hole.url("/"));
        start(move || client.get(url).send().unwrap_err())
    };
    let mut calls: Vec<_> = (0..6).map(|_| call(&holes[0])).collect();
    await_stats(&client, "the first host is dialed", |stats| stats.dialing() == 3);
    calls.extend((0..6).map(|_| call(&holes[1])));
    await_stats(&client, "both are dialed", |stats| stats.dialing() == 4);
    for call in calls {
        assert_eq!(call.join().budget(), Some(Budget::Connect));
    }
    await_quiet(&client);
}

#[cfg(feature = "tls")]
#[test]
fn a_herd_at_a_new_host_of_http1_makes_the_most_of_the_bound_and_throws_no_connection_away() {
    let server = Server::https(wait_for_target);
    let limits = Limits::default().places_per_route(16);
    let client = crate::clients::trusting().limits(limits).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| client.get(server.url("/go")).send().unwrap());
        }
        // Nobody is answered before all of them have a connection.
        server.await_signal("in", 16);
        server.signal("/go");
    });
    await_quiet(&client);
    assert_eq!((server.connections(), server.handshakes()), (16, 16));
    assert_eq!((server.departures().len(), client.stats().open()), (0, 16));
}

#[cfg(all(feature = "tls", feature = "http2"))]
#[test]
fn a_herd_at_a_new_host_of_http2_makes_one_handshake() {
    let server = Server::http2(crate::http2::echo);
    let client = crate::clients::trusting().build().unwrap();
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| client.get(server.url("/")).send().unwrap());
        }
    });
    assert_eq!((server.connections(), server.handshakes(), server.requests()), (1, 1, 100));
}

#[test]
fn a_route_without_a_connection_gets_one_before_those_who_came_later() {
    let (busy, other) = (Server::http(wait_for_target), Server::http(wait_for_target));
    let client = builder().limits(Limits::default().places_total(1)).build().unwrap();
    let mut calls = vec![get(&client, busy.url("/first"))];
    busy.await_signal("in", 1);
    let queued = |count| await_stats(&client, "it is queued", |stats| stats.queued() == count);
    calls.push(get(&client, busy.url("/second")));
    queued(1);
    calls.push(get(&client, other.url("/other")));
    queued(2);
    calls.push(get(&client, busy.url("/later")));
    queued(3);
    busy.signal("/first");
    busy.await_signal("in", 2);
    assert_eq!(other.requests(), 0);
    busy.signal("/second");
    other.await_signal("in", 1);
    assert_eq!(busy.requests(), 2, "the later one went before");
    other.signal("/other");
    busy.signal("/later");
    calls.into_iter().for_each(|call| drop(call.join()));
    assert_eq!((busy.connections(), other.connections()), (2, 1));
}

#[test]
fn routes_that_share_the_total_come_to_the_same_number() {
    let servers = [(); 2].map(|()| {
        Server::http(|exchange| {
            let connection = exchange.connection().to_string();
            exchange.reply(200, &[], connection.as_bytes());
        })
    });
    let client = builder().limits(Limits::default().places_total(4)).build().unwrap();
    thread::scope(|scope| {
        for thread in 0..16 {
            let (client, server) = (&client, &servers[usize::from(thread >= 8)]);
            scope.spawn(move || {
                for _ in 0..50 {
                    client.get(server.url("/")).send().unwrap();
                }
            });
        }
    });
    // A few while they come to it and when the first has ended, but not one for every call.
    let opened = client.stats().connections_opened();
    assert!(opened < 100, "{opened} connections for 800 calls");
    await_quiet(&client);
}

#[cfg(all(feature = "tls", feature = "http2"))]
#[test]
fn a_shared_connection_that_is_never_idle_ends_for_a_route_that_has_none() {
    let shared = Server::http2(|mut exchange| async move {
        exchange.signal("in");
        let target = exchange.target().to_owned();
        exchange.await_signal(&target, 1).await;
        exchange.reply(200, &[], "").await;
    });
    let other = Server::http(wait_for_target);
    other.signal("/");
    let limits = Limits::default().places_total(1);
    let client = crate::clients::trusting().limits(limits).build().unwrap();
    let first = get(&client, shared.url("/first"));
    shared.await_signal("in", 1);
    let waiting = get(&client, other.url("/"));
    await_stats(&client, "it waits for a place", |stats| stats.queued() == 1);
    let later = get(&client, shared.url("/later"));
    await_stats(&client, "the later one waits too", |stats| stats.queued() == 2);
    shared.signal("/first");
    assert_eq!(first.join().status(), 200);
    assert_eq!(waiting.join().status(), 200);
    shared.signal("/later");
    assert_eq!(later.join().status(), 200);
    assert_eq!((shared.connections(), other.connections()), (2, 1));
}

#[test]
fn a_queue_that_is_used_up_tells_of_the_replies_of_the_same_host_only() {
    let endless = |exchange: &mut Exchange| {
        exchange.begin_reply(200, &[("content-length", "1000000000")]);
        while exchange.write([0; 10_000]) {}
    };
    let (server, other) = (Server::http(endless), Server::http(endless));
    let limits = Limits::default().places_per_route(2);
    let client = builder().limits(limits).build().unwrap();
    let held = [&server, &server, &other].map(|server| client.get(server.url("/")).open().unwrap());
    let timeouts = Timeouts::none().queue(Duration::from_millis(50));
    let error = client.get(server.url("/")).timeouts(timeouts).send().unwrap_err().to_string();
    let expected = format!("this thread holds 2 open replies of http://{}", server.addr());
    assert!(error.contains(&expected), "{error}");
    drop(held);
}

/// What its calls do to a client, and how often they did.
struct Harm<'s> {
    client: &'s Client,
    server: &'s Server,
    /// Cancelled while the reply came.
    cancelled: AtomicUsize,
    /// Left by the panic of a listener while the reply came.
    panicked: AtomicUsize,
}

impl Harm<'_> {
    fn does(&self, random: &mut Random) {
        match random.below(40) {
            0 => self.cancels_half_way(),
            1 => self.panics_half_way(),
            2..=4 => self.panics_uploading(),
            _ => self.gets(random),
        }
    }

    /// With a listener that ends the call, at its end as a rule.
    fn gets(&self, random: &mut Random) {
        let path = ["/", "/reset", "/close", "/half"][random.below(4)];
        let feedback = Feedback::new();
        match random.below(9) {
            0..3 => {
                let canceller = feedback.clone();
                feedback.on_download(move |_| canceller.cancel());
            }
            3..5 => feedback.on_download(|_| resume_unwind(Box::new("a listener"))),
            _ => {}
        }
        let call = || self.client.get(self.server.url(path)).feedback(&feedback).send();
        drop(catch_unwind(AssertUnwindSafe(call)));
    }

    fn cancels_half_way(&self) {
        let feedback = Feedback::new();
        let canceller = feedback.clone();
        feedback.on_download(move |progress| {
            if progress.bytes() > 0 {
                canceller.cancel();
            }
        });
        let held = self.client.get(self.server.url("/held")).feedback(&feedback).send();
        assert_eq!(held.unwrap_err().phase(), Some(Phase::Body));
        self.cancelled.fetch_add(1, Relaxed);
    }

    fn panics_half_way(&self) {
        let feedback = Feedback::new();
        feedback.on_download(|progress| {
            if progress.bytes() > 0 {
                resume_unwind(Box::new("a listener"));
            }
        });
        let call = || self.client.get(self.server.url("/held")).feedback(&feedback).send();
        catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        self.panicked.fetch_add(1, Relaxed);
    }

    fn panics_uploading(&self) {
        let body = Body::reader(io::Read::chain(&b"the beginning"[..], Panicking));
        let call = || self.client.post(self.server.url("/upload")).body(body).send();
        drop(catch_unwind(AssertUnwindSafe(call)));
    }
}

struct Panicking;

impl io::Read for Panicking {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        resume_unwind(Box::new("a reader"))
    }
}

#[test]
fn cancels_and_resets_and_panics_leave_the_bound_exact() {
    let server = Server::http(|exchange| match exchange.target() {
        "/reset" => exchange.reset(),
        "/close" => {
            exchange.reply(200, &[], b"");
            exchange.close();
        }
        "/half" => {
            exchange.begin_reply(200, &[("content-length", "10")]);
            exchange.write("half");
            exchange.close();
        }
        "/held" => {
            exchange.begin_reply(200, &[("content-length", "10")]);
            exchange.write("half");
            exchange.await_client_gone();
            exchange.signal("left half-way");
        }
        "/upload" => {
            assert!(exchange.try_read_body().is_none(), "a whole body");
            exchange.signal("cut short");
        }
        _ => drop(exchange.reply(200, &[], b"")),
    });
    let client = builder().limits(Limits::default().places_per_route(3)).build().unwrap();
    let (cancelled, panicked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let harm = Harm { client: &client, server: &server, cancelled, panicked };
    thread::scope(|scope| {
        for thread in 0..24 {
            let harm = &harm;
            scope.spawn(move || {
                let mut random = Random::new(thread + 1);
                (0..40).for_each(|_| harm.does(&mut random));
            });
        }
    });
    assert!(server.max_open() <= 3, "{} at once", server.max_open());
    let (cancelled, panicked) = (harm.cancelled.into_inner(), harm.panicked.into_inner());
    assert!(cancelled > 0 && panicked > 0, "{cancelled} cancelled, {panicked} panicked");
    server.await_signal("left half-way", cancelled + panicked);
    server.await_signal("cut short", 1);
    await_quiet(&client);
    // No place is lost.
    let other = Server::http(wait_for_target);
    let calls: Vec<_> = (0..3).map(|_| get(&client, other.url("/go"))).collect();
    other.await_signal("in", 3);
    other.signal("/go");
    calls.into_iter().for_each(|call| drop(call.join()));
}
