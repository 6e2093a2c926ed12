//! How long connections live, used or not.

use std::time::Duration;

use crate::{
    bounds::{get, wait_for_target},
    clients::{await_quiet, await_stats, builder, client},
    support::Server,
};

#[test]
fn a_connection_carries_no_more_calls_than_it_may() {
    let server = Server::http(|exchange| {
        let connection = exchange.connection().to_string();
        exchange.reply(200, &[], connection.as_bytes());
    });
    let client = builder().connection_uses(3).build().unwrap();
    let seen: Vec<_> = (0..7).map(|_| client.get(server.url("/")).send().unwrap().text()).collect();
    assert_eq!(seen, ["0", "0", "0", "1", "1", "1", "2"]);
    server.await_open(1);
    await_quiet(&client);
}

#[test]
fn an_old_connection_is_closed_when_it_is_idle() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"");
    });
    let client = builder().connection_lifetime(Duration::from_millis(50)).build().unwrap();
    client.get(server.url("/")).send().unwrap();
    server.await_open(0);
    await_stats(&client, "its place is free", |stats| stats.open() == 0);
}

#[test]
fn a_connection_that_grows_old_under_a_call_carries_it_to_its_end() {
    let server = Server::http(wait_for_target);
    let lifetime = Duration::from_millis(20);
    let client = builder().connection_lifetime(lifetime).idle_timeout(None).build().unwrap();
    let call = get(&client, server.url("/go"));
    server.await_signal("in", 1);
    std::thread::sleep(lifetime);
    server.signal("/go");
    assert_eq!(call.join().status(), 200);
    server.await_open(0);
    assert_eq!((server.connections(), client.stats().open()), (1, 0));
}

#[test]
fn the_end_of_an_idle_connection_is_seen_without_any_call() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"");
        exchange.close();
    });
    let client = client();
    client.get(server.url("/")).send().unwrap();
    await_stats(&client, "it is off the books", |stats| stats.open() == 0);
}

#[cfg(all(feature = "tls", feature = "http2"))]
mod http2 {
    use super::*;
    use crate::{clients::trusting, support::StreamExchange};

    async fn wait_for_target(mut exchange: StreamExchange) {
        let target = exchange.target().to_owned();
        exchange.signal("in");
        exchange.await_signal(&target, 1).await;
        exchange.reply(200, &[], "").await;
    }

    #[test]
    fn a_connection_of_http2_carries_no_more_calls_than_it_may() {
        let server = Server::http2(crate::http2::echo);
        let client = trusting().connection_uses(3).build().unwrap();
        for _ in 0..7 {
            client.get(server.url("/")).send().unwrap();
        }
        server.await_open(1);
        assert_eq!(server.connections(), 3);
        await_quiet(&client);
    }

    #[test]
    fn an_old_connection_of_http2_takes_no_new_calls_and_finishes_the_others() {
        let server = Server::http2(wait_for_target);
        server.signal("/new");
        let lifetime = Duration::from_millis(50);
        let client = trusting().connection_lifetime(lifetime).build().unwrap();
        let old = get(&client, server.url("/old"));
        server.await_signal("in", 1);
        crate::waiting::eventually("a call goes elsewhere", || {
            client.get(server.url("/new")).send().unwrap();
            server.connections() > 1
        });
        server.signal("/old");
        assert_eq!(old.join().status(), 200);
        server.await_open(0);
        await_stats(&client, "its place is free", |stats| stats.open() == 0);
    }

    #[test]
    fn the_end_of_an_idle_connection_of_http2_is_seen_without_any_call() {
        let server = Server::http2(|mut exchange| async move {
            exchange.reply(200, &[], "").await;
            exchange.go_away();
        });
        let client = trusting().build().unwrap();
        client.get(server.url("/")).send().unwrap();
        await_stats(&client, "it is off the books", |stats| stats.open() == 0);
    }
}
