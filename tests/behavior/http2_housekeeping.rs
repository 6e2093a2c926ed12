//! What an HTTP/2 connection has to do by itself is done whether or not a call waits for it.

use abide::Client;
use h2::Reason;

use crate::{
    clients::{await_quiet, await_stats},
    http2_by_hand::knowing,
    support::{Server, hand::Hand},
};

/// Makes one call; `with_call` is played before its answer, `without` when no call is left.
#[track_caller]
fn check(with_call: fn(&Hand), without: fn(&Hand)) -> (Client, Server) {
    let server = Server::http2_by_hand(move |hand| {
        hand.settings(&[]);
        let stream = hand.next_request();
        with_call(hand);
        hand.answer(stream);
        hand.await_signal("no call is left", 1);
        without(hand);
        hand.signal("done");
        hand.answer_all();
    });
    let client = knowing().build().unwrap();
    client.get(server.url("/")).send().unwrap();
    await_quiet(&client);
    server.signal("no call is left");
    server.await_signal("done", 1);
    (client, server)
}

#[test]
fn rfc_9113_section_6_7_a_ping_is_answered_whether_or_not_a_call_waits() {
    let (client, server) = check(|hand| hand.ping(*b"answer 1"), |hand| hand.ping(*b"answer 2"));
    client.get(server.url("/")).send().unwrap();
    assert_eq!(server.connections(), 1);
}

#[test]
fn rfc_9113_section_6_5_3_settings_are_acknowledged_whether_or_not_a_call_waits() {
    let first = |hand: &Hand| hand.await_settings_ack();
    let second = |hand: &Hand| {
        hand.settings(&[]);
        hand.await_settings_ack();
    };
    drop(check(first, second));
}

#[test]
fn rfc_9113_section_6_8_an_idle_connection_that_is_sent_away_is_closed() {
    let (client, server) = check(|_| {}, |hand| assert!(hand.go_away(1, Reason::NO_ERROR)));
    await_stats(&client, "it is closed", |stats| stats.open() == 0);
    server.await_open(0);
}
