//! Names looked up by hickory, at a name server of the tests' own.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use abide::{ErrorKind, NameCache, Phase, Timeouts};

use crate::{
    clients::{await_quiet, builder},
    support::{Exchange, Server},
    victim::Victim,
    waiting::{eventually, start},
};

fn ok(exchange: &mut Exchange) {
    exchange.reply(200, &[("connection", "close")], b"ok");
}

/// A name server that knows loopback for every name but those with `nobody` in them, and is silent
/// about those with `silent`.
struct NameServer {
    addr: SocketAddr,
    asked: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl NameServer {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        let (asked, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (counted, ends) = (Arc::clone(&asked), Arc::clone(&is_over));
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut query) {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = answer(&query[..length]) {
                    let _ = socket.send_to(&answer, peer);
                }
            }
        });
        Self { addr, asked, is_over }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let waker = UdpSocket::bind("127.0.0.1:0").unwrap();
        let _ = waker.send_to(b"", self.addr);
    }
}

/// The answer to a query with one question (RFC 1035 §4.1); `None` for a name that it ignores.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    const HEAD: usize = 12;
    let name_length = query[HEAD..].iter().position(|byte| *byte == 0)? + 1;
    let question = &query[HEAD..HEAD + name_length + 4];
    let name = String::from_utf8_lossy(&question[..name_length]).to_lowercase();
    if name.contains("silent") {
        return None;
    }
    let is_known = !name.contains("nobody");
    let has_address = is_known && question[name_length..][..2] == [0, 1];
    let flags = if is_known { [0x81, 0x80] } else { [0x81, 0x83] };
    let mut answer = [&query[..2], &flags, &[0, 1, 0, u8::from(has_address), 0, 0, 0, 0]].concat();
    answer.extend_from_slice(question);
    if has_address {
        answer.extend_from_slice(&[0xc0, HEAD as u8, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}

#[test]
fn a_name_is_looked_up_at_the_server_given_and_remembered_as_long_as_it_says() {
    let (names, server) = (NameServer::new(), Server::http(ok));
    let cache = NameCache::off();
    let client = builder().name_servers([names.addr]).name_cache(cache).build().unwrap();
    let reply = client.get(server.url_at("some.test", "/")).send().unwrap();
    assert_eq!(reply.remote_addr(), Some(server.addr()));
    let asked = names.asked();
    assert!(asked >= 1);
    client.get(server.url_at("some.test", "/")).send().unwrap();
    // What has no IPv6 address may be asked again, what has an IPv4 address is not.
    assert!(names.asked() <= asked + 1, "{asked} and then {}", names.asked());
    client.get(server.url_at("other.test", "/")).send().unwrap();
    assert!(names.asked() > asked);
}

#[test]
fn many_names_are_looked_up_at_once() {
    let (names, server) = (NameServer::new(), Server::http(ok));
    let client = builder().name_servers([names.addr]).build().unwrap();
    let calls: Vec<_> = (0..40)
        .map(|index| {
            let (client, url) = (client.clone(), server.url_at(&format!("n{index}.test"), "/"));
            start(move || client.get(url).send())
        })
        .collect();
    for call in calls {
        assert_eq!(call.join().unwrap().status(), 200);
    }
}

#[test]
fn a_name_that_nobody_has_is_an_error_that_names_it() {
    let names = NameServer::new();
    let client = builder().name_servers([names.addr]).build().unwrap();
    let error = client.get("http://nobody.test/").send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Resolve, Some(Phase::Resolve)));
    assert!(error.to_string().contains("nobody.test"), "{error}");
}

#[test]
fn a_name_server_that_is_silent_ends_with_the_budget_or_the_call() {
    let names = NameServer::new();
    let timeouts = Timeouts::default().resolve(Duration::from_millis(100));
    let client = builder().name_servers([names.addr]).timeouts(timeouts).build().unwrap();
    let error = client.get("http://silent.test/").send().unwrap_err();
    assert!(error.is_timeout() && error.is_connect(), "{error:?}");

    let client = builder().name_servers([names.addr]).build().unwrap();
    let asked = names.asked();
    let victim = Victim::get(&client, "http://silent.test/".to_owned());
    eventually("the server is asked", || names.asked() > asked);
    victim.cancel(Phase::Resolve);
    await_quiet(&client);
}

#[test]
fn a_list_without_a_server_is_refused_when_the_client_is_built() {
    let error = builder().name_servers([]).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[test]
fn the_systems_settings_are_enough() {
    let server = Server::http(ok);
    let client = builder().hickory().build().unwrap();
    // Every system's files of hosts know this one.
    let reply = client.get(server.url_at("localhost", "/")).send().unwrap();
    assert_eq!(reply.remote_addr(), Some(server.addr()));
}
