//! Bad input of the caller is refused before anything is sent; bad input of a server ends as an
//! error within the limits.

use std::{
    error::Error as _,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use abide::{Client, Error, ErrorKind};

use crate::{
    clients::{FixedNames, await_quiet, builder, client},
    support::{Exchange, Server},
    waiting::{in_time, start},
};

/// Everything an error says, its sources included.
fn words_of(error: &Error) -> String {
    let mut words = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        words += &format!(" {error} {error:?}");
        source = error.source();
    }
    words
}

#[test]
fn a_bad_url_is_refused_without_showing_secrets() {
    let names = FixedNames::loopback();
    let client = builder().resolver(names.clone()).build().unwrap();
    let urls = [
        "",
        " ",
        "not a url",
        "/relative?token=hidden",
        "//host/?token=hidden",
        "http://",
        "http://user:hidden@/path?token=hidden",
        "http://user:hidden@:80/",
        "http://user:hidden@host:99999/?token=hidden",
        "http://user:hidden@bad host/?token=hidden",
        "http://user:hidden@[::1/?token=hidden",
        "ftp://user:hidden@host/?token=hidden",
        "file:///etc/passwd?token=hidden",
        "mailto:user:hidden@host",
        "data:text/plain,hidden",
        "htp://host/",
    ];
    for url in urls {
        let sent = client.get(url).send().map(drop);
        let opened = client.post(url).body("x").open().map(drop);
        for error in [sent.unwrap_err(), opened.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{url}: {error:?}");
            let words = words_of(&error);
            assert!(!words.contains("hidden"), "{url}: {words}");
        }
    }
    assert!(names.asked().is_empty());
    assert_eq!(client.stats().connections_opened(), 0);
}

#[test]
fn the_error_shows_what_was_wrong() {
    let client = client();
    for (url, shown) in [("ftp://host/", "ftp"), ("http://host:99999/", "port"), ("", "empty")] {
        let error = client.get(url).send().unwrap_err();
        assert!(words_of(&error).contains(shown), "{url}: {}", words_of(&error));
    }
}

#[test]
fn an_invalid_header_is_refused_by_name_and_not_by_value() {
    let server = Server::http(|_| panic!("no call should arrive"));
    let client = client();
    for (name, value) in
        [("x-key", "hidden\r\nx-evil: 1"), ("x-key", "hidden\0"), ("x-key", "hidden\n")]
    {
        let error = client.get(server.url("/")).header(name, value).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
        let words = words_of(&error);
        assert!(words.contains("x-key") && !words.contains("hidden"), "{words}");
    }
    for name in ["", "bad name", "bad:name", "bad\r\nname", "näme"] {
        let error = client.get(server.url("/")).header(name, "1").send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name}: {error:?}");
    }
    assert!(builder().default_header("bad name", "hidden").build().is_err());
    assert!(builder().user_agent("bad\r\nagent").build().is_err());
    assert_eq!(server.connections(), 0);
}

#[test]
fn the_first_mistake_of_a_builder_is_the_one_reported() {
    let error = client().get("").header("bad name", "1").query([("a", "b")]).send().unwrap_err();
    assert!(words_of(&error).contains("URL"), "{}", words_of(&error));
}

#[test]
fn a_header_that_frames_the_body_cannot_be_forged() {
    let server = Server::http(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[], &body);
    });
    let client = client();
    for (name, value) in [("content-length", "3"), ("transfer-encoding", "chunked")] {
        let answer = client.post(server.url("/")).header(name, value).body("hello").send();
        if let Ok(reply) = answer {
            assert_eq!(reply.text(), "hello", "{name}");
        }
        assert_eq!(client.get(server.url("/")).send().unwrap().text(), "");
    }
}

/// The error of a call to a server that answers with `answer` and closes.
#[track_caller]
fn answered(answer: &[u8]) -> Error {
    let server = Server::raw_answer(answer);
    let url = server.url("/");
    let client = client();
    let calling = client.clone();
    let answer = in_time(move || calling.get(url).send());
    server.await_open(0);
    await_quiet(&client);
    assert_eq!(client.stats().open(), 0);
    answer.unwrap_err()
}

#[test]
fn a_garbage_status_line_breaks_the_protocol() {
    let lines: [&[u8]; 12] = [
        b"\r\n\r\n\r\n\r\n\r\n",
        b"\0\0\0\0\0\0\0\0",
        b"\x16\x03\x01\x02\0\x01\0",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"<html>HTTP/0.9 was simple</html>",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 20x OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 -200 OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for line in lines {
        let error = answered(line);
        let shown = String::from_utf8_lossy(line);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{shown}: {error:?}");
    }
}

#[test]
fn a_garbage_header_breaks_the_protocol() {
    for line in ["no colon", ": no name", "bad name: 1", "x: a\0b", "x\x7f: 1", "x: 1\r\x0b"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{line}\r\ncontent-length: 0\r\n\r\n");
        let error = answered(answer.as_bytes());
        assert_eq!(error.kind(), ErrorKind::Protocol, "{line:?}: {error:?}");
    }
}

#[test]
fn contradictory_lengths_break_the_protocol() {
    let headers = [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 6",
        "content-length: -5",
        "content-length: +5",
        "content-length: 0x5",
        "content-length: 5 5",
        "content-length: five",
        "content-length: 18446744073709551616",
    ];
    for header in headers {
        let answer = format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\nhello");
        let error = answered(answer.as_bytes());
        assert_eq!(error.kind(), ErrorKind::Protocol, "{header}: {error:?}");
    }
}

#[test]
fn a_length_beside_chunks_never_lets_the_connection_be_used_again() {
    let server = Server::http(|exchange| {
        exchange
            .write("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n");
        exchange.write("5\r\nhello\r\n0\r\n\r\n");
    });
    let client = client();
    for _ in 0..2 {
        match client.get(server.url("/")).send() {
            Ok(reply) => assert_eq!(reply.text(), "hello", "RFC 9112 §6.3: chunks go over length"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}"),
        }
        server.await_open(0);
    }
}

#[test]
fn a_chunk_that_is_none_is_an_error() {
    let chunks = [
        "FFFFFFFFFFFFFFFFF\r\n",
        "10000000000000000\r\n",
        "-1\r\n",
        "+5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "zz\r\n",
        "\r\n",
        " \r\nhello",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5;\0=1\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
    ];
    for chunk in chunks {
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
        let error = answered(answer.as_bytes());
        let is_named = matches!(error.kind(), ErrorKind::Body | ErrorKind::Protocol);
        assert!(is_named, "{chunk:?}: {error:?}");
    }
}

/// Writes `begin` and then `again` until the client goes away.
fn flood(begin: &'static str, again: &'static str) -> Server {
    let flood = again.repeat(100);
    Server::raw(move |mut socket: &TcpStream| {
        drop(socket.read(&mut [0; 4096]));
        drop(socket.write_all(begin.as_bytes()));
        while socket.write_all(flood.as_bytes()).is_ok() {}
    })
}

/// Each flood ends as an error, soon, and with a closed connection.
#[track_caller]
fn check_floods(floods: &[(&'static str, &'static str, &str)]) {
    for (begin, again, what) in floods {
        let server = flood(begin, again);
        let url = server.url("/");
        let client = client();
        let calling = client.clone();
        let began = Instant::now();
        let error = start(move || calling.get(url).send()).join_or(what).expect_err(what);
        let is_named =
            matches!(error.kind(), ErrorKind::Limit | ErrorKind::Protocol | ErrorKind::Body);
        assert!(is_named, "{what}: {error:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{what}: {:?}", began.elapsed());
        server.await_open(0);
        await_quiet(&client);
    }
}

#[test]
fn an_endless_head_is_an_error_within_the_limits() {
    check_floods(&[
        ("HTTP/1.1 200 OK\r\n", "x-flood: 1\r\n", "header lines"),
        ("HTTP/1.1 200 OK\r\n", "x", "one header name"),
        ("HTTP/1.1 200 OK\r\nx: ", "x", "one header value"),
        ("HTTP/1.1 200 ", "x", "one status line"),
        ("", "x", "no status line"),
        ("", "\r\n", "empty lines"),
    ]);
}

#[test]
fn endless_informational_replies_are_an_error_within_the_limits() {
    check_floods(&[
        ("", "HTTP/1.1 103 Early Hints\r\n\r\n", "bare ones"),
        ("", "HTTP/1.1 100 Continue\r\nx: 1\r\n\r\n", "some with a header"),
    ]);
}

#[test]
fn endless_chunk_framing_is_an_error_within_the_limits() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    check_floods(&[
        (head, "1;extension", "one extension"),
        (head, "1;extension\r\nx\r\n", "extensions"),
        (head, "0", "a chunk size of zeros"),
    ]);
}

#[test]
fn endless_trailers_are_an_error_within_the_limits() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
    check_floods(&[(head, "x: 1\r\n", "lines"), (head, "x: xxxx", "one line")]);
}

#[test]
fn a_flood_after_the_reply_harms_nobody() {
    let server = flood("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "x");
    let url = server.url("/");
    let client = client();
    let calling = client.clone();
    assert_eq!(in_time(move || calling.get(url).send()).unwrap().text(), "ok");
    server.await_open(0);
    await_quiet(&client);
}

#[test]
fn an_upgrade_nobody_asked_for_is_no_reply_to_wait_on() {
    let server = Server::http(|exchange: &mut Exchange| {
        exchange.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\n\r\nwhat follows");
        exchange.await_client_gone();
    });
    let (client, url): (Client, _) = (client(), server.url("/"));
    let answer = in_time(move || client.get(url).send());
    match answer {
        Ok(reply) => assert_eq!((reply.status().as_u16(), reply.bytes().len()), (101, 0)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}"),
    }
    server.await_open(0);
}
