//! Spans nest as the words do, are named as OpenTelemetry names them, and hold no secret.

use std::{
    cell::Cell,
    io::Read as _,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use abide::{ErrorKind, Feedback, Limits, RetryPolicy};

use crate::{
    clients::{builder, client},
    support::{Exchange, Server, Spans},
    waiting::in_time,
};

const NESTED: [&str; 4] = ["call", "hop", "attempt", "exchange"];

fn hello(exchange: &mut Exchange) {
    exchange.read_body();
    exchange.reply(200, &[("server", "scripted"), ("set-cookie", "id=w0rd")], b"hello");
}

/// The connection that the call was about to use is another one's then.
#[test]
fn a_subscriber_that_panics_while_a_call_begins_takes_no_connection_with_it() {
    let server = Server::http(hello);
    let client = builder().limits(Limits::default().places_per_route(1)).build().unwrap();
    let url = server.url("/");
    client.get(&url).send().unwrap();
    let panicked = Arc::new(AtomicUsize::new(0));
    let spans = Spans::leaving({
        let panicked = Arc::clone(&panicked);
        move |name| {
            if name == "call" && panicked.fetch_add(1, Ordering::SeqCst) == 0 {
                resume_unwind(Box::new("a subscriber's panic"));
            }
        }
    });
    let ended = spans.during(|| catch_unwind(AssertUnwindSafe(|| client.get(&url).send())));
    assert!(ended.is_err(), "the subscriber did not panic: {ended:?}");
    let other = client.clone();
    in_time(move || other.get(&url).send().unwrap());
}

#[test]
fn a_call_has_a_hop_that_has_an_attempt_that_has_an_exchange() {
    let server = Server::http(hello);
    let (client, spans) = (client(), Spans::default());
    let url = format!("http://user:pa55@{}/path?key=t0ken#top", server.addr());
    let reply = spans.during(|| {
        let outer = tracing::info_span!("outer");
        outer.in_scope(|| client.get(&url).send().unwrap())
    });
    let exchange = &spans.named("exchange")[0];
    assert_eq!(spans.path(exchange), [&["outer"][..], &NESTED].concat());
    let (port, shown) = (server.addr().port().to_string(), server.url("/path"));
    let connection = reply.timings().connection().unwrap().number().to_string();
    for (field, value) in [
        ("otel.kind", "client"),
        ("otel.name", "GET"),
        ("otel.status_code", ""),
        ("http.request.method", "GET"),
        ("http.request.resend_count", ""),
        ("url.full", shown.as_str()),
        ("url.scheme", "http"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
        ("network.protocol.name", "http"),
        ("network.protocol.version", "1.1"),
        ("network.peer.address", "127.0.0.1"),
        ("network.peer.port", &port),
        ("http.response.status_code", "200"),
        ("error.type", ""),
        ("connection", &connection),
        ("reused", "false"),
        ("user_agent.original", ""),
        ("http.request.header", ""),
        ("http.response.header", ""),
    ] {
        assert_eq!(exchange.get(field), value, "{field}");
    }
    let call = &spans.named("call")[0];
    assert_eq!(call.get("id"), reply.request_id().to_string());
    for span in [call, &spans.named("hop")[0]] {
        assert_eq!(span.get("url.full"), shown);
        assert_eq!(span.get("http.response.status_code"), "200");
    }
    let all = spans.all();
    assert!(all.iter().all(|span| span.is_closed), "{all:#?}");
    let told = format!("{all:?}");
    assert!(!["pa55", "t0ken", "w0rd"].iter().any(|word| told.contains(word)), "{told}");
}

#[test]
fn redirects_are_hops_and_retries_are_attempts() {
    let server = Server::http(|exchange| {
        match (exchange.target(), exchange.request_index()) {
            ("/moved", _) => exchange.reply(302, &[("location", "/to")], b""),
            (_, 1) => exchange.reply(503, &[], b""),
            _ => exchange.reply(200, &[], b""),
        };
    });
    let retries = RetryPolicy::up_to(3).first_delay(Duration::from_millis(1));
    let (client, spans) = (builder().retries(retries).build().unwrap(), Spans::default());
    spans.during(|| client.get(server.url("/moved")).send().unwrap());
    let told: Vec<_> = spans
        .all()
        .iter()
        .map(|span| {
            let status = span.get("http.response.status_code");
            (span.name, format!("{}{}", span.get("number"), status))
        })
        .collect();
    let told: Vec<_> = told.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let first = [("call", "200"), ("hop", "1302"), ("attempt", "1"), ("exchange", "302")];
    let second = [("hop", "2200"), ("attempt", "1"), ("exchange", "503")];
    assert_eq!(told, [&first[..], &second, &[("attempt", "2"), ("exchange", "200")]].concat());
    let exchanges = spans.named("exchange");
    let resends: Vec<_> = exchanges.iter().map(|e| e.get("http.request.resend_count")).collect();
    assert_eq!(resends, ["", "1", "2"]);
    let refused = &exchanges[1];
    assert_eq!((refused.get("error.type"), refused.get("otel.status_code")), ("503", "ERROR"));
    assert_eq!(exchanges[2].get("reused"), "true");
}

#[test]
fn a_failure_is_told_by_its_kind() {
    let server = Server::http(|exchange| {
        exchange.cut();
    });
    let (client, spans) = (client(), Spans::default());
    let error = spans.during(|| client.post(server.url("/")).body("x").send().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Protocol);
    for name in NESTED {
        assert_eq!(spans.named(name)[0].get("error.type"), "protocol", "{name}");
    }
    let exchange = &spans.named("exchange")[0];
    assert_eq!(exchange.get("network.peer.address"), "127.0.0.1");
    assert_eq!(exchange.get("network.peer.port"), server.addr().port().to_string());
    assert_ne!(exchange.get("connection"), "");
    let cancelled = Feedback::new();
    cancelled.cancel();
    let spans = Spans::default();
    spans.during(|| client.get(server.url("/")).feedback(&cancelled).send().unwrap_err());
    assert_eq!(spans.named("call")[0].get("error.type"), "cancelled");
}

#[test]
fn methods_that_nobody_knows_are_others() {
    let server = Server::http(hello);
    let (client, spans) = (client(), Spans::default());
    let method = abide::Method::from_bytes(b"BREW").unwrap();
    spans.during(|| client.request(method, server.url("/")).send().unwrap());
    let exchange = &spans.named("exchange")[0];
    assert_eq!(exchange.get("http.request.method"), "_OTHER");
    assert_eq!(exchange.get("http.request.method_original"), "BREW");
}

#[test]
fn headers_are_told_if_they_are_allowed_and_secrets_never() {
    let server = Server::http(|exchange| {
        let location = ("location", "http://u:pa55@host/x?key=t0ken");
        exchange.reply(200, &[("server", "scripted"), ("set-cookie", "id=w0rd"), location], b"");
    });
    let allowed = ["server", "set-cookie", "location", "authorization", "x-key", "user-agent", "x"];
    let client = builder().secret_headers(["x-key"]).log_headers(allowed).build().unwrap();
    let spans = Spans::default();
    spans.during(|| {
        let request = client.get(server.url("/")).header("authorization", "Basic w0rd");
        request.header("x-key", "w0rd").header("x", "plain").header("y", "w0rd").send().unwrap()
    });
    let exchange = &spans.named("exchange")[0];
    let agent = concat!("abide/", env!("CARGO_PKG_VERSION"));
    assert_eq!(exchange.get("user_agent.original"), agent);
    let sent = exchange.get("http.request.header");
    for part in [r#""authorization": "***""#, r#""x-key": "***""#, r#""x": "plain""#, agent] {
        assert!(sent.contains(part), "{part} in {sent}");
    }
    let came = exchange.get("http.response.header");
    for part in [r#""server": "scripted""#, r#""set-cookie": "***""#, "@host/x\""] {
        assert!(came.contains(part), "{part} in {came}");
    }
    let told = format!("{:?}", spans.all());
    assert!(!["pa55", "t0ken", "w0rd"].iter().any(|word| told.contains(word)), "{told}");
    let error = builder().log_headers(["no header"]).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[test]
fn the_span_of_a_call_is_open_while_its_body_is_read() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "5")]);
        exchange.write("he");
        exchange.await_signal("go on", 1);
        exchange.cut();
    });
    let (client, spans) = (client(), Spans::default());
    spans.during(|| {
        let mut reply = client.get(server.url("/")).open().unwrap();
        let is_closed = |name| spans.named(name)[0].is_closed;
        assert_eq!(NESTED.map(is_closed), [false, true, true, true]);
        server.signal("go on");
        reply.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(!is_closed("call"));
        drop(reply);
        assert!(is_closed("call"));
    });
    let call = &spans.named("call")[0];
    assert_eq!(call.get("http.response.status_code"), "200");
    assert!(["body", "protocol"].contains(&call.get("error.type")), "{call:?}");
}

/// A subscriber is code of the user: it runs on the thread that calls, and may call itself.
#[test]
fn a_subscriber_may_make_calls_whenever_a_span_is_entered() {
    thread_local! {
        static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
    }
    let server = Server::http(hello);
    let (client, url) = (client(), server.url("/"));
    let made = Arc::new(AtomicUsize::new(0));
    let spans = {
        let (client, url, made) = (client.clone(), url.clone(), Arc::clone(&made));
        Spans::with(move |_| {
            if IS_INSIDE.replace(true) {
                // Its own calls have spans too.
                return;
            }
            client.get(&url).send().unwrap();
            IS_INSIDE.set(false);
            made.fetch_add(1, Ordering::Relaxed);
        })
    };
    let text = in_time(move || {
        spans.during(|| {
            let mut text = client.post(&url).body("x").send().unwrap().text();
            client.get(&url).open().unwrap().read_to_string(&mut text).unwrap();
            text
        })
    });
    assert_eq!(text, "hellohello");
    assert!(made.load(Ordering::Relaxed) > 8);
}
