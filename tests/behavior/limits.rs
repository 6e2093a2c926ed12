//! Each limit lets pass what is at it and below, and refuses what is above.

use abide::{Error, ErrorKind, Limits};

use crate::{
    clients::builder,
    support::{Exchange, Server},
};

#[track_caller]
fn assert_limited<T: std::fmt::Debug>(answer: Result<T, Error>) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error:?}");
}

/// Answers with a body of the length in the target, chunked if that ends with `c`.
fn body_of_length(exchange: &mut Exchange) {
    let target = exchange.target()[1..].to_owned();
    match target.strip_suffix('c') {
        None => drop(exchange.reply(200, &[], &vec![7; target.parse().unwrap()])),
        Some(length) => {
            exchange.begin_reply(200, &[("transfer-encoding", "chunked")]);
            for _ in 0..length.parse().unwrap() {
                exchange.write("1\r\n7\r\n");
            }
            exchange.write("0\r\n\r\n");
        }
    }
}

#[test]
fn the_body_of_a_collected_reply_is_limited() {
    let server = Server::http(body_of_length);
    let client = builder().limits(Limits::default().body_bytes(10)).build().unwrap();
    for coding in ["", "c"] {
        for length in [0, 9, 10] {
            let reply = client.get(server.url(&format!("/{length}{coding}"))).send().unwrap();
            assert_eq!(reply.bytes().len(), length);
        }
        assert_limited(client.get(server.url(&format!("/11{coding}"))).send());
        let streamed = client.get(server.url(&format!("/11{coding}"))).open().unwrap();
        assert_eq!(std::io::read_to_string(streamed).unwrap().len(), 11);
        let streamed = client.get(server.url(&format!("/11{coding}"))).open().unwrap();
        assert_limited(streamed.into_reply());
    }
    let unlimited = builder().limits(Limits::default().body_bytes(None)).build().unwrap();
    assert_eq!(unlimited.get(server.url("/11")).send().unwrap().bytes().len(), 11);
}

#[test]
fn an_announced_length_above_the_limit_is_refused_before_the_body() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "99999999999999")]);
        exchange.await_client_gone();
    });
    let client = builder().build().unwrap();
    assert_limited(client.get(server.url("/")).send());
    server.await_open(0);
}

#[test]
fn an_announced_length_reserves_no_memory() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "900000000000000000")]);
        exchange.close();
    });
    let client = builder().limits(Limits::default().body_bytes(None)).build().unwrap();
    let error = client.get(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Body, "{error:?}");
}

#[test]
fn the_number_of_header_lines_is_limited() {
    let server = Server::http(|exchange| {
        let count: usize = exchange.target()[1..].parse().unwrap();
        exchange.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n");
        for index in 1..count {
            exchange.write(format!("x-{index}: 1\r\n"));
        }
        exchange.write("\r\n");
    });
    for limit in [10, 256] {
        let client = builder().limits(Limits::default().header_count(limit)).build().unwrap();
        for count in [limit - 1, limit] {
            let reply = client.get(server.url(&format!("/{count}"))).send().unwrap();
            assert_eq!(reply.headers().len(), count);
        }
        assert_limited(client.get(server.url(&format!("/{}", limit + 1))).send());
    }
}

#[cfg(feature = "http2")]
#[test]
fn the_number_of_header_lines_is_limited_over_http2_too() {
    let server = Server::http2(async |mut exchange| {
        let count: usize = exchange.target()[1..].parse().unwrap();
        let names: Vec<String> = (0..count).map(|index| format!("x-{index}")).collect();
        let lines: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
        exchange.reply(200, &lines, "").await;
    });
    let limits = Limits::default().header_count(10);
    let client = crate::clients::trusting().limits(limits).build().unwrap();
    let reply = client.get(server.url("/10")).send().unwrap();
    assert_eq!((reply.version(), reply.headers().len()), (abide::Version::HTTP_2, 10));
    assert_limited(client.get(server.url("/11")).send());
    // It is that call's trouble alone.
    client.get(server.url("/1")).send().unwrap();
    assert_eq!(server.connections(), 1);
}

/// None of them is what hyper is used to.
#[test]
fn a_limit_of_headers_can_be_as_large_as_one_likes() {
    let server = Server::http(|exchange| {
        let long = "x".repeat(exchange.target()[1..].parse().unwrap());
        exchange.reply(200, &[("x-long", &long)], b"");
    });
    let limits = Limits::default().header_count(usize::MAX);
    for header_bytes in [1 << 20, usize::MAX] {
        let client = builder().limits(limits.header_bytes(header_bytes)).build().unwrap();
        for length in [1, 410_000, 600_000] {
            let reply = client.get(server.url(&format!("/{length}"))).send().unwrap();
            assert_eq!(reply.header("x-long").unwrap().len(), length);
        }
    }
}

/// It comes at once and is larger than a head may be.
#[test]
fn a_reply_whose_body_comes_with_its_head_keeps_its_connection() {
    let server = Server::http(|exchange| {
        let mut reply = b"HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n".to_vec();
        reply.resize(reply.len() + 20_000, b'x');
        exchange.write(&reply);
    });
    let client = builder().limits(Limits::default().header_bytes(8 << 10)).build().unwrap();
    for _ in 0..10 {
        assert_eq!(client.get(server.url("/")).send().unwrap().bytes().len(), 20_000);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn the_bytes_of_a_head_are_limited() {
    let server = Server::http(|exchange| {
        let length: usize = exchange.target()[1..].parse().unwrap();
        let frame = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-long: \r\n\r\n".len();
        let long = "x".repeat(length - frame);
        exchange.write(format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-long: {long}\r\n\r\n"));
    });
    for limit in [8 << 10, 64 << 10, 256 << 10] {
        let client = builder().limits(Limits::default().header_bytes(limit)).build().unwrap();
        for length in [limit - 1, limit] {
            let reply = client.get(server.url(&format!("/{length}"))).send();
            assert!(reply.is_ok(), "{length} of {limit}: {reply:?}");
        }
        assert_limited(client.get(server.url(&format!("/{}", limit + 1))).send());
    }
}

#[test]
fn informational_replies_count_as_part_of_the_head() {
    let server = Server::http(|exchange| {
        let count: usize = exchange.target()[1..].parse().unwrap();
        for _ in 0..count {
            exchange.write("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
        }
        exchange.reply(200, &[], b"real");
    });
    let client = builder().limits(Limits::default().header_bytes(8 << 10)).build().unwrap();
    for count in [0, 1, 100] {
        let reply = client.get(server.url(&format!("/{count}"))).send().unwrap();
        assert_eq!(reply.text(), "real");
    }
    assert_limited(client.get(server.url("/1000")).send());
}
