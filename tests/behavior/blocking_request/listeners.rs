//! `finished` once for each call, and progress for those who listen.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use abide::{BlockingRequest, Body, ErrorCode, ErrorKind, Feedback, Progress};

use super::{Counted, FINE, REFUSED, failed, plain};
use crate::{
    clients::{await_quiet, client},
    support::{Exchange, Server},
    waiting::in_time,
};

/// Answers with the body that came, if it came whole.
fn echo(exchange: &mut Exchange) {
    if let Some(body) = exchange.try_read_body() {
        exchange.reply(200, &[], &body);
    }
}

#[test]
fn finished_is_called_when_everything_is_there_on_the_thread_of_the_call() {
    let server = Server::http(echo);
    let request = Arc::new(BlockingRequest::with_client(&client()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    request.on_finished({
        let (request, seen) = (Arc::downgrade(&request), Arc::clone(&seen));
        move || {
            let request = request.upgrade().unwrap();
            let thread = thread::current().id();
            seen.lock().unwrap().push((request.reply().text(), request.error_message(), thread));
        }
    });
    assert_eq!(request.post(server.url("/"), "hello", plain()), ErrorCode::NoError);
    assert_eq!(request.get("", plain()), ErrorCode::NetworkError);
    let seen = seen.lock().unwrap();
    let here = thread::current().id();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], ("hello".to_owned(), String::new(), here));
    assert_eq!(seen[1], (String::new(), request.error_message(), here));
}

#[test]
fn all_listeners_of_finished_are_called_in_their_order() {
    let server = Server::http(echo);
    let request = BlockingRequest::with_client(&client());
    let order = Arc::new(Mutex::new(Vec::new()));
    for number in 0..3 {
        let order = Arc::clone(&order);
        request.on_finished(move || order.lock().unwrap().push(number));
    }
    request.put(server.url("/"), "hello", None);
    assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
}

#[test]
fn finished_may_begin_the_next_call() {
    let server = Server::http(|exchange| {
        let target = exchange.target().to_owned();
        exchange.reply(200, &[], target.as_bytes());
    });
    let request = Arc::new(BlockingRequest::with_client(&client()));
    let made = Arc::new(AtomicUsize::new(0));
    request.on_finished({
        let (weak, made) = (Arc::downgrade(&request), Arc::clone(&made));
        let (next, last) = (server.url("/next"), server.url("/last"));
        move || {
            let request = weak.upgrade().unwrap();
            let code = match made.fetch_add(1, Ordering::SeqCst) {
                0 => request.get(&next, plain()),
                1 => request.get(&last, plain()),
                _ => return,
            };
            assert_eq!(code, ErrorCode::NoError);
        }
    });
    let code = in_time({
        let (request, url) = (Arc::clone(&request), server.url("/first"));
        move || request.get(url, plain())
    });
    assert_eq!(code, ErrorCode::NoError);
    assert_eq!((made.load(Ordering::SeqCst), request.reply().text()), (3, "/last".into()));
    assert_eq!(server.requests(), 3);
}

#[test]
fn finished_may_add_another_listener() {
    let request = Arc::new(BlockingRequest::with_client(&client()));
    let heard = Arc::new(AtomicUsize::new(0));
    request.on_finished({
        let (weak, heard) = (Arc::downgrade(&request), Arc::clone(&heard));
        move || {
            let heard = Arc::clone(&heard);
            let listener = move || {
                heard.fetch_add(1, Ordering::SeqCst);
            };
            weak.upgrade().unwrap().on_finished(listener);
        }
    });
    in_time({
        let request = Arc::clone(&request);
        move || (request.get("", plain()), request.get("", plain()))
    });
    assert_eq!(heard.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_in_a_reader_ends_the_call_and_spares_the_object() {
    let server = Server::http(echo);
    let client = client();
    let request = Counted::with(&client);
    let body = Body::reader(std::io::Read::chain(&b"some"[..], Panicking));
    let call = || request.post(server.url("/"), body, plain());
    let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
    request.assert_ended(failed(ErrorKind::Internal), ErrorCode::NetworkError);
    assert_eq!((request.finished(), request.reply().request_id()), (1, 0));
    request.expect(FINE, |request| request.post(server.url("/"), "hello", plain()));
    await_quiet(&client);
}

struct Panicking;

impl std::io::Read for Panicking {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("on purpose")
    }
}

#[test]
fn a_panic_in_a_progress_listener_ends_the_call_and_spares_the_object() {
    let server = Server::http(echo);
    let client = client();
    let request = Counted::with(&client);
    let panics = Arc::new(AtomicUsize::new(0));
    request.on_download_progress({
        let panics = Arc::clone(&panics);
        move |_| assert!(panics.fetch_add(1, Ordering::SeqCst) > 0, "on purpose")
    });
    let call = || request.post(server.url("/"), "hello", plain());
    let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert!(payload.downcast_ref::<&str>().is_some_and(|text| text.contains("on purpose")));
    request.assert_ended(failed(ErrorKind::Internal), ErrorCode::NetworkError);
    assert_eq!(request.finished(), 1);
    request.expect(FINE, |request| request.post(server.url("/"), "hello", plain()));
    await_quiet(&client);
}

#[test]
fn a_panic_in_finished_reaches_the_caller_and_spares_the_object() {
    let server = Server::http(echo);
    let request = Counted::new();
    let panics = Arc::new(AtomicUsize::new(0));
    request.on_finished({
        let panics = Arc::clone(&panics);
        move || assert!(panics.fetch_add(1, Ordering::SeqCst) > 0, "on purpose")
    });
    let call = || request.post(server.url("/"), "hello", plain());
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    assert_eq!((request.finished(), request.reply().text()), (1, "hello".into()));
    request.expect(FINE, |request| request.post(server.url("/"), "again", plain()));
    assert_eq!((request.finished(), panics.load(Ordering::SeqCst)), (2, 2));
}

#[test]
fn a_panic_in_finished_while_a_reader_panics_does_not_end_the_process() {
    let server = Server::http(echo);
    let request = Counted::new();
    request.on_finished(|| panic!("of finished"));
    let call = || request.post(server.url("/"), Body::reader(Panicking), plain());
    let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
    assert_eq!(request.finished(), 1);
}

#[test]
fn finished_may_begin_a_call_while_a_reader_panics() {
    let server = Server::http(echo);
    let request = Arc::new(BlockingRequest::with_client(&client()));
    let rounds = Arc::new(AtomicUsize::new(0));
    request.on_finished({
        let (weak, rounds, url) = (Arc::downgrade(&request), Arc::clone(&rounds), server.url("/"));
        move || {
            if rounds.fetch_add(1, Ordering::SeqCst) == 0 {
                assert_eq!(weak.upgrade().unwrap().put(&url, "next", None), ErrorCode::NoError);
            }
        }
    });
    in_time({
        let (request, url) = (Arc::clone(&request), server.url("/"));
        move || {
            let call = || request.post(url, Body::reader(Panicking), plain());
            assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        }
    });
    assert_eq!((rounds.load(Ordering::SeqCst), request.reply().text()), (2, "next".into()));
    assert!(request.error().is_none());
}

#[test]
fn finished_is_called_once_too_for_a_call_inside_drop_while_a_panic_unwinds() {
    struct CallOnDrop<'r>(&'r Counted, String);

    impl Drop for CallOnDrop<'_> {
        fn drop(&mut self) {
            self.0.expect(FINE, |request| request.post(&self.1, "hello", plain()));
        }
    }

    let server = Server::http(echo);
    let request = Counted::new();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _on_drop = CallOnDrop(&request, server.url("/"));
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    assert_eq!((request.finished(), request.reply().text()), (1, "hello".into()));
}

/// What a progress listener heard.
type Heard = Arc<Mutex<Vec<Progress>>>;

fn listen(heard: &Heard) -> impl Fn(Progress) + Send + Sync + 'static {
    let heard = Arc::clone(heard);
    move |progress| heard.lock().unwrap().push(progress)
}

fn last(heard: &Heard) -> (u64, Option<u64>) {
    let heard = heard.lock().unwrap();
    assert!(heard.is_sorted_by_key(|progress| progress.bytes()), "{heard:?}");
    heard.last().map_or((0, None), |progress| (progress.bytes(), progress.total()))
}

#[test]
fn upload_and_download_are_told_apart() {
    let server = Server::http(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[], &body[..10]);
    });
    let request = Counted::new();
    let (up, down) = (Heard::default(), Heard::default());
    request.on_upload_progress(listen(&up));
    request.on_download_progress(listen(&down));
    let body = vec![7; 500_000];
    request.expect(FINE, |request| request.put(server.url("/"), body.clone(), None));
    assert_eq!((last(&up), last(&down)), ((500_000, Some(500_000)), (10, Some(10))));
}

#[test]
fn the_feedback_of_the_caller_counts_beside_the_listeners_of_the_object() {
    let server = Server::http(echo);
    let (request, feedback) = (Counted::new(), Feedback::new());
    let (up, down, own_up, own_down) =
        (Heard::default(), Heard::default(), Heard::default(), Heard::default());
    request.on_upload_progress(listen(&up));
    request.on_download_progress(listen(&down));
    feedback.on_upload(listen(&own_up));
    feedback.on_download(listen(&own_down));
    let url = server.url("/");
    request.expect(FINE, |request| request.post(&url, "hello", plain().feedback(&feedback)));
    for heard in [&up, &down, &own_up, &own_down] {
        assert_eq!(last(heard), (5, Some(5)));
    }
    assert_eq!((feedback.upload().bytes(), feedback.download().bytes()), (5, 5));
    for heard in [&up, &down] {
        heard.lock().unwrap().clear();
    }
    request.expect(FINE, |request| request.put(&url, "bye", Some(&feedback)));
    assert_eq!((last(&up), last(&down)), ((3, Some(3)), (3, Some(3))), "each call from zero");
    assert_eq!((feedback.upload().bytes(), feedback.download().bytes()), (8, 8), "a sum");
    assert_eq!((last(&own_up), last(&own_down)), ((8, Some(8)), (8, Some(8))));
}

#[test]
fn the_body_of_an_error_counts_too() {
    let server = Server::http(|exchange| {
        exchange.reply(500, &[], b"not today");
    });
    let (request, down) = (Counted::new(), Heard::default());
    request.on_download_progress(listen(&down));
    request.expect(REFUSED, |request| request.get(server.url("/"), plain()));
    assert_eq!(last(&down), (9, Some(9)));
}

#[test]
fn the_part_of_a_range_counts_too() {
    let server = Server::http(|exchange| {
        exchange.reply(206, &[], b"part");
    });
    let (request, down, feedback) = (Counted::new(), Heard::default(), Feedback::new());
    request.on_download_progress(listen(&down));
    let part = abide::NetworkRequest::new(server.url("/")).header("range", "bytes=0-3");
    request.expect(FINE, |request| request.get(&part, plain().feedback(&feedback)));
    assert_eq!((last(&down), feedback.download().bytes()), ((4, Some(4)), 4));
}
