//! What a call leaves behind when the server has answered.

use std::time::Duration;

use abide::{BlockingRequest, ErrorKind, NetworkRequest, Timeouts, header};

use super::{CANCELLED, Counted, FINE, REFUSED, TIMED_OUT, failed, plain};
use crate::{
    clients::await_quiet,
    support::{Exchange, Server},
};

/// Answers `/404` with that status, and with a body that says so.
fn by_target(exchange: &mut Exchange) {
    let status = exchange.target()[1..].parse().unwrap();
    let body = match status {
        204 | 304 => String::new(),
        _ => format!("the words of {status}"),
    };
    exchange.reply(status, &[("x-kept", "yes"), ("location", "/elsewhere")], body.as_bytes());
}

#[test]
fn body_and_headers_of_an_error_status_can_be_read() {
    let server = Server::http(by_target);
    let request = Counted::new();
    for status in [400, 401, 404, 418, 499, 500, 503, 599] {
        let url = server.url(&format!("/{status}"));
        let check = || {
            let (reply, error) = (request.reply(), request.error().unwrap());
            assert_eq!(reply.status(), status);
            assert_eq!(reply.text(), format!("the words of {status}"));
            assert_eq!(reply.header("x-kept"), Some("yes"));
            assert_eq!(error.status(), Some(reply.status()));
            assert_eq!(error.reply().unwrap().bytes(), reply.bytes());
            assert!(request.error_message().contains(&status.to_string()));
        };
        request.expect(REFUSED, |request| request.get(&url, plain()));
        check();
        request.expect(REFUSED, |request| request.post(&url, "body", plain()));
        check();
        request.expect(REFUSED, |request| request.put(&url, "body", None));
        check();
        request.expect(REFUSED, |request| request.delete(&url, None));
        check();
        request.expect(REFUSED, |request| request.head(&url, plain()));
        assert_eq!(
            (request.reply().status().as_u16(), request.reply().text()),
            (status, "".into())
        );
    }
}

#[test]
fn a_status_below_400_is_no_error() {
    let server = Server::http(by_target);
    let request = Counted::new();
    for status in [200, 201, 203, 206, 226, 300, 305, 306, 399] {
        request.expect(FINE, |request| request.get(server.url(&format!("/{status}")), plain()));
        assert_eq!(request.reply().status(), status);
        assert_eq!(request.reply().text(), format!("the words of {status}"));
        assert_eq!(request.reply().header("location"), Some("/elsewhere"));
        assert!(request.error().is_none());
    }
    assert_eq!(server.requests(), 9);
}

#[test]
fn an_empty_answer_to_get_is_an_error_that_keeps_the_head() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[("x-kept", "yes")], b"");
    });
    let request = Counted::new();
    request.expect(REFUSED, |request| request.get(server.url("/"), plain()));
    assert!(request.error_message().contains("empty response"), "{}", request.error_message());
    let reply = request.reply();
    assert_eq!((reply.status().as_u16(), reply.header("x-kept")), (200, Some("yes")));
    assert!(reply.bytes().is_empty() && reply.request_id() > 0);
}

#[test]
fn an_empty_answer_to_get_is_fine_when_the_options_say_so() {
    let server = Server::http(by_target);
    let request = Counted::new();
    let allowed = plain().empty_response_is_valid(true);
    request.expect(FINE, |request| request.get(server.url("/204"), allowed));
    assert_eq!(request.reply().status(), 204);
    request.expect(FINE, |request| request.get(server.url("/304"), allowed));
    request.expect(REFUSED, |request| request.get(server.url("/404"), allowed));
    request.expect(REFUSED, |request| {
        request.get(server.url("/204"), allowed.empty_response_is_valid(false))
    });
}

#[test]
fn an_empty_answer_to_another_verb_is_fine() {
    let server = Server::http(by_target);
    let (request, url) = (Counted::new(), server.url("/204"));
    request.expect(FINE, |request| request.head(&url, plain()));
    request.expect(FINE, |request| request.post(&url, "body", plain()));
    request.expect(FINE, |request| request.put(&url, "body", None));
    request.expect(FINE, |request| request.delete(&url, None));
    request.expect(FINE, |request| request.delete_resource(&url, None));
}

#[test]
fn a_part_that_was_asked_for_is_delivered() {
    let server = Server::http(|exchange| {
        assert_eq!(exchange.request().header("range"), Some("bytes=0-3"));
        exchange.reply(206, &[("content-range", "bytes 0-3/100")], b"part");
    });
    let part = NetworkRequest::new(server.url("/")).header(header::RANGE, "bytes=0-3");
    let request = Counted::new();
    request.expect(FINE, |request| request.get(&part, plain()));
    assert_eq!((request.reply().status().as_u16(), request.reply().text()), (206, "part".into()));
}

#[test]
fn the_whole_in_place_of_a_part_is_refused_and_not_received() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "1000000000000")]);
        exchange.write("the whole of it, which nobody can want");
        exchange.await_client_gone();
        exchange.signal("gone");
    });
    let part = NetworkRequest::new(server.url("/")).header(header::RANGE, "bytes=0-3");
    let request = Counted::new();
    request.expect(REFUSED, |request| request.get(&part, plain()));
    let message = request.error_message();
    assert!(message.contains("the server does not support range requests"), "{message}");
    assert!(request.reply().bytes().is_empty());
    server.await_signal("gone", 1);
}

#[test]
fn a_refused_part_is_a_reply_like_any_other() {
    let server = Server::http(by_target);
    let part = NetworkRequest::new(server.url("/416")).header(header::RANGE, "bytes=900-");
    let request = Counted::new();
    request.expect(REFUSED, |request| request.get(&part, plain()));
    assert_eq!(request.reply().text(), "the words of 416");
}

#[test]
fn before_the_first_call_all_is_empty() {
    for request in [BlockingRequest::new(), BlockingRequest::default()] {
        let reply = request.reply();
        assert_eq!((reply.request_id(), reply.bytes().len(), reply.headers().len()), (0, 0, 0));
        assert_eq!((reply.remote_addr(), reply.text(), reply.file_name()), (None, "".into(), None));
        assert!(request.error().is_none() && request.error_message().is_empty());
        assert_eq!(request.auth_cfg(), None);
        request.abort();
    }
}

#[test]
fn a_call_without_a_reply_leaves_an_empty_one() {
    let server = Server::http(by_target);
    let request = Counted::new();
    request.expect(FINE, |request| request.get(server.url("/200"), plain()));
    let kept = request.reply();
    request.expect(failed(ErrorKind::InvalidRequest), |request| request.get("", plain()));
    assert_eq!((request.reply().request_id(), request.reply().text()), (0, "".into()));
    assert_eq!(kept.text(), "the words of 200");
    request.expect(FINE, |request| request.get(server.url("/200"), plain()));
    assert!(request.reply().request_id() > kept.request_id());
    assert!(request.error_message().is_empty());
}

#[test]
fn one_object_serves_many_calls_of_all_kinds() {
    let server = Server::http(|exchange| match exchange.target() {
        "/silent" => exchange.await_client_gone(),
        _ => by_target(exchange),
    });
    let client = crate::clients::client();
    let request = Counted::with(&client);
    let cancelled = abide::Feedback::new();
    cancelled.cancel();
    let soon = Timeouts::default().total(Duration::from_millis(20));
    for round in 1..=50 {
        request.expect(FINE, |request| request.get(server.url("/200"), plain()));
        request.expect(REFUSED, |request| request.post(server.url("/404"), "body", plain()));
        request.expect(failed(ErrorKind::InvalidRequest), |request| request.get("xyz:", plain()));
        request.expect(CANCELLED, |request| {
            request.get(server.url("/200"), plain().feedback(&cancelled))
        });
        if round % 10 == 0 {
            let silent = NetworkRequest::new(server.url("/silent")).timeouts(soon);
            request.expect(TIMED_OUT, |request| request.get(&silent, plain()));
        }
        request.expect(FINE, |request| request.put(server.url("/204"), "body", None));
        assert_eq!(request.reply().status(), 204);
    }
    assert_eq!(server.requests(), 50 * 3 + 5);
    // A call that timed out takes its connection along; all others share one.
    assert_eq!(server.connections(), 6);
    await_quiet(&client);
}

#[test]
fn objects_of_one_client_share_its_connections() {
    let server = Server::http(by_target);
    let client = crate::clients::client();
    for _ in 0..3 {
        let request = Counted::with(&client);
        request.expect(FINE, |request| request.get(server.url("/200"), plain()));
    }
    assert_eq!((server.connections(), server.requests()), (1, 3));
}
