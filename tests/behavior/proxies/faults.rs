//! Proxies that cannot be reached, and proxies that fail while they forward.

use std::net::TcpListener;
use std::time::Duration;

use abide::{Budget, Error, ErrorKind, Phase, Timeouts};

use super::{proxy, through};
use crate::{
    clients::{FixedNames, HangingNames, await_quiet, builder},
    support::{BlackHole, Server},
    timeouts::{self, Stall, check_all},
    victim::Victim,
    waiting::eventually,
};

const URL: &str = "http://a.test/?q=hidden";

#[track_caller]
fn assert_at(error: &Error, proxy: &str, kind: ErrorKind, phase: Phase) {
    assert_eq!((error.kind(), error.phase()), (kind, Some(phase)), "{error:?}");
    assert!(error.is_proxy(), "{error:?}");
    assert_eq!(error.proxy(), Some(proxy));
    assert!(error.to_string().contains(&format!("at the proxy {proxy}: ")), "{error}");
    for secret in ["hidden", "secret"] {
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
}

#[test]
fn a_proxy_that_nobody_is_at_is_named() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["http", "socks4a", "socks5h"] {
        let client = through(format!("{scheme}://joe:secret@{addr}"));
        let error = client.get(URL).send().unwrap_err();
        assert_at(&error, &format!("{scheme}://{addr}"), ErrorKind::Connect, Phase::Connect);
        assert!(error.is_connect());
        assert_eq!(client.stats().open(), 0);
    }
}

#[test]
fn a_proxy_without_an_address_is_named() {
    let client = builder().proxy(proxy("http://nobody.test:1")).resolver(FixedNames::new([]));
    let error = client.build().unwrap().get(URL).send().unwrap_err();
    assert_at(&error, "http://nobody.test:1", ErrorKind::Resolve, Phase::Resolve);
    assert!(error.to_string().contains("nobody.test"));
}

#[test]
fn a_call_at_a_proxy_that_does_not_answer_ends() {
    let hole = BlackHole::new();
    // The dial belongs to the pool, and goes on for as long as it may.
    let timeouts = Timeouts::default().connect(Duration::from_secs(1));
    let client = builder().proxy(proxy(hole.url(""))).timeouts(timeouts).build().unwrap();
    let victim = Victim::get(&client, URL.to_owned());
    eventually("it connects", || hole.is_called());
    victim.cancel(Phase::Connect);
    await_quiet(&client);
}

#[test]
fn a_call_at_the_name_of_a_proxy_ends() {
    let names = HangingNames::default();
    let client = builder().proxy(proxy("http://p.test:1")).resolver(names.resolver());
    let client = client.build().unwrap();
    let victim = Victim::get(&client, URL.to_owned());
    names.await_asked(1);
    victim.cancel(Phase::Resolve);
}

#[test]
fn a_budget_ends_the_wait_at_a_proxy() {
    check_all(&(at_a_black_hole, Phase::Connect, Budget::Connect));
    check_all(&(at_a_silent_socks, Phase::Connect, Budget::Connect));
}

fn at_a_black_hole(timeouts: Timeouts) -> Stall {
    let hole = BlackHole::new();
    let client = builder().proxy(proxy(hole.url(""))).timeouts(timeouts).build().unwrap();
    timeouts::with_scenery(client, hole, |client| client.get(URL).send().unwrap_err())
}

fn at_a_silent_socks(timeouts: Timeouts) -> Stall {
    let silent = Server::tls_stalled();
    let url = silent.url("").replace("https", "socks5h");
    let client = builder().proxy(proxy(url)).timeouts(timeouts).build().unwrap();
    timeouts::with_scenery(client, silent, |client| client.get(URL).send().unwrap_err())
}

#[test]
fn a_run_out_budget_names_the_proxy() {
    let hole = BlackHole::new();
    let timeouts = Timeouts::default().connect(Duration::from_millis(100));
    let client = builder().proxy(proxy(hole.url(""))).timeouts(timeouts).build().unwrap();
    let error = client.get(URL).send().unwrap_err();
    assert_at(&error, &hole.url(""), ErrorKind::TimedOut, Phase::Connect);
    assert!(error.is_connect() && error.budget() == Some(Budget::Connect));
}

#[test]
fn what_is_no_socks_is_an_error_that_says_so() {
    let http = Server::raw_answer("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    let closing = Server::raw_answer("");
    for scheme in ["socks4", "socks4a", "socks5", "socks5h"] {
        for (server, because) in [(&http, "is not SOCKS"), (&closing, "closed the connection")] {
            let url = server.url("").replace("http", scheme);
            let client = builder().proxy(proxy(&url)).resolver(FixedNames::loopback());
            let error = client.build().unwrap().get(URL).send().unwrap_err();
            assert_at(&error, &url, ErrorKind::Proxy, Phase::Connect);
            assert!(error.to_string().contains(because), "{error}");
        }
    }
}

#[test]
fn a_forwarding_proxy_that_breaks_off_is_named() {
    let garbage = Server::raw_answer("what?\r\n\r\n");
    let error = through(garbage.url("")).get(URL).send().unwrap_err();
    assert_at(&error, &garbage.url(""), ErrorKind::Protocol, Phase::FirstByte);
    let closing = Server::raw_answer("");
    let error = through(closing.url("")).get(URL).send().unwrap_err();
    assert_at(&error, &closing.url(""), ErrorKind::Protocol, Phase::FirstByte);
}

#[test]
fn what_a_forwarding_proxy_answers_is_a_reply() {
    let forwarder = Server::http(|exchange| {
        exchange.reply(502, &[], b"no such origin");
    });
    let reply = through(forwarder.url("")).get(URL).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (502, "no such origin"));
    assert!(reply.proxy().is_some());
}
