//! How much a server may send over HTTP/2 that nobody reads, and in how many streams.

use abide::{Client, Limits, OpenReply};

#[cfg(feature = "tls")]
use crate::clients::trusting;
use crate::{
    bounds::get,
    clients::{await_quiet, await_stats},
    http2_by_hand::knowing,
    support::{
        Server,
        hand::{
            ACK, DATA, END_HEADERS, END_STREAM, HEADERS, Hand, SETTINGS, STATUS_200, STREAM_WINDOW,
        },
    },
};

/// Answers with so many bytes of a body, which ends with them or goes on.
fn answer(hand: &Hand, stream: u32, bytes: usize, ends: bool) {
    hand.send(HEADERS, END_HEADERS, stream, &[STATUS_200]);
    for at in (0..bytes).step_by(PIECE) {
        let is_last = ends && at + PIECE >= bytes;
        let flags = if is_last { END_STREAM } else { 0 };
        hand.send(DATA, flags, stream, &vec![b'x'; PIECE.min(bytes - at)]);
    }
}

/// What the client has said counts from the acknowledgement on.
fn begin(hand: &Hand) {
    hand.settings(&[]);
    hand.send(SETTINGS, ACK, 0, &[]);
}

#[track_caller]
fn check_told(limits: Limits, stream: u32, connection: u32) {
    const UNTOLD: u32 = 65_535;
    let server = Server::http2_by_hand(move |hand| {
        assert_eq!(hand.client_setting(STREAM_WINDOW), Some(stream));
        assert_eq!(hand.await_window_update() + UNTOLD, connection);
        begin(hand);
        hand.answer_all();
    });
    let client = knowing().limits(limits).build().unwrap();
    client.get(server.url("/")).send().unwrap();
}

#[test]
fn rfc_9113_section_6_9_2_a_server_is_told_of_the_windows() {
    let limits = Limits::default;
    check_told(limits(), 2 << 20, 200 << 20);
    check_told(limits().http2_stream_window(1 << 20), 1 << 20, 100 << 20);
    check_told(limits().http2_streams_per_connection(3), 2 << 20, 6 << 20);
    check_told(limits().http2_stream_window(0).http2_streams_per_connection(2), 1 << 16, 2 << 16);
}

/// Leaves the replies of all streams but one alone, and gets a whole one over the last, each as large
/// as its window.
#[track_caller]
fn check_held(limits: Limits, window: usize, streams: usize) {
    let server = Server::http2_by_hand(move |hand| {
        begin(hand);
        for number in 1..=streams {
            let stream = hand.next_request();
            answer(hand, stream, window, number == streams);
        }
        hand.answer_all();
    });
    let client = knowing().limits(limits.http2_connections_per_route(1)).build().unwrap();
    let held = hold(&client, &server.url("/"), streams - 1);
    assert_eq!(client.get(server.url("/")).send().unwrap().bytes().len(), window);
    client.get(server.url("/")).send().unwrap();
    assert_eq!(server.connections(), 1);
    drop(held);
    await_quiet(&client);
}

fn hold(client: &Client, url: &str, count: usize) -> Vec<OpenReply> {
    (0..count).map(|_| client.get(url).open().unwrap()).collect()
}

#[test]
fn all_streams_but_one_may_be_full_of_what_nobody_reads() {
    check_held(Limits::default(), 2 << 20, 8);
    let own = Limits::default().http2_stream_window(1 << 20).http2_streams_per_connection(4);
    check_held(own, 1 << 20, 4);
}

#[cfg(feature = "tls")]
#[test]
fn replies_that_nobody_reads_block_no_other_on_their_connection() {
    const WHOLE: usize = 1 << 20;
    let server = Server::http2(|mut exchange| async move {
        if exchange.target() == "/whole" {
            exchange.reply(200, &[], vec![b'x'; WHOLE]).await;
        } else {
            exchange.begin_reply(200, &[]);
            while exchange.write(vec![b'x'; PIECE]).await {}
        }
    });
    let limits = Limits::default().http2_stream_window(0).http2_streams_per_connection(4);
    let client = trusting().limits(limits.http2_connections_per_route(1)).build().unwrap();
    let held = hold(&client, &server.url("/endless"), 3);
    for _ in 0..3 {
        let reply = client.get(server.url("/whole")).send().unwrap();
        assert_eq!(reply.bytes().len(), WHOLE);
    }
    assert_eq!(server.connections(), 1);
    drop(held);
    await_quiet(&client);
}

#[test]
fn a_reply_that_is_dropped_gives_its_room_back_though_no_call_waits() {
    const WINDOW: usize = 1 << 20;
    let server = Server::http2_by_hand(|hand| {
        begin(hand);
        let stream = hand.next_request();
        answer(hand, stream, WINDOW, false);
        // A little of it is taken ahead of its reader, for which no update is due.
        assert!(hand.await_window_update() as usize >= WINDOW / 2);
        hand.signal("given back");
        hand.ignore_all();
    });
    let limits = Limits::default().http2_stream_window(WINDOW).http2_streams_per_connection(2);
    let client = knowing().limits(limits).build().unwrap();
    drop(client.get(server.url("/")).open().unwrap());
    server.await_signal("given back", 1);
    await_quiet(&client);
}

#[test]
fn calls_beyond_the_streams_of_a_connection_wait() {
    let server = Server::http2_by_hand(|hand| {
        begin(hand);
        let streams = [(); 2].map(|()| hand.next_request());
        hand.await_signal("go on", 1);
        streams.into_iter().for_each(|stream| assert!(hand.answer(stream)));
        hand.answer_all();
    });
    let limits = Limits::default().http2_streams_per_connection(2).http2_connections_per_route(1);
    let client = knowing().limits(limits).build().unwrap();
    let calls: Vec<_> = (0..5).map(|_| get(&client, server.url("/"))).collect();
    server.await_signal("request", 2);
    await_stats(&client, "the others wait", |stats| stats.queued() == 3);
    assert_eq!(server.signalled("request"), 2);
    server.signal("go on");
    calls.into_iter().for_each(|call| drop(call.join()));
    assert_eq!(server.connections(), 1);
}

#[test]
fn calls_beyond_the_streams_of_a_connection_get_another() {
    let server = Server::http2_by_hand(|hand| {
        let stream = hand.next_request();
        hand.await_signal("go on", 1);
        begin(hand);
        hand.answer(stream);
        hand.answer_all();
    });
    let limits = Limits::default().http2_streams_per_connection(1);
    let client = knowing().limits(limits).build().unwrap();
    let calls: Vec<_> = (0..3).map(|_| get(&client, server.url("/"))).collect();
    server.await_signal("request", 3);
    assert_eq!(server.connections(), 3);
    server.signal("go on");
    calls.into_iter().for_each(|call| drop(call.join()));
}

const PIECE: usize = 16 << 10;
