//! An answer before the end of the upload is a reply and no broken pipe.

use std::io;

use abide::{Body, Reply};

use crate::{
    clients::{await_quiet, client},
    support::{Exchange, Server},
};

const ROUNDS: usize = 200;
const LENGTH: usize = 4 << 20;

/// Refuses without reading the body, then drops the socket, which resets it under the upload.
fn refuse(exchange: &mut Exchange) {
    exchange.reply(413, &[("x-why", "large"), ("connection", "close")], b"too large");
    exchange.abandon();
}

#[track_caller]
fn check(reply: &Reply) {
    assert_eq!(reply.status(), 413);
    assert_eq!((reply.header("x-why"), reply.text().as_str()), (Some("large"), "too large"));
}

#[test]
fn a_refusal_of_bytes_is_always_seen() {
    let server = Server::http(refuse);
    let client = client();
    let body = abide::Bytes::from(vec![7; LENGTH]);
    for _ in 0..ROUNDS {
        check(&client.post(server.url("/")).body(body.clone()).send().unwrap());
    }
    assert_eq!(server.requests(), ROUNDS);
    await_quiet(&client);
}

#[test]
fn a_refusal_of_a_reader_is_always_seen() {
    let server = Server::http(refuse);
    let client = client();
    for round in 0..ROUNDS {
        let content = io::Read::take(io::repeat(7), LENGTH as u64);
        let body = match round % 2 {
            0 => Body::reader(content),
            _ => Body::sized_reader(content, LENGTH as u64),
        };
        check(&client.post(server.url("/")).body(body).send().unwrap());
    }
    assert_eq!(server.requests(), ROUNDS);
    await_quiet(&client);
}

#[test]
fn a_refusal_ends_an_upload_that_would_never_end() {
    let server = Server::http(|exchange| {
        exchange.read_body_piece(usize::MAX);
        exchange.reply(413, &[("x-why", "large")], b"too large");
        exchange.await_client_gone();
    });
    let client = client();
    let endless = Body::reader(io::repeat(7));
    check(&client.post(server.url("/")).body(endless).send().unwrap());
    server.await_open(0);
    await_quiet(&client);
}

#[test]
fn the_rest_of_an_upload_is_never_taken_for_a_request() {
    let server = Server::http(|exchange| match exchange.request().header("content-length") {
        Some(_) => drop(exchange.reply(413, &[("x-why", "large")], b"too large")),
        None => drop(exchange.reply(200, &[], b"ok")),
    });
    let client = client();
    for _ in 0..20 {
        check(&client.put(server.url("/")).body(vec![b'\n'; LENGTH]).send().unwrap());
        assert_eq!(client.get(server.url("/")).send().unwrap().text(), "ok");
    }
    assert_eq!(server.requests(), 40);
    await_quiet(&client);
}

#[test]
fn an_early_success_is_a_reply_too() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[("connection", "close")], b"enough");
        exchange.abandon();
    });
    let reply = client().put(server.url("/")).body(vec![7; LENGTH]).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (200, "enough"));
}
