//! A call may be made anywhere, and whatever is dropped is dropped at once.

use std::{
    cell::RefCell,
    io::{self, Read as _},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Instant,
};

use abide::{Body, Client, Feedback, Progress, RedirectAction, RedirectPolicy, Reply};
use tokio::runtime::Builder;

use crate::{
    clients::{HangingNames, builder, client},
    support::{Exchange, Server},
    waiting::{AT_ONCE, in_time, start},
};

fn echo(exchange: &mut Exchange) {
    let body = exchange.read_body();
    exchange.reply(200, &[], &body);
}

/// Two calls, a streamed reply and an upload; the client is dropped here too.
fn use_all_of_it(url: &str) -> Reply {
    let client = client();
    client.get(url).send().unwrap();
    let mut streamed = client.post(url).body("streamed").open().unwrap();
    assert_eq!(io::read_to_string(&mut streamed).unwrap(), "streamed");
    let reply = client.post(url).body(Body::reader(&b"hello"[..])).send().unwrap();
    drop(client.get(url).open().unwrap());
    reply
}

#[test]
fn inside_a_current_thread_runtime() {
    let server = Server::http(echo);
    let url = server.url("/");
    let text = in_time(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { use_all_of_it(&url).text() })
    });
    assert_eq!(text, "hello");
}

#[test]
fn inside_a_multi_thread_runtime() {
    let server = Server::http(echo);
    let url = server.url("/");
    let text = in_time(move || {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async move {
            let given = url.clone();
            let spawned = tokio::spawn(async move { use_all_of_it(&given).text() });
            (use_all_of_it(&url).text(), spawned.await.unwrap())
        })
    });
    assert_eq!(text, ("hello".to_owned(), "hello".to_owned()));
}

/// More reads and writes than a runtime allows a task between two of its awaits.
fn use_it_a_lot(url: &str) {
    let client = client();
    for _ in 0..150 {
        assert_eq!(client.get(url).send().unwrap().status(), 200);
    }
    let mut streamed = client.get(format!("{url}long")).open().unwrap();
    assert_eq!(io::copy(&mut streamed, &mut io::sink()).unwrap(), LONG as u64);
}

#[test]
fn inside_a_task_as_often_as_one_likes() {
    let body = vec![b'a'; LONG];
    let server = Server::http(move |exchange| {
        let is_long = exchange.target() == "/long";
        exchange.reply(200, &[], if is_long { &body } else { b"" });
    });
    let url = server.url("/");
    in_time(move || {
        let current = Builder::new_current_thread().enable_all().build().unwrap();
        current.block_on(async { use_it_a_lot(&url) });
        let many = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        many.block_on(async { use_it_a_lot(&url) });
        many.block_on(many.spawn(async move { use_it_a_lot(&url) })).unwrap();
    });
}

#[test]
fn on_the_blocking_threads_of_a_runtime() {
    let server = Server::http(echo);
    let url = server.url("/");
    let text = in_time(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let work = move || use_all_of_it(&url).text();
        runtime.block_on(async { tokio::task::spawn_blocking(work).await.unwrap() })
    });
    assert_eq!(text, "hello");
}

#[test]
fn a_client_made_in_a_runtime_outlives_it() {
    let server = Server::http(echo);
    let client = {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = client();
            client.get(server.url("/")).send().unwrap();
            client
        })
    };
    assert!(client.get(server.url("/")).send().unwrap().reused_connection());
}

/// Makes a call when it is dropped and sends the answer on.
struct CallOnDrop {
    client: Client,
    url: String,
    answer: mpsc::Sender<abide::Result<Reply>>,
}

impl Drop for CallOnDrop {
    fn drop(&mut self) {
        drop(self.answer.send(self.client.get(&self.url).send()));
    }
}

#[test]
fn inside_drop_even_while_a_panic_unwinds() {
    let server = Server::http(echo);
    let (answer, answers) = mpsc::channel();
    let dropped = CallOnDrop { client: client(), url: server.url("/"), answer };
    in_time(move || {
        let payload = catch_unwind(AssertUnwindSafe(move || {
            let _dropped = dropped;
            panic!("on purpose");
        }));
        assert!(payload.is_err());
    });
    assert_eq!(answers.recv().unwrap().unwrap().status(), 200);
}

#[test]
fn inside_the_destructor_of_a_thread_local() {
    thread_local! {
        static LAST: RefCell<Option<CallOnDrop>> = const { RefCell::new(None) };
    }
    let server = Server::http(echo);
    let client = client();
    for warm in [false, true] {
        let (answer, answers) = mpsc::channel();
        let dropped = CallOnDrop { client: client.clone(), url: server.url("/"), answer };
        let thread = thread::spawn(move || {
            // With `warm`, what the library keeps per thread is gone before this is dropped.
            LAST.set(Some(dropped));
            if warm {
                LAST.with_borrow(|last| {
                    last.as_ref().map(|last| last.client.get(&last.url).send())
                });
            }
        });
        in_time(move || thread.join().unwrap());
        assert_eq!(answers.recv().unwrap().unwrap().status(), 200);
    }
}

#[test]
fn inside_a_listener_of_a_call_to_the_same_host() {
    let server = Server::http(echo);
    let (client, url) = (client(), server.url("/"));
    let answers = Arc::new(Mutex::new(Vec::new()));
    let listener = || {
        let (client, url, answers) = (client.clone(), url.clone(), Arc::clone(&answers));
        move |_: Progress| {
            let inside = client.post(&url).body("inside").send();
            answers.lock().unwrap().push(inside.unwrap().text());
        }
    };
    let feedback = Feedback::new();
    feedback.on_upload(listener());
    feedback.on_download(listener());
    let text = in_time(move || {
        client.post(url).body(vec![b'x'; 1_000_000]).feedback(feedback).send().unwrap().text()
    });
    assert_eq!(text.len(), 1_000_000);
    let answers = answers.lock().unwrap();
    assert!(!answers.is_empty() && answers.iter().all(|text| text == "inside"));
}

#[test]
fn inside_a_reader_of_a_call_to_the_same_host() {
    /// Fetches what it gives.
    struct Fetching {
        client: Client,
        url: String,
        left: usize,
    }
    impl io::Read for Fetching {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 {
                return Ok(0);
            }
            self.left -= 1;
            let reply = self.client.post(&self.url).body("piece ").send()?;
            let length = reply.bytes().len();
            buffer[..length].copy_from_slice(reply.bytes());
            Ok(length)
        }
    }
    let server = Server::http(echo);
    let client = client();
    let url = server.url("/");
    let text = in_time(move || {
        let body = Fetching { client: client.clone(), url: url.clone(), left: 3 };
        client.post(&url).body(Body::reader(body)).send().unwrap().text()
    });
    assert_eq!(text, "piece piece piece ");
}

#[test]
fn inside_a_resolver_of_the_same_client() {
    struct Asking {
        client: Arc<Mutex<Option<Client>>>,
        url: String,
    }
    impl abide::Resolve for Asking {
        fn resolve(&self, _host: &str) -> io::Result<Vec<std::net::IpAddr>> {
            let client = self.client.lock().unwrap().clone().unwrap();
            let address = client.post(&self.url).body("127.0.0.1").send()?;
            Ok(vec![address.text().parse().unwrap()])
        }
    }
    let server = Server::http(echo);
    let slot = Arc::new(Mutex::new(None));
    let resolver = Asking { client: Arc::clone(&slot), url: server.url("/") };
    let client = builder().resolver(resolver).build().unwrap();
    *slot.lock().unwrap() = Some(client.clone());
    let url = server.url_at("some.test", "/");
    let reply = in_time(move || client.post(url).body("outer").send().unwrap());
    assert_eq!(reply.text(), "outer");
    slot.lock().unwrap().take();
}

#[test]
fn dropping_everything_while_a_look_up_hangs_takes_no_time() {
    let names = HangingNames::default();
    let client = builder().resolver(names.resolver()).build().unwrap();
    let feedback = Feedback::new();
    let call = start({
        let (client, feedback) = (client.clone(), feedback.clone());
        move || client.get("http://hanging.test/").feedback(feedback).send().map(drop)
    });
    names.await_asked(1);
    feedback.cancel();
    assert!(call.join().unwrap_err().is_cancelled());
    let began = Instant::now();
    in_time(move || drop(client));
    assert!(began.elapsed() < AT_ONCE);
}

#[test]
fn a_half_read_reply_goes_at_once_while_a_look_up_hangs() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "1000000000")]);
        while exchange.write([0; 10_000]) {}
    });
    let names = HangingNames::default();
    let client = builder().resolver(names.resolver()).build().unwrap();
    let hanging = start({
        let client = client.clone();
        move || client.get("http://hanging.test/").send().map(drop)
    });
    names.await_asked(1);
    let mut reply = client.get(server.url("/")).open().unwrap();
    reply.read_exact(&mut [0; 100]).unwrap();
    let began = Instant::now();
    in_time(move || drop((reply, client)));
    assert!(began.elapsed() < AT_ONCE);
    server.await_open(0);
    drop(names);
    assert!(hanging.join().is_err());
}

#[test]
fn a_reply_outlives_its_client() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "8")]);
        exchange.write("some");
        exchange.await_signal("go", 1);
        exchange.write("more");
    });
    let reply = client().get(server.url("/")).open().unwrap();
    server.signal("go");
    assert_eq!(in_time(move || io::read_to_string(reply).unwrap()), "somemore");
    server.await_open(0);
}

#[test]
fn a_client_dropped_inside_a_listener_is_no_trouble() {
    let server = Server::http(echo);
    let slot = Arc::new(Mutex::new(Some(client())));
    let feedback = Feedback::new();
    feedback.on_download({
        let slot = Arc::clone(&slot);
        move |_| drop(slot.lock().unwrap().take())
    });
    let client = slot.lock().unwrap().clone().unwrap();
    let url = server.url("/");
    let text = in_time(move || {
        let call = client.post(url).body("hello").feedback(feedback);
        drop(client);
        call.send().unwrap().text()
    });
    assert_eq!(text, "hello");
    server.await_open(0);
}

#[test]
fn one_static_client_serves_threads_that_come_and_go() {
    let server = Server::http(echo);
    for _ in 0..3 {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| abide::get(server.url("/")).unwrap());
            }
        });
    }
    assert_eq!(server.requests(), 24);
}

/// Needs more than 128 reads of 64 KiB.
const LONG: usize = 10 << 20;

/// The outer call has its answer, so its connection is free, and the inner one is given that; it is
/// not begun by its thread, which has to read the body first.
#[test]
fn an_upload_inside_of_what_decides_between_the_hops_of_a_call() {
    let server = Server::http(|exchange| match exchange.target() {
        "/moved" => drop(exchange.reply(302, &[("location", "/")], b"")),
        _ => echo(exchange),
    });
    let timeouts = abide::Timeouts::default().first_byte(std::time::Duration::from_secs(5));
    let client = builder().timeouts(timeouts).build().unwrap();
    let (inside, url) = (client.clone(), server.url("/"));
    let uploads = move || {
        let reply = inside.post(&url).body(Body::reader(&b"inside"[..])).send().unwrap();
        assert_eq!(reply.text(), "inside");
    };
    let moved = server.url("/moved");
    in_time(move || {
        for _ in 0..3 {
            let (policy, intercepts) = (uploads.clone(), uploads.clone());
            let policy = RedirectPolicy::custom(move |_| {
                policy();
                RedirectAction::Follow
            });
            let call = client.get(&moved).redirects(policy).intercept_requests(move |_| {
                intercepts();
                Ok(())
            });
            assert_eq!(call.send().unwrap().status(), 200);
        }
    });
}
