//! Names become addresses, and every address gets its chance.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    time::{Duration, Instant},
};

use abide::ErrorKind;

use crate::{
    clients::{FixedNames, GatedNames, HangingNames, builder},
    support::{BlackHole, Exchange, Server},
    waiting::{eventually, start},
};

const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn ok(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"ok");
}

#[test]
fn the_resolver_of_the_client_is_asked_for_the_name() {
    let server = Server::http(ok);
    let names = FixedNames::loopback();
    let client = builder().resolver(names.clone()).build().unwrap();
    let reply = client.get(server.url_at("some.test", "/")).send().unwrap();
    assert_eq!(reply.remote_addr(), Some(server.addr()));
    let host = format!("some.test:{}", server.addr().port());
    assert_eq!(server.seen()[0].header("host"), Some(host.as_str()));
    assert_eq!(names.asked(), ["some.test"]);
}

#[test]
fn an_address_is_not_looked_up() {
    let server = Server::http(ok);
    let names = FixedNames::new([]);
    let client = builder().resolver(names.clone()).build().unwrap();
    client.get(server.url("/")).send().unwrap();
    assert!(names.asked().is_empty());
}

#[test]
fn a_name_without_an_address_is_an_error_that_names_it() {
    let client = builder().resolver(FixedNames::new([])).build().unwrap();
    let error = client.get("http://nobody.test/").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resolve);
    assert!(error.is_connect());
    assert!(error.to_string().contains("nobody.test"), "{error}");
}

#[test]
fn a_resolver_that_panics_harms_its_own_call_only() {
    struct Panicking;
    impl abide::Resolve for Panicking {
        fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
            assert_ne!(host, "panic.test", "on purpose");
            Ok(vec![HERE])
        }
    }
    let server = Server::http(ok);
    let client = builder().resolver(Panicking).build().unwrap();
    for _ in 0..20 {
        let error = client.get(server.url_at("panic.test", "/")).send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Resolve | ErrorKind::Internal), "{error:?}");
    }
    client.get(server.url_at("good.test", "/")).send().unwrap();
}

#[test]
fn many_calls_for_one_name_make_one_look_up() {
    let server = Server::http(ok);
    let names = GatedNames::default();
    let client = builder().resolver(names.resolver()).build().unwrap();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (client, url) = (client.clone(), server.url_at("some.test", "/"));
            start(move || client.get(url).send())
        })
        .collect();
    eventually("all calls are dialing", || client.stats().dialing() == 20);
    names.await_asked(1);
    names.open();
    for call in calls {
        assert_eq!(call.join().unwrap().status(), 200);
    }
    assert_eq!(names.asked(), 1);
}

#[test]
fn names_that_hang_do_not_stop_other_names() {
    let server = Server::http(ok);
    let names = HangingNames::default();
    let client = builder().resolver(SomeHang(names.resolver())).build().unwrap();
    let hanging: Vec<_> = (0..16)
        .map(|index| {
            let client = client.clone();
            let url = format!("http://{index}.hanging.test/");
            start(move || client.get(url).timeout(Duration::from_secs(8)).send())
        })
        .collect();
    names.await_asked(16);
    client.get(server.url_at("good.test", "/")).send().unwrap();
    drop(names);
    for call in hanging {
        assert!(call.join().is_err());
    }
}

/// Asks the other resolver for names with `hanging` in them.
struct SomeHang<R>(R);

impl<R: abide::Resolve> abide::Resolve for SomeHang<R> {
    fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        match host.contains("hanging") {
            true => self.0.resolve(host),
            false => Ok(vec![HERE]),
        }
    }
}

#[test]
fn a_dead_address_is_followed_by_the_next() {
    let server = Server::http(ok);
    let client = builder().resolver(FixedNames::new([ELSEWHERE, HERE])).build().unwrap();
    let reply = client.get(server.url_at("some.test", "/")).send().unwrap();
    assert_eq!(reply.remote_addr(), Some(server.addr()));
    assert_eq!(reply.attempts(), 1);
}

#[test]
fn an_address_that_does_not_answer_holds_up_the_next_only_shortly() {
    let server = Server::http(ok);
    let addr = (ELSEWHERE, server.addr().port()).into();
    let Some(_hole) = BlackHole::at(addr) else { return };
    let client = builder().resolver(FixedNames::new([ELSEWHERE, HERE])).build().unwrap();
    let began = Instant::now();
    let reply = client.get(server.url_at("some.test", "/")).send().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(reply.remote_addr(), Some(server.addr()));
}

#[test]
fn a_port_where_nobody_listens_is_an_error_that_says_so() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = builder().build().unwrap();
    let error = client.get(format!("http://{addr}/?token=hidden")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.is_connect() && !error.is_timeout());
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
    assert_eq!(client.stats().open(), 0);
}
