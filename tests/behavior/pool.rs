//! One pool for all threads: connections are reused, bounded and shared fairly.

use std::{
    collections::HashSet,
    io::Read as _,
    thread,
    time::{Duration, Instant},
};

use abide::{Budget, Client, Feedback, Limits, Reply, Timeouts};

use crate::{
    clients::{await_quiet, await_stats, builder, client},
    support::{Exchange, Server},
    waiting::{AT_ONCE, Running, eventually, start},
};

/// Answers with the number of the connection.
fn say_connection(exchange: &mut Exchange) {
    let connection = exchange.connection().to_string();
    exchange.reply(200, &[], connection.as_bytes());
}

/// Says `in`, waits for a signal that is named like the target, and answers with its connection.
fn wait_for_target(exchange: &mut Exchange) {
    let target = exchange.target().to_owned();
    exchange.signal("in");
    exchange.await_signal(&target, 1);
    say_connection(exchange);
}

fn places(count: usize) -> Client {
    builder().limits(Limits::default().places_per_route(count)).build().unwrap()
}

fn get(client: &Client, url: String) -> Running<Reply> {
    let client = client.clone();
    start(move || client.get(url).send().unwrap())
}

#[test]
fn calls_one_after_the_other_share_a_connection() {
    let server = Server::http(say_connection);
    let client = client();
    for index in 0..20 {
        let reply = client.get(server.url("/")).send().unwrap();
        assert_eq!((reply.text().as_str(), reply.reused_connection()), ("0", index > 0));
    }
    assert_eq!(server.connections(), 1);
    let stats = client.stats();
    assert_eq!((stats.connections_opened(), stats.calls()), (1, 20));
    assert_eq!((stats.open(), stats.idle(), stats.active(), stats.queued()), (1, 1, 0, 0));
}

#[test]
fn clones_of_a_client_share_the_pool() {
    let server = Server::http(say_connection);
    let client = client();
    client.get(server.url("/")).send().unwrap();
    let url = server.url("/");
    let other = client.clone();
    start(move || other.get(url).send().unwrap()).join();
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_reply_read_to_its_end_gives_the_connection_back() {
    let server = Server::http(say_connection);
    let client = client();
    for _ in 0..5 {
        let mut reply = client.get(server.url("/")).open().unwrap();
        assert_eq!(std::io::read_to_string(&mut reply).unwrap(), "0");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn the_newest_idle_connection_is_taken_first() {
    let server = Server::http(wait_for_target);
    let client = client();
    let mut last = String::new();
    let calls: Vec<_> = (0..3)
        .map(|index| {
            let call = get(&client, server.url(&format!("/{index}")));
            server.await_signal("in", index + 1);
            call
        })
        .collect();
    for (index, call) in calls.into_iter().enumerate() {
        server.signal(&format!("/{index}"));
        last = call.join().text();
        await_stats(&client, "the connection is idle", |stats| stats.idle() == index + 1);
    }
    for _ in 0..3 {
        assert_eq!(client.get(server.url("/0")).send().unwrap().text(), last);
    }
    assert_eq!(server.connections(), 3);
}

#[test]
fn the_bound_of_connections_is_exact() {
    let server = Server::http(|exchange| match exchange.request_index() {
        4 => exchange.close(),
        _ => say_connection(exchange),
    });
    let client = places(3);
    thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                for _ in 0..10 {
                    client.get(server.url("/")).send().unwrap();
                }
            });
        }
    });
    assert_eq!(server.max_open(), 3);
    await_quiet(&client);
}

#[test]
fn all_places_are_used_before_anyone_waits() {
    let server = Server::http(wait_for_target);
    let client = places(4);
    let calls: Vec<_> = (0..6).map(|_| get(&client, server.url("/go"))).collect();
    server.await_signal("in", 4);
    await_stats(&client, "two calls are queued", |stats| stats.queued() == 2);
    assert_eq!(server.connections(), 4);
    server.signal("/go");
    let connections: HashSet<_> = calls.into_iter().map(|call| call.join().text()).collect();
    assert!(connections.len() <= 4);
    assert_eq!((server.connections(), server.requests()), (4, 6));
}

#[test]
fn the_queue_is_first_come_first_served() {
    let server = Server::http(wait_for_target);
    let client = places(1);
    let mut calls = vec![get(&client, server.url("/first"))];
    server.await_signal("in", 1);
    for index in 0..8 {
        calls.push(get(&client, server.url(&format!("/{index}"))));
        await_stats(&client, "one more call is queued", |stats| stats.queued() == index + 1);
        server.signal(&format!("/{index}"));
    }
    server.signal("/first");
    for call in calls {
        call.join();
    }
    let order: Vec<_> = server.seen().into_iter().map(|request| request.target).collect();
    let expected = ["/first", "/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"];
    assert_eq!(order, expected);
}

#[test]
fn a_full_host_does_not_hold_up_another() {
    let full = Server::http(wait_for_target);
    let other = Server::http(say_connection);
    let client = places(1);
    let first = get(&client, full.url("/go"));
    full.await_signal("in", 1);
    let second = get(&client, full.url("/go"));
    await_stats(&client, "a call is queued", |stats| stats.queued() == 1);
    assert_eq!(client.get(other.url("/")).send().unwrap().status(), 200);
    full.signal("/go");
    first.join();
    second.join();
}

#[test]
fn the_bound_in_total_closes_the_longest_idle_connection() {
    let servers = [(); 3].map(|()| Server::http(say_connection));
    let client = builder().limits(Limits::default().places_total(2)).build().unwrap();
    for server in &servers {
        client.get(server.url("/")).send().unwrap();
    }
    servers[0].await_open(0);
    assert_eq!((servers[1].open_connections(), servers[2].open_connections()), (1, 1));
    assert_eq!(client.stats().open(), 2);
    client.get(servers[2].url("/")).send().unwrap();
    client.get(servers[1].url("/")).send().unwrap();
    assert_eq!((servers[1].connections(), servers[2].connections()), (1, 1));
    client.get(servers[0].url("/")).send().unwrap();
    servers[2].await_open(0);
    assert_eq!(servers[1].open_connections(), 1);
}

#[test]
fn the_bound_in_total_makes_calls_wait_when_nothing_is_idle() {
    let busy = Server::http(wait_for_target);
    let other = Server::http(say_connection);
    let client = builder().limits(Limits::default().places_total(1)).build().unwrap();
    let first = get(&client, busy.url("/go"));
    busy.await_signal("in", 1);
    let second = get(&client, other.url("/"));
    await_stats(&client, "a call is queued", |stats| stats.queued() == 1);
    assert_eq!(other.connections(), 0);
    busy.signal("/go");
    first.join();
    assert_eq!(second.join().status(), 200);
    busy.await_open(0);
}

#[test]
fn an_idle_connection_is_closed_in_time() {
    let server = Server::http(say_connection);
    let client = builder().idle_timeout(Duration::from_millis(50)).build().unwrap();
    client.get(server.url("/")).send().unwrap();
    server.await_open(0);
    await_stats(&client, "its place is free", |stats| stats.open() == 0);
    assert_eq!(client.get(server.url("/")).send().unwrap().text(), "1");
}

#[test]
fn closing_the_idle_leaves_the_busy() {
    let server = Server::http(wait_for_target);
    server.signal("/now");
    let client = client();
    let busy = get(&client, server.url("/go"));
    server.await_signal("in", 1);
    client.get(server.url("/now")).send().unwrap();
    assert_eq!(server.open_connections(), 2);
    client.close_idle();
    server.await_open(1);
    server.signal("/go");
    assert_eq!(busy.join().text(), "0");
}

#[test]
fn dropping_the_last_clone_closes_the_connections() {
    let server = Server::http(say_connection);
    let client = client();
    let clone = client.clone();
    client.get(server.url("/")).send().unwrap();
    drop(client);
    clone.get(server.url("/")).send().unwrap();
    assert_eq!(server.connections(), 1);
    drop(clone);
    server.await_open(0);
}

#[test]
fn a_call_cut_short_never_hands_its_rest_to_another() {
    let server = Server::http(|exchange| match exchange.target() {
        "/half" => {
            exchange.begin_reply(200, &[("content-length", "8")]);
            exchange.write("half");
            exchange.signal("half");
            exchange.await_signal("rest", 1);
            exchange.write("rest");
        }
        _ => drop(exchange.reply(200, &[], b"mine")),
    });
    let client = places(1);
    let feedback = Feedback::new();
    let half = start({
        let (client, feedback, url) = (client.clone(), feedback.clone(), server.url("/half"));
        move || client.get(url).feedback(feedback).send()
    });
    server.await_signal("half", 1);
    feedback.cancel();
    assert!(half.join().is_err());
    let other = get(&client, server.url("/mine"));
    server.signal("rest");
    assert_eq!(other.join().text(), "mine");
}

#[test]
fn a_reply_dropped_half_read_frees_its_place() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "1000000000")]);
        while exchange.write([0; 10_000]) {}
    });
    let client = places(1);
    for _ in 0..3 {
        let mut reply = client.get(server.url("/")).open().unwrap();
        reply.read_exact(&mut [0; 100]).unwrap();
        let began = Instant::now();
        drop(reply);
        assert!(began.elapsed() < AT_ONCE);
    }
    server.await_open(0);
    assert_eq!((server.connections(), server.max_open()), (3, 1));
    await_quiet(&client);
}

#[test]
fn the_queue_tells_of_the_open_replies_its_thread_holds() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "1000000000")]);
        while exchange.write([0; 10_000]) {}
    });
    let client = places(2);
    let held = [(); 2].map(|()| client.get(server.url("/")).open().unwrap());
    let timeouts = Timeouts::none().queue(Duration::from_millis(50));
    let error = client.get(server.url("/")).timeouts(timeouts).send().unwrap_err();
    assert_eq!(error.budget(), Some(Budget::Queue));
    assert!(error.to_string().contains("holds 2 open replies"), "{error}");
    drop(held);
    assert!(client.get(server.url("/")).open().is_ok());
}

#[test]
fn more_threads_than_places_are_all_served() {
    let server = Server::http(|exchange| {
        let target = exchange.target().to_owned();
        exchange.reply(200, &[], target.as_bytes());
    });
    let client = client();
    thread::scope(|scope| {
        for thread in 0..200 {
            let (client, server) = (&client, &server);
            scope.spawn(move || {
                for call in 0..5 {
                    let path = format!("/{thread}/{call}");
                    assert_eq!(client.get(server.url(&path)).send().unwrap().text(), path);
                }
            });
        }
    });
    assert!(server.max_open() <= 64, "{} connections at once", server.max_open());
    assert_eq!(server.requests(), 1000);
    await_quiet(&client);
}

#[test]
fn an_open_reply_holds_its_place_until_it_was_read() {
    let server = Server::http(wait_for_target);
    server.signal("/");
    let client = places(1);
    let mut reply = client.get(server.url("/")).open().unwrap();
    std::io::copy(&mut reply, &mut std::io::sink()).unwrap();
    assert_eq!(client.get(server.url("/")).send().unwrap().text(), "0");
}

#[test]
fn what_a_server_sends_unasked_is_nobodys_reply() {
    let server = Server::http(|exchange| match exchange.request_index() {
        0 => {
            exchange.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1");
            exchange.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong");
            exchange.signal("sent");
        }
        _ => drop(exchange.reply(200, &[], b"right")),
    });
    let client = client();
    for _ in 0..10 {
        assert_eq!(client.get(server.url("/")).send().unwrap().text(), "1");
        eventually("the connection was given up", || client.stats().open() == 0);
    }
}
