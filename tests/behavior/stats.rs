//! What a client tells about itself adds up.

use std::io::Read as _;

use abide::{ErrorKind, Feedback, Limits, RetryPolicy};

use crate::{
    clients::{await_quiet, await_stats, builder, client},
    support::{Exchange, Server},
    waiting::start,
};

fn hello(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"hello");
}

/// Answers when the test says so.
fn held(exchange: &mut Exchange) {
    exchange.await_signal("go on", 1);
    exchange.reply(200, &[], b"");
}

#[test]
fn a_client_that_has_done_nothing_tells_of_nothing() {
    let stats = client().stats();
    assert_eq!(stats, abide::Stats::default());
    assert!(stats.routes().is_empty() && stats.failures_by_kind().next().is_none());
}

#[test]
fn routes_are_told_apart_and_add_up_to_the_whole() {
    let (first, second) = (Server::http(hello), Server::http(held));
    let limits = Limits::default().places_per_route(2);
    let client = builder().limits(limits).build().unwrap();
    client.get(first.url("/secret/path?key=word")).send().unwrap();
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let (client, url) = (client.clone(), second.url("/"));
            start(move || client.get(url).send().unwrap())
        })
        .collect();
    second.await_requests(2);
    await_stats(&client, "the third waits", |stats| stats.queued() == 1 && stats.dialing() == 0);
    let stats = client.stats();
    let mut expected = [
        (format!("http://{}", first.addr()), (1, 1, 0, 0, 0)),
        (format!("http://{}", second.addr()), (2, 0, 2, 1, 0)),
    ];
    expected.sort();
    let told: Vec<_> = stats
        .routes()
        .iter()
        .map(|route| {
            let counts =
                (route.open(), route.idle(), route.active(), route.queued(), route.dialing());
            (route.route(), counts)
        })
        .collect();
    assert_eq!(told, expected);
    assert_eq!((stats.open(), stats.idle(), stats.active(), stats.queued()), (3, 1, 2, 1));
    second.signal("go on");
    calls.into_iter().for_each(|call| drop(call.join()));
    await_quiet(&client);
    let stats = client.stats();
    assert_eq!((stats.calls(), stats.exchanges(), stats.reuses()), (4, 4, 1));
    assert_eq!((stats.retries(), stats.failures()), (0, 0));
}

#[test]
fn a_route_shows_where_it_leads_and_no_secret() {
    let proxy = Server::http(hello);
    let url = format!("http://user:pa55@{}", proxy.addr());
    let client = builder().proxy(abide::Proxy::new(&url).unwrap()).build().unwrap();
    client.get("http://name:w0rd@origin.test/path?key=t0ken").send().unwrap();
    let stats = client.stats();
    assert_eq!(stats.routes()[0].route(), format!("by http://{}", proxy.addr()));
    let shown = format!("{stats:?}");
    assert!(!["pa55", "w0rd", "t0ken", "path"].iter().any(|word| shown.contains(word)), "{shown}");
}

#[test]
fn the_bytes_of_connections_count_while_they_are_open_and_when_they_have_gone() {
    let server = Server::http(|exchange| {
        let body = exchange.read_body();
        exchange.begin_reply(200, &[("content-length", "100000")]);
        exchange.write(&body);
        exchange.await_signal("go on", 1);
        exchange.write(vec![b'x'; 90_000]);
    });
    let client = client();
    let mut reply = client.post(server.url("/")).body(vec![b'y'; 10_000]).open().unwrap();
    let mut begun = [0; 10_000];
    reply.read_exact(&mut begun).unwrap();
    let early = client.stats();
    assert!((10_000..11_000).contains(&early.bytes_sent()), "{early:?}");
    assert!((10_000..11_000).contains(&early.bytes_received()), "{early:?}");
    server.signal("go on");
    reply.read_to_end(&mut Vec::new()).unwrap();
    await_stats(&client, "it is idle", |stats| stats.idle() == 1);
    let open = client.stats();
    assert!((100_000..101_000).contains(&open.bytes_received()), "{open:?}");
    client.close_idle();
    await_stats(&client, "it is closed", |stats| stats.open() == 0);
    let closed = client.stats();
    let totals = |stats: &abide::Stats| (stats.bytes_sent(), stats.bytes_received());
    assert_eq!((totals(&closed), closed.exchanges()), (totals(&open), 1));
}

#[test]
fn retries_count_and_redirects_are_exchanges() {
    let server = Server::http(|exchange| match exchange.target() {
        "/moved" => drop(exchange.reply(302, &[("location", "/unwilling")], b"")),
        _ if exchange.request_index() < 3 => drop(exchange.reply(503, &[], b"")),
        _ => drop(exchange.reply(200, &[], b"")),
    });
    let retries = RetryPolicy::up_to(5).first_delay(std::time::Duration::from_millis(1));
    let client = builder().retries(retries).build().unwrap();
    assert_eq!(client.get(server.url("/moved")).send().unwrap().status(), 200);
    let stats = client.stats();
    assert_eq!(stats.calls(), 1);
    assert_eq!(stats.exchanges(), server.requests() as u64);
    assert_eq!(stats.retries(), stats.exchanges() - 2);
    assert!(stats.retries() > 0, "{stats:?}");
}

#[test]
fn failures_count_once_by_their_kind() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "5")]);
        exchange.write("he");
        exchange.cut();
    });
    let client = client();
    let cancelled = Feedback::new();
    cancelled.cancel();
    for _ in 0..2 {
        client.get(server.url("/")).feedback(&cancelled).send().unwrap_err();
    }
    let whole = client.get(server.url("/")).send().unwrap_err();
    let mut open = client.get(server.url("/")).open().unwrap();
    for _ in 0..2 {
        open.read_to_end(&mut Vec::new()).unwrap_err();
    }
    drop(open.into_reply().unwrap_err());
    drop(client.get(server.url("/")).open().unwrap().into_reply().unwrap_err());
    let stats = client.stats();
    let expected = [(ErrorKind::Cancelled, 2), (whole.kind(), 3)];
    assert_eq!(stats.failures_by_kind().collect::<Vec<_>>(), expected);
    assert_eq!((stats.failures(), stats.calls()), (5, 5));
    assert_eq!(stats.failures_of(ErrorKind::Cancelled), 2);
    assert_eq!(stats.failures_of(ErrorKind::Resolve), 0);
}

#[cfg(all(feature = "tls", feature = "http2"))]
#[test]
fn exchanges_that_share_a_connection_at_once_are_reuses_too() {
    use crate::{clients::trusting, support::StreamExchange};
    use abide::Version;
    let server = Server::http2(|mut exchange: StreamExchange| async move {
        exchange.reply(200, &[], "hello").await;
    });
    let client = trusting().build().unwrap();
    let mut numbers = Vec::new();
    for index in 0..3 {
        let reply = client.get(server.url_at("localhost", "/")).send().unwrap();
        let connection = *reply.timings().connection().unwrap();
        assert_eq!((connection.protocol(), connection.is_reused()), (Version::HTTP_2, index > 0));
        numbers.push(connection.number());
    }
    numbers.dedup();
    assert_eq!(numbers.len(), 1);
    let stats = client.stats();
    let route = &stats.routes()[0];
    assert!(route.is_http2() && route.route().starts_with("https://localhost:"), "{route:?}");
    assert_eq!((stats.exchanges(), stats.reuses(), route.open()), (3, 2, 1));
}
