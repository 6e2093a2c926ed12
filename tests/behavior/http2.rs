//! HTTP/2: many calls share a connection.

use std::time::Duration;

use abide::{Body, Client, ErrorKind, Limits, Reply, Version};
use h2::server::Builder;

use crate::{
    clients::{await_quiet, trusting},
    support::{Server, Spans, StreamExchange},
    waiting::{Running, start},
};

pub(crate) fn client() -> Client {
    trusting().build().unwrap()
}

pub(crate) async fn echo(mut exchange: StreamExchange) {
    if let Some(body) = exchange.try_read_body().await {
        exchange.reply(200, &[], body).await;
    }
}

pub(crate) async fn stall(mut exchange: StreamExchange) {
    exchange.signal("waiting");
    exchange.await_reset().await;
    exchange.signal("gone");
}

pub(crate) fn get(client: &Client, url: String) -> Running<abide::Result<Reply>> {
    let client = client.clone();
    start(move || client.get(url).send())
}

fn streams_max(count: u32) -> Builder {
    let mut settings = Builder::new();
    settings.max_concurrent_streams(count);
    settings
}

/// The engine has spans of its own, which are entered by whoever drives the connection.
#[test]
fn a_call_over_http2_has_the_same_spans_as_any_other() {
    let server = Server::http2(echo);
    let (client, spans) = (client(), Spans::default());
    let url = server.url("/");
    spans.during(|| {
        (0..20).for_each(|_| assert_eq!(client.get(&url).send().unwrap().status(), 200))
    });
    await_quiet(&client);
    let exchanges = spans.named("exchange");
    assert_eq!(exchanges.len(), 20);
    for exchange in &exchanges {
        assert_eq!(spans.path(exchange), ["call", "hop", "attempt", "exchange"]);
        assert_eq!(exchange.get("network.protocol.version"), "2");
        assert!(exchange.is_closed);
    }
}

#[test]
fn many_calls_share_one_connection() {
    let server = Server::http2(|mut exchange| async move {
        exchange.signal("in");
        exchange.await_signal("in", 32).await;
        let target = exchange.target().to_owned();
        exchange.reply(200, &[], target).await;
    });
    let client = client();
    let calls: Vec<_> =
        (0..32).map(|index| get(&client, server.url(&format!("/{index}")))).collect();
    for (index, call) in calls.into_iter().enumerate() {
        let reply = call.join().unwrap();
        assert_eq!((reply.version(), reply.text()), (Version::HTTP_2, format!("/{index}")));
    }
    assert_eq!((server.connections(), server.handshakes()), (1, 1));
    assert_eq!(client.stats().connections_opened(), 1);
}

#[test]
fn bodies_cross_in_both_directions() {
    let server = Server::http2(echo);
    let client = client();
    let content: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    for body in [
        Body::from(content.clone()),
        Body::reader(&content[..]),
        Body::sized_reader(&content[..], content.len() as u64),
    ] {
        let reply = client.post(server.url("/")).body(body).send().unwrap();
        assert!(reply.bytes()[..] == content[..], "{} bytes came back", reply.bytes().len());
    }
    assert!(client.post(server.url("/")).send().unwrap().bytes().is_empty());
    assert_eq!(server.connections(), 1);
}

#[test]
fn headers_and_trailers_come_through() {
    let server = Server::http2(|mut exchange| async move {
        let request = exchange.request();
        assert_eq!((request.method.as_str(), request.header("x-up")), ("GET", Some("1")));
        assert_eq!(request.header("connection"), None);
        exchange.begin_reply(203, &[("x-two", "a"), ("x-two", "b")]);
        exchange.write("body").await;
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", http::HeaderValue::from_static("42"));
        exchange.finish_with(trailers);
    });
    let reply = client().get(server.url("/")).header("x-up", "1").send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (203, "body"));
    assert_eq!(reply.headers().get_all("x-two").iter().count(), 2);
    assert_eq!(reply.trailers().get("x-sum").unwrap(), "42");
}

#[test]
fn http1_only_is_respected() {
    let server = Server::https(|exchange| {
        exchange.reply(200, &[], b"");
    });
    let client = trusting().http1_only().build().unwrap();
    assert_eq!(client.get(server.url("/")).send().unwrap().version(), Version::HTTP_11);
    let server = Server::http2(echo);
    let error = client.get(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
}

#[test]
fn a_body_nobody_reads_holds_up_nobody_else() {
    let server = Server::http2(|mut exchange| async move {
        match exchange.target() {
            "/flood" => {
                exchange.begin_reply(200, &[]);
                while exchange.write(vec![0; 100_000]).await {
                    exchange.signal("piece");
                }
            }
            _ => echo(exchange).await,
        }
    });
    let client = client();
    let held = client.get(server.url("/flood")).open().unwrap();
    for _ in 0..20 {
        let reply = client.post(server.url("/")).body(vec![1; 200_000]).send().unwrap();
        assert_eq!(reply.bytes().len(), 200_000);
    }
    assert!(server.signalled("piece") <= 240, "{} pieces", server.signalled("piece"));
    assert_eq!(server.connections(), 1);
    drop(held);
    server.await_resets(1);
}

#[test]
fn the_servers_bound_of_streams_is_kept() {
    let server = Server::http2_of(streams_max(2), |mut exchange| async move {
        exchange.signal("in");
        exchange.await_signal("go", 1).await;
        exchange.reply(200, &[], "ok").await;
    });
    let limits = Limits::default().http2_connections_per_route(2);
    let client = trusting().limits(limits).build().unwrap();
    let first = get(&client, server.url("/"));
    server.await_signal("in", 1);
    let calls: Vec<_> = (0..9).map(|_| get(&client, server.url("/"))).collect();
    server.await_signal("in", 2);
    server.signal("go");
    for call in calls {
        assert_eq!(call.join().unwrap().text(), "ok");
    }
    first.join().unwrap();
    assert!(server.connections() <= 2, "{} connections", server.connections());
    assert_eq!(server.requests(), 10);
    await_quiet(&client);
}

#[test]
fn calls_at_a_new_host_make_one_handshake() {
    let server = Server::http2(echo);
    let client = client();
    let calls: Vec<_> = (0..20).map(|_| get(&client, server.url("/"))).collect();
    calls.into_iter().for_each(|call| drop(call.join().unwrap()));
    assert_eq!((server.connections(), server.handshakes()), (1, 1));
}

#[test]
fn an_idle_connection_is_closed_in_time() {
    let server = Server::http2(echo);
    let client = trusting().idle_timeout(Duration::from_millis(50)).build().unwrap();
    client.get(server.url("/")).send().unwrap();
    server.await_open(0);
    client.get(server.url("/")).send().unwrap();
    assert_eq!(server.connections(), 2);
}
