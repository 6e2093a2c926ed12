//! Hosts that are reached by a Unix socket.

use std::{
    io::{Read, Write},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use abide::{Budget, ErrorKind, Phase, Timeouts};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{
    clients::{FixedNames, await_quiet, builder},
    support::Server,
    waiting::{eventually, start},
};

/// A server at a path, which answers every request with the head that it got.
struct LocalServer {
    path: PathBuf,
    accepted: Arc<AtomicUsize>,
    /// The listener, until it is opened.
    closed: Mutex<Option<UnixListener>>,
}

impl LocalServer {
    fn new(name: &str) -> Self {
        let server = Self::closed(name);
        server.open();
        server
    }

    /// One that lets the callers wait in its queue, which has room for one or two.
    fn closed(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("abide-{name}-{}", std::process::id()));
        drop(std::fs::remove_file(&path));
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let closed = Mutex::new(Some(UnixListener::from(socket)));
        Self { path, accepted: Arc::default(), closed }
    }

    /// Lets the callers in.
    fn open(&self) {
        let listener = self.closed.lock().unwrap().take().unwrap();
        let accepted = Arc::clone(&self.accepted);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                accepted.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    let mut head = Vec::new();
                    let mut byte = [0];
                    while socket.read(&mut byte).is_ok_and(|length| length > 0) {
                        head.push(byte[0]);
                        if head.ends_with(b"\r\n\r\n") {
                            let head = std::mem::take(&mut head);
                            let length = head.len();
                            let answer =
                                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                            let _ = socket.write_all(&[answer.as_bytes(), &head].concat());
                        }
                    }
                });
            }
        });
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

#[test]
fn a_host_can_be_reached_by_a_path() {
    let server = LocalServer::new("reached");
    let names = FixedNames::new([]);
    let client =
        builder().resolver(names.clone()).unix_socket("engine.test", &server.path).build().unwrap();
    for index in 0..3 {
        let reply = client.get("http://engine.test/containers?all=1").send().unwrap();
        let text = reply.text();
        assert!(text.starts_with("GET /containers?all=1 HTTP/1.1\r\n"), "{text}");
        assert!(text.to_lowercase().contains("\r\nhost: engine.test\r\n"), "{text}");
        assert_eq!((reply.remote_addr(), reply.reused_connection()), (None, index > 0));
        let connection = *reply.timings().connection().unwrap();
        assert_eq!((connection.peer_addr(), connection.is_reused()), (None, index > 0));
    }
    assert_eq!(server.accepted(), 1);
    assert!(names.asked().is_empty());
    // Other hosts are looked up as ever.
    let error = client.get("http://elsewhere.test/").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resolve);
}

#[test]
fn a_path_can_be_for_one_port_only() {
    let (local, remote) = (
        LocalServer::new("port"),
        Server::http(|exchange| {
            exchange.reply(200, &[], b"by tcp");
        }),
    );
    let client = builder().unix_socket("127.0.0.1:1", &local.path).build().unwrap();
    assert!(client.get("http://127.0.0.1:1/").send().unwrap().text().contains("GET"));
    assert_eq!(client.get(remote.url("/")).send().unwrap().text(), "by tcp");
}

#[test]
fn a_path_where_nobody_listens_is_an_error_that_names_it() {
    let path = Path::new("/nowhere/engine.sock");
    let client = builder().unix_socket("engine.test", path).build().unwrap();
    let error = client.get("http://engine.test/").send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Connect, Some(Phase::Connect)));
    assert!(error.to_string().contains("/nowhere/engine.sock"), "{error}");
    assert_eq!(client.stats().open(), 0);
}

#[test]
fn callers_wait_for_their_turn_in_a_queue_that_is_full() {
    let server = LocalServer::closed("queue");
    let client = builder().unix_socket("engine.test", &server.path).build().unwrap();
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let client = client.clone();
            start(move || client.get("http://engine.test/").send())
        })
        .collect();
    eventually("all calls are there", || client.stats().open() + client.stats().dialing() == 16);
    server.open();
    for call in calls {
        assert_eq!(call.join().unwrap().status(), 200);
    }
}

#[test]
fn a_queue_that_stays_full_ends_with_the_budget() {
    let server = LocalServer::closed("full");
    let timeouts = Timeouts::default().connect(Duration::from_millis(100));
    let client = builder().timeouts(timeouts.first_byte(Duration::from_millis(100)));
    let client = client.unix_socket("engine.test", &server.path).build().unwrap();
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            start(move || client.get("http://engine.test/").send().unwrap_err())
        })
        .collect();
    let budgets = calls.into_iter().map(|call| call.join().budget()).collect::<Vec<_>>();
    assert!(budgets.contains(&Some(Budget::Connect)), "{budgets:?}");
    await_quiet(&client);
}

#[test]
fn no_proxy_stands_before_a_path() {
    let server = LocalServer::new("proxy");
    let nobody = abide::Proxy::new("http://127.0.0.1:1").unwrap();
    let client = builder().proxy(nobody.clone()).unix_socket("engine.test", &server.path);
    let client = client.build().unwrap();
    for request in
        [client.get("http://engine.test/"), client.get("http://engine.test/").proxy(&nobody)]
    {
        let reply = request.send().unwrap();
        assert!(reply.text().starts_with("GET / HTTP/1.1"), "{}", reply.text());
    }
}

#[test]
#[cfg(feature = "tls")]
fn tls_is_spoken_over_a_path_too() {
    let secure = Server::https(|exchange| {
        exchange.reply(200, &[], b"secure");
    });
    let path = std::env::temp_dir().join(format!("abide-relay-{}", std::process::id()));
    drop(std::fs::remove_file(&path));
    let listener = UnixListener::bind(&path).unwrap();
    let addr = secure.addr();
    thread::spawn(move || {
        let (mut local, _) = listener.accept().unwrap();
        let mut remote = std::net::TcpStream::connect(addr).unwrap();
        let (mut from_local, mut to_remote) =
            (local.try_clone().unwrap(), remote.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut from_local, &mut to_remote);
            let _ = to_remote.shutdown(std::net::Shutdown::Write);
        });
        let _ = std::io::copy(&mut remote, &mut local);
    });
    let client = crate::clients::trusting().unix_socket("localhost", &path).build().unwrap();
    let reply = client.get("https://localhost/").send().unwrap();
    assert_eq!((reply.text().as_str(), reply.remote_addr()), ("secure", None));
    assert_eq!(secure.greetings()[0].server_name.as_deref(), Some("localhost"));
    drop(std::fs::remove_file(&path));
}
