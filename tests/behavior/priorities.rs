//! Calls of the background stand back, but not for ever.

use abide::{Client, Limits, Priority, Reply};

use crate::{
    bounds::{get, wait_for_target},
    clients::{await_stats, builder},
    support::Server,
    waiting::{Running, start},
};

fn background(client: &Client, url: String) -> Running<Reply> {
    let client = client.clone();
    start(move || client.get(url).priority(Priority::Background).send().unwrap())
}

fn limited(limits: Limits) -> Client {
    builder().limits(limits).build().unwrap()
}

#[track_caller]
fn await_queued(client: &Client, count: usize) {
    await_stats(client, "they are queued", |stats| stats.queued() == count);
}

#[test]
fn the_background_never_takes_the_last_free_place_of_a_route() {
    let server = Server::http(wait_for_target);
    let client = limited(Limits::default().places_per_route(3));
    let calls: Vec<_> = (0..4).map(|_| background(&client, server.url("/back"))).collect();
    server.await_signal("in", 2);
    await_queued(&client, 2);
    let urgent = get(&client, server.url("/urgent"));
    server.await_signal("in", 3);
    server.signal("/urgent");
    assert_eq!(urgent.join().status(), 200);
    await_stats(&client, "its connection waits for the next", |stats| stats.idle() == 1);
    assert_eq!(client.stats().queued(), 2);
    server.signal("/back");
    calls.into_iter().for_each(|call| drop(call.join()));
    assert!(server.connections() <= 3, "{} connections", server.connections());
}

#[test]
fn the_background_never_takes_the_last_free_place_of_the_client() {
    let (server, other) = (Server::http(wait_for_target), Server::http(wait_for_target));
    let client = limited(Limits::default().places_total(2));
    let first = get(&client, server.url("/first"));
    server.await_signal("in", 1);
    let back = background(&client, other.url("/back"));
    await_queued(&client, 1);
    let urgent = get(&client, other.url("/urgent"));
    other.await_signal("in", 1);
    other.signal("/urgent");
    assert_eq!(urgent.join().status(), 200);
    assert_eq!((client.stats().queued(), other.requests()), (1, 1));
    server.signal("/first");
    first.join();
    other.signal("/back");
    assert_eq!(back.join().status(), 200);
}

#[test]
fn interactive_calls_go_first() {
    let server = Server::http(wait_for_target);
    let client = limited(Limits::default().places_per_route(1));
    let mut calls = vec![get(&client, server.url("/first"))];
    server.await_signal("in", 1);
    calls.push(background(&client, server.url("/back")));
    await_queued(&client, 1);
    for index in 0..3 {
        calls.push(get(&client, server.url(&format!("/{index}"))));
        await_queued(&client, index + 2);
    }
    for target in ["/first", "/back", "/0", "/1", "/2"] {
        server.signal(target);
    }
    calls.into_iter().for_each(|call| drop(call.join()));
    let order: Vec<_> = server.seen().into_iter().map(|request| request.target).collect();
    assert_eq!(order, ["/first", "/0", "/1", "/2", "/back"]);
}

#[test]
fn after_sixteen_interactive_calls_one_of_the_background_is_served() {
    let server = Server::http(wait_for_target);
    let client = limited(Limits::default().places_per_route(1));
    let mut calls = vec![get(&client, server.url("/first"))];
    server.await_signal("in", 1);
    for index in 0..2 {
        calls.push(background(&client, server.url("/back")));
        await_queued(&client, index + 1);
    }
    for index in 0..34 {
        calls.push(get(&client, server.url("/front")));
        await_queued(&client, index + 3);
    }
    for target in ["/first", "/back", "/front"] {
        server.signal(target);
    }
    calls.into_iter().for_each(|call| drop(call.join()));
    let order: Vec<_> = server.seen().into_iter().map(|request| request.target).collect();
    let backs: Vec<_> = (0..order.len()).filter(|at| order[*at] == "/back").collect();
    assert_eq!(backs, [17, 34]);
}

#[test]
fn a_bound_of_one_has_nothing_to_spare() {
    let server = Server::http(wait_for_target);
    server.signal("/");
    let client = limited(Limits::default().places_per_route(1).places_total(1));
    for _ in 0..3 {
        assert_eq!(background(&client, server.url("/")).join().text(), "0");
    }
}

#[test]
fn a_call_of_the_background_that_waits_can_be_cancelled() {
    let server = Server::http(wait_for_target);
    let client = limited(Limits::default().places_per_route(2));
    let busy = background(&client, server.url("/busy"));
    server.await_signal("in", 1);
    let feedback = abide::Feedback::new();
    let waiting = start({
        let (client, feedback, url) = (client.clone(), feedback.clone(), server.url("/never"));
        move || client.get(url).priority(Priority::Background).feedback(feedback).send()
    });
    await_queued(&client, 1);
    feedback.cancel();
    let error = waiting.join().unwrap_err();
    assert_eq!((error.is_cancelled(), error.phase()), (true, Some(abide::Phase::Queue)));
    assert_eq!(client.stats().queued(), 0);
    server.signal("/busy");
    busy.join();
}
