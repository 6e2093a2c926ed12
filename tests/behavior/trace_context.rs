//! Requests say of which trace they are a part if the client is told so, and never wrongly.

use std::{
    sync::{Arc, Mutex},
    thread::{self, ThreadId},
    time::Duration,
};

use abide::{ErrorKind, RetryPolicy, TraceContext};

use crate::{
    clients::builder,
    support::{Exchange, Server, Spans},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn context(number: u32) -> Option<TraceContext> {
    let context = TraceContext::parse(&format!("00-{TRACE}-{number:016x}-01"));
    context.map(|context| context.with_state("vendor=1"))
}

fn hello(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"hello");
}

fn said(server: &Server) -> Vec<(Option<String>, Option<String>)> {
    let field = |request: &crate::support::Request, name| request.header(name).map(str::to_owned);
    let seen = server.seen();
    seen.iter().map(|r| (field(r, "traceparent"), field(r, "tracestate"))).collect()
}

fn some(parent: &str, state: &str) -> (Option<String>, Option<String>) {
    (Some(parent.to_owned()), Some(state.to_owned()))
}

#[test]
fn each_attempt_of_each_hop_has_a_context_of_its_own() {
    let server = Server::http(|exchange| {
        match (exchange.target(), exchange.request_index()) {
            ("/moved", _) => exchange.reply(302, &[("location", "/to")], b""),
            (_, 1) => exchange.reply(503, &[], b""),
            _ => exchange.reply(200, &[], b""),
        };
    });
    let asked = Arc::new(Mutex::new(Vec::<(ThreadId, u64, String, u32)>::new()));
    let client = {
        let asked = Arc::clone(&asked);
        builder()
            .retries(RetryPolicy::up_to(3).first_delay(Duration::from_millis(1)))
            .trace_context(move |request| {
                let mut asked = asked.lock().unwrap();
                let path = request.url().path().to_owned();
                let id = request.request_id();
                asked.push((thread::current().id(), id, path, request.attempt()));
                context(u32::try_from(asked.len()).unwrap())
            })
            .build()
            .unwrap()
    };
    let reply = client.get(server.url("/moved")).send().unwrap();
    let expected = (1..=3).map(|n| some(&format!("00-{TRACE}-{n:016x}-01"), "vendor=1"));
    assert_eq!(said(&server), expected.collect::<Vec<_>>());
    let (here, id) = (thread::current().id(), reply.request_id());
    let asked = asked.lock().unwrap();
    let expected = [("/moved", 1), ("/to", 1), ("/to", 2)];
    let expected = expected.map(|(path, attempt)| (here, id, path.to_owned(), attempt));
    assert_eq!(*asked, expected);
}

#[test]
fn what_the_caller_says_is_kept_and_nobody_is_asked() {
    let server = Server::http(hello);
    let builder = || builder().trace_context(|_| panic!("nobody is asked"));
    let client = builder().build().unwrap();
    client.get(server.url("/")).header("traceparent", "mine").send().unwrap();
    let client = builder().default_header("traceparent", "the client's").build().unwrap();
    client.get(server.url("/")).send().unwrap();
    let client = builder().build().unwrap();
    client.intercept_requests(|request| {
        request.headers_mut().insert("traceparent", "an interceptor's".parse()?);
        Ok(())
    });
    client.get(server.url("/")).send().unwrap();
    let said: Vec<_> = said(&server).into_iter().map(|(parent, _)| parent.unwrap()).collect();
    assert_eq!(said, ["mine", "the client's", "an interceptor's"]);
}

#[test]
fn a_state_of_the_callers_own_is_not_replaced() {
    let server = Server::http(hello);
    let client = builder().trace_context(|_| context(1)).build().unwrap();
    client.get(server.url("/")).header("tracestate", "mine=1").send().unwrap();
    assert_eq!(said(&server), [some(&format!("00-{TRACE}-0000000000000001-01"), "mine=1")]);
}

#[test]
fn nothing_is_sent_without_a_valid_context() {
    let server = Server::http(hello);
    let client = builder().trace_context(|_| TraceContext::parse("00-junk-01")).build().unwrap();
    client.get(server.url("/")).send().unwrap();
    assert_eq!(said(&server), [(None, None)]);
}

#[test]
fn a_source_learns_that_the_origin_was_left() {
    let other = Server::http(hello);
    let location = other.url_at("localhost", "/");
    let server = Server::http(move |exchange| {
        exchange.reply(302, &[("location", &location)], b"");
    });
    let client = builder()
        .trace_context(|request| context(1).filter(|_| !request.has_left_origin()))
        .build()
        .unwrap();
    client.get(server.url("/")).send().unwrap();
    assert!(said(&server)[0].0.is_some());
    assert_eq!(said(&other), [(None, None)]);
}

#[test]
fn a_panic_of_the_source_is_an_error_of_the_call() {
    let server = Server::http(hello);
    let client = builder().trace_context(|_| panic!("on purpose")).build().unwrap();
    let error = client.get(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interceptor);
    assert!(error.to_string().contains("trace context panicked: on purpose"), "{error}");
    assert_eq!(client.stats().open(), 0);
}

#[test]
fn a_source_is_asked_inside_the_span_of_its_exchange_and_may_make_calls() {
    let server = Server::http(hello);
    let (plain, url) = (crate::clients::client(), server.url("/nested"));
    let spans = Spans::default();
    let client = builder()
        .trace_context(move |_| {
            plain.get(&url).send().ok()?;
            context(1)
        })
        .build()
        .unwrap();
    spans.during(|| client.get(server.url("/")).send().unwrap());
    let nested = &spans.named("call")[1];
    assert_eq!(spans.path(nested), ["call", "hop", "attempt", "exchange", "call"]);
    assert!(said(&server)[1].0.is_some());
}
