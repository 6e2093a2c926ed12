//! A reply is a value, complete and easy to read.

use abide::{ErrorKind, Version};

use crate::{
    clients::client,
    support::{Exchange, Server},
};

#[test]
fn a_reply_tells_what_came() {
    let server = Server::http(|exchange| {
        exchange.reply(203, &[("x-one", "1"), ("x-two", "a"), ("x-two", "b")], b"hello");
    });
    let reply = client().get(server.url("/where?q=1")).send().unwrap();
    assert_eq!(reply.status(), 203);
    assert_eq!(reply.version(), Version::HTTP_11);
    assert_eq!(reply.header("X-One"), Some("1"));
    assert_eq!(reply.headers().get_all("x-two").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(&reply.bytes()[..], b"hello");
    assert_eq!(reply.url().as_str(), server.url("/where?q=1"));
    assert_eq!(reply.remote_addr(), Some(server.addr()));
    assert!(reply.local_addr().unwrap().ip().is_loopback());
    assert_eq!(reply.attempts(), 1);
    assert!(reply.trailers().is_empty());
}

#[test]
fn calls_have_numbers_of_their_own() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"");
    });
    let client = client();
    let one = client.get(server.url("/")).send().unwrap();
    let two = client.get(server.url("/")).send().unwrap();
    assert_ne!(one.request_id(), two.request_id());
    assert_eq!(one.clone().request_id(), one.request_id());
    assert!(!one.reused_connection());
    assert!(two.reused_connection());
}

#[test]
fn an_error_status_is_a_reply_until_asked_otherwise() {
    let server = Server::http(|exchange| {
        exchange.reply(404, &[("x-why", "gone")], b"not here");
    });
    let reply = client().get(server.url("/secret?token=hidden")).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (404, "not here"));
    let error = reply.error_for_status().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Status);
    assert_eq!(error.status().unwrap(), 404);
    let behind = error.reply().unwrap();
    assert_eq!((behind.header("x-why"), behind.text().as_str()), (Some("gone"), "not here"));
    assert!(error.to_string().contains("404"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hidden"), "{error:?}");
}

#[test]
fn a_good_status_passes_the_question() {
    let server = Server::http(|exchange| {
        let status = exchange.target()[1..].parse().unwrap();
        exchange.reply(status, &[], b"");
    });
    for (status, is_good) in [(200, true), (204, true), (304, true), (399, true), (400, false)] {
        let reply = client().get(server.url(&format!("/{status}"))).send().unwrap();
        assert_eq!(reply.error_for_status().is_ok(), is_good, "{status}");
    }
}

#[test]
fn replies_without_a_body_do_not_wait_for_one() {
    let server = Server::http(|exchange| match exchange.target() {
        "/head" => drop(exchange.write("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n")),
        "/chunked" => drop(exchange.begin_reply(200, &[("transfer-encoding", "chunked")])),
        "/204" => drop(exchange.write("HTTP/1.1 204 No Content\r\n\r\n")),
        _ => drop(exchange.write("HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n")),
    });
    let client = client();
    let head = client.head(server.url("/head")).send().unwrap();
    assert_eq!((head.header("content-length"), head.bytes().len()), (Some("99"), 0));
    assert_eq!(client.head(server.url("/chunked")).send().unwrap().bytes().len(), 0);
    assert_eq!(client.get(server.url("/204")).send().unwrap().bytes().len(), 0);
    assert_eq!(client.get(server.url("/304")).send().unwrap().status(), 304);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[]);
        exchange.write("all of it");
        exchange.close();
    });
    let reply = client().get(server.url("/")).send().unwrap();
    assert_eq!(reply.text(), "all of it");
}

#[test]
fn an_old_server_is_understood_and_not_kept() {
    let server = Server::http(|exchange| {
        exchange.write("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold");
        exchange.await_client_gone();
    });
    let client = client();
    for _ in 0..2 {
        let reply = client.get(server.url("/")).send().unwrap();
        assert_eq!((reply.version(), reply.text().as_str()), (Version::HTTP_10, "old"));
        server.await_open(0);
    }
}

#[test]
fn trailers_come_after_a_chunked_body() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("transfer-encoding", "chunked"), ("trailer", "x-sum")]);
        exchange.write("3\r\nabc\r\n2;extension=1\r\nde\r\n0\r\nx-sum: 42\r\n\r\n");
    });
    let reply = client().get(server.url("/")).header("te", "trailers").send().unwrap();
    assert_eq!(reply.text(), "abcde");
    assert_eq!(reply.trailers().get("x-sum").unwrap(), "42");
}

#[test]
fn an_informational_reply_is_not_the_reply() {
    let server = Server::http(|exchange| {
        exchange
            .write("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
        exchange.reply(200, &[], b"real");
    });
    let reply = client().get(server.url("/")).send().unwrap();
    assert_eq!((reply.text().as_str(), reply.header("link")), ("real", None));
}

#[test]
fn timings_follow_the_order_of_events() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "4")]);
        exchange.write("ab");
        exchange.write("cd");
    });
    let client = client();
    let reply = client.get(server.url_at("localhost", "/")).send();
    let fresh = *reply.unwrap().timings();
    let times =
        [fresh.resolved(), fresh.connected(), fresh.sent(), fresh.first_byte(), fresh.last_byte()];
    assert!(times.iter().all(Option::is_some), "{fresh:?}");
    assert!(times.is_sorted(), "{fresh:?}");
    assert_eq!(fresh.tls_done(), None);

    let first = *fresh.connection().unwrap();
    assert_eq!((first.is_reused(), first.protocol()), (false, Version::HTTP_11));
    assert_eq!((first.peer_addr(), first.tls_version()), (Some(server.addr()), None));
    assert!(first.number() > 0 && first.local_addr().is_some(), "{first:?}");

    let reused = *client.get(server.url_at("localhost", "/")).send().unwrap().timings();
    let again = *reused.connection().unwrap();
    assert_eq!((again.is_reused(), again.number()), (true, first.number()));
    assert_eq!((reused.resolved(), reused.connected()), (None, None));
    assert!(reused.queued() <= reused.sent().unwrap());
    assert!(reused.first_byte() <= reused.last_byte());
}

#[test]
fn the_file_name_is_taken_from_the_disposition() {
    let cases = [
        ("attachment; filename=\"a b.txt\"", Some("a b.txt")),
        ("attachment; filename=plain.txt", Some("plain.txt")),
        ("attachment; filename=\"x\"; filename*=UTF-8''na%C3%AFve.txt", Some("naïve.txt")),
        ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
        ("attachment", None),
    ];
    let server = Server::http(|exchange: &mut Exchange| {
        let wanted = exchange.request().header("x-case").unwrap().to_owned();
        exchange.reply(200, &[("content-disposition", &wanted)], b"");
    });
    let client = client();
    for (disposition, expected) in cases {
        let reply = client.get(server.url("/")).header("x-case", disposition).send().unwrap();
        assert_eq!(reply.file_name().as_deref(), expected, "{disposition}");
    }
}

#[test]
fn text_without_a_charset_is_utf_8() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[("content-type", "text/plain")], b"gr\xc3\xbcn \xff");
    });
    assert_eq!(client().get(server.url("/")).send().unwrap().text(), "grün \u{fffd}");
}
