//! HTTP/2 servers that send on and on what carries nothing are cut off.

use abide::ErrorKind;

use crate::{
    clients::await_quiet,
    http2_by_hand::knowing,
    support::{
        Server,
        hand::{
            ACK, CONTINUATION, DATA, END_HEADERS, HEADERS, Hand, PING, RST_STREAM, SETTINGS,
            STATUS_200, WINDOW_UPDATE,
        },
    },
    waiting::eventually,
};

/// The error of a call whose server answers with this, over and over.
#[track_caller]
fn check(begin: fn(&Hand, u32), flood: fn(&Hand, u32) -> bool) {
    let server = Server::http2_by_hand(move |hand| {
        hand.settings(&[]);
        let stream = hand.next_request();
        begin(hand, stream);
        while flood(hand, stream) {}
        hand.signal("cut off");
    });
    let client = knowing().build().unwrap();
    let error = client.get(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error:?}");
    assert!(error.to_string().contains("cut off"), "{error}");
    server.await_signal("cut off", 1);
    await_quiet(&client);
    assert_eq!((client.stats().open(), server.connections()), (0, 1));
}

fn nothing(_: &Hand, _: u32) {}

fn head(hand: &Hand, stream: u32) {
    hand.send(HEADERS, END_HEADERS, stream, &[STATUS_200]);
}

#[test]
fn cve_2019_9512_a_flood_of_pings_is_cut_off() {
    check(nothing, |hand, _| hand.send(PING, 0, 0, &[0; 8]));
    check(nothing, |hand, _| hand.send(PING, ACK, 0, &[0; 8]));
}

#[test]
fn cve_2019_9515_a_flood_of_settings_is_cut_off() {
    check(nothing, |hand, _| hand.send(SETTINGS, 0, 0, &[]));
}

#[test]
fn cve_2019_9518_a_flood_of_empty_frames_is_cut_off() {
    check(head, |hand, stream| hand.send(DATA, 0, stream, &[]));
}

#[test]
fn a_flood_of_interim_replies_is_cut_off() {
    // `:status: 103` by an indexed name and a literal value.
    check(nothing, |hand, stream| {
        hand.send(HEADERS, END_HEADERS, stream, &[0x08, 3, b'1', b'0', b'3'])
    });
}

#[test]
fn a_flood_of_window_updates_is_cut_off() {
    check(nothing, |hand, _| hand.send(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]));
}

#[test]
fn a_flood_of_continuations_is_cut_off() {
    fn begin(hand: &Hand, stream: u32) {
        hand.send(HEADERS, 0, stream, &[STATUS_200]);
    }
    check(begin, |hand, stream| {
        // A literal that is not put into the table: `a: a`.
        hand.send(CONTINUATION, 0, stream, &[0, 1, b'a', 1, b'a'])
    });
}

#[test]
fn an_idle_connection_that_is_flooded_is_closed() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        let stream = hand.next_request();
        hand.answer(stream);
        hand.await_signal("flood", 1);
        while hand.send(RST_STREAM, 0, stream, &[0; 4]) {}
    });
    let client = knowing().build().unwrap();
    client.get(server.url("/")).send().unwrap();
    server.signal("flood");
    eventually("it is closed", || client.stats().open() == 0);
}

#[test]
fn what_busy_servers_send_is_no_flood() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        loop {
            let stream = hand.next_request();
            // Much more than most, for each request.
            for _ in 0..5 {
                hand.send(PING, 0, 0, &[0; 8]);
                hand.send(WINDOW_UPDATE, 0, 0, &[0, 0, 1, 0]);
            }
            hand.send(HEADERS, END_HEADERS, stream, &[STATUS_200]);
            hand.send(DATA, 1, stream, b"x");
        }
    });
    let client = knowing().build().unwrap();
    for _ in 0..2000 {
        client.get(server.url("/")).send().unwrap();
    }
    assert_eq!(server.connections(), 1);
}
