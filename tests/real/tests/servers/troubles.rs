//! HAProxy as a server in trouble: it turns away, lets wait, resets or says nothing at all.

use std::{
    thread,
    time::{Duration, Instant},
};

use abide::{Budget, ErrorKind, Feedback, RetryPolicy, Timeouts};
use abide_real::{AT_ONCE, HAPROXY, Target, each, eventually, in_threads, served};

/// A URL that is turned away twice in the way of `how`, and answered then.
fn failing(target: Target, how: &str, who: &str) -> String {
    let driving = std::env::var("ABIDE_TEST_DRIVING").unwrap_or_default();
    let process = std::process::id();
    target.url(&format!("/failing/{how}?mark={how}-{who}-{:?}-{driving}-{process}", target.version))
}

#[test]
fn who_is_turned_away_is_told_so_with_the_time_to_come_back() {
    each(&HAPROXY, |target| {
        let client = target.client();
        let url = failing(target, "busy", "told");
        for _ in 0..2 {
            let reply = client.get(&url).send().unwrap();
            assert_eq!((reply.status().as_u16(), reply.text().as_str()), (429, "later"));
            assert_eq!(reply.header("retry-after"), Some("1"));
        }
        assert_eq!(client.get(&url).send().unwrap().text(), "done after 3");
    });
}

#[test]
fn a_request_that_is_rejected_is_not_repeated_on_a_new_connection() {
    each(&HAPROXY, |target| {
        let client = target.client();
        let url = failing(target, "reject", "new");
        let error = client.get(&url).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
        // On a kept connection it may have been bad luck, and is tried on a new one.
        client.get(target.url("/1k")).send().unwrap();
        let error = client.get(&url).send();
        println!("{error:?}");
        assert_eq!(client.get(&url).send().unwrap().status().as_u16(), 200);
    });
}

#[test]
fn who_is_kept_waiting_waits_as_long_as_the_budget_says() {
    each(&HAPROXY, |target| {
        let client = target.client();
        let url = failing(target, "tarpit", "waiting");
        let limit = Duration::from_millis(150);
        let began = Instant::now();
        let short = Timeouts::default().first_byte(limit);
        let error = client.get(&url).timeouts(short).send().unwrap_err();
        assert_eq!(error.budget(), Some(Budget::FirstByte), "{error:?}");
        assert!(began.elapsed() < limit + AT_ONCE);
        assert_eq!(client.get(&url).send().unwrap().status().as_u16(), 503);
        assert_eq!(client.get(&url).send().unwrap().text(), "done after 3");
    });
}

#[test]
fn a_connection_that_is_dropped_without_a_word_ends_by_the_budget_at_the_latest() {
    each(&HAPROXY, |target| {
        let client = target.client();
        // Those who share a connection that somebody else has found dead are tried again.
        let limit = Duration::from_millis(800);
        let timeouts = Timeouts::default().first_byte(limit / 2).total(limit);
        in_threads(8, |thread| {
            // Over HTTP/2 they share the connection that is dropped.
            if thread % 2 == 0 && !target.is_http2() {
                assert!(client.get(target.url("/100k")).send().unwrap().bytes() == &served("100k"));
                return;
            }
            let url = target.url("/failing/silence");
            let began = Instant::now();
            let error = client.get(&url).timeouts(timeouts).send().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Protocol), "{error:?}");
            assert!(began.elapsed() < limit + AT_ONCE, "{:?}", began.elapsed());
        });
        assert!(client.get(target.url("/100k")).send().unwrap().bytes() == &served("100k"));
    });
}

fn patient() -> RetryPolicy {
    RetryPolicy::up_to(5).first_delay(Duration::from_millis(40))
}

#[test]
fn with_patience_every_call_gets_its_answer_in_the_end() {
    each(&HAPROXY, |target| {
        let client = target.builder().retries(patient()).build().unwrap();
        for how in ["busy", "down", "reject", "tarpit"] {
            println!("{how}");
            let began = Instant::now();
            let reply = client.get(failing(target, how, "patient")).send().unwrap();
            assert_eq!(reply.text(), "done after 3", "{:?}", reply.status());
            assert_eq!(reply.attempts(), 3);
            // It was told twice to come back in a second.
            assert!(how != "busy" || began.elapsed() >= Duration::from_secs(2));
        }
    });
}

#[test]
fn patience_has_an_end_and_does_not_repeat_a_post() {
    each(&HAPROXY, |target| {
        let client = target.builder().retries(patient()).build().unwrap();
        let call = client.get(failing(target, "always", "hopeless"));
        let reply = call.retries(RetryPolicy::up_to(3)).send().unwrap();
        assert_eq!((reply.text().as_str(), reply.attempts()), ("never", 3));

        let url = failing(target, "down", "posted");
        let reply = client.post(&url).body("once").send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.attempts()), (503, 1));
        let again = client.post(&url).body("twice").retries(patient().any_method(true));
        assert_eq!(again.send().unwrap().text(), "done after 3");
    });
}

#[test]
fn a_wait_that_would_miss_the_deadline_is_not_begun_and_any_wait_can_be_cancelled() {
    each(&HAPROXY, |target| {
        let client = target.builder().retries(patient()).build().unwrap();
        let began = Instant::now();
        let call = client.get(failing(target, "busy", "late"));
        let reply = call.timeout(Duration::from_millis(700)).send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.attempts()), (429, 1));
        assert!(began.elapsed() < AT_ONCE);

        let feedback = Feedback::new();
        thread::scope(|scope| {
            let call = scope.spawn(|| {
                let call = client.get(failing(target, "busy", "cancelled")).feedback(&feedback);
                (call.send().unwrap_err(), Instant::now())
            });
            eventually("it waits", || client.stats().calls() == 2 && client.stats().active() == 0);
            feedback.cancel();
            let told = Instant::now();
            let (error, ended) = call.join().unwrap();
            assert!(error.is_cancelled(), "{error:?}");
            assert!(ended.duration_since(told) < AT_ONCE);
        });
    });
}
