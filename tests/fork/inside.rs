//! Forks by code that a call runs.

use std::{
    io::{self, Read},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use abide::{
    BlockingRequest, Body, CallOptions, ErrorCode, ErrorKind, Feedback, RedirectAction,
    RedirectPolicy, RequestBuilder,
};

use super::{
    assert_forked, client,
    processes::{Over, Side, end_after, fork_here, in_child},
    support::{Exchange, Server},
};

fn echo(exchange: &mut Exchange) {
    if let Some(body) = exchange.try_read_body() {
        exchange.reply(200, &[], &body);
    }
}

/// Where a fork inside a call has gone on.
#[derive(Clone, Copy, PartialEq)]
enum Here {
    Child,
    Parent,
}

/// Forks; the parent waits for its child.
fn fork_once(here: &Mutex<Option<Here>>) {
    let mut here = here.lock().unwrap();
    if here.is_some() {
        return;
    }
    *here = Some(match fork_here() {
        Side::Child => Here::Child,
        Side::Parent(child) => {
            child.join();
            Here::Parent
        }
    });
}

pub(crate) fn a_fork_inside_a_listener_leaves_the_call_to_the_parent() {
    let server = Arc::new(Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "8")]);
        exchange.write("half");
        exchange.await_signal("child ended", 1);
        exchange.write("half");
    }));
    let other = Server::http(echo);
    let (client, feedback) = (client(), Feedback::new());
    let here = Arc::new(Mutex::new(None));
    feedback.on_download({
        let (inherited, url) = (client.clone(), other.url("/"));
        let (here, server) = (Arc::clone(&here), Arc::clone(&server));
        move |progress| {
            if progress.bytes() == 0 {
                return;
            }
            fork_once(&here);
            if *here.lock().unwrap() == Some(Here::Child) {
                assert_forked(|| inherited.get(&url).send());
                super::client().get(&url).send().unwrap();
            } else {
                server.signal("child ended");
            }
        }
    });
    let answer = client.get(server.url("/")).feedback(&feedback).send();
    if *here.lock().unwrap() == Some(Here::Child) {
        end_after(|| assert_forked(|| answer));
    }
    assert_eq!(answer.unwrap().text(), "halfhalf");
    assert!(client.get(server.url("/")).send().unwrap().reused_connection());
}

pub(crate) fn a_fork_inside_a_listener_finds_no_lock_of_a_busy_client() {
    let server = Server::http(echo);
    let (client, url) = (client(), server.url("/"));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    client.get(&url).send().unwrap();
                }
            });
        }
        let _over = Over(&is_over);
        let mut forks = 0;
        for _ in 0..FORKS {
            let (feedback, here) = (Feedback::new(), Arc::new(Mutex::new(None)));
            feedback.on_upload({
                let here = Arc::clone(&here);
                // Once all is sent the call may be over, and a reply is as good in a child.
                move |progress| {
                    if progress.bytes() == 0 {
                        fork_once(&here);
                    }
                }
            });
            let answer = client.post(&url).body("hello").feedback(&feedback).send();
            if *here.lock().unwrap() == Some(Here::Child) {
                end_after(|| assert_forked(|| answer));
            }
            assert_eq!(answer.unwrap().text(), "hello");
            forks += usize::from(here.lock().unwrap().is_some());
        }
        assert!(forks > 0);
    });
}

pub(crate) fn a_fork_inside_a_call_finds_no_lock_of_a_shared_feedback() {
    let server = Server::http(echo);
    let (client, url, shared) = (client(), server.url("/"), Feedback::new());
    shared.on_download(|_| {});
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    client.get(&url).feedback(&shared).send().unwrap();
                    client.get(&url).feedback(shared.child()).send().unwrap();
                }
            });
        }
        let _over = Over(&is_over);
        for _ in 0..FORKS {
            let here = Arc::new(Mutex::new(None));
            let body = Body::reader(Forking(Arc::clone(&here), 0));
            let answer = client.post(&url).body(body).feedback(&shared).send();
            if *here.lock().unwrap() == Some(Here::Child) {
                end_after(|| assert_forked(|| answer));
            }
            assert_eq!(answer.unwrap().text(), "halfhalf");
        }
    });
}

#[cfg(feature = "disk-cache")]
pub(crate) fn a_fork_inside_a_listener_leaves_what_is_stored_to_the_parent() {
    let server = Arc::new(Server::http(|exchange| {
        let length = (2 * LARGE).to_string();
        let fields = [("content-length", length.as_str()), ("cache-control", "max-age=60")];
        exchange.begin_reply(200, &fields);
        exchange.write([7; LARGE]);
        exchange.await_signal("child ended", 1);
        exchange.write([7; LARGE]);
    }));
    let folder = std::env::temp_dir().join(format!("abide-fork-{}", std::process::id()));
    let cache = abide::Cache::disk(&folder, 64 << 20);
    let client = super::builder().cache(cache).build().unwrap();
    let (feedback, here) = (Feedback::new(), Arc::new(Mutex::new(None)));
    feedback.on_download({
        let (here, server) = (Arc::clone(&here), Arc::clone(&server));
        move |progress| {
            // By now a part of it is in a file.
            if progress.bytes() >= LARGE as u64 {
                fork_once(&here);
                if *here.lock().unwrap() == Some(Here::Parent) {
                    server.signal("child ended");
                }
            }
        }
    });
    let open = client.get(server.url("/")).feedback(&feedback).open().unwrap();
    let reply = open.into_reply();
    if *here.lock().unwrap() == Some(Here::Child) {
        end_after(|| assert_forked(|| reply));
    }
    assert!(reply.unwrap().cache().unwrap().is_stored());
    assert!(client.get(server.url("/")).send().unwrap().cache().unwrap().is_hit());
    std::fs::remove_dir_all(folder).unwrap();
}

/// Gives two pieces, and forks between them.
struct Forking(Arc<Mutex<Option<Here>>>, usize);

impl Read for Forking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        match self.1 {
            1 => {}
            2 => fork_once(&self.0),
            _ => return Ok(0),
        }
        buffer[..4].copy_from_slice(b"half");
        Ok(4)
    }
}

pub(crate) fn a_fork_inside_a_reader_leaves_the_call_to_the_parent() {
    let server = Server::http(echo);
    let client = client();
    // The second time the connection is there, and the thread that calls moves it along.
    for _ in 0..2 {
        let here = Arc::new(Mutex::new(None));
        let body = Body::reader(Forking(Arc::clone(&here), 0));
        let answer = client.post(server.url("/")).body(body).send();
        if *here.lock().unwrap() == Some(Here::Child) {
            end_after(|| assert_forked(|| answer));
        }
        assert_eq!(answer.unwrap().text(), "halfhalf");
    }
    assert!(client.get(server.url("/")).send().unwrap().reused_connection());
}

pub(crate) fn a_fork_inside_an_interceptor_or_a_redirect_policy_leaves_the_call_to_the_parent() {
    let server = Server::http(|exchange| match exchange.target() {
        "/to" => drop(exchange.reply(200, &[], b"there")),
        _ => drop(exchange.reply(302, &[("location", "/to")], b"moved")),
    });
    let forks = || {
        let here = Arc::new(Mutex::new(None));
        (Arc::clone(&here), move || fork_once(&here))
    };
    let (client, url) = (client(), server.url("/from"));
    let check = |here: Arc<Mutex<Option<Here>>>, call: RequestBuilder<'_>, expected: &str| {
        let answer = call.send();
        if *here.lock().unwrap() == Some(Here::Child) {
            end_after(|| assert_forked(|| answer));
        }
        assert_eq!(answer.unwrap().text(), expected);
    };
    let (here, fork) = forks();
    let call = client.get(&url).intercept_requests(move |_| {
        fork();
        Ok(())
    });
    check(here, call, "there");
    let (here, fork) = forks();
    let call = client.get(&url).intercept_replies(move |_| {
        fork();
        Ok(())
    });
    check(here, call, "there");
    for (action, expected) in
        [(RedirectAction::Follow, "there"), (RedirectAction::Deliver, "moved")]
    {
        let (here, fork) = forks();
        let policy = RedirectPolicy::custom(move |_| {
            fork();
            action.clone()
        });
        check(here, client.get(&url).redirects(policy), expected);
    }
    assert!(client.get(&url).send().unwrap().reused_connection());
}

pub(crate) fn a_fork_inside_finished_leaves_the_object_to_the_parent() {
    let server = Server::http(echo);
    let request = Arc::new(BlockingRequest::with_client(&client()));
    request.on_finished({
        let (request, url) = (Arc::downgrade(&request), server.url("/"));
        let forked = Mutex::new(false);
        move || {
            if std::mem::replace(&mut *forked.lock().unwrap(), true) {
                return;
            }
            in_child(|| {
                let request = request.upgrade().unwrap();
                assert_eq!(request.reply().text(), "hello");
                assert_eq!(request.put(&url, "again", None), ErrorCode::NetworkError);
                assert_eq!(request.error().unwrap().kind(), ErrorKind::Forked);
            });
        }
    });
    let url = server.url("/");
    assert_eq!(request.post(&url, "hello", CallOptions::default()), ErrorCode::NoError);
    assert_eq!(request.reply().text(), "hello");
    assert_eq!(request.post(&url, "again", CallOptions::default()), ErrorCode::NoError);
    assert!(request.reply().reused_connection());
}

/// More than is written to a file at once.
#[cfg(feature = "disk-cache")]
const LARGE: usize = 300_000;
const FORKS: usize = 200;
