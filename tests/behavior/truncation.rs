//! A reply that was cut anywhere is an error, never a short success.

use std::io::Read as _;

use abide::{Client, Error, ErrorKind, Phase};

use crate::{
    clients::{await_quiet, client},
    support::Server,
};

const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\nx-one: 1\r\ncontent-length: 12\r\n\r\nhello, world";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
    5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nx-sum: 1\r\n\r\n";

/// Sends the first `n` bytes of `reply` on the target `/n` and ends the connection.
fn cutting(reply: &'static [u8], resets: bool) -> Server {
    Server::http(move |exchange| {
        let length: usize = exchange.target()[1..].parse().unwrap();
        exchange.write(&reply[..length]);
        match resets {
            true => exchange.reset(),
            false => exchange.close(),
        }
    })
}

fn stream(client: &Client, url: &str) -> Result<String, Error> {
    let mut reply = client.get(url).open()?;
    let mut text = String::new();
    match reply.read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) => Err(*error.into_inner().unwrap().downcast().unwrap()),
    }
}

#[track_caller]
fn check(error: &Error, cut_at: usize, head_ends_at: usize) {
    let expected = match cut_at < head_ends_at {
        true => (ErrorKind::Protocol, Some(Phase::FirstByte)),
        false => (ErrorKind::Body, Some(Phase::Body)),
    };
    assert_eq!((error.kind(), error.phase()), expected, "cut at {cut_at}: {error:?}");
}

fn cut_everywhere(reply: &'static [u8]) {
    let server = cutting(reply, false);
    let client = client();
    let head = reply.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    for cut_at in 0..reply.len() {
        let url = server.url(&format!("/{cut_at}"));
        check(&client.get(&url).send().unwrap_err(), cut_at, head);
        check(&stream(&client, &url).unwrap_err(), cut_at, head);
        assert_eq!(server.requests(), 2 * (cut_at + 1), "a fresh connection is no stale one");
    }
    let url = server.url(&format!("/{}", reply.len()));
    assert_eq!(client.get(&url).send().unwrap().text(), "hello, world");
    assert_eq!(stream(&client, &url).unwrap(), "hello, world");
    await_quiet(&client);
}

#[test]
fn a_sized_reply_cut_after_any_byte_is_an_error() {
    cut_everywhere(SIZED);
}

#[test]
fn a_chunked_reply_cut_after_any_byte_is_an_error() {
    cut_everywhere(CHUNKED);
}

#[test]
fn a_reply_reset_after_any_byte_is_an_error() {
    let server = cutting(SIZED, true);
    let client = client();
    for cut_at in 0..SIZED.len() {
        let error = client.get(server.url(&format!("/{cut_at}"))).send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Body), "{error:?}");
    }
    await_quiet(&client);
}

#[test]
fn a_reset_ends_a_body_without_length_with_an_error() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[]);
        exchange.write("some of it");
        exchange.await_signal("seen", 1);
        exchange.reset();
    });
    let mut reply = client().get(server.url("/")).open().unwrap();
    reply.read_exact(&mut [0; 10]).unwrap();
    server.signal("seen");
    assert!(reply.read(&mut [0]).is_err());
}

#[test]
fn the_truncated_part_stays_readable_in_a_stream() {
    let server = cutting(SIZED, false);
    let url = server.url(&format!("/{}", SIZED.len() - 5));
    let mut reply = client().get(url).open().unwrap();
    let mut text = Vec::new();
    assert!(reply.read_to_end(&mut text).is_err());
    assert_eq!(text, b"hello, ");
    assert!(reply.read(&mut [0]).is_err(), "the error does not turn into an end");
}
