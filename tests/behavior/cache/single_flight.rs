//! Many calls that miss the same reply at once.

use std::{
    sync::{
        Arc, Barrier, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use abide::{Cache, CacheOutcome, CallEvent, Client, Feedback, Happening, Reply, Timeouts};

use crate::{
    clients::builder,
    support::{Exchange, Server},
    waiting::in_time,
};

const FRESH: (&str, &str) = ("cache-control", "max-age=3600");

fn client() -> Client {
    builder().cache(Cache::memory(1 << 20)).build().unwrap()
}

/// Answers when the test says so.
fn slow(exchange: &mut Exchange, headers: &[(&str, &str)]) {
    exchange.signal("asked");
    exchange.await_signal("answer", 1);
    exchange.reply(200, headers, b"one");
}

fn waited(client: &Client) -> u64 {
    client.cache().unwrap().statistics().waited
}

#[test]
fn many_threads_make_one_request() {
    let server = Server::http(|exchange| slow(exchange, &[FRESH]));
    let client = client();
    thread::scope(|scope| {
        let calls: Vec<_> =
            (0..16).map(|_| scope.spawn(|| client.get(server.url("/")).send().unwrap())).collect();
        crate::waiting::eventually("all but one to wait", || waited(&client) == 15);
        server.signal("answer");
        let replies: Vec<Reply> = calls.into_iter().map(|call| call.join().unwrap()).collect();
        assert!(replies.iter().all(|reply| reply.text() == "one"));
        let hits = replies.iter().filter(|reply| reply.cache().unwrap().is_hit()).count();
        assert_eq!(hits, 15);
    });
    assert_eq!(server.requests(), 1);
}

#[test]
fn threads_that_find_it_stale_make_one_request() {
    let server = Server::http(|exchange| {
        let stale = [("cache-control", "max-age=10"), ("etag", "\"1\"")];
        if exchange.request().header("if-none-match").is_none() {
            exchange.reply(200, &stale, b"one");
        } else {
            exchange.await_signal("answer", 1);
            exchange.begin_reply(304, &stale[..1]);
        }
    });
    let clock = super::TestClock::default();
    let cache = Cache::memory(1 << 20).clock(clock.clone());
    let client = builder().cache(cache).build().unwrap();
    client.get(server.url("/")).send().unwrap();
    clock.advance(11);
    thread::scope(|scope| {
        let calls: Vec<_> =
            (0..8).map(|_| scope.spawn(|| client.get(server.url("/")).send().unwrap())).collect();
        crate::waiting::eventually("all but one to wait", || waited(&client) == 7);
        server.signal("answer");
        let outcomes =
            calls.into_iter().map(|call| call.join().unwrap().cache().unwrap().outcome());
        assert_eq!(outcomes.filter(|outcome| *outcome == CacheOutcome::Hit).count(), 7);
    });
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_waiter_is_cancelled_alone() {
    let server = Server::http(|exchange| slow(exchange, &[FRESH]));
    let client = client();
    let feedback = Feedback::new();
    thread::scope(|scope| {
        let leader = scope.spawn(|| client.get(server.url("/")).send().unwrap());
        server.await_signal("asked", 1);
        let waiter = scope.spawn(|| client.get(server.url("/")).feedback(&feedback).send());
        let other = scope.spawn(|| client.get(server.url("/")).send().unwrap());
        crate::waiting::eventually("both to wait", || waited(&client) == 2);
        feedback.cancel();
        assert!(waiter.join().unwrap().unwrap_err().is_cancelled());
        server.signal("answer");
        assert_eq!(leader.join().unwrap().text(), "one");
        assert_eq!(other.join().unwrap().text(), "one");
    });
    assert_eq!(server.requests(), 1);
}

#[test]
fn when_the_one_that_asks_is_cancelled_another_asks() {
    let server = Server::http(|exchange| {
        exchange.signal("asked");
        exchange.await_signal("answer", 1);
        exchange.reply(200, &[FRESH], b"one");
    });
    let client = client();
    let feedback = Feedback::new();
    thread::scope(|scope| {
        let leader = scope.spawn(|| client.get(server.url("/")).feedback(&feedback).send());
        server.await_signal("asked", 1);
        let waiters: Vec<_> =
            (0..3).map(|_| scope.spawn(|| client.get(server.url("/")).send().unwrap())).collect();
        crate::waiting::eventually("three to wait", || waited(&client) == 3);
        feedback.cancel();
        assert!(leader.join().unwrap().unwrap_err().is_cancelled());
        server.await_signal("asked", 2);
        server.signal("answer");
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap().text(), "one");
        }
    });
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_waiter_waits_no_longer_than_its_own_deadline() {
    let server = Server::http(|exchange| slow(exchange, &[FRESH]));
    let client = client();
    thread::scope(|scope| {
        let leader = scope.spawn(|| client.get(server.url("/")).send().unwrap());
        server.await_signal("asked", 1);
        let short = client.get(server.url("/")).timeout(Duration::from_millis(50));
        assert!(short.send().unwrap_err().is_timeout());
        server.signal("answer");
        leader.join().unwrap();
    });
    assert_eq!((server.requests(), waited(&client)), (1, 1));
}

#[test]
fn an_answer_that_is_of_no_use_to_others_makes_them_ask_at_once() {
    let server = Server::http(|exchange| slow(exchange, &[("cache-control", "no-store")]));
    let client = client();
    let all_ask = |server: &Server, threads: usize, already: usize| {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| client.get(server.url("/")).send().unwrap());
            }
            server.await_requests(already + threads);
        });
    };
    thread::scope(|scope| {
        scope.spawn(|| client.get(server.url("/")).send().unwrap());
        server.await_signal("asked", 1);
        let others: Vec<_> =
            (0..3).map(|_| scope.spawn(|| client.get(server.url("/")).send().unwrap())).collect();
        crate::waiting::eventually("three to wait", || waited(&client) == 3);
        server.signal("answer");
        others.into_iter().for_each(|other| assert_eq!(other.join().unwrap().text(), "one"));
    });
    assert_eq!(server.requests(), 4);
    // And the next ones do not wait for each other at all.
    all_ask(&server, 4, 4);
    assert_eq!(waited(&client), 3);
}

#[test]
fn a_failure_is_the_askers_own() {
    let server = Server::http(|exchange| {
        exchange.signal("asked");
        exchange.await_signal("answer", 1);
        match exchange.connection() {
            0 => exchange.reset(),
            _ => drop(exchange.reply(200, &[FRESH], b"one")),
        }
    });
    let client = client();
    thread::scope(|scope| {
        let leader = scope.spawn(|| client.get(server.url("/")).send());
        server.await_signal("asked", 1);
        let other = scope.spawn(|| client.get(server.url("/")).send().unwrap());
        crate::waiting::eventually("one to wait", || waited(&client) == 1);
        server.signal("answer");
        leader.join().unwrap().unwrap_err();
        assert_eq!(other.join().unwrap().text(), "one");
    });
}

#[test]
fn one_thread_can_ask_again_while_it_reads() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[FRESH, ("content-length", "6")]);
        exchange.write("abc");
        if exchange.connection() > 0 {
            exchange.write("def");
            exchange.signal("second");
        } else {
            exchange.await_signal("second", 1);
            exchange.write("def");
        }
    });
    let client = client();
    let open = client.get(server.url("/")).open().unwrap();
    assert_eq!(client.get(server.url("/")).send().unwrap().text(), "abcdef");
    assert_eq!(open.into_reply().unwrap().text(), "abcdef");
}

#[test]
fn users_do_not_wait_for_each_other() {
    let server = Server::http(|exchange| slow(exchange, &[FRESH]));
    let client = client();
    let all = Barrier::new(2);
    thread::scope(|scope| {
        for user in ["one", "two"] {
            let (client, server, all) = (&client, &server, &all);
            scope.spawn(move || {
                all.wait();
                client.get(server.url("/")).header("authorization", user).send().unwrap();
            });
        }
        server.await_signal("asked", 2);
        server.signal("answer");
    });
    assert_eq!(waited(&client), 0);
}

/// The call that asks for others gets no further while its observer's call waits.
#[test]
fn an_observer_that_asks_for_the_same_waits_for_nobody() {
    let server = Server::http(|exchange| {
        exchange.signal("asked");
        exchange.await_signal("asked", 2);
        exchange.reply(200, &[FRESH], b"one");
    });
    let own = Arc::new(OnceLock::<Client>::new());
    let (url, has_asked) = (server.url("/"), AtomicBool::new(false));
    let observer = {
        let (own, url) = (Arc::clone(&own), url.clone());
        move |event: &CallEvent| {
            if matches!(event.what(), Happening::Sent) && !has_asked.swap(true, Ordering::SeqCst) {
                own.get().unwrap().get(&url).send().unwrap();
            }
        }
    };
    // The shortest budget says how often the thread looks what there is to be told.
    let timeouts = Timeouts::default().tls(Duration::from_millis(20));
    let builder = builder().cache(Cache::memory(1 << 20)).timeouts(timeouts).observer(observer);
    own.set(builder.build().unwrap()).unwrap();
    let client = own.get().unwrap().clone();
    assert_eq!(in_time(move || client.get(&url).send().unwrap().text()), "one");
}
