//! Calls made by a `tracing` subscriber where an event loop tells it something, on whatever thread.
//!
//! A program of its own, because the subscriber is that of all threads.
#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

#[expect(dead_code, unused_imports, reason = "it needs less than the behaviour tests")]
mod support;
#[expect(dead_code, reason = "it needs less than the behaviour tests")]
#[path = "behavior/waiting.rs"]
mod waiting;

use std::{
    fmt::Debug,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
};

use abide::{Client, Driving, ErrorKind, Limits, Reply};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use support::{Exchange, Server};
use waiting::in_time;

const ALL: [Driving; 3] = [Driving::Lent, Driving::Background, Driving::AtRandom];

fn hello(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"hello");
}

/// The servers: one that is known to speak HTTP/1.1, and those of which that has to be learnt.
fn servers() -> Vec<Server> {
    vec![
        Server::http(hello),
        #[cfg(feature = "tls")]
        Server::https(hello),
        #[cfg(all(feature = "tls", feature = "http2"))]
        Server::http2(|mut exchange| async move {
            exchange.reply(200, &[], "hello").await;
        }),
    ]
}

fn client(driving: Driving, places: usize) -> Client {
    let limits = Limits::default().places_per_route(places).http2_connections_per_route(places);
    let client = Client::builder().driving(driving).limits(limits).no_proxy();
    #[cfg(feature = "tls")]
    let client =
        client.only_root_certificates([abide::Certificate::from_pem(support::ca()).unwrap()]);
    client.build().unwrap()
}

/// What a call comes to, and one that is made inside of the lane that has connected for it.
fn both_calls(server: &Server, driving: Driving, places: usize) -> [abide::Result<Reply>; 2] {
    let (client, url) = (client(driving, places), server.url("/"));
    let (answer, answers) = mpsc::channel();
    let _told = {
        let (client, url, is_made) = (client.clone(), url.clone(), AtomicBool::new(false));
        on_connected(server, move || {
            if !is_made.swap(true, Ordering::SeqCst) {
                answer.send(client.get(&url).send()).unwrap();
            }
        })
    };
    in_time(move || [client.get(&url).send(), answers.recv().unwrap()])
}

#[test]
fn a_call_inside_of_a_lane_is_carried_by_another_one() {
    for driving in ALL {
        for server in servers() {
            let [outer, inner] = both_calls(&server, driving, 2).map(Result::unwrap);
            assert_eq!((outer.text(), inner.text()), ("hello".into(), "hello".into()));
            assert_eq!(server.connections(), 2, "{driving:?}");
        }
    }
}

#[test]
fn a_call_that_only_its_own_lane_could_let_begin_fails_at_once() {
    for driving in ALL {
        for server in servers() {
            let [outer, inner] = both_calls(&server, driving, 1);
            assert_eq!(outer.unwrap().text(), "hello");
            let error = inner.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit, "{driving:?}: {error}");
            assert_eq!(server.connections(), 1);
        }
    }
}

#[test]
fn calls_that_could_only_let_each_other_begin_do_not_wait_for_that() {
    for driving in ALL {
        for server in servers() {
            let (client, url) = (client(driving, 2), server.url("/"));
            let (failed, made) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
            let _told = {
                let (failed, made) = (Arc::clone(&failed), Arc::clone(&made));
                let (client, url) = (client.clone(), url.clone());
                on_connected(&server, move || {
                    made.fetch_add(1, Ordering::SeqCst);
                    let ended = client.get(&url).send();
                    failed.lock().unwrap().extend(ended.err());
                })
            };
            assert_eq!(in_time(move || client.get(&url).send().unwrap().text()), "hello");
            let failed = failed.lock().unwrap();
            assert_eq!((made.load(Ordering::SeqCst), failed.len()), (2, 1), "{driving:?}");
            assert_eq!(failed[0].kind(), ErrorKind::Limit, "{}", failed[0]);
        }
    }
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// What to do when a server has been connected to, each with its address.
static HOOKS: Mutex<Vec<(String, Hook)>> = Mutex::new(Vec::new());

fn hooks() -> std::sync::MutexGuard<'static, Vec<(String, Hook)>> {
    HOOKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until it is dropped its code runs when its server has been connected to.
struct Hooked(String);

impl Drop for Hooked {
    fn drop(&mut self) {
        hooks().retain(|(address, _)| *address != self.0);
    }
}

fn on_connected(server: &Server, hook: impl Fn() + Send + Sync + 'static) -> Hooked {
    static IS_SET: LazyLock<()> =
        LazyLock::new(|| tracing::subscriber::set_global_default(Calling).unwrap());
    LazyLock::force(&IS_SET);
    let address = server.addr().to_string();
    hooks().push((address.clone(), Arc::new(hook)));
    Hooked(address)
}

struct Calling;

impl Subscriber for Calling {
    /// Only what the event loops tell of connections.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "abide::transport"
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = String::new();
        event.record(&mut Text(&mut text));
        assert!(text.contains("connected"), "{text}");
        let hook = {
            let hooks = hooks();
            let hook = hooks.iter().find(|(address, _)| text.contains(address));
            hook.map(|(_, hook)| Arc::clone(hook))
        };
        hook.into_iter().for_each(|hook| hook());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// All fields, one after the other.
struct Text<'t>(&'t mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }
}
