//! Names become addresses, and every address gets its chance.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use abide::{Budget, Client, ErrorKind, NameCache, Timeouts};

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
    let limits = abide::Limits::default().dials_per_route(20);
    let client = builder().resolver(names.resolver()).limits(limits).build().unwrap();
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

/// How many look-ups two calls on connections of their own make.
fn look_ups_of_two_calls(cache: NameCache, names: &FixedNames) -> usize {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[("connection", "close")], b"ok");
    });
    let client = builder().resolver(names.clone()).name_cache(cache).build().unwrap();
    for _ in 0..2 {
        let answer = client.get(server.url_at("some.test", "/")).send();
        assert_eq!(answer.is_ok(), names.has_any(), "{answer:?}");
    }
    names.asked().len()
}

#[test]
fn an_address_is_remembered_for_a_while_and_a_failure_is_not() {
    assert_eq!(look_ups_of_two_calls(NameCache::default(), &FixedNames::loopback()), 1);
    assert_eq!(look_ups_of_two_calls(NameCache::default(), &FixedNames::new([])), 2);
}

#[test]
fn a_failure_is_remembered_if_that_is_asked_for() {
    let cache = NameCache::default().not_found(Duration::from_secs(60));
    assert_eq!(look_ups_of_two_calls(cache, &FixedNames::new([])), 1);
    let forgetful = cache.not_found(Duration::ZERO);
    assert_eq!(look_ups_of_two_calls(forgetful, &FixedNames::new([])), 2);
}

#[test]
fn without_a_cache_each_connection_asks_anew() {
    assert_eq!(look_ups_of_two_calls(NameCache::off(), &FixedNames::loopback()), 2);
}

#[test]
fn fixed_addresses_of_a_host_are_used_unasked() {
    let server = Server::http(ok);
    let names = FixedNames::new([]);
    let fixed = |host: &str, addr: SocketAddr| {
        builder().resolver(names.clone()).resolve_to(host, [addr]).build().unwrap()
    };
    let get = |client: &Client, url: String| client.get(url).send();
    // With a port of its own, whatever the URL says.
    let client = fixed("Some.Test", server.addr());
    let reply = get(&client, "http://some.test:1/".to_owned()).unwrap();
    assert_eq!(reply.remote_addr(), Some(server.addr()));
    assert_eq!(server.seen()[0].header("host"), Some("some.test:1"));
    // With the URL's.
    let client = fixed("some.test", (HERE, 0).into());
    get(&client, server.url_at("some.test", "/")).unwrap();
    assert!(names.asked().is_empty());
    // For one port of the host only.
    let client = fixed(&format!("some.test:{}", server.addr().port()), (HERE, 0).into());
    get(&client, server.url_at("some.test", "/")).unwrap();
    let error = get(&client, "http://some.test:1/".to_owned()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resolve);
    assert_eq!(names.asked(), ["some.test"]);
}

#[test]
fn fixed_addresses_are_tried_one_after_the_other() {
    let server = Server::http(ok);
    let dead = SocketAddr::from((ELSEWHERE, 0));
    let client = builder().resolve_to("some.test", [dead, server.addr()]).build().unwrap();
    let reply = client.get(server.url_at("some.test", "/")).send().unwrap();
    assert_eq!(reply.remote_addr(), Some(server.addr()));
}

#[test]
fn what_cannot_be_fixed_is_refused_when_the_client_is_built() {
    let addr = SocketAddr::from((HERE, 0));
    for host in ["", "http://user:word@host/", "host:none"] {
        let error = builder().resolve_to(host, [addr]).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(!error.to_string().contains("word"), "{error}");
    }
    assert!(builder().resolve_to("host", []).build().is_err());
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
    let Some(hole) = BlackHole::at(addr) else { return };
    let client = builder().resolver(FixedNames::new([ELSEWHERE, HERE])).build().unwrap();
    let began = Instant::now();
    let reply = client.get(server.url_at("some.test", "/")).send().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(reply.remote_addr(), Some(server.addr()));
    eventually("the one that lost is given up", || !hole.is_called());
}

#[test]
fn the_first_of_the_resolver_wins_if_it_answers() {
    let servers = [Server::http(ok), Server::http(ok)];
    for order in [[0, 1], [1, 0]] {
        let addresses = order.map(|index: usize| servers[index].addr());
        let client = builder().resolve_to("some.test", addresses).build().unwrap();
        let reply = client.get("http://some.test/").send().unwrap();
        assert_eq!(reply.remote_addr(), Some(addresses[0]));
    }
}

#[test]
fn an_error_lists_every_address_with_its_reason() {
    let dead = [ELSEWHERE, HERE].map(|ip| TcpListener::bind((ip, 0)).unwrap());
    let dead = dead.map(|listener| listener.local_addr().unwrap());
    let client = builder().resolve_to("some.test", dead).build().unwrap();
    let error = client.get("http://some.test/").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let text = error.to_string();
    assert!(text.contains("some.test"), "{text}");
    for address in dead {
        assert!(text.contains(&format!("{address}: ")), "{text}");
    }
    assert_eq!(text.to_lowercase().matches("refused").count(), 2, "{text}");
}

#[test]
fn a_budget_that_ends_the_race_lists_every_address_too() {
    let dead = TcpListener::bind((ELSEWHERE, 0)).unwrap().local_addr().unwrap();
    let hole = BlackHole::new();
    let late = SocketAddr::from((HERE, 1));
    let timeouts = Timeouts::default().connect(Duration::from_millis(100));
    let client = builder().timeouts(timeouts).resolve_to("some.test", [dead, hole.addr(), late]);
    let error = client.build().unwrap().get("http://some.test/").send().unwrap_err();
    assert_eq!((error.budget(), error.is_connect()), (Some(Budget::Connect), true), "{error}");
    let text = error.to_string();
    assert!(text.contains(&format!("{dead}: ")), "{text}");
    assert!(text.contains(&format!("{}: no answer", hole.addr())), "{text}");
    assert!(text.contains(&format!("{late}: not its turn yet")), "{text}");
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

/// A call that comes right after the failure of another must not get its end.
#[test]
fn a_look_up_that_follows_a_failed_one_is_made() {
    let names = FixedNames::new([]);
    let client = builder().resolver(names.clone()).build().unwrap();
    for asked in 1..=200 {
        client.get("http://nobody.test/").send().unwrap_err();
        assert_eq!(names.asked().len(), asked);
    }
}
