//! A streamed reply is a reader that holds a bounded amount in memory.

use std::{
    io::{self, Read as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    clients::{await_quiet, client},
    support::Server,
};

const PIECE: usize = 64 * 1024;
const PIECES: usize = 1024;
/// What the buffers of both systems and the library may hold together.
const HELD_MAX: usize = 24 << 20;

#[test]
fn a_body_nobody_reads_stays_with_the_server() {
    let written = Arc::new(AtomicUsize::new(0));
    let server = Server::http({
        let written = Arc::clone(&written);
        move |exchange| {
            exchange.begin_reply(200, &[("content-length", &(PIECE * PIECES).to_string())]);
            for _ in 0..PIECES {
                exchange.write([7; PIECE]);
                written.fetch_add(PIECE, Ordering::Relaxed);
            }
        }
    });
    let client = client();
    let mut reply = client.get(server.url("/")).open().unwrap();
    assert_eq!(reply.content_length(), Some((PIECE * PIECES) as u64));
    thread::sleep(Duration::from_millis(300));
    let held = written.load(Ordering::Relaxed);
    assert!(held <= HELD_MAX, "{held} bytes are held by nobody's wish");
    assert_eq!(io::copy(&mut reply, &mut io::sink()).unwrap(), (PIECE * PIECES) as u64);
    drop(reply);
    assert!(client.get(server.url("/")).open().unwrap().status().is_success());
    await_quiet(&client);
}

/// hyper reads more at a time the more comes, up to 408 KiB, across the end of a body too.
#[test]
fn a_large_last_piece_is_no_reason_to_give_up_the_connection() {
    let body = vec![7; 8 << 20];
    let server = Server::http({
        let body = body.clone();
        move |exchange| {
            exchange.reply(200, &[], &body);
        }
    });
    let client = client();
    for _ in 0..20 {
        assert!(client.get(server.url("/")).send().unwrap().bytes() == &body);
        let mut read = Vec::new();
        client.get(server.url("/")).open().unwrap().read_to_end(&mut read).unwrap();
        assert!(read == body);
    }
    assert_eq!(client.stats().connections_opened(), 1);
}

#[test]
fn a_stream_tells_its_head_before_its_body() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(206, &[("transfer-encoding", "chunked"), ("x-one", "1")]);
        exchange.await_signal("go", 1);
        exchange.write("5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n");
    });
    let mut reply = client().get(server.url("/a")).open().unwrap();
    assert_eq!((reply.status().as_u16(), reply.header("x-one")), (206, Some("1")));
    assert_eq!(reply.content_length(), None);
    assert_eq!(reply.remote_addr(), Some(server.addr()));
    assert_eq!(reply.url().as_str(), server.url("/a"));
    assert!(reply.trailers().is_none());
    server.signal("go");
    assert_eq!(io::read_to_string(&mut reply).unwrap(), "hello");
    assert_eq!(reply.trailers().unwrap().get("x-sum").unwrap(), "42");
    assert_eq!(reply.read(&mut [0]).unwrap(), 0, "the end stays the end");
}

#[test]
fn a_piece_is_delivered_when_it_comes() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "3")]);
        for (count, piece) in ["a", "b", "c"].into_iter().enumerate() {
            exchange.write(piece);
            exchange.await_signal("got", count + 1);
        }
    });
    let mut reply = client().get(server.url("/")).open().unwrap();
    for expected in *b"abc" {
        let mut buffer = [0; 100];
        assert_eq!(reply.read(&mut buffer).unwrap(), 1);
        assert_eq!(buffer[0], expected);
        server.signal("got");
    }
    assert_eq!(reply.read(&mut [0; 100]).unwrap(), 0);
}

#[test]
fn an_empty_buffer_is_filled_at_once() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "3")]);
        exchange.await_signal("go", 1);
        exchange.write("abc");
    });
    let mut reply = client().get(server.url("/")).open().unwrap();
    assert_eq!(reply.read(&mut []).unwrap(), 0);
    server.signal("go");
    assert_eq!(io::read_to_string(reply).unwrap(), "abc");
}

#[test]
fn a_stream_may_be_read_by_another_thread() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"hello");
    });
    let reply = client().get(server.url("/")).open().unwrap();
    let text = thread::spawn(move || io::read_to_string(reply).unwrap()).join().unwrap();
    assert_eq!(text, "hello");
}

#[test]
fn a_stream_becomes_a_reply_with_the_rest() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[("x-one", "1")], b"hello");
    });
    let client = client();
    let reply = client.get(server.url("/")).open().unwrap().into_reply().unwrap();
    assert_eq!((reply.text().as_str(), reply.header("x-one")), ("hello", Some("1")));
    let reply = client.get(server.url("/")).open().unwrap().error_for_status().unwrap();
    assert_eq!(reply.into_reply().unwrap().text(), "hello");
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_error_status_of_a_stream_keeps_its_body() {
    let server = Server::http(|exchange| {
        exchange.reply(500, &[], b"sorry");
    });
    let reply = client().get(server.url("/")).open().unwrap();
    let error = reply.error_for_status().unwrap_err();
    assert_eq!(error.status().unwrap(), 500);
    assert_eq!(error.reply().map(abide::Reply::text).as_deref(), Some("sorry"));
}
