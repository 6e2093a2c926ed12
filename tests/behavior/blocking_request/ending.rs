//! Cancelling, aborting, and what happens to a second call meanwhile.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Instant,
};

use abide::{Body, ErrorCode, Feedback, Phase};

use super::{CANCELLED, Counted, FINE, plain};
use crate::{
    clients::{HangingNames, await_quiet, builder, client},
    support::{Exchange, Server},
    waiting::{AT_ONCE, Running, eventually, start},
};

/// Answers at once, but for `/silent`.
fn by_target(exchange: &mut Exchange) {
    if exchange.target() == "/silent" {
        exchange.signal("waiting");
        exchange.await_client_gone();
        exchange.signal("gone");
    } else {
        exchange.read_body();
        exchange.reply(200, &[], b"ok");
    }
}

/// A server, and a call of `request` that it does not answer.
fn silent_call(request: &Counted, server: &Server) -> Running<ErrorCode> {
    let (request, url) = (request.clone(), server.url("/silent"));
    let call = start(move || request.get(url, plain()));
    server.await_signal("waiting", server.signalled("gone") + 1);
    call
}

#[test]
fn a_call_that_is_cancelled_before_its_start_sends_nothing() {
    let server = Server::http(by_target);
    let client = client();
    let (request, url) = (Counted::with(&client), server.url("/"));
    let feedback = Feedback::new();
    feedback.cancel();
    let cancelled = plain().feedback(&feedback);
    let began = Instant::now();
    request.expect(CANCELLED, |request| request.get(&url, cancelled));
    request.expect(CANCELLED, |request| request.head(&url, cancelled));
    request.expect(CANCELLED, |request| request.post(&url, "body", cancelled));
    request.expect(CANCELLED, |request| request.put(&url, "body", Some(&feedback)));
    request.expect(CANCELLED, |request| request.delete(&url, Some(&feedback)));
    request.expect(CANCELLED, |request| request.delete_resource(&url, Some(&feedback)));
    assert!(began.elapsed() < AT_ONCE);
    assert_eq!((server.connections(), client.stats().connections_opened()), (0, 0));
    assert_eq!(request.reply().request_id(), 0);
    request.expect(FINE, |request| request.get(&url, plain()));
}

#[test]
fn a_call_that_is_cancelled_meanwhile_is_never_a_success() {
    let server = Server::http(by_target);
    let (request, feedback) = (Counted::new(), Feedback::new());
    let call = start({
        let (request, feedback, url) = (request.clone(), feedback.clone(), server.url("/silent"));
        move || request.get(url, plain().feedback(&feedback))
    });
    server.await_signal("waiting", 1);
    let cancelled_at = Instant::now();
    feedback.cancel();
    let (code, ended_at) = call.join_timed();
    assert!(ended_at.saturating_duration_since(cancelled_at) < AT_ONCE);
    request.assert_ended(CANCELLED, code);
    assert_eq!(request.error().unwrap().phase(), Some(Phase::FirstByte));
    assert_eq!(request.finished(), 1);
    server.await_signal("gone", 1);
}

#[test]
fn a_call_that_is_cancelled_in_the_body_leaves_no_part_of_a_reply() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "100")]);
        exchange.write("some of it");
        exchange.await_client_gone();
    });
    let (request, feedback) = (Counted::new(), Feedback::new());
    let call = start({
        let (request, feedback, url) = (request.clone(), feedback.clone(), server.url("/"));
        move || request.get(url, plain().feedback(&feedback))
    });
    eventually("some of the body has arrived", || feedback.download().bytes() == 10);
    feedback.cancel();
    request.assert_ended(CANCELLED, call.join());
    assert_eq!((request.reply().request_id(), request.reply().bytes().len()), (0, 0));
    server.await_open(0);
}

#[test]
fn abort_ends_the_running_call_and_leaves_the_object_usable() {
    let server = Server::http(by_target);
    let client = client();
    let request = Counted::with(&client);
    for round in 1..=3 {
        let call = silent_call(&request, &server);
        let aborted_at = Instant::now();
        request.abort();
        let (code, ended_at) = call.join_timed();
        assert!(ended_at.saturating_duration_since(aborted_at) < AT_ONCE);
        request.assert_ended(CANCELLED, code);
        server.await_signal("gone", round);
        request.expect(FINE, |request| request.get(server.url("/"), plain()));
        assert_eq!(request.reply().text(), "ok");
    }
    assert_eq!(request.finished(), 6);
    await_quiet(&client);
}

#[test]
fn abort_does_not_wait_for_anything() {
    let names = HangingNames::default();
    let client = builder().resolver(names.resolver()).build().unwrap();
    let request = Counted::with(&client);
    let call = start({
        let request = request.clone();
        move || request.get("http://some.test/", plain())
    });
    names.await_asked(1);
    let aborted_at = Instant::now();
    request.abort();
    assert!(aborted_at.elapsed() < AT_ONCE);
    request.assert_ended(CANCELLED, call.join());
    assert_eq!(request.error().unwrap().phase(), Some(Phase::Resolve));
}

#[test]
fn abort_between_calls_does_nothing_to_the_next() {
    let server = Server::http(by_target);
    let request = Counted::new();
    request.abort();
    request.expect(FINE, |request| request.get(server.url("/"), plain()));
    request.abort();
    request.abort();
    assert_eq!(request.reply().text(), "ok");
    request.expect(FINE, |request| request.get(server.url("/"), plain()));
    assert_eq!(server.connections(), 1);
}

#[test]
fn abort_does_not_cancel_the_feedback_that_the_call_was_given() {
    let server = Server::http(by_target);
    let (request, feedback) = (Counted::new(), Feedback::new());
    let call = start({
        let (request, feedback, url) = (request.clone(), feedback.clone(), server.url("/silent"));
        move || request.get(url, plain().feedback(&feedback))
    });
    server.await_signal("waiting", 1);
    request.abort();
    request.assert_ended(CANCELLED, call.join());
    assert!(!feedback.is_cancelled());
    request.expect(FINE, |request| request.get(server.url("/"), plain().feedback(&feedback)));
}

#[test]
fn abort_ends_the_exchange_even_while_a_reader_blocks() {
    /// Blocks until its other end is dropped.
    struct Blocked(mpsc::Receiver<()>, mpsc::Sender<()>);

    impl Read for Blocked {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.1.send(()).unwrap();
            assert!(self.0.recv().is_err());
            Ok(0)
        }
    }

    let server = Server::http(|exchange| {
        exchange.await_client_gone();
        exchange.signal("gone");
    });
    let request = Counted::new();
    let (release, released) = mpsc::channel();
    let (reading, is_reading) = mpsc::channel();
    let call = start({
        let (request, url) = (request.clone(), server.url("/"));
        move || request.post(url, Body::reader(Blocked(released, reading)), plain())
    });
    is_reading.recv().unwrap();
    server.await_requests(1);
    request.abort();
    server.await_signal("gone", 1);
    drop(release);
    request.assert_ended(CANCELLED, call.join());
}

#[test]
fn a_progress_listener_may_abort_its_own_call() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "100")]);
        exchange.write("some of it");
        exchange.await_client_gone();
    });
    let request = Counted::new();
    request.on_download_progress({
        let request = Arc::downgrade(&request.request);
        move |progress| {
            if progress.bytes() > 0 {
                request.upgrade().unwrap().abort();
            }
        }
    });
    request.expect(CANCELLED, |request| request.get(server.url("/"), plain()));
    server.await_open(0);
}

#[test]
fn a_second_call_meanwhile_is_busy_and_changes_nothing() {
    let server = Server::http(by_target);
    let request = Counted::new();
    request.expect(FINE, |request| request.get(server.url("/"), plain()));
    let call = silent_call(&request, &server);
    let url = server.url("/");
    let began = Instant::now();
    for code in [
        request.get(&url, plain()),
        request.head(&url, plain()),
        request.post(&url, "body", plain()),
        request.put(&url, "body", None),
        request.delete(&url, None),
        request.delete_resource(&url, None),
        request.get("", plain()),
    ] {
        assert_eq!(code, ErrorCode::BusyError);
    }
    assert!(began.elapsed() < AT_ONCE);
    assert!(request.error().is_none() && request.error_message().is_empty());
    assert_eq!((request.finished(), server.requests()), (1, 2));
    request.abort();
    request.assert_ended(CANCELLED, call.join());
    assert_eq!((request.finished(), server.requests()), (2, 2));
}

#[test]
fn a_busy_answer_does_not_touch_the_call_that_runs() {
    let server = Server::http(|exchange| {
        exchange.signal("waiting");
        exchange.await_signal("go", 1);
        exchange.reply(200, &[], b"the first");
    });
    let request = Counted::new();
    let call = start({
        let (request, url) = (request.clone(), server.url("/"));
        move || request.get(url, plain())
    });
    server.await_signal("waiting", 1);
    assert_eq!(request.get(server.url("/"), plain()), ErrorCode::BusyError);
    server.signal("go");
    request.assert_ended(FINE, call.join());
    assert_eq!((request.reply().text(), request.finished()), ("the first".into(), 1));
}

#[test]
fn of_many_threads_one_makes_the_call() {
    let server = Server::http(|exchange| {
        exchange.await_signal("go", 1);
        exchange.reply(200, &[], b"ok");
    });
    let (request, ended) = (Counted::new(), Arc::new(AtomicUsize::new(0)));
    let calls = [(); 8].map(|()| {
        let (request, ended, url) = (request.clone(), Arc::clone(&ended), server.url("/"));
        start(move || {
            let code = request.get(url, plain());
            ended.fetch_add(1, Ordering::SeqCst);
            code
        })
    });
    eventually("all but one were turned away", || ended.load(Ordering::SeqCst) == 7);
    server.signal("go");
    let mut codes = calls.map(|call| call.join() as u8);
    codes.sort_unstable();
    let (fine, busy) = (ErrorCode::NoError as u8, ErrorCode::BusyError as u8);
    assert_eq!(codes, [fine, busy, busy, busy, busy, busy, busy, busy]);
    assert_eq!((server.requests(), request.finished()), (1, 1));
}

#[test]
fn a_listener_that_calls_the_same_object_is_told_that_it_is_busy() {
    let server = Server::http(by_target);
    let request = Counted::new();
    let (sender, codes) = mpsc::channel();
    request.on_download_progress({
        let (request, url) = (Arc::downgrade(&request.request), server.url("/"));
        move |_| sender.send(request.upgrade().unwrap().get(&url, plain())).unwrap()
    });
    request.expect(FINE, |request| request.get(server.url("/"), plain()));
    let codes = codes.try_iter().collect::<Vec<_>>();
    assert!(
        !codes.is_empty() && codes.iter().all(|code| *code == ErrorCode::BusyError),
        "{codes:?}"
    );
    assert_eq!(server.requests(), 1);
}
