//! Attempts are repeated when the user wants it, as often and as late as is agreed.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use abide::{
    Body, Budget, ErrorKind, Feedback, Phase, RetryBudget, RetryPolicy, StatusCode, Timeouts,
};

use crate::{
    clients::{FixedNames, await_quiet, builder, client},
    support::{Exchange, Server},
    waiting::{AT_ONCE, start},
};

/// Without waits to speak of.
fn quick(attempts: u32) -> RetryPolicy {
    RetryPolicy::up_to(attempts).first_delay(Duration::from_millis(1))
}

/// A server whose first so many requests end as `fail` does.
fn failing(times: usize, fail: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Server {
    let asked = AtomicUsize::new(0);
    Server::http(move |exchange| {
        if asked.fetch_add(1, Ordering::SeqCst) < times {
            fail(exchange);
        } else {
            let body = exchange.try_read_body().unwrap_or_default();
            exchange.reply(200, &[], &[b"fine", &body[..]].concat());
        }
    })
}

fn unavailable(exchange: &mut Exchange) {
    exchange.try_read_body();
    exchange.reply(503, &[("x-why", "busy")], b"come back later");
}

#[test]
fn nothing_is_tried_again_by_default() {
    let server = failing(1, unavailable);
    let reply = client().get(server.url("/")).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.attempts()), (503, 1));
    assert_eq!(server.requests(), 1);
}

#[test]
fn refusals_are_tried_again_and_the_attempts_told() {
    for status in [429, 502, 503, 504] {
        let server = failing(2, move |exchange| {
            exchange.reply(status, &[], b"come back later");
        });
        let client = builder().retries(quick(3)).build().unwrap();
        let reply = client.get(server.url("/")).send().unwrap();
        assert_eq!((reply.text().as_str(), reply.attempts()), ("fine", 3), "{status}");
        assert_eq!((server.requests(), server.connections()), (3, 1), "{status}");
    }
}

#[test]
fn the_last_reply_is_the_answer_when_the_attempts_are_used_up() {
    let server = failing(9, unavailable);
    let client = client();
    let reply = client.get(server.url("/")).retries(quick(3)).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (503, "come back later"));
    assert_eq!((reply.attempts(), server.requests()), (3, 3));
    let open = client.get(server.url("/")).retries(quick(2)).open().unwrap();
    assert_eq!(std::io::read_to_string(open).unwrap(), "come back later");
}

#[test]
fn other_statuses_are_tried_again_if_the_policy_says_so() {
    let server = failing(1, |exchange| {
        exchange.reply(404, &[], b"not yet");
    });
    let call = client().get(server.url("/")).retries(quick(2));
    assert_eq!(call.send().unwrap().status(), 404);
    let server = failing(1, |exchange| {
        exchange.reply(404, &[], b"not yet");
    });
    let policy = quick(2).statuses([StatusCode::NOT_FOUND]);
    assert_eq!(client().get(server.url("/")).retries(policy).send().unwrap().text(), "fine");
}

#[test]
fn a_broken_exchange_is_tried_again() {
    type Break = fn(&mut Exchange);
    let breaks: [(&str, Break); 4] = [
        ("reset", |exchange| exchange.reset()),
        ("closed", |exchange| exchange.close()),
        ("nonsense", |exchange| {
            exchange.write("nonsense\r\n\r\n");
            exchange.close();
        }),
        ("cut in its body", |exchange| {
            exchange.begin_reply(200, &[("content-length", "9")]);
            exchange.write("half");
            exchange.close();
        }),
    ];
    for (name, fail) in breaks {
        let server = failing(1, fail);
        let reply = client().get(server.url("/")).retries(quick(2)).send();
        let reply = reply.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((reply.text().as_str(), reply.attempts()), ("fine", 2), "{name}");
    }
}

#[test]
fn the_errors_that_are_tried_again_are_the_policys() {
    let server = failing(1, Exchange::close);
    let only_names = quick(3).errors([ErrorKind::Resolve]);
    let error = client().get(server.url("/")).retries(only_names).send().unwrap_err();
    assert_eq!((error.kind(), server.requests()), (ErrorKind::Protocol, 1));
    assert_eq!(client().get(server.url("/")).retries(quick(3)).send().unwrap().attempts(), 1);
}

#[cfg(feature = "tls")]
#[test]
fn a_tunnel_is_asked_for_again_if_the_policy_says_so() {
    let server = failing(9, unavailable);
    let proxy = abide::Proxy::new(server.url("")).unwrap();
    for (policy, requests) in [(quick(3), 1), (quick(3).errors([ErrorKind::Proxy]), 4)] {
        let call = client().get("https://a.test/").proxy(&proxy).retries(policy);
        let error = call.send().unwrap_err();
        assert_eq!(error.proxy_status(), Some(StatusCode::SERVICE_UNAVAILABLE), "{error:?}");
        assert_eq!(server.requests(), requests);
    }
}

#[test]
fn a_run_out_budget_is_tried_again_and_the_deadline_is_not() {
    let server = failing(1, |exchange| exchange.await_client_gone());
    let timeouts = Timeouts::default().first_byte(Duration::from_millis(50));
    let call = client().get(server.url("/")).timeouts(timeouts).retries(quick(2));
    assert_eq!(call.send().unwrap().text(), "fine");

    let server = failing(9, |exchange| exchange.await_client_gone());
    let timeouts = Timeouts::default().total(Duration::from_millis(50));
    let call = client().get(server.url("/")).timeouts(timeouts).retries(quick(9));
    assert_eq!(call.send().unwrap_err().budget(), Some(Budget::Total));
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_name_and_a_port_are_asked_again() {
    let names = FixedNames::new([]);
    let client = builder().resolver(names.clone()).retries(quick(3)).build().unwrap();
    assert_eq!(client.get("http://nowhere.test/").send().unwrap_err().kind(), ErrorKind::Resolve);
    assert!(!names.asked().is_empty());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // It never left, so it is tried again whatever its method.
    let feedback = Feedback::new();
    let error = client.post(format!("http://{free}/")).body("x").feedback(&feedback).send();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Connect);
}

#[test]
fn a_post_is_repeated_only_if_the_caller_says_so() {
    let server = failing(1, unavailable);
    let call = client().post(server.url("/")).body("content").retries(quick(3));
    assert_eq!(call.send().unwrap().status(), 503);
    assert_eq!(server.requests(), 1);

    let server = failing(1, unavailable);
    let policy = quick(3).any_method(true);
    let call = client().post(server.url("/")).body("content").retries(policy);
    assert_eq!(call.send().unwrap().text(), "finecontent");

    let server = failing(1, unavailable);
    let call = client().post(server.url("/")).body("content").retries(quick(3));
    let reply = call.header("idempotency-key", "1").send().unwrap();
    assert_eq!((reply.text().as_str(), reply.attempts()), ("finecontent", 2));
}

#[test]
fn a_body_that_can_be_read_once_is_sent_once() {
    let server = failing(1, unavailable);
    let client = client();
    let body = Body::reader(&b"content"[..]);
    let reply = client.put(server.url("/")).body(body).retries(quick(3)).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.attempts()), (503, 1));
    let server = failing(1, unavailable);
    let feedback = Feedback::new();
    let body = Body::factory(Some(7), || Ok(&b"content"[..]));
    let call = client.put(server.url("/")).body(body).retries(quick(3)).feedback(&feedback);
    assert_eq!(call.send().unwrap().text(), "finecontent");
    assert_eq!((feedback.upload().bytes(), feedback.upload().total()), (7, Some(7)));
    assert_eq!((feedback.download().bytes(), feedback.download().total()), (11, Some(11)));
}

#[test]
fn a_retry_after_is_waited_for() {
    let server = failing(1, |exchange| {
        exchange.reply(503, &[("retry-after", "1")], b"");
    });
    let began = Instant::now();
    let reply = client().get(server.url("/")).retries(quick(2)).send().unwrap();
    assert_eq!(reply.text(), "fine");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_retry_after_that_is_too_late_makes_its_reply_the_answer_at_once() {
    for (retry_after, timeout) in [("61", 3600), ("3", 2), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600)]
    {
        let server = failing(1, move |exchange| {
            exchange.reply(503, &[("retry-after", retry_after)], b"");
        });
        let began = Instant::now();
        let call = client().get(server.url("/")).retries(quick(2));
        let reply = call.timeout(Duration::from_secs(timeout)).send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.attempts()), (503, 1));
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    }
}

#[test]
fn a_wait_holds_no_connection_and_ends_when_it_is_cancelled() {
    let server = failing(1, |exchange| {
        exchange.reply(503, &[("retry-after", "50")], b"");
    });
    let client = builder().limits(abide::Limits::default().places_per_route(1)).build().unwrap();
    let feedback = Feedback::new();
    let running = start({
        let (client, url, feedback) = (client.clone(), server.url("/"), feedback.clone());
        move || client.get(url).retries(quick(2)).feedback(feedback).send().unwrap_err()
    });
    server.await_requests(1);
    // The only place there is.
    assert_eq!(client.get(server.url("/")).send().unwrap().text(), "fine");
    assert_eq!(server.connections(), 1);
    await_quiet(&client);
    let cancelled = Instant::now();
    feedback.cancel();
    let (error, returned) = running.join_timed();
    assert!(error.is_cancelled(), "{error:?}");
    // The connection is free a little before its caller has heard of that.
    assert!(matches!(error.phase(), Some(Phase::BackOff | Phase::Body)), "{error:?}");
    assert!(returned - cancelled < AT_ONCE);
}

#[test]
fn all_calls_of_a_client_share_a_budget() {
    let server = failing(usize::MAX, unavailable);
    let budget = RetryBudget::default().burst(5).percent_of_calls(0).per_second(0);
    let client = builder().retries(quick(3)).retry_budget(budget).build().unwrap();
    for _ in 0..10 {
        assert_eq!(client.get(server.url("/")).send().unwrap().status(), 503);
    }
    assert_eq!(server.requests(), 10 + 5);
    let free = builder().retries(quick(3)).retry_budget(None).build().unwrap();
    for _ in 0..10 {
        assert_eq!(free.get(server.url("/")).send().unwrap().attempts(), 3);
    }
}

#[test]
fn each_hop_has_its_attempts() {
    let asked = AtomicUsize::new(0);
    let server = Server::http(move |exchange| {
        let is_odd = asked.fetch_add(1, Ordering::SeqCst) % 2 == 1;
        match exchange.target() {
            _ if !is_odd => drop(exchange.reply(503, &[], b"")),
            "/from" => drop(exchange.reply(302, &[("location", "/to")], b"")),
            _ => drop(exchange.reply(200, &[], b"fine")),
        }
    });
    let reply = client().get(server.url("/from")).retries(quick(2)).send().unwrap();
    assert_eq!((reply.text().as_str(), reply.attempts()), ("fine", 2));
    assert_eq!(reply.history()[0].attempts(), 2);
}
