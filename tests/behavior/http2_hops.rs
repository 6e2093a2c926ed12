//! Redirects and retries over HTTP/2: the same rules, on streams of connections that are shared.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use abide::{Body, Client, ErrorKind, Method, Reply, RetryPolicy, StatusCode, Version, header};
use h2::Reason;

use crate::{
    clients::trusting,
    http2::client,
    support::{Server, StreamExchange},
};

/// What a server was asked, in order.
fn asked(server: &Server) -> Vec<String> {
    let asked =
        |request: &crate::support::Request| format!("{} {}", request.method, request.target);
    server.seen().iter().map(asked).collect()
}

fn past(reply: &Reply) -> Vec<u16> {
    reply.history().iter().map(|hop| hop.status().as_u16()).collect()
}

/// Leads from `/307` to `/`, and so on, before or after it has read the content.
async fn lead(mut exchange: StreamExchange) {
    let content = match exchange.target() {
        "/early/307" => Vec::new(),
        _ => exchange.try_read_body().await.unwrap_or_default(),
    };
    match exchange.target().rsplit('/').next().unwrap().parse() {
        Ok(status) => exchange.reply(status, &[("location", "/")], "elsewhere").await,
        Err(_) => exchange.reply(200, &[], content).await,
    };
}

#[test]
fn rfc_9110_section_15_4_8_a_307_repeats_a_post_and_its_content() {
    let server = Server::http2(lead);
    let client = client();
    let large = vec![7; 700_000];
    for path in ["/307", "/308", "/early/307"] {
        let reply = client.post(server.url(path)).body(&large).send().unwrap();
        assert_eq!((reply.version(), past(&reply).len()), (Version::HTTP_2, 1), "{path}");
        assert!(reply.bytes() == &large, "{path}");
    }
    assert_eq!(
        asked(&server),
        ["POST /307", "POST /", "POST /308", "POST /", "POST /early/307", "POST /"]
    );
    assert_eq!(server.connections(), 1);
}

#[test]
fn content_that_cannot_be_sent_again_is_an_error_that_says_so() {
    let server = Server::http2(lead);
    let once = Body::reader(&b"once"[..]);
    let error = client().post(server.url("/307")).body(once).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect, "{error:?}");
    assert_eq!(asked(&server), ["POST /307"]);
}

#[test]
fn rfc_9110_section_15_4_4_a_303_becomes_a_get_without_content() {
    let server = Server::http2(lead);
    let client = client();
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let call = client.request(method, server.url("/303")).body("content");
        let reply = call.header(header::CONTENT_TYPE, "text/plain").send().unwrap();
        assert_eq!((reply.text().as_str(), past(&reply)), ("", vec![303]));
    }
    let reply = client.head(server.url("/303")).send().unwrap();
    assert_eq!((reply.status(), past(&reply)), (StatusCode::OK, vec![303]));
    for request in server.seen().iter().filter(|request| request.target == "/") {
        assert!(["GET", "HEAD"].contains(&&*request.method), "{}", request.method);
        assert_eq!(
            (request.header("content-type"), request.header("content-length")),
            (None, None)
        );
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_redirect_to_another_server_takes_no_secrets_along() {
    let target = Server::http2(lead);
    let place = target.url("/");
    let server = Server::http2(move |mut exchange| {
        let place = place.clone();
        async move {
            exchange.reply(307, &[("location", &place)], "").await;
        }
    });
    let call = client().post(server.url("/")).body("content").header(header::AUTHORIZATION, "x");
    let reply = call.header(header::COOKIE, "a=b").secret_header("x-key", "k").send().unwrap();
    assert_eq!((reply.text().as_str(), past(&reply)), ("content", vec![307]));
    let seen = &target.seen()[0];
    for name in ["authorization", "cookie", "x-key"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

#[test]
fn rfc_9113_section_8_7_a_hop_whose_stream_is_refused_is_sent_again() {
    let refusals = Arc::new(AtomicU32::new(2));
    let server = Server::http2(move |mut exchange| {
        let is_refused = exchange.target() == "/"
            && refusals
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok();
        async move {
            match is_refused {
                true => exchange.reset(Reason::REFUSED_STREAM),
                false => lead(exchange).await,
            }
        }
    });
    for (path, expected) in [("/302", "GET /"), ("/307", "POST /")] {
        let call = match expected {
            "GET /" => client().get(server.url(path)),
            _ => client().post(server.url(path)).body("content"),
        };
        let reply = call.send().unwrap();
        assert_eq!((reply.status(), past(&reply).len()), (StatusCode::OK, 1), "{path}");
        assert_eq!(asked(&server).last().unwrap(), expected);
    }
    assert_eq!(asked(&server)[..4], ["GET /302", "GET /", "GET /", "GET /"]);
}

#[test]
fn a_server_that_redirects_and_goes_is_found_again() {
    let server = Server::http2(|exchange| async move {
        if exchange.target() != "/" {
            exchange.go_away();
        }
        lead(exchange).await;
    });
    for path in ["/302", "/307"] {
        let reply = client().post(server.url(path)).body("content").send().unwrap();
        assert_eq!((reply.status(), past(&reply).len()), (StatusCode::OK, 1), "{path}");
    }
    assert_eq!(server.requests(), 4);
    assert_eq!(server.connections(), 4);
}

/// Answers with 503 twice, and then with what it was sent.
fn in_trouble() -> Server {
    let answers = AtomicU32::new(0);
    Server::http2(move |mut exchange| {
        let is_down = answers.fetch_add(1, Ordering::Relaxed) < 2;
        async move {
            let content = exchange.try_read_body().await.unwrap_or_default();
            match is_down {
                true => exchange.reply(503, &[("retry-after", "0")], "down").await,
                false => exchange.reply(200, &[], content).await,
            };
        }
    })
}

fn patient(policy: RetryPolicy) -> Client {
    trusting().retries(policy.first_delay(Duration::from_millis(1))).build().unwrap()
}

#[test]
fn a_policy_tries_again_after_a_503_on_the_same_connection() {
    let server = in_trouble();
    let reply = patient(RetryPolicy::up_to(3)).put(server.url("/")).body("content").send().unwrap();
    assert_eq!((reply.text().as_str(), reply.attempts()), ("content", 3));
    assert_eq!((server.requests(), server.connections()), (3, 1));
}

#[test]
fn a_policy_repeats_a_post_only_when_it_is_told_to() {
    let server = in_trouble();
    let client = patient(RetryPolicy::up_to(3));
    let reply = client.post(server.url("/")).body("content").send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.attempts()), (503, 1));
    let client = patient(RetryPolicy::up_to(3).any_method(true));
    let reply = client.post(server.url("/")).body("content").send().unwrap();
    assert_eq!((reply.text().as_str(), reply.attempts()), ("content", 2));
}
