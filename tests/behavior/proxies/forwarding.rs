//! `http` URLs are asked of an HTTP proxy in absolute form (RFC 9112 §3.2.2).

use abide::{Body, Limits};

use super::{JOE, obliging, ok, proxy, through, url_as};
use crate::{
    clients::{FixedNames, builder},
    support::Server,
};

#[test]
fn rfc_9112_section_3_2_2_a_proxy_is_asked_for_the_absolute_url() {
    let forwarder = Server::http(obliging);
    let origin = Server::http(ok);
    let client = through(forwarder.url(""));
    let url = origin.url_at("user:word@origin.test", "/a%20b?c=d#e");
    let reply = client.get(url).send().unwrap();
    assert_eq!((reply.text().as_str(), reply.attempts()), ("ok", 1));
    let asked = &forwarder.seen()[0];
    assert_eq!(asked.target, origin.url_at("origin.test", "/a%20b?c=d"));
    let host = format!("origin.test:{}", origin.addr().port());
    assert_eq!(asked.header("host"), Some(host.as_str()));
    assert_eq!(asked.header("authorization"), Some("Basic dXNlcjp3b3Jk"));
    assert_eq!(origin.seen()[0].target, "/a%20b?c=d");
}

#[test]
fn the_proxy_looks_the_name_up() {
    let forwarder = Server::http(ok);
    let names = FixedNames::loopback();
    let url = forwarder.url_at("proxy.test", "");
    let client = builder().proxy(proxy(url)).resolver(names.clone()).build().unwrap();
    client.get("http://origin.test/").send().unwrap();
    assert_eq!(names.asked(), ["proxy.test"]);
    assert_eq!(forwarder.seen()[0].target, "http://origin.test/");
}

#[test]
fn a_reply_tells_its_proxy_and_the_address_of_it() {
    let forwarder = Server::http(ok);
    let client = through(url_as(&forwarder, "joe:secret"));
    let reply = client.get("http://origin.test/").send().unwrap();
    let used = reply.proxy().unwrap();
    assert_eq!(used.to_string(), forwarder.url(""));
    assert_eq!((used.scheme(), used.host()), ("http", "127.0.0.1"));
    assert_eq!(used.port(), forwarder.addr().port());
    assert_eq!(reply.remote_addr(), Some(forwarder.addr()));
    assert_eq!(reply.url().as_str(), "http://origin.test/");
    let open = client.get("http://origin.test/").open().unwrap();
    assert_eq!(open.proxy(), Some(used));
    let direct = client.get(forwarder.url("/")).no_proxy().send().unwrap();
    assert_eq!(direct.proxy(), None);
}

#[test]
fn a_header_host_of_ones_own_does_not_change_whom_the_proxy_asks() {
    let forwarder = Server::http(ok);
    let client = through(forwarder.url(""));
    client.get("http://origin.test/").header("host", "other.test").send().unwrap();
    let asked = &forwarder.seen()[0];
    assert_eq!(asked.target, "http://origin.test/");
    assert_eq!(asked.headers_named("host").collect::<Vec<_>>(), ["other.test"]);
}

#[test]
fn one_connection_to_a_proxy_serves_all_origins_that_it_is_asked_for() {
    let forwarder = Server::http(ok);
    let client = through(forwarder.url(""));
    for host in ["a.test", "b.test", "a.test"] {
        client.get(format!("http://{host}/")).send().unwrap();
    }
    assert_eq!((forwarder.connections(), forwarder.requests()), (1, 3));
}

#[test]
fn connections_are_shared_neither_across_proxies_nor_across_credentials() {
    let forwarder = Server::http(ok);
    let (joe, jim) = (proxy(url_as(&forwarder, "joe:secret")), proxy(url_as(&forwarder, "jim:x")));
    let nobody = proxy(forwarder.url(""));
    let client = builder().build().unwrap();
    for chosen in [&joe, &jim, &nobody, &joe, &jim, &nobody] {
        client.get("http://a.test/").proxy(chosen).send().unwrap();
    }
    client.get(forwarder.url("/")).send().unwrap();
    assert_eq!(forwarder.connections(), 4);
    let said: Vec<_> = forwarder.seen();
    let said: Vec<_> = said.iter().map(|asked| asked.header("proxy-authorization")).collect();
    let of_jim = Some("Basic amltOng=");
    assert_eq!(said, [Some(JOE), of_jim, None, Some(JOE), of_jim, None, None]);
}

#[test]
fn places_at_a_proxy_are_bounded_as_at_an_origin() {
    let forwarder = Server::http(|exchange| {
        exchange.signal("asked");
        exchange.await_signal("answer", 1);
        exchange.reply(200, &[], b"ok");
    });
    let client = builder()
        .proxy(proxy(forwarder.url("")))
        .limits(Limits::default().places_per_route(2))
        .build()
        .unwrap();
    let calls: Vec<_> = (0..4)
        .map(|index| {
            let client = client.clone();
            crate::waiting::start(move || client.get(format!("http://{index}.test/")).send())
        })
        .collect();
    forwarder.await_signal("asked", 2);
    forwarder.signal("answer");
    for call in calls {
        assert_eq!(call.join().unwrap().status(), 200);
    }
    assert_eq!(forwarder.max_open(), 2);
}

#[test]
fn bodies_go_through_in_both_directions() {
    let forwarder = Server::http(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[], &body);
    });
    let client = through(forwarder.url(""));
    let content = vec![7; 300_000];
    let reply = client.post("http://a.test/").body(content.clone()).send().unwrap();
    assert!(reply.bytes()[..] == content[..]);
    let reader = std::io::Cursor::new(content.clone());
    let reply = client.post("http://a.test/").body(Body::reader(reader)).send().unwrap();
    assert!(reply.bytes()[..] == content[..]);
}

#[test]
fn a_stale_connection_to_a_proxy_is_replaced() {
    let forwarder = Server::http(|exchange| match exchange.connection() {
        0 if exchange.request_index() == 1 => exchange.close(),
        _ => ok(exchange),
    });
    let client = through(forwarder.url(""));
    for attempts in [1, 2] {
        assert_eq!(client.get("http://a.test/").send().unwrap().attempts(), attempts);
    }
}

#[test]
fn a_redirect_stays_with_the_proxy() {
    let forwarder = Server::http(|exchange| match exchange.target() {
        "http://a.test/" => {
            exchange.reply(302, &[("location", "http://b.test/x")], b"");
        }
        _ => ok(exchange),
    });
    let client = through(url_as(&forwarder, "joe:secret"));
    let reply = client.get("http://a.test/").send().unwrap();
    assert_eq!(reply.url().as_str(), "http://b.test/x");
    for asked in forwarder.seen() {
        assert_eq!(asked.header("proxy-authorization"), Some(JOE));
    }
}
