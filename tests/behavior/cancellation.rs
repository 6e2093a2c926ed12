//! Any thread can end any call at once, whatever it is waiting for, and the exchange is over too.

use std::{
    io::{self, Read as _},
    sync::{Mutex, mpsc},
    time::{Duration, Instant},
};

use abide::{Body, Client, Error, Feedback, Limits, Phase, Timeouts};

use crate::{
    clients::{HangingNames, await_quiet, await_stats, builder, client},
    support::{BlackHole, Exchange, Server},
    victim::{Victim, assert_cancelled},
    waiting::{AT_ONCE, eventually, start},
};

/// Stalls and says so; ends when the client has gone.
fn stall(exchange: &mut Exchange) {
    exchange.signal("waiting");
    exchange.await_client_gone();
    exchange.signal("gone");
}

fn one_place() -> Client {
    builder().limits(Limits::default().places_per_route(1)).build().unwrap()
}

#[test]
fn a_queued_call_ends_and_leaves_the_running_one_alone() {
    let server = Server::http(|exchange| {
        exchange.signal("waiting");
        exchange.await_signal("go", 1);
        exchange.reply(200, &[], b"");
    });
    let client = one_place();
    let running = Victim::get(&client, server.url("/first"));
    server.await_signal("waiting", 1);
    let queued = Victim::get(&client, server.url("/second"));
    await_stats(&client, "the second call is queued", |stats| stats.queued() == 1);
    queued.cancel(Phase::Queue);
    assert_eq!(client.stats().queued(), 0);
    server.signal("go");
    running.call.join().unwrap();
    assert_eq!((server.connections(), server.requests()), (1, 1));
}

#[test]
fn a_queued_call_that_ends_does_not_hold_up_those_behind_it() {
    let server = Server::http(|exchange| {
        exchange.signal("waiting");
        exchange.await_signal("go", 1);
        exchange.reply(200, &[], b"");
    });
    let client = one_place();
    let first = Victim::get(&client, server.url("/first"));
    server.await_signal("waiting", 1);
    let second = Victim::get(&client, server.url("/second"));
    await_stats(&client, "one call is queued", |stats| stats.queued() == 1);
    let third = Victim::get(&client, server.url("/third"));
    await_stats(&client, "two calls are queued", |stats| stats.queued() == 2);
    second.cancel(Phase::Queue);
    server.signal("go");
    first.call.join().unwrap();
    third.call.join().unwrap();
    await_quiet(&client);
}

#[test]
fn a_call_that_waits_for_a_name_ends() {
    let names = HangingNames::default();
    let client = builder().resolver(names.resolver()).build().unwrap();
    let victim = Victim::get(&client, "http://some.test/".to_owned());
    names.await_asked(1);
    victim.cancel(Phase::Resolve);
}

#[test]
fn a_call_that_connects_to_a_black_hole_ends() {
    let hole = BlackHole::new();
    let timeouts = Timeouts::default().connect(Duration::from_secs(5));
    let client = builder().timeouts(timeouts).build().unwrap();
    let victim = Victim::get(&client, hole.url("/"));
    eventually("the call is connecting", || hole.is_called());
    victim.cancel(Phase::Connect);
    await_quiet(&client);
    assert_eq!(client.stats().open(), 0);
}

#[test]
fn a_call_that_sends_bytes_to_a_server_that_does_not_read_ends() {
    let server = Server::http(|exchange| {
        exchange.signal("waiting");
        exchange.await_signal("look", 1);
        exchange.await_client_gone();
    });
    let client = client();
    let url = server.url("/");
    let victim = Victim::start(&client, |client| client.post(url).body(vec![0; 64 << 20]));
    server.await_signal("waiting", 1);
    victim.cancel(Phase::Send);
    server.signal("look");
    server.await_open(0);
    await_quiet(&client);
}

#[test]
fn a_call_that_sends_from_an_endless_reader_ends() {
    let server = Server::http(|exchange| {
        while exchange.read_body_piece(usize::MAX).is_some() {
            exchange.signal("piece");
        }
    });
    let client = client();
    let url = server.url("/");
    let victim = Victim::start(&client, |client| client.put(url).body(Body::reader(io::repeat(7))));
    server.await_signal("piece", 100);
    victim.cancel(Phase::Send);
    server.await_open(0);
    await_quiet(&client);
}

#[test]
fn an_exchange_ends_at_once_even_while_the_reader_blocks() {
    let server = Server::http(|exchange| {
        assert_eq!(exchange.read_body_piece(usize::MAX).as_deref(), Some(&b"begin"[..]));
        stall(exchange);
    });
    let client = client();
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = Mutex::new(blocked);
    let body = io::Read::chain(
        &b"begin"[..],
        ReadWith(move || {
            // An error means that the test is over.
            blocked.lock().unwrap().recv().map_or(0, |()| 0)
        }),
    );
    let url = server.url("/");
    let victim = Victim::start(&client, |client| client.post(url).body(Body::reader(body)));
    server.await_signal("waiting", 1);
    victim.feedback.cancel();
    server.await_signal("gone", 1);
    release.send(()).unwrap();
    let error = victim.call.join().unwrap_err();
    assert!(error.is_cancelled(), "{error:?}");
    await_quiet(&client);
}

/// A reader that is a function.
struct ReadWith<F>(F);

impl<F: FnMut() -> usize> io::Read for ReadWith<F> {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok((self.0)())
    }
}

#[test]
fn a_call_that_waits_for_the_reply_ends() {
    let server = Server::http(stall);
    let client = client();
    let victim = Victim::get(&client, server.url("/"));
    server.await_signal("waiting", 1);
    let cancelled_at = Instant::now();
    victim.cancel(Phase::FirstByte);
    server.await_signal("gone", 1);
    let departed_at = server.departures()[0];
    assert!(departed_at.saturating_duration_since(cancelled_at) < AT_ONCE);
    await_quiet(&client);
    assert_eq!(client.stats().open(), 0);
}

fn begin_and_stall(exchange: &mut Exchange) {
    exchange.begin_reply(200, &[("content-length", "100")]);
    exchange.write("some of it");
    stall(exchange);
}

#[test]
fn a_call_that_collects_a_body_ends() {
    let server = Server::http(begin_and_stall);
    let client = client();
    let victim = Victim::get(&client, server.url("/"));
    eventually("some of the body is there", || victim.feedback.download().bytes() == 10);
    victim.cancel(Phase::Body);
    server.await_signal("gone", 1);
    await_quiet(&client);
}

#[test]
fn a_thread_that_reads_a_body_is_woken() {
    let server = Server::http(begin_and_stall);
    let feedback = Feedback::new();
    let client = client();
    let mut reply = client.get(server.url("/")).feedback(&feedback).open().unwrap();
    let mut some = [0; 10];
    reply.read_exact(&mut some).unwrap();
    assert_eq!(&some, b"some of it");
    let reading = start(move || {
        let error = reply.read(&mut [0]).unwrap_err();
        assert!(reply.read(&mut [0]).is_err(), "a reply that was cancelled stays so");
        error
    });
    let cancelled_at = Instant::now();
    feedback.cancel();
    let (error, ended_at) = reading.join_timed();
    assert!(ended_at.saturating_duration_since(cancelled_at) < AT_ONCE);
    let error = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    assert_cancelled(error, Phase::Body);
    server.await_signal("gone", 1);
    await_quiet(&client);
}

#[test]
fn a_reply_nobody_reads_ends_at_once_on_the_wire() {
    let server = Server::http(begin_and_stall);
    let feedback = Feedback::new();
    let client = client();
    let reply = client.get(server.url("/")).feedback(&feedback).open().unwrap();
    server.await_signal("waiting", 1);
    feedback.cancel();
    server.await_signal("gone", 1);
    drop(reply);
    await_quiet(&client);
}

#[test]
fn an_orphaned_dial_gives_its_place_back() {
    let hole = BlackHole::new();
    let client = builder().timeouts(Timeouts::none()).build().unwrap();
    let victim = Victim::get(&client, hole.url("/"));
    eventually("the call is connecting", || hole.is_called());
    victim.cancel(Phase::Connect);
    let deadline = Instant::now() + Duration::from_secs(15);
    while client.stats().dialing() > 0 {
        assert!(Instant::now() < deadline, "nobody wants this dial, and it has no end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_parent_ends_all_its_calls() {
    let server = Server::http(stall);
    let client = client();
    let parent = Feedback::new();
    let calls: Vec<_> = (0..48)
        .map(|_| {
            let (client, child, url) = (client.clone(), parent.child(), server.url("/"));
            start(move || client.get(url).feedback(child).send())
        })
        .collect();
    server.await_signal("waiting", calls.len());
    let cancelled_at = Instant::now();
    parent.cancel();
    for call in calls {
        let (answer, ended_at) = call.join_timed();
        assert!(answer.unwrap_err().is_cancelled());
        assert!(ended_at.saturating_duration_since(cancelled_at) < AT_ONCE);
    }
    server.await_open(0);
    await_quiet(&client);
}

#[test]
fn cancelling_after_the_end_changes_nothing() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"done");
    });
    let client = client();
    let feedback = Feedback::new();
    let reply = client.get(server.url("/")).feedback(&feedback).send().unwrap();
    feedback.cancel();
    assert_eq!(reply.text(), "done");
    let again = client.get(server.url("/")).send().unwrap();
    assert!(again.reused_connection());
    assert_eq!(server.connections(), 1);
}
