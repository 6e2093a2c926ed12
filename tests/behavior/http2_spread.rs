//! Calls that use a thread up are spread over several HTTP/2 connections.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use abide::Limits;

use crate::{
    clients::await_quiet,
    http2_by_hand::knowing,
    support::{
        Server,
        hand::{ACK, DATA, END_HEADERS, END_STREAM, HEADERS, Hand, SETTINGS, STATUS_200},
    },
    waiting::{eventually, start},
};

/// Answers with bodies in so many frames that writing them is less work than reading them.
fn flood(hand: &Hand) {
    hand.settings(&[]);
    hand.send(SETTINGS, ACK, 0, &[]);
    let frame = |stream, flags| Hand::frame(DATA, flags, stream, &[7; FRAME]);
    loop {
        let stream = hand.next_request();
        let mut body = frame(stream, 0).repeat(FRAMES - 1);
        body.extend(frame(stream, END_STREAM));
        hand.send(HEADERS, END_HEADERS, stream, &[STATUS_200]);
        hand.write(&body);
        hand.signal(if hand.connection() == 0 { "on the first" } else { "on another" });
    }
}

#[test]
fn calls_that_leave_a_lane_no_idle_moment_get_another_connection() {
    let server = Server::http2_by_hand(flood);
    let limits = Limits::default().http2_cores_per_route(2);
    let client = knowing().limits(limits).build().unwrap();
    let is_enough = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (client, url, is_enough) = (client.clone(), server.url("/"), is_enough.clone());
            start(move || {
                while !is_enough.load(Relaxed) {
                    let reply = client.get(&url).send().unwrap();
                    assert_eq!(reply.bytes().len(), FRAMES * FRAME);
                }
            })
        })
        .collect();
    eventually("another connection is opened", || server.connections() == 2);
    // Both are used, and used up, and there is no third.
    server.await_signal("on another", 100);
    server.await_signal("on the first", 100);
    assert_eq!(client.stats().open(), 2);
    is_enough.store(true, Relaxed);
    callers.into_iter().for_each(|caller| caller.join());
    assert_eq!(server.connections(), 2);
    await_quiet(&client);
}

const FRAME: usize = 1 << 10;
const FRAMES: usize = 256;
