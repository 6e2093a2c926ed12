//! Calls in the child and in the parent.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use abide::{BlockingRequest, Body, CallOptions, ErrorCode, ErrorKind, Feedback};

use super::{
    assert_forked, client,
    processes::{Over, in_child},
    support::{Exchange, PATIENCE, Server},
};

fn echo(exchange: &mut Exchange) {
    if let Some(body) = exchange.try_read_body() {
        exchange.reply(200, &[], &body);
    }
}

pub(crate) fn every_call_on_an_inherited_client_fails_at_once() {
    let server = Server::http(echo);
    let (client, url) = (client(), server.url("/"));
    let (request, finished) =
        (BlockingRequest::with_client(&client), Arc::new(AtomicUsize::new(0)));
    request.on_finished({
        let finished = Arc::clone(&finished);
        move || {
            finished.fetch_add(1, Ordering::SeqCst);
        }
    });
    assert_eq!(request.post(&url, "kept", CallOptions::default()), ErrorCode::NoError);
    in_child(|| {
        assert_forked(|| client.get(&url).send());
        assert_forked(|| client.get(&url).open());
        assert_forked(|| client.clone().post(&url).body("bytes").send());
        assert_forked(|| client.put(&url).body(Body::reader(Unread)).send());
        assert_forked(|| client.get(&url).feedback(Feedback::new()).timeout(PATIENCE).send());
        assert_forked(|| client.shutdown(PATIENCE));
        assert_eq!(request.get(&url, CallOptions::default()), ErrorCode::NetworkError);
        assert_eq!(request.error().unwrap().kind(), ErrorKind::Forked);
        assert_eq!(finished.load(Ordering::SeqCst), 2);
        client.close_idle();
        assert_eq!((client.stats().open(), client.stats().calls()), (0, 0));
        assert!(format!("{client:?}").contains("Client"));
    });
    assert_eq!((request.reply().text(), finished.load(Ordering::SeqCst)), ("kept".to_owned(), 1));
    assert!(client.get(&url).send().unwrap().reused_connection());
    assert_eq!((server.connections(), server.requests()), (1, 2));
}

/// The body of a call that fails before it is asked for.
struct Unread;

impl Read for Unread {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("nothing should be read")
    }
}

pub(crate) fn a_client_that_was_never_used_is_inherited_too() {
    let server = Server::http(echo);
    let client = client();
    in_child(|| assert_forked(|| client.get(server.url("/")).send()));
    client.get(server.url("/")).send().unwrap();
    assert_eq!(server.requests(), 1);
}

pub(crate) fn the_process_wide_client_is_inherited_too() {
    let server = Server::http(echo);
    abide::get(server.url("/")).unwrap();
    in_child(|| {
        assert_forked(|| abide::get(server.url("/")));
        assert_forked(|| abide::post(server.url("/")).send());
        let request = BlockingRequest::new();
        assert_eq!(request.put(server.url("/"), "body", None), ErrorCode::NetworkError);
    });
    assert!(abide::get(server.url("/")).unwrap().reused_connection());
    assert_eq!(server.requests(), 2);
}

pub(crate) fn what_is_dropped_in_the_child_stays_with_the_parent() {
    let server = Server::http(|exchange| match exchange.target() {
        "/pair" => {
            exchange.signal("pair");
            exchange.await_signal("pair", 2);
            exchange.reply(200, &[], b"one of a pair");
        }
        "/half" => {
            exchange.begin_reply(200, &[("content-length", "8")]);
            exchange.write("half");
            exchange.await_signal("child ended", 1);
            exchange.write("half");
        }
        _ => echo(exchange),
    });
    let client = client();
    let pair = server.url("/pair");
    thread::scope(|scope| {
        scope.spawn(|| client.get(&pair).send().unwrap());
        client.get(&pair).send().unwrap();
    });
    let mut half = client.get(server.url("/half")).open().unwrap();
    half.read_exact(&mut [0; 4]).unwrap();
    assert_eq!((client.stats().open(), server.connections()), (2, 2));
    // In the child these are the last that hold the client.
    let (mut held_half, mut held_client) = (Some(half), Some(client));
    in_child(|| drop((held_half.take(), held_client.take())));
    in_child(|| drop((held_client.take(), held_half.take())));
    server.signal("child ended");
    let client = held_client.unwrap();
    assert_eq!(io::read_to_string(held_half.unwrap()).unwrap(), "half");
    for _ in 0..3 {
        let reply = client.post(server.url("/")).body("again").send().unwrap();
        assert_eq!((reply.text(), reply.reused_connection()), ("again".to_owned(), true));
    }
    assert_eq!((server.connections(), server.open_connections()), (2, 2));
}

pub(crate) fn calls_in_flight_go_on_in_the_parent() {
    let server = Server::http(|exchange| {
        if exchange.target() == "/waits" {
            exchange.signal("waiting");
            exchange.await_signal("go", 1);
        }
        echo(exchange);
    });
    let (client, url) = (client(), server.url("/waits"));
    client.get(server.url("/")).send().unwrap();
    let (answer, answers) = mpsc::channel();
    for _ in 0..3 {
        let (client, url, answer) = (client.clone(), url.clone(), answer.clone());
        thread::spawn(move || answer.send(client.post(url).body("in flight").send()).unwrap());
    }
    server.await_signal("waiting", 3);
    for _ in 0..3 {
        let mut held = Some(client.clone());
        in_child(|| {
            assert_forked(|| client.get(&url).send());
            drop(held.take());
        });
    }
    server.signal("go");
    for _ in 0..3 {
        let reply = answers.recv_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!((reply.text(), reply.attempts()), ("in flight".to_owned(), 1));
    }
    assert_eq!(server.requests(), 4);
}

pub(crate) fn nothing_in_the_child_waits_for_a_lock_of_a_busy_client() {
    let server = Server::http(echo);
    let (client, url) = (client(), server.url("/"));
    let (is_over, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let threads = [(); 4].map(|()| {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let reply = client.post(&url).body(Body::reader(&b"busy"[..])).send().unwrap();
                    assert_eq!(reply.text(), "busy");
                    calls.fetch_add(1, Ordering::SeqCst);
                }
            })
        });
        let _over = Over(&is_over);
        for _ in 0..FORKS {
            let before = calls.load(Ordering::SeqCst);
            let mut held = Some(client.clone());
            in_child(|| {
                assert_forked(|| client.get(&url).send());
                client.close_idle();
                assert_eq!(client.stats().open(), 0);
                drop(held.take());
            });
            while calls.load(Ordering::SeqCst) == before {
                assert!(threads.iter().all(|thread| !thread.is_finished()));
                thread::yield_now();
            }
        }
    });
    assert!(server.connections() <= 4, "{} connections", server.connections());
}

pub(crate) fn a_client_made_in_the_child_works() {
    let server = Server::http(|exchange| match exchange.target() {
        "/silent" => exchange.await_client_gone(),
        _ => echo(exchange),
    });
    let (url, silent) = (server.url("/"), server.url("/silent"));
    let named = server.url_at("localhost", "/");
    let inherited = client();
    inherited.get(&named).send().unwrap();
    in_child(|| {
        let client = client();
        assert_forked(|| inherited.get(&url).send());
        client.get(&named).send().unwrap();
        let reply = client.post(&url).body(Body::reader(&b"a reader"[..])).send().unwrap();
        assert_eq!(reply.text(), "a reader");
        let mut open = client.post(&url).body("a stream").open().unwrap();
        assert_eq!(io::read_to_string(&mut open).unwrap(), "a stream");
        let hasty = client.get(&silent).timeout(Duration::from_millis(20)).send();
        assert!(hasty.unwrap_err().is_timeout());
        let feedback = Feedback::new();
        let canceller = feedback.clone();
        thread::spawn(move || canceller.cancel());
        assert!(client.get(&silent).feedback(&feedback).send().unwrap_err().is_cancelled());
        let request = BlockingRequest::with_client(&client);
        assert_eq!(request.put(&url, "put", None), ErrorCode::NoError);
        secure_call_in_child();
    });
    assert!(inherited.get(&named).send().unwrap().reused_connection());
}

#[cfg(feature = "tls")]
fn secure_call_in_child() {
    let server = Server::https(echo);
    let root = abide::Certificate::from_pem(super::support::ca()).unwrap();
    let client = super::builder().only_root_certificates([root]).build().unwrap();
    let reply = client.post(server.url("/")).body("secret").send().unwrap();
    assert_eq!(reply.text(), "secret");
}

#[cfg(not(feature = "tls"))]
fn secure_call_in_child() {}

pub(crate) fn a_client_of_the_child_fails_in_the_grandchild() {
    let server = Server::http(echo);
    let url = server.url("/");
    let oldest = client();
    oldest.get(&url).send().unwrap();
    in_child(|| {
        let older = client();
        older.get(&url).send().unwrap();
        in_child(|| {
            assert_forked(|| oldest.get(&url).send());
            assert_forked(|| older.get(&url).send());
            client().get(&url).send().unwrap();
        });
        assert!(older.get(&url).send().unwrap().reused_connection());
        assert_forked(|| oldest.get(&url).send());
    });
    assert!(oldest.get(&url).send().unwrap().reused_connection());
    assert_eq!((server.connections(), server.requests()), (3, 5));
}

const FORKS: usize = 30;
