//! HTTP/2 servers that change their minds, frame by frame.

use std::{io::Read as _, time::Duration};

use abide::{
    Budget, Client, ClientBuilder, ErrorKind, Feedback, HostOptions, Limits, Phase, Reply,
    Timeouts, Version,
};
use h2::Reason;

use crate::{
    clients::{await_quiet, await_stats, builder},
    support::{
        Server,
        hand::{DATA, END_HEADERS, END_STREAM, HEADERS, Hand, STREAMS_MAX},
    },
    waiting::{Running, start},
};

pub(crate) fn knowing() -> ClientBuilder {
    builder().http2_prior_knowledge()
}

fn get(client: &Client, server: &Server) -> Running<abide::Result<Reply>> {
    let (client, url) = (client.clone(), server.url("/"));
    start(move || client.get(url).send())
}

fn answering(hand: &Hand) {
    hand.settings(&[]);
    hand.answer_all();
}

#[test]
fn rfc_9113_section_3_3_a_plain_server_is_spoken_to_with_prior_knowledge() {
    let server = Server::http2_by_hand(answering);
    let client = knowing().build().unwrap();
    for _ in 0..3 {
        let reply = client.get(server.url("/")).send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.version()), (200, Version::HTTP_2));
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn one_host_can_be_known_to_speak_http2() {
    let knows = Server::http2_by_hand(answering);
    let other = Server::http(|exchange| {
        exchange.reply(200, &[], b"");
    });
    let own = HostOptions::default().http2_prior_knowledge(true);
    let client = builder().host_options(&knows.addr().to_string(), own).build().unwrap();
    for (server, version) in [(&knows, Version::HTTP_2), (&other, Version::HTTP_11)] {
        assert_eq!(client.get(server.url("/")).send().unwrap().version(), version);
    }
    let calls: Vec<_> = (0..20).map(|_| get(&client, &knows)).collect();
    calls.into_iter().for_each(|call| drop(call.join().unwrap()));
    assert_eq!(knows.connections(), 1);
}

#[test]
fn a_bound_of_streams_that_falls_sends_calls_elsewhere() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[(STREAMS_MAX, 10)]);
        if hand.connection() > 0 {
            return hand.answer_all();
        }
        let known = hand.next_request();
        hand.settings(&[(STREAMS_MAX, 1)]);
        hand.answer(known);
        let first = hand.next_request();
        hand.await_signal("go", 1);
        hand.answer(first);
        hand.answer_all();
    });
    let client = knowing().build().unwrap();
    // Whoever has an answer has the settings that came before.
    get(&client, &server).join().unwrap();
    let first = get(&client, &server);
    server.await_signal("request", 2);
    get(&client, &server).join().unwrap();
    assert_eq!(server.connections(), 2);
    server.signal("go");
    first.join().unwrap();
}

#[test]
fn a_bound_of_streams_that_rises_is_used_at_once() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[(STREAMS_MAX, 1)]);
        let known = hand.next_request();
        hand.answer(known);
        let first = hand.next_request();
        hand.await_signal("rise", 1);
        hand.settings(&[(STREAMS_MAX, 3)]);
        let others = [(); 2].map(|()| hand.next_request());
        for stream in others.into_iter().chain([first]) {
            hand.answer(stream);
        }
        hand.answer_all();
    });
    let limits = Limits::default().http2_connections_per_route(1);
    let client = knowing().limits(limits).build().unwrap();
    // Whoever has an answer has the settings that came before.
    get(&client, &server).join().unwrap();
    let mut calls = vec![get(&client, &server)];
    server.await_signal("request", 2);
    calls.extend((0..2).map(|_| get(&client, &server)));
    await_stats(&client, "two wait", |stats| stats.queued() == 2);
    server.signal("rise");
    calls.into_iter().for_each(|call| drop(call.join().unwrap()));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_that_allows_no_streams_is_waited_for() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        let first = hand.next_request();
        hand.answer(first);
        hand.settings(&[(STREAMS_MAX, 0)]);
        hand.signal("closed");
        hand.await_signal("open", 1);
        hand.settings(&[(STREAMS_MAX, 100)]);
        hand.answer_all();
    });
    let limits = Limits::default().http2_connections_per_route(1);
    let client = knowing().limits(limits).build().unwrap();
    get(&client, &server).join().unwrap();
    server.await_signal("closed", 1);
    let calls: Vec<_> = (0..3).map(|_| get(&client, &server)).collect();
    server.signal("open");
    calls.into_iter().for_each(|call| drop(call.join().unwrap()));
    assert_eq!(server.connections(), 1);
    await_quiet(&client);
}

#[test]
fn a_server_that_never_allows_a_stream_ends_the_call_in_a_budget() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[(STREAMS_MAX, 0)]);
        loop {
            let stream = hand.next_request();
            hand.reset(stream, Reason::REFUSED_STREAM);
        }
    });
    let short = Duration::from_millis(200);
    // A request that was handed over before the server's settings came waits for its stream there.
    let timeouts = Timeouts::default().queue(short).first_byte(short);
    let limits = Limits::default().http2_connections_per_route(2);
    let client = knowing().timeouts(timeouts).limits(limits).build().unwrap();
    let error = client.get(server.url("/")).send().unwrap_err();
    assert!(error.is_timeout() || error.kind() == ErrorKind::Protocol, "{error:?}");
    assert!(server.signalled("request") <= 5);
}

#[test]
fn rfc_9113_section_8_7_a_refused_stream_goes_to_another_connection() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        if hand.connection() > 0 {
            return hand.answer_all();
        }
        loop {
            let stream = hand.next_request();
            hand.reset(stream, Reason::REFUSED_STREAM);
        }
    });
    let client = knowing().build().unwrap();
    let reply = client.post(server.url("/")).body("once").send().unwrap();
    assert_eq!((reply.attempts(), server.connections()), (2, 2));
    // From now on the willing one is preferred.
    for _ in 0..5 {
        assert_eq!(client.get(server.url("/")).send().unwrap().attempts(), 1);
    }
}

#[test]
fn a_server_that_refuses_everything_is_not_asked_for_ever() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        loop {
            let stream = hand.next_request();
            hand.reset(stream, Reason::REFUSED_STREAM);
        }
    });
    for connections in [1, 8] {
        let limits = Limits::default().http2_connections_per_route(connections);
        let client = knowing().limits(limits).build().unwrap();
        let before = server.signalled("request");
        let error = client.get(server.url("/")).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
        let asked = server.signalled("request") - before;
        assert!((2..=5).contains(&asked), "asked {asked} times");
        await_quiet(&client);
    }
}

#[test]
fn rfc_9113_section_6_8_what_a_going_server_has_not_seen_is_sent_again_whatever_the_reason() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        if hand.connection() > 0 {
            return hand.answer_all();
        }
        let seen = hand.next_request();
        let _unseen = hand.next_request();
        hand.go_away(seen, Reason::ENHANCE_YOUR_CALM);
        hand.answer(seen);
    });
    let client = knowing().build().unwrap();
    let post = |body: &'static str| {
        let (client, url) = (client.clone(), server.url("/"));
        start(move || client.post(url).body(body).send().unwrap().attempts())
    };
    let first = post("seen");
    server.await_signal("request", 1);
    let second = post("unseen");
    assert_eq!((first.join(), second.join()), (1, 2));
    assert_eq!(server.signalled("request"), 3);
}

#[test]
fn what_a_going_server_may_have_seen_is_not_sent_again_if_it_is_a_post() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        if hand.connection() > 0 {
            return hand.answer_all();
        }
        let seen = hand.next_request();
        hand.go_away(seen, Reason::NO_ERROR);
    });
    let client = knowing().build().unwrap();
    let error = client.post(server.url("/")).body("once").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    assert_eq!(server.signalled("request"), 1);
    await_quiet(&client);
}

#[test]
fn a_dead_connection_is_closed_and_its_calls_are_told_or_saved() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        let first = hand.next_request();
        hand.answer(first);
        if hand.connection() > 0 {
            return hand.answer_all();
        }
        // Both calls are on this connection before it is dead: no ping is answered from here on.
        hand.next_request();
        hand.next_request();
        hand.ignore_all();
    });
    // Busy machines may take some of that to answer while it lives.
    let ping = Duration::from_millis(200);
    let timeouts = Timeouts::none();
    let client = knowing().timeouts(timeouts).http2_keep_alive(ping, ping).build().unwrap();
    client.get(server.url("/")).send().unwrap();
    let post = start({
        let (client, url) = (client.clone(), server.url("/"));
        move || client.post(url).body("once").send().unwrap_err()
    });
    let saved = client.get(server.url("/")).send().unwrap();
    assert_eq!(saved.attempts(), 2);
    let error = post.join();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Protocol, Some(Phase::FirstByte)));
    assert!(error.to_string().contains("answered no ping"), "{error}");
    server.await_open(1);
}

/// The server says that nothing is wrong; the body is no less short for that.
#[test]
fn rfc_9113_section_8_1_a_body_that_is_cut_off_for_no_reason_is_no_reply() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        for is_length_known in [true, false].into_iter().cycle() {
            for _ in 0..2 {
                let stream = hand.next_request();
                let head = if is_length_known { OF_TEN_BYTES } else { &OF_TEN_BYTES[..1] };
                hand.send(HEADERS, END_HEADERS, stream, head);
                hand.send(DATA, 0, stream, b"half");
                hand.reset(stream, Reason::NO_ERROR);
            }
        }
    });
    let client = knowing().build().unwrap();
    for _ in 0..2 {
        let error = client.get(server.url("/")).send().unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Body, Some(Phase::Body)),
            "{error:?}"
        );
        let mut open = client.get(server.url("/")).open().unwrap();
        let error = open.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.downcast::<abide::Error>().unwrap().kind(), ErrorKind::Body);
    }
    assert_eq!(server.connections(), 1);
}

/// The length is that of the reply to a GET (RFC 9110 §8.6), and more than is kept in memory.
#[test]
fn the_length_in_a_reply_without_a_body_is_no_promise() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        let head = hand.next_request();
        hand.send(HEADERS, END_STREAM | END_HEADERS, head, OF_TEN_BYTES);
        let slow_head = hand.next_request();
        hand.send(HEADERS, END_HEADERS, slow_head, OF_TEN_BYTES);
        hand.send(DATA, END_STREAM, slow_head, b"");
        let unchanged = hand.next_request();
        // The same, but for the status.
        let fields = [&[0x8b], &OF_TEN_BYTES[1..]].concat();
        hand.send(HEADERS, END_STREAM | END_HEADERS, unchanged, &fields);
        hand.answer_all();
    });
    let client = knowing().limits(Limits::default().body_bytes(9)).build().unwrap();
    for _ in 0..2 {
        let feedback = Feedback::new();
        let head = client.head(server.url("/")).feedback(&feedback).send().unwrap();
        assert_eq!((head.status().as_u16(), head.header("content-length")), (200, Some("10")));
        assert_eq!((head.bytes().len(), feedback.download().total()), (0, Some(0)));
    }
    let unchanged = client.get(server.url("/")).send().unwrap();
    assert_eq!((unchanged.status().as_u16(), unchanged.bytes().len()), (304, 0));
    assert_eq!(server.connections(), 1);
}

/// A head with status 200 and a length of ten bytes (RFC 7541 §6).
const OF_TEN_BYTES: &[u8] = &[0x88, 0x0f, 0x0d, 2, b'1', b'0'];

#[test]
fn a_server_may_have_all_the_time_there_is_to_answer_a_ping() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        let first = hand.next_request();
        std::thread::sleep(Duration::from_millis(100));
        hand.answer(first);
        hand.answer_all();
    });
    for interval in [Duration::from_millis(20), Duration::MAX] {
        let client = knowing().http2_keep_alive(interval, Duration::MAX).build().unwrap();
        client.get(server.url("/")).send().unwrap();
    }
}

#[test]
fn a_connection_that_nobody_uses_and_nobody_may_use_is_closed() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        hand.next_request();
        hand.ignore_all();
    });
    let client = knowing().timeouts(Timeouts::none().first_byte(FIRST_BYTE)).build().unwrap();
    let error = client.get(server.url("/")).send().unwrap_err();
    assert_eq!(error.budget(), Some(Budget::FirstByte), "{error:?}");
    server.await_open(0);
    await_stats(&client, "its place is free", |stats| stats.open() == 0);
}

const FIRST_BYTE: Duration = Duration::from_millis(50);

#[test]
fn a_silent_connection_gets_no_new_calls() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        let first = hand.next_request();
        if hand.connection() > 0 {
            hand.answer(first);
            return hand.answer_all();
        }
        hand.await_signal("wake", 1);
        hand.answer(first);
        hand.answer_all();
    });
    let client = knowing()
        .timeouts(Timeouts::none())
        .http2_keep_alive(Duration::from_millis(50), Duration::from_secs(60))
        .build()
        .unwrap();
    let first = get(&client, &server);
    server.await_signal("request", 1);
    std::thread::sleep(Duration::from_millis(100));
    crate::waiting::eventually("a call goes elsewhere", || {
        let call = get(&client, &server);
        server.connections() == 2 && call.join().is_ok()
    });
    server.signal("wake");
    first.join().unwrap();
}

#[test]
fn rfc_9113_section_4_2_a_body_of_64_kib_may_come_in_one_frame_and_no_frame_is_larger() {
    let server = Server::http2_by_hand(|hand| {
        hand.settings(&[]);
        // The client's own settings count from the acknowledgement on.
        hand.send(crate::support::hand::SETTINGS, 1, 0, &[]);
        for length in [64 << 10, (64 << 10) + 1] {
            let stream = hand.next_request();
            hand.send(HEADERS, END_HEADERS, stream, &[0x88]);
            hand.send(DATA, END_STREAM, stream, &vec![7; length]);
        }
        hand.ignore_all();
    });
    let client =
        knowing().limits(Limits::default().http2_connections_per_route(1)).build().unwrap();
    let reply = client.get(server.url("/")).send().unwrap();
    assert_eq!(&reply.bytes()[..], vec![7; 64 << 10]);
    let error = client.post(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Body);
}
