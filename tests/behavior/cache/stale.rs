//! When what is stale may be used.

use std::time::Duration;

use abide::{Cache, CacheMode, CacheOutcome, Forwarded, Limits, Timeouts};

use super::{Lab, assert_asked, assert_hit, report};
use crate::{clients::builder, support::Server, waiting::eventually};

#[track_caller]
fn assert_stale(reply: &abide::Reply, body: &str) {
    assert_eq!(reply.text(), body);
    assert_eq!(report(reply).outcome(), CacheOutcome::Stale, "{:?}", reply.cache());
}

#[test]
fn rfc9111_4_2_4_without_permission_an_error_is_an_error() {
    for control in ["max-age=2", "max-age=2, must-revalidate", "max-age=2, no-cache"] {
        let lab = Lab::new();
        lab.will_answer(200, &[("cache-control", control)], "one").get();
        lab.after(3).request(&[]).send().unwrap_err();
        lab.will_answer(503, &[], "sorry");
        assert_eq!(lab.get().status(), 503);
    }
}

#[test]
fn rfc5861_4_stale_if_error_stands_in_for_a_while() {
    let lab = Lab::new();
    let control = [("cache-control", "max-age=2, stale-if-error=60")];
    lab.will_answer(200, &control, "one").get();
    // Nobody answers.
    let reply = lab.after(30).get();
    assert_stale(&reply, "one");
    assert_eq!(report(&reply).forwarded(), Some(Forwarded::Stale));
    for status in [500, 502, 503, 504] {
        lab.will_answer(status, &[], "sorry");
        let reply = lab.get();
        assert_stale(&reply, "one");
        let told = reply.header("cache-status").unwrap();
        assert!(told.contains(&format!("fwd=stale; fwd-status={status}")), "{told}");
    }
    lab.will_answer(501, &[], "no");
    assert_eq!(lab.get().status(), 501);
    lab.after(40).request(&[]).send().unwrap_err();
}

#[test]
fn rfc5861_4_a_request_may_allow_it_and_a_reply_forbid_it() {
    let wanted = [("cache-control", "stale-if-error=60")];
    let lab = Lab::new();
    lab.will_answer(200, &[("cache-control", "max-age=2")], "one").get();
    assert_stale(&lab.after(3).get_with(&wanted), "one");
    let lab = Lab::new();
    let control = "max-age=2, stale-if-error=60, must-revalidate";
    lab.will_answer(200, &[("cache-control", control)], "one").get();
    lab.after(3).request(&wanted).send().unwrap_err();
}

#[test]
fn rfc9111_5_2_1_2_max_stale_takes_it() {
    let lab = Lab::new();
    lab.will_answer(200, &[("cache-control", "max-age=1500"), ("age", "2000")], "one").get();
    assert_stale(&lab.get_with(&[("cache-control", "max-stale=1000")]), "one");
    assert_stale(&lab.get_with(&[("cache-control", "max-stale")]), "one");
    lab.will_answer(200, &[], "two");
    let little = [("cache-control", "max-stale=100")];
    assert_asked(&lab.get_with(&little), Forwarded::Stale, "two");
}

#[test]
fn rfc5861_3_stale_while_revalidate_serves_now_and_asks_meanwhile() {
    for confirmed in [true, false] {
        let lab = Lab::new();
        let control = ("cache-control", "max-age=10, stale-while-revalidate=60");
        lab.will_answer(200, &[control, ("etag", "\"1\"")], "one").get();
        match confirmed {
            true => lab.will_answer(304, &[control, ("x-news", "1")], ""),
            false => lab.will_answer(200, &[control, ("x-news", "1")], "two"),
        };
        assert_stale(&lab.after(11).get(), "one");
        lab.server.await_requests(2);
        assert_eq!(lab.server.seen()[1].header("if-none-match"), Some("\"1\""));
        // Its answer is taken up by the first call after it has come.
        eventually("the news", || {
            let reply = lab.get();
            reply.header("x-news").is_some()
        });
        assert_hit(&lab.get(), if confirmed { "one" } else { "two" });
        assert_eq!(lab.requests(), 2);
    }
}

#[test]
fn rfc5861_3_after_its_window_a_stale_reply_is_validated_first() {
    let lab = Lab::new();
    let control = ("cache-control", "max-age=10, stale-while-revalidate=60");
    lab.will_answer(200, &[control], "one").get();
    lab.after(70).will_answer(200, &[control], "two");
    assert_asked(&lab.get(), Forwarded::Stale, "two");
}

#[test]
fn a_refresh_that_nobody_waits_for_does_not_keep_a_client() {
    let lab = Lab::with(Cache::memory(1 << 20), |builder| builder);
    let control = ("cache-control", "max-age=10, stale-while-revalidate=60");
    lab.will_answer(200, &[control], "one").get();
    lab.will_answer(200, &[control], "two");
    assert_stale(&lab.after(11).get(), "one");
    let Lab { server, client, .. } = lab;
    drop(client);
    server.await_open(0);
}

#[test]
fn refreshes_that_nobody_comes_for_are_in_the_way_of_no_other() {
    let lab = Lab::new();
    let control = ("cache-control", "max-age=10, stale-while-revalidate=6000");
    let get = |index: usize| {
        let path = format!("/{index}");
        lab.request_to(abide::Method::GET, &path, &[]).send().unwrap()
    };
    for index in 0..=MANY {
        lab.will_answer(200, &[control], "one");
        get(index);
    }
    lab.clock.advance(11);
    for index in 0..MANY {
        lab.will_answer(200, &[control], "two");
        assert_stale(&get(index), "one");
    }
    lab.server.await_requests(MANY + 1 + MANY);
    // By now nobody will come for the answers.
    lab.clock.advance(61);
    lab.will_answer(200, &[control], "two");
    assert_stale(&get(MANY), "one");
    lab.server.await_requests(MANY + 1 + MANY + 1);
}

/// More are not under way at once.
const MANY: usize = 64;

#[test]
fn a_refresh_that_is_not_answered_gives_its_connection_back() {
    let server = Server::http(|exchange| match exchange.request().header("if-none-match") {
        Some(_) => exchange.await_client_gone(),
        None => {
            let fields = [("cache-control", STALE_AT_ONCE), ("etag", "\"1\"")];
            exchange.reply(200, &fields, b"one");
        }
    });
    let client = builder()
        .cache(Cache::memory(1 << 20))
        .limits(Limits::default().places_per_route(1))
        .timeouts(Timeouts::default().first_byte(Duration::from_millis(50)))
        .build()
        .unwrap();
    client.get(server.url("/")).send().unwrap();
    assert_stale(&client.get(server.url("/")).send().unwrap(), "one");
    // It waits for the one place.
    let other = client.get(server.url("/other")).cache_mode(CacheMode::NoStore).send().unwrap();
    assert_eq!(other.text(), "one");
    assert_eq!(server.requests(), 3);
}

const STALE_AT_ONCE: &str = "max-age=0, stale-while-revalidate=60";
