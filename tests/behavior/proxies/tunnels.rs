//! `https` goes through a tunnel that the proxy opens (RFC 9110 §9.3.6), and to `https` proxies
//! over TLS.

use abide::{ErrorKind, Identity, Phase, Proxy, Version};

use super::{JOE, obliging, ok, proxy, url_as};
use crate::{
    clients::{FixedNames, await_quiet, builder, trusting},
    support::{Exchange, Server, ServerName, client_identity},
};

fn client(url: impl AsRef<str>) -> abide::Client {
    trusting().proxy(proxy(url)).build().unwrap()
}

#[test]
fn rfc_9110_section_9_3_6_a_tunnel_is_asked_for_by_host_and_port() {
    let (tunneler, origin) = (Server::http(obliging), Server::https(ok));
    let client = client(url_as(&tunneler, "joe:secret"));
    let reply = client.get(origin.url_at("localhost", "/x?y")).send().unwrap();
    assert_eq!((reply.text().as_str(), reply.attempts()), ("ok", 1));
    assert_eq!(reply.remote_addr(), Some(tunneler.addr()));
    let asked = &tunneler.seen()[0];
    let target = format!("localhost:{}", origin.addr().port());
    assert_eq!((asked.method.as_str(), &asked.target), ("CONNECT", &target));
    assert_eq!(asked.header("host"), Some(target.as_str()));
    assert_eq!(asked.header("proxy-authorization"), Some(JOE));
    assert!(asked.header("user-agent").unwrap().starts_with("abide/"));
    let seen = &origin.seen()[0];
    assert_eq!((seen.target.as_str(), seen.header("proxy-authorization")), ("/x?y", None));
}

#[test]
fn a_tunnel_is_kept_for_its_origin() {
    let tunneler = Server::http(obliging);
    let (first, second) = (Server::https(ok), Server::https(ok));
    let client = client(tunneler.url(""));
    for _ in 0..3 {
        client.get(first.url("/")).send().unwrap();
        client.get(second.url("/")).send().unwrap();
    }
    assert_eq!(tunneler.requests(), 2);
    assert_eq!((first.handshakes(), second.handshakes()), (1, 1));
    client.close_idle();
    tunneler.await_open(0);
    await_quiet(&client);
}

#[cfg(feature = "http2")]
#[test]
fn http2_is_negotiated_inside_the_tunnel() {
    let tunneler = Server::http(obliging);
    let origin = Server::http2(async |mut exchange| {
        exchange.reply(200, &[], "two").await;
    });
    let client = client(tunneler.url(""));
    for _ in 0..3 {
        let reply = client.get(origin.url("/")).send().unwrap();
        assert_eq!((reply.version(), reply.text().as_str()), (Version::HTTP_2, "two"));
    }
    assert_eq!(tunneler.requests(), 1);
}

#[test]
fn the_certificate_inside_is_the_origins() {
    let (tunneler, origin) = (Server::http(obliging), Server::https_as(ServerName::Wrong, ok));
    let error = client(tunneler.url("")).get(origin.url("/")).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Tls, Some(Phase::Tls)));
    assert!(!error.is_proxy(), "{error:?}");
}

#[test]
fn an_https_proxy_is_spoken_to_over_tls() {
    let proxy = Server::https(obliging);
    let (plain, secure) = (Server::http(ok), Server::https(ok));
    let client = client(url_as(&proxy, "joe:secret"));
    for _ in 0..2 {
        assert_eq!(client.get(plain.url("/")).send().unwrap().version(), Version::HTTP_11);
        assert_eq!(client.get(secure.url("/")).send().unwrap().text(), "ok");
    }
    for asked in proxy.seen() {
        assert_eq!(asked.header("proxy-authorization"), Some(JOE));
    }
    assert_eq!(secure.handshakes(), 1);
    assert!(proxy.seen().iter().any(|asked| asked.target == plain.url("/")));
}

#[test]
fn large_bodies_cross_two_layers_of_tls_unharmed() {
    let proxy = Server::https(obliging);
    let origin = Server::https(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[], &body);
    });
    let content: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
    let client = client(proxy.url(""));
    let reply = client.post(origin.url("/")).body(content.clone()).send().unwrap();
    assert!(reply.bytes()[..] == content[..]);
}

#[test]
fn a_proxy_that_is_not_trusted_is_told_nothing() {
    let proxy = Server::https_as(ServerName::Expired, ok);
    let client = client(url_as(&proxy, "joe:secret"));
    for url in ["http://a.test/", "https://a.test/"] {
        let error = client.get(url).send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Tls, Some(Phase::Tls)));
        assert_eq!(error.proxy(), Some(proxy.url("").as_str()));
    }
    assert_eq!(proxy.requests(), 0);
}

#[test]
fn the_certificate_of_the_client_is_shown_to_origins_only() {
    let proxy = Server::mutual_tls(obliging);
    let identity = || Identity::from_pem(client_identity()).unwrap();
    let client = trusting().identity(identity()).proxy(Proxy::new(proxy.url("")).unwrap());
    let error = client.build().unwrap().get("http://a.test/").send().unwrap_err();
    assert!(error.is_proxy() || error.kind() == ErrorKind::Tls, "{error:?}");
    assert_eq!(proxy.requests(), 0);
    let (tunneler, origin) = (Server::http(obliging), Server::mutual_tls(ok));
    let client = trusting().identity(identity()).proxy(super::proxy(tunneler.url("")));
    assert!(client.build().unwrap().get(origin.url("/")).send().is_ok());
}

#[test]
fn many_callers_share_what_one_tunnel_teaches() {
    let (tunneler, origin) = (Server::http(obliging), Server::https(ok));
    let client = client(tunneler.url(""));
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (client, url) = (client.clone(), origin.url("/"));
            crate::waiting::start(move || client.get(url).send())
        })
        .collect();
    for call in calls {
        assert_eq!(call.join().unwrap().status(), 200);
    }
}

#[test]
fn the_name_of_the_origin_is_not_looked_up_here() {
    let (tunneler, origin) = (Server::http(obliging), Server::https(ok));
    let names = FixedNames::loopback();
    let client = trusting().proxy(proxy(tunneler.url_at("proxy.test", "")));
    let client = client.resolver(names.clone()).build().unwrap();
    client.get(origin.url_at("localhost", "/")).send().unwrap();
    assert_eq!(names.asked(), ["proxy.test"]);
}

#[test]
fn what_is_said_of_an_answer_to_connect_does_not_count() {
    let tunneler = Server::http(|exchange: &mut Exchange| {
        // Both must be ignored (RFC 9110 §9.3.6).
        exchange.tunnel_with(&[("content-length", "5"), ("transfer-encoding", "chunked")]);
    });
    let origin = Server::https(ok);
    assert!(client(tunneler.url("")).get(origin.url("/")).send().is_ok());
}

#[test]
fn without_tls_there_is_no_tunnel() {
    let tunneler = Server::http(obliging);
    let client = builder().proxy(proxy(tunneler.url(""))).build().unwrap();
    let origin = Server::http(ok);
    client.get(origin.url("/")).send().unwrap();
    assert_eq!(tunneler.seen()[0].method, "GET");
}
