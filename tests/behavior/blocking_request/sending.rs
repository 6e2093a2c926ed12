//! What the server sees of a call.

use std::io::{self, Read};

use abide::{Body, CallOptions, NetworkRequest, Url, header};

use super::{Counted, FINE, plain};
use crate::support::{Exchange, Server};

/// Answers with the method and the body that came.
fn mirror(exchange: &mut Exchange) {
    let body = String::from_utf8(exchange.read_body()).unwrap();
    let method = exchange.request().method.clone();
    exchange.reply(200, &[("x-method", &method)], format!("{method}:{body}").as_bytes());
}

#[test]
fn each_verb_sends_its_method_and_its_body() {
    let server = Server::http(mirror);
    let (request, url) = (Counted::new(), server.url("/"));
    request.expect(FINE, |request| request.get(&url, plain()));
    assert_eq!(request.reply().text(), "GET:");
    request.expect(FINE, |request| request.head(&url, plain()));
    assert_eq!(
        (request.reply().header("x-method"), request.reply().bytes().len()),
        (Some("HEAD"), 0)
    );
    request.expect(FINE, |request| request.post(&url, "posted", plain()));
    assert_eq!(request.reply().text(), "POST:posted");
    request.expect(FINE, |request| request.put(&url, "put", None));
    assert_eq!(request.reply().text(), "PUT:put");
    request.expect(FINE, |request| request.delete(&url, None));
    assert_eq!(request.reply().text(), "DELETE:");
    request.expect(FINE, |request| request.delete_resource(&url, None));
    assert_eq!(request.reply().text(), "DELETE:");
    request.expect(FINE, |request| request.post(&url, (), plain()));
    assert_eq!(request.reply().text(), "POST:");
    assert_eq!(content_lengths(&server), ["-", "-", "6", "3", "-", "-", "0"]);
}

fn content_lengths(server: &Server) -> Vec<String> {
    let seen = server.seen();
    seen.iter().map(|seen| seen.header("content-length").unwrap_or("-").to_owned()).collect()
}

#[test]
fn a_reader_may_be_sent_whether_or_not_its_length_is_known() {
    let server = Server::http(mirror);
    let (request, url) = (Counted::new(), server.url("/"));
    let text = String::from("borrowed");
    let reader = || text.as_bytes();
    request.expect(FINE, |request| request.post(&url, Body::reader(reader()), plain()));
    assert_eq!(request.reply().text(), "POST:borrowed");
    request.expect(FINE, |request| request.put(&url, Body::reader(reader()), None));
    assert_eq!(request.reply().text(), "PUT:borrowed");
    request.expect(FINE, |request| request.post(&url, Body::sized_reader(reader(), 8), plain()));
    request.expect(FINE, |request| request.put(&url, Body::sized_reader(reader(), 8), None));
    assert_eq!(request.reply().text(), "PUT:borrowed");
    assert_eq!(content_lengths(&server), ["-", "-", "8", "8"]);
}

#[test]
fn a_reader_is_sent_while_it_is_read() {
    /// Gives a piece only when the server has got the one before.
    struct Paced<'s>(&'s Server, usize);

    impl Read for Paced<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.await_signal("piece", self.1);
            self.1 += 1;
            if self.1 > 5 {
                return Ok(0);
            }
            buffer[..1000].fill(7);
            Ok(1000)
        }
    }

    let server = Server::http(|exchange| {
        let mut bytes = 0;
        while let Some(piece) = exchange.read_body_piece(usize::MAX) {
            bytes += piece.len();
            if bytes % 1000 == 0 {
                exchange.signal("piece");
            }
        }
        exchange.reply(200, &[], bytes.to_string().as_bytes());
    });
    let request = Counted::new();
    let body = Body::reader(Paced(&server, 0));
    request.expect(FINE, |request| request.post(server.url("/"), body, plain()));
    assert_eq!(request.reply().text(), "5000");
}

#[test]
fn a_forced_refresh_asks_the_caches_on_the_way() {
    let server = Server::http(mirror);
    let (request, url) = (Counted::new(), server.url("/"));
    let forced = plain().force_refresh(true);
    request.expect(FINE, |request| request.get(&url, forced));
    request.expect(FINE, |request| request.head(&url, forced));
    request.expect(FINE, |request| request.post(&url, "body", forced));
    request.expect(FINE, |request| request.put(&url, "body", None));
    request.expect(FINE, |request| request.delete(&url, None));
    request.expect(FINE, |request| request.delete_resource(&url, None));
    assert_eq!(cache_headers(&server), ["no-cache, pragma: no-cache"; 6]);
}

#[test]
fn nothing_is_said_to_caches_unless_it_is_asked_for() {
    let server = Server::http(mirror);
    let (request, url) = (Counted::new(), server.url("/"));
    for options in [plain(), plain().force_refresh(true).force_refresh(false)] {
        request.expect(FINE, |request| request.get(&url, options));
        request.expect(FINE, |request| request.head(&url, options));
        request.expect(FINE, |request| request.post(&url, "body", options));
    }
    assert_eq!(cache_headers(&server), [""; 6]);
}

#[test]
fn a_cache_control_of_the_request_wins_over_a_forced_refresh() {
    let server = Server::http(mirror);
    let own = NetworkRequest::new(server.url("/")).header(header::CACHE_CONTROL, "max-age=7");
    let request = Counted::new();
    let forced = plain().force_refresh(true);
    request.expect(FINE, |request| request.get(&own, forced));
    request.expect(FINE, |request| request.post(&own, "body", forced));
    request.expect(FINE, |request| request.put(&own, "body", None));
    request.expect(FINE, |request| request.delete(&own, None));
    assert_eq!(cache_headers(&server), ["max-age=7"; 4]);
}

/// What each request said to caches: its `Cache-Control`, and its `Pragma` if there is one.
fn cache_headers(server: &Server) -> Vec<String> {
    let seen = server.seen();
    let headers = seen.iter().map(|seen| {
        let controls = seen.headers_named("cache-control").map(str::to_owned);
        let pragmas = seen.headers_named("pragma").map(|value| format!("pragma: {value}"));
        controls.chain(pragmas).collect::<Vec<_>>().join(", ")
    });
    headers.collect()
}

#[test]
fn a_request_is_the_same_after_any_number_of_calls() {
    let server = Server::http(mirror);
    let given = NetworkRequest::new(server.url("/a?b=c")).header("x-own", "kept");
    let before = format!("{given:?}");
    let request = Counted::new();
    for _ in 0..3 {
        request.expect(FINE, |request| request.get(&given, plain().force_refresh(true)));
        request.expect(FINE, |request| request.put(&given, "body", None));
    }
    request.expect(FINE, |request| request.get(&given, plain()));
    assert_eq!(format!("{given:?}"), before);
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.header("x-own") == Some("kept")));
    assert!(seen.iter().all(|seen| seen.target == "/a?b=c"));
    assert_eq!(cache_headers(&server).last().unwrap(), "");
}

#[test]
fn a_url_may_be_given_in_any_form() {
    let server = Server::http(mirror);
    let (request, url) = (Counted::new(), server.url("/"));
    request.expect(FINE, |request| request.get(url.as_str(), plain()));
    request.expect(FINE, |request| request.get(&url, plain()));
    request.expect(FINE, |request| request.get(url.clone(), plain()));
    request.expect(FINE, |request| request.get(Url::parse(&url).unwrap(), plain()));
    request.expect(FINE, |request| request.get(NetworkRequest::new(&url), CallOptions::default()));
    assert_eq!(server.requests(), 5);
}
