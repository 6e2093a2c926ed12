//! Connections opened before they are needed.

use std::time::Duration;

use abide::{Budget, ErrorKind, Feedback, Limits, Timeouts};

use crate::{
    bounds::{get, wait_for_target},
    clients::{await_quiet, await_stats, builder, client},
    support::{BlackHole, Server},
    waiting::{AT_ONCE, eventually, start},
};

fn answering() -> Server {
    Server::http(|exchange| {
        exchange.reply(200, &[], b"");
    })
}

#[test]
fn calls_find_the_connections_open() {
    let server = Server::http(wait_for_target);
    let client = client();
    let warmed = client.warm_up(server.url("/"), 3).unwrap();
    assert_eq!((warmed.opened(), warmed.open(), warmed.is_http2()), (3, 3, false));
    let stats = client.stats();
    assert_eq!((stats.open(), stats.idle(), stats.calls()), (3, 3, 0));
    let calls: Vec<_> = (0..3).map(|_| get(&client, server.url("/go"))).collect();
    server.await_signal("in", 3);
    server.signal("/go");
    calls.into_iter().for_each(|call| drop(call.join()));
    assert_eq!((server.connections(), server.requests()), (3, 3));
}

#[test]
fn connections_that_are_there_count() {
    let server = answering();
    let client = client();
    client.get(server.url("/")).send().unwrap();
    let warmed = client.warm_up(server.url("/"), 2).unwrap();
    assert_eq!((warmed.opened(), warmed.open()), (1, 2));
    let warmed = client.warm_up(server.url("/"), 2).unwrap();
    assert_eq!((warmed.opened(), warmed.open()), (0, 2));
    let warmed = client.warm_up(server.url("/"), 0).unwrap();
    assert_eq!(warmed.opened(), 0);
    eventually("the server knows both", || server.connections() == 2);
}

#[test]
fn the_bounds_hold_and_nobody_is_waited_for() {
    let (server, other) = (Server::http(wait_for_target), answering());
    let limits = Limits::default().places_per_route(3).places_total(4).dials_per_route(2);
    let client = builder().limits(limits).build().unwrap();
    let busy = get(&client, server.url("/go"));
    server.await_signal("in", 1);
    let warmed = client.warm_up(server.url("/"), 10).unwrap();
    assert_eq!((warmed.opened(), warmed.open()), (2, 3));
    let warmed = client.warm_up(other.url("/"), 10).unwrap();
    assert_eq!((warmed.opened(), warmed.open()), (1, 1));
    assert_eq!(client.warm_up(other.url("/"), 10).unwrap().opened(), 0);
    assert_eq!(server.departures().len(), 0, "a connection was closed for another");
    server.signal("/go");
    busy.join();
}

#[test]
fn what_cannot_be_opened_is_an_error() {
    let hole = BlackHole::new();
    let client = client();
    let timeouts = Timeouts::none().connect(Duration::from_millis(50));
    let error = client.get(hole.url("/secret?key=1")).timeouts(timeouts).warm_up(2).unwrap_err();
    assert_eq!(error.budget(), Some(Budget::Connect), "{error}");
    assert!(error.to_string().starts_with("GET http://"), "{error}");
    assert_eq!(client.warm_up("nonsense:", 1).unwrap_err().kind(), ErrorKind::InvalidRequest);
    await_quiet(&client);
}

#[test]
fn a_warm_up_ends_at_once_when_it_is_cancelled_or_its_deadline_comes() {
    let hole = BlackHole::new();
    let client = builder().timeouts(Timeouts::none()).build().unwrap();
    let deadline = Duration::from_millis(50);
    let error = client.get(hole.url("/")).timeout(deadline).warm_up(2).unwrap_err();
    assert_eq!(error.budget(), Some(Budget::Total), "{error}");
    let feedback = Feedback::new();
    let warming = start({
        let (client, url, feedback) = (client.clone(), hole.url("/"), feedback.clone());
        move || client.get(url).feedback(feedback).warm_up(4)
    });
    await_stats(&client, "the others are dialed", |stats| stats.dialing() == 4);
    let cancelled_at = std::time::Instant::now();
    feedback.cancel();
    assert!(warming.join().unwrap_err().is_cancelled());
    assert!(cancelled_at.elapsed() < AT_ONCE);
}

#[cfg(all(feature = "tls", feature = "http2"))]
#[test]
fn one_connection_is_enough_where_http2_is_spoken() {
    let server = Server::http2(crate::http2::echo);
    let client = crate::http2::client();
    for (opened, count) in [(1, 5), (0, 9)] {
        let warmed = client.warm_up(server.url("/"), count).unwrap();
        assert_eq!((warmed.opened(), warmed.open(), warmed.is_http2()), (opened, 1, true));
    }
    assert_eq!(client.stats().idle(), 1);
    client.get(server.url("/")).send().unwrap();
    assert_eq!((server.connections(), server.handshakes()), (1, 1));
}

#[cfg(feature = "tls")]
#[test]
fn a_host_of_http1_over_tls_is_asked_once_and_then_warmed() {
    let server = Server::https(|exchange| {
        exchange.reply(200, &[], b"");
    });
    let client = crate::clients::trusting().build().unwrap();
    let warmed = client.warm_up(server.url("/"), 4).unwrap();
    assert_eq!((warmed.opened(), warmed.open(), warmed.is_http2()), (4, 4, false));
    eventually("the server knows all of them", || server.handshakes() == 4);
}
