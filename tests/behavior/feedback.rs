//! Feedback: progress that any thread may read, listeners, and the family of tokens.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use abide::{Body, ErrorKind, Feedback, Progress};
use tokio_util::sync::CancellationToken;

use crate::{
    clients::{FixedNames, await_quiet, builder, client},
    support::Server,
    waiting::{AT_ONCE, eventually, start},
};

const PIECE: usize = 1000;
const PIECES: usize = 20;

#[test]
fn download_progress_is_seen_while_it_happens_and_never_goes_back() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", &(PIECE * PIECES).to_string())]);
        for piece in 1..=PIECES {
            exchange.write([7; PIECE]);
            exchange.await_signal("seen", piece);
        }
    });
    let feedback = Feedback::new();
    let call = start({
        let (feedback, url) = (feedback.clone(), server.url("/"));
        move || client().get(url).feedback(feedback).send()
    });
    for piece in 1..=PIECES {
        let expected = (PIECE * piece) as u64;
        let mut last = 0;
        eventually("a piece has arrived", || {
            let progress = feedback.download();
            assert!(last <= progress.bytes() && progress.bytes() <= expected, "{progress:?}");
            last = progress.bytes();
            last == expected
        });
        assert_eq!(feedback.download().total(), Some((PIECE * PIECES) as u64));
        server.signal("seen");
    }
    assert_eq!(call.join().unwrap().bytes().len(), PIECE * PIECES);
    assert_eq!(feedback.upload().bytes(), 0);
}

#[test]
fn upload_progress_ends_at_the_length_of_the_body() {
    let server = Server::http(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[], body.len().to_string().as_bytes());
    });
    let body = vec![1; 3_000_000];
    for (body, total) in [
        (Body::from(body.clone()), Some(3_000_000)),
        (Body::sized_reader(&body[..], 3_000_000), Some(3_000_000)),
        (Body::reader(&body[..]), None),
    ] {
        let feedback = Feedback::new();
        let reply = client().post(server.url("/")).body(body).feedback(&feedback).send();
        assert_eq!(reply.unwrap().text(), "3000000");
        assert_eq!((feedback.upload().bytes(), feedback.upload().total()), (3_000_000, total));
        assert_eq!(feedback.download().bytes(), 7);
    }
}

#[test]
fn a_streamed_reply_counts_what_arrives() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("transfer-encoding", "chunked")]);
        exchange.write("5\r\nhello\r\n0\r\n\r\n");
    });
    let feedback = Feedback::new();
    let mut reply = client().get(server.url("/")).feedback(&feedback).open().unwrap();
    let text = std::io::read_to_string(&mut reply).unwrap();
    assert_eq!((text.as_str(), feedback.download().bytes()), ("hello", 5));
    assert_eq!(feedback.download().total(), None);
}

/// What a listener was told, when, and on which thread.
type Told = Arc<Mutex<Vec<(Instant, ThreadId, Progress)>>>;

fn listen(told: &Told) -> impl Fn(Progress) + Send + Sync + 'static {
    let told = Arc::clone(told);
    move |progress| told.lock().unwrap().push((Instant::now(), thread::current().id(), progress))
}

#[test]
fn listeners_run_on_the_waiting_thread_and_not_too_often() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "300")]);
        for _ in 0..300 {
            exchange.write("x");
            // A pace, so that there is news all the time; nothing waits for this.
            thread::sleep(Duration::from_millis(1));
        }
    });
    let (feedback, told) = (Feedback::new(), Told::default());
    feedback.on_download(listen(&told));
    let began = Instant::now();
    client().get(server.url("/")).feedback(&feedback).send().unwrap();
    let told = told.lock().unwrap();
    assert!(told.iter().all(|(_, thread, _)| *thread == thread::current().id()));
    assert!(told.is_sorted_by_key(|(_, _, progress)| progress.bytes()));
    let (_, _, last) = told.last().unwrap();
    assert_eq!((last.bytes(), last.total()), (300, Some(300)));
    let most = began.elapsed().as_millis() / 50 + 3;
    assert!(told.len() as u128 <= most, "{} calls in {:?}", told.len(), began.elapsed());
    assert!(told.len() >= 3, "{} calls in {:?}", told.len(), began.elapsed());
}

#[test]
fn listeners_hear_the_end_of_even_the_smallest_transfer() {
    let server = Server::http(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[], &body);
    });
    let (feedback, up, down) = (Feedback::new(), Told::default(), Told::default());
    feedback.on_upload(listen(&up));
    feedback.on_download(listen(&down));
    client().post(server.url("/")).body("abc").feedback(&feedback).send().unwrap();
    for told in [up, down] {
        let told = told.lock().unwrap();
        assert_eq!(told.last().unwrap().2.bytes(), 3);
        // Once when it was news, perhaps, and once at the end.
        assert!(told.iter().filter(|(_, _, progress)| progress.bytes() == 3).count() <= 2);
    }
}

#[test]
fn a_panic_in_a_listener_reaches_the_caller_and_harms_nobody_else() {
    let server = Server::http(|exchange| match exchange.target() {
        "/held" => {
            exchange.begin_reply(200, &[("content-length", "100")]);
            exchange.write("some");
            exchange.await_client_gone();
            exchange.signal("gone");
        }
        _ => drop(exchange.reply(200, &[], b"abc")),
    });
    let client = client();
    // While the exchange is under way, and when it has ended.
    for target in ["/held", "/"] {
        let feedback = Feedback::new();
        feedback.on_download(|progress| assert_eq!(progress.bytes(), 0, "on purpose"));
        let call = || client.get(server.url(target)).feedback(&feedback).send();
        let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert!(payload.downcast_ref::<String>().unwrap().contains("on purpose"));
        server.await_signal("gone", 1);
        assert_eq!(client.get(server.url("/")).send().unwrap().text(), "abc");
        await_quiet(&client);
    }
}

#[test]
fn a_listener_may_cancel_its_own_call() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "100")]);
        exchange.write("some");
        exchange.await_client_gone();
    });
    let feedback = Feedback::new();
    feedback.on_download({
        let feedback = feedback.clone();
        move |progress| {
            if progress.bytes() > 0 {
                feedback.cancel();
            }
        }
    });
    let error = client().get(server.url("/")).feedback(&feedback).send().unwrap_err();
    assert!(error.is_cancelled(), "{error:?}");
    server.await_open(0);
}

#[test]
fn an_already_cancelled_call_does_nothing() {
    let server = Server::http(|_| panic!("no call should arrive"));
    let names = FixedNames::loopback();
    let client = builder().resolver(names.clone()).build().unwrap();
    let feedback = Feedback::new();
    feedback.cancel();
    assert!(feedback.is_cancelled());
    let reader = std::io::Cursor::new("never read");
    let call = client.post(server.url_at("some.test", "/")).body(Body::reader(reader));
    let began = Instant::now();
    let error = call.feedback(&feedback).send().unwrap_err();
    assert!(began.elapsed() < AT_ONCE);
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(client.get(server.url("/")).feedback(&feedback).open().unwrap_err().is_cancelled());
    assert_eq!(client.stats().connections_opened(), 0);
    assert_eq!(server.connections(), 0);
    assert!(names.asked().is_empty());
}

#[test]
fn a_parent_ends_its_children_and_not_the_other_way_round() {
    let parent = Feedback::new();
    let (one, two) = (parent.child(), parent.child());
    one.cancel();
    assert!(one.is_cancelled() && !two.is_cancelled() && !parent.is_cancelled());
    parent.cancel();
    assert!(two.is_cancelled() && parent.is_cancelled() && parent.child().is_cancelled());
}

#[test]
fn a_child_counts_for_itself() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"abc");
    });
    let parent = Feedback::new();
    let (one, two) = (parent.child(), parent.child());
    let client = client();
    client.get(server.url("/")).feedback(&one).send().unwrap();
    client.get(server.url("/")).feedback(&one).send().unwrap();
    client.get(server.url("/")).feedback(&two).send().unwrap();
    assert_eq!((one.download().bytes(), two.download().bytes()), (6, 3));
}

#[test]
fn a_tokio_token_cancels_a_call() {
    let server = Server::http(|exchange| {
        exchange.signal("waiting");
        exchange.await_client_gone();
    });
    let token = CancellationToken::new();
    let call = start({
        let (token, url) = (token.clone(), server.url("/"));
        move || client().get(url).feedback(token).send()
    });
    server.await_signal("waiting", 1);
    token.cancel();
    assert!(call.join().unwrap_err().is_cancelled());
    server.await_open(0);
}

#[test]
fn a_call_does_not_cancel_the_token_it_was_given() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"");
    });
    let token = CancellationToken::new();
    client().get(server.url("/")).feedback(token.clone()).send().unwrap();
    assert!(!token.is_cancelled());
}

/// Each inside the one before it would need as much stack as there are of them.
#[test]
fn a_long_line_of_children_is_dropped_one_after_the_other() {
    let mut last = Feedback::new();
    for _ in 0..100_000 {
        last = last.child();
    }
    drop(last);
}
