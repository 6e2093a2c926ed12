//! The end of a client: every call has its answer, and nothing is left.

use std::{
    fs,
    io::Read,
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use abide::{Client, ErrorKind, Feedback, Limits, Resolve, RetryPolicy, Shutdown};

use crate::{
    alone::run_alone,
    clients::{GatedNames, await_stats, builder, client},
    support::{BlackHole, Exchange, PATIENCE, Server},
    waiting::{eventually, in_time, start},
};

const AT_ONCE: Duration = Duration::ZERO;
const SOON: Duration = Duration::from_millis(50);

fn ok(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"ok");
}

/// Answers `/` and leaves everything else waiting.
fn ok_or_never(exchange: &mut Exchange) {
    match exchange.target() {
        "/" => ok(exchange),
        _ => exchange.await_client_gone(),
    }
}

#[track_caller]
fn assert_shut_down(client: &Client) {
    let error = client.get("http://127.0.0.1:1/?token=hidden").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ShutDown, "{error:?}");
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
    assert_eq!(client.get("http://127.0.0.1:1/").open().unwrap_err().kind(), ErrorKind::ShutDown);
}

#[track_caller]
fn assert_complete(ended: &Shutdown, aborted: usize) {
    assert!(ended.is_complete(), "{ended:?}");
    assert_eq!(ended.calls_aborted(), aborted);
}

#[test]
fn an_idle_client_ends_at_once_and_takes_no_calls_any_more() {
    let server = Server::http(ok);
    let client = client();
    let clone = client.clone();
    client.get(server.url("/")).send().unwrap();
    assert_complete(&in_time(move || clone.shutdown(PATIENCE)).unwrap(), 0);
    server.await_open(0);
    assert_shut_down(&client);
    assert_complete(&client.shutdown(PATIENCE).unwrap(), 0);
    assert_eq!(client.stats().open(), 0);
}

#[test]
fn a_client_that_was_never_used_ends_too() {
    let client = client();
    assert_complete(&client.shutdown(PATIENCE).unwrap(), 0);
    assert_shut_down(&client);
}

#[test]
fn running_calls_are_waited_for() {
    let server = Server::http(|exchange| {
        exchange.signal("there");
        exchange.await_signal("go on", 1);
        ok(exchange);
    });
    let client = client();
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let (client, url) = (client.clone(), server.url("/"));
            start(move || client.get(url).send())
        })
        .collect();
    server.await_signal("there", 3);
    let ending = {
        let client = client.clone();
        start(move || client.shutdown(PATIENCE))
    };
    eventually("new calls are refused", || {
        let refused = client.get("http://127.0.0.1:1/").send().unwrap_err();
        refused.kind() == ErrorKind::ShutDown
    });
    server.signal("go on");
    for call in calls {
        assert_eq!(call.join().unwrap().status(), 200);
    }
    assert_complete(&ending.join().unwrap(), 0);
    server.await_open(0);
}

/// Shuts down a client that has `calls` calls going on, which `are_there` tells, and checks that
/// each ends once and soon.
#[track_caller]
fn check_abort(client: &Client, urls: Vec<String>, are_there: impl FnOnce()) -> Shutdown {
    let count = urls.len();
    let calls: Vec<_> = urls
        .into_iter()
        .map(|url| {
            let client = client.clone();
            start(move || client.get(url).send().map(drop))
        })
        .collect();
    are_there();
    let clone = client.clone();
    let ended = in_time(move || clone.shutdown(SOON)).unwrap();
    for call in calls {
        let error = call.join().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ShutDown, "{error:?}");
        assert!(error.phase().is_some() && !error.is_cancelled() && !error.is_timeout());
    }
    assert_eq!((ended.calls_aborted(), ended.calls_left()), (count, 0));
    assert_eq!(client.stats().open() + client.stats().dialing(), 0);
    assert_shut_down(client);
    ended
}

#[test]
fn calls_that_take_too_long_are_aborted() {
    let server = Server::http(ok_or_never);
    let client = client();
    let urls = (0..5).map(|_| server.url("/never")).collect();
    let ended = check_abort(&client, urls, || server.await_requests(5));
    assert_complete(&ended, 5);
    server.await_open(0);
}

#[test]
fn calls_in_the_queue_are_aborted() {
    let server = Server::http(ok_or_never);
    let client = builder().limits(Limits::default().places_per_route(1)).build().unwrap();
    let urls = (0..8).map(|_| server.url("/never")).collect();
    let ended = check_abort(&client, urls, || {
        await_stats(&client, "all are there", |stats| (stats.active(), stats.queued()) == (1, 7));
    });
    assert_complete(&ended, 8);
    server.await_open(0);
}

#[test]
fn calls_that_connect_are_aborted() {
    let hole = BlackHole::new();
    let client = client();
    let ended = check_abort(&client, vec![hole.url("/")], || {
        eventually("somebody connects", || hole.is_called() || cfg!(not(target_os = "linux")));
        await_stats(&client, "a dial", |stats| stats.dialing() == 1);
    });
    assert_complete(&ended, 1);
}

#[test]
#[cfg(feature = "tls")]
fn calls_that_shake_hands_are_aborted() {
    let server = Server::tls_stalled();
    let client = client();
    let ended = check_abort(&client, vec![server.url("/")], || server.await_signal("hello", 1));
    assert_complete(&ended, 1);
    server.await_open(0);
}

#[test]
#[cfg(all(feature = "tls", feature = "http2"))]
fn streams_are_aborted() {
    let server = Server::http2(|mut exchange| async move {
        exchange.await_reset().await;
    });
    let client = crate::clients::trusting().build().unwrap();
    let urls = (0..5).map(|_| server.url("/")).collect();
    let ended = check_abort(&client, urls, || server.await_requests(5));
    assert_complete(&ended, 5);
    server.await_open(0);
}

#[test]
fn a_look_up_that_is_stuck_is_told_and_ends_later() {
    let names = GatedNames::default();
    let client = builder().resolver(names.resolver()).build().unwrap();
    let urls = vec!["http://some.test/".to_owned()];
    let ended = check_abort(&client, urls, || names.await_asked(1));
    assert_eq!(
        (ended.is_complete(), ended.threads_left()),
        (false, &["abide-dns-0".to_owned()][..])
    );
    names.open();
    assert_complete(&client.shutdown(AT_ONCE).unwrap(), 0);
}

/// Sends the head, a little, and no more.
fn begun(exchange: &mut Exchange) {
    exchange.begin_reply(200, &[("content-length", "100")]);
    exchange.write("little");
    exchange.signal("begun");
    exchange.await_client_gone();
}

#[test]
fn an_open_reply_is_waited_for_and_aborted() {
    let server = Server::http(begun);
    let client = client();
    let mut reply = client.get(server.url("/")).open().unwrap();
    assert_eq!(reply.read(&mut [0; 6]).unwrap(), 6);
    let ended = client.shutdown(SOON).unwrap();
    // It ends only when it is read or dropped; the connection is closed before.
    assert_eq!((ended.calls_aborted(), ended.calls_left()), (1, 1));
    assert!(!ended.is_complete());
    server.await_open(0);
    let error = reply.read(&mut [0; 6]).unwrap_err();
    let inner = error.into_inner().unwrap();
    let kind = inner.downcast_ref::<abide::Error>().map(abide::Error::kind);
    assert_eq!(kind, Some(ErrorKind::ShutDown));
    assert!(reply.read(&mut [0; 6]).is_err(), "it never ends as if it were whole");
    assert_complete(&client.shutdown(SOON).unwrap(), 0);
}

#[test]
fn a_read_that_waits_is_aborted() {
    let server = Server::http(begun);
    let client = client();
    let mut reply = client.get(server.url("/")).open().unwrap();
    let reading = start(move || std::io::copy(&mut reply, &mut std::io::sink()).unwrap_err());
    server.await_signal("begun", 1);
    let ended = in_time({
        let client = client.clone();
        move || client.shutdown(SOON)
    });
    reading.join();
    assert_eq!(ended.unwrap().calls_aborted(), 1);
    assert!(client.shutdown(SOON).unwrap().is_complete());
}

#[test]
fn an_open_reply_that_was_read_to_its_end_holds_nobody_up() {
    let server = Server::http(ok);
    let client = client();
    let mut reply = client.get(server.url("/")).open().unwrap();
    std::io::copy(&mut reply, &mut std::io::sink()).unwrap();
    assert_complete(&client.shutdown(PATIENCE).unwrap(), 0);
    assert_eq!(reply.status(), 200);
}

#[test]
fn a_listener_can_shut_its_own_client_down() {
    let server = Server::http(begun);
    let (client, feedback) = (client(), Feedback::new());
    let told = Arc::new(Mutex::new(None));
    feedback.on_download({
        let (client, told) = (client.clone(), Arc::clone(&told));
        move |_| {
            told.lock().unwrap().get_or_insert_with(|| client.shutdown(SOON).unwrap());
        }
    });
    let error = in_time({
        let (client, url) = (client.clone(), server.url("/"));
        move || client.get(url).feedback(&feedback).send().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::ShutDown, "{error:?}");
    let told = told.lock().unwrap().take().unwrap();
    // The call that the listener belongs to cannot end before the listener.
    assert_eq!((told.calls_aborted(), told.calls_left()), (1, 1));
    assert_complete(&client.shutdown(PATIENCE).unwrap(), 0);
}

#[test]
fn a_resolver_can_shut_its_own_client_down() {
    #[derive(Clone, Default)]
    struct Ending {
        client: Arc<OnceLock<Client>>,
        told: Arc<Mutex<Option<Shutdown>>>,
    }
    impl Resolve for Ending {
        fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            *self.told.lock().unwrap() = Some(self.client.get().unwrap().shutdown(SOON).unwrap());
            Ok(Vec::new())
        }
    }
    let ending = Ending::default();
    let client = builder().resolver(ending.clone()).build().unwrap();
    assert!(ending.client.set(client.clone()).is_ok());
    let error = in_time({
        let client = client.clone();
        move || client.get("http://some.test/").send().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::ShutDown, "{error:?}");
    eventually("it is told", || ending.told.lock().unwrap().is_some());
    let told = ending.told.lock().unwrap().take().unwrap();
    assert_eq!(told.threads_left(), ["abide-dns-0"], "{told:?}");
    assert_complete(&client.shutdown(PATIENCE).unwrap(), 0);
}

#[test]
fn many_can_shut_down_while_many_call() {
    let server = Server::http(ok_or_never);
    for round in 0..10_u64 {
        let client = client();
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let (client, url) = (client.clone(), server.url("/"));
                start(move || {
                    loop {
                        if let Err(error) = client.get(url.as_str()).send() {
                            return error.kind();
                        }
                    }
                })
            })
            .collect();
        await_stats(&client, "calls were made", |stats| stats.calls() > round);
        let enders: Vec<_> = (0..3)
            .map(|_| {
                let client = client.clone();
                start(move || client.shutdown(PATIENCE).unwrap())
            })
            .collect();
        for ender in enders {
            assert_complete(&ender.join(), 0);
        }
        for call in calls {
            assert_eq!(call.join(), ErrorKind::ShutDown);
        }
    }
    server.await_open(0);
}

#[test]
fn it_works_inside_an_async_runtime() {
    let server = Server::http(ok_or_never);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let client = client();
        client.get(server.url("/")).send().unwrap();
        assert_complete(&client.shutdown(PATIENCE).unwrap(), 0);
    });
}

#[test]
fn a_shut_down_client_leaves_no_thread_and_no_descriptor() {
    run_alone("shutdown::alone_clients_are_shut_down", &[]);
}

#[test]
#[ignore = "counts the threads and descriptors of its process; run by another test"]
fn alone_clients_are_shut_down() {
    let server = Server::http(ok_or_never);
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    for url in [server.url("/"), server.url_at("localhost", "/")] {
        let clients: Vec<_> = (0..20).map(|_| client()).collect();
        let calls: Vec<_> = clients
            .iter()
            .map(|client| {
                client.get(&url).send().unwrap();
                let (client, url) = (client.clone(), server.url("/never"));
                start(move || client.get(url).send().unwrap_err())
            })
            .collect();
        eventually("all wait", || server.open_connections() >= calls.len());
        assert!(threads().iter().any(|name| name.starts_with("abide-")), "{:?}", threads());
        for client in &clients {
            assert_complete(&client.shutdown(AT_ONCE).unwrap(), 1);
        }
        // Nothing is waited for here: they were joined.
        let left: Vec<_> =
            threads().into_iter().filter(|name| name.starts_with("abide-")).collect();
        assert!(left.is_empty(), "{left:?}");
        server.await_open(0);
        calls.into_iter().for_each(|call| drop(call.join()));
        // The server's own side takes a moment; the clients are still there, and hold nothing.
        let began = Instant::now();
        while descriptors() > before {
            assert!(began.elapsed() < PATIENCE, "{} before, {} after", before, descriptors());
        }
        drop(clients);
    }
}

fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned()).collect()
}

#[test]
fn calls_that_wait_to_be_tried_again_are_aborted() {
    let server = Server::http(|exchange| {
        exchange.reply(503, &[], b"come back later");
    });
    let retries = RetryPolicy::up_to(3).first_delay(Duration::from_secs(60));
    let client = builder().retries(retries).build().unwrap();
    let ended = check_abort(&client, vec![server.url("/")], || {
        await_stats(&client, "it was refused", |stats| {
            (stats.exchanges(), stats.active()) == (1, 0)
        });
    });
    assert_complete(&ended, 1);
}
