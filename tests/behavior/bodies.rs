//! What can be sent: bytes, readers with and without a length, files, factories.

use std::{
    cell::Cell,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use abide::{Body, Bytes, ErrorKind, Reply};

use crate::{
    clients::{await_quiet, client},
    support::{Exchange, Server},
    waiting::start,
};

/// Answers with the body, and in headers how it was framed.
fn echo(exchange: &mut Exchange) {
    let length = exchange.request().header("content-length").unwrap_or("none").to_owned();
    let coding = exchange.request().header("transfer-encoding").unwrap_or("none").to_owned();
    let body = exchange.read_body();
    exchange.reply(200, &[("x-length", &length), ("x-coding", &coding)], &body);
}

#[track_caller]
fn check(reply: &Reply, length: &str, coding: &str, body: &[u8]) {
    assert_eq!(reply.header("x-length"), Some(length));
    assert_eq!(reply.header("x-coding"), Some(coding));
    assert!(&reply.bytes()[..] == body, "{} bytes came back", reply.bytes().len());
}

#[test]
fn bytes_have_a_length() {
    let server = Server::http(echo);
    let client = client();
    let bodies: [Body<'static>; 5] = [
        "hello".into(),
        "hello".to_owned().into(),
        b"hello".as_slice().into(),
        b"hello".to_vec().into(),
        Bytes::from_static(b"hello").into(),
    ];
    for body in bodies {
        let reply = client.post(server.url("/")).body(body).send().unwrap();
        check(&reply, "5", "none", b"hello");
    }
    let reply = client.post(server.url("/")).body(()).send().unwrap();
    check(&reply, "0", "none", b"");
}

#[test]
fn a_reader_is_sent_in_chunks() {
    let server = Server::http(echo);
    let content = pattern(300_000);
    let reply = client().post(server.url("/")).body(Body::reader(&content[..])).send().unwrap();
    check(&reply, "none", "chunked", &content);
    let reply = client().post(server.url("/")).body(Body::reader(io::empty())).send().unwrap();
    check(&reply, "none", "chunked", b"");
}

#[test]
fn a_sized_reader_has_a_length() {
    let server = Server::http(echo);
    let content = pattern(300_000);
    let body = Body::sized_reader(&content[..], 300_000);
    check(&client().post(server.url("/")).body(body).send().unwrap(), "300000", "none", &content);
    let body = Body::sized_reader(io::empty(), 0);
    check(&client().post(server.url("/")).body(body).send().unwrap(), "0", "none", b"");
}

#[test]
fn a_reader_may_borrow_and_be_used_on_afterwards() {
    let server = Server::http(echo);
    let mut cursor = io::Cursor::new(b"first second".to_vec());
    let first = io::Read::take(&mut cursor, 5);
    let reply = client().post(server.url("/")).body(Body::sized_reader(first, 5)).send().unwrap();
    check(&reply, "5", "none", b"first");
    let reply = client().post(server.url("/")).body(Body::reader(&mut cursor)).send().unwrap();
    check(&reply, "none", "chunked", b" second");
}

#[test]
fn a_reader_runs_on_the_thread_of_the_call() {
    /// Not `Send`, which proves it.
    struct Counting<'a>(&'a Cell<usize>);
    impl io::Read for Counting<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.set(self.0.get() + 1);
            let left = 5_usize.saturating_sub(self.0.get());
            buffer[..left.min(1)].fill(b'x');
            Ok(left.min(1))
        }
    }
    let server = Server::http(echo);
    let count = Cell::new(0);
    let body = Body::reader(Counting(&count));
    check(&client().post(server.url("/")).body(body).send().unwrap(), "none", "chunked", b"xxxx");
    assert_eq!(count.get(), 5);
}

#[test]
fn a_factory_and_a_file_have_their_lengths() {
    let server = Server::http(echo);
    let content = pattern(100_000);
    let path = std::env::temp_dir().join(format!("abide-upload-{}", std::process::id()));
    fs::write(&path, &content).unwrap();
    let body = Body::file(&path).unwrap();
    let reply = client().put(server.url("/")).body(body).send();
    fs::remove_file(&path).unwrap();
    check(&reply.unwrap(), "100000", "none", &content);

    let sized = Body::factory(Some(100_000), || Ok(&content[..]));
    check(&client().put(server.url("/")).body(sized).send().unwrap(), "100000", "none", &content);
    let unsized_body = Body::factory(None, || Ok(&content[..]));
    let reply = client().put(server.url("/")).body(unsized_body).send().unwrap();
    check(&reply, "none", "chunked", &content);
}

#[test]
fn a_file_that_is_not_there_is_an_error_before_any_call() {
    assert!(Body::file("/nonexistent/file").is_err());
    assert!(Body::file(std::env::temp_dir()).is_err());
}

#[test]
fn a_reader_that_is_too_short_is_an_error_and_no_request() {
    for (content, length) in [("short", 10), ("", 1)] {
        let server = Server::http(|exchange| {
            if exchange.try_read_body().is_some() {
                exchange.reply(200, &[], b"");
            }
        });
        let client = client();
        let body = Body::sized_reader(content.as_bytes(), length);
        let error = client.post(server.url("/")).body(body).send().expect_err(content);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{content}: {error:?}");
        server.await_open(0);
        await_quiet(&client);
    }
}

#[test]
fn a_reader_that_fails_is_the_source_of_the_error() {
    struct Failing;
    impl io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is on fire"))
        }
    }
    let server = Server::http(|exchange| assert!(exchange.try_read_body().is_none()));
    let client = client();
    let body = Body::reader(io::Read::chain(&b"begin"[..], Failing));
    let error = client.post(server.url("/")).body(body).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
    assert!(format!("{error:?}").contains("on fire"), "{error:?}");
    server.await_open(0);
    await_quiet(&client);
}

#[test]
fn an_interrupted_reader_is_asked_again() {
    struct Interrupted(bool);
    impl io::Read for Interrupted {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            match std::mem::replace(&mut self.0, true) {
                false => Err(io::ErrorKind::Interrupted.into()),
                true => Ok(0),
            }
        }
    }
    let server = Server::http(echo);
    let body = Body::reader(io::Read::chain(&b"abc"[..], Interrupted(false)));
    check(&client().post(server.url("/")).body(body).send().unwrap(), "none", "chunked", b"abc");
}

#[test]
fn a_panic_of_a_reader_reaches_the_caller_and_harms_nobody_else() {
    struct Panicking;
    impl io::Read for Panicking {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("on purpose")
        }
    }
    let server = Server::http(|exchange| {
        if exchange.try_read_body().is_some() {
            exchange.reply(200, &[], b"ok");
        }
    });
    let client = client();
    let call = || client.post(server.url("/")).body(Body::reader(Panicking)).send();
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    assert_eq!(client.get(server.url("/")).send().unwrap().text(), "ok");
    await_quiet(&client);
}

#[test]
fn large_bodies_cross_unharmed_in_both_directions() {
    let server = Server::http(echo);
    let content = Bytes::from(pattern(20_000_000));
    let client = client();
    let calls: Vec<_> = [false, true]
        .into_iter()
        .map(|chunked| {
            let (client, url, content) = (client.clone(), server.url("/"), content.clone());
            start(move || {
                let body = match chunked {
                    true => Body::reader(&content[..]),
                    false => Body::from(content.clone()),
                };
                let reply = client.post(url).body(body).send().unwrap();
                assert!(*reply.bytes() == content);
            })
        })
        .collect();
    calls.into_iter().for_each(crate::waiting::Running::join);
}

/// Bytes in which no two neighbourhoods are alike.
fn pattern(length: u32) -> Vec<u8> {
    (0..length).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}
