//! SOCKS 4, 4a, 5 and 5h: who looks the name up, who one is, and what is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use abide::{Client, ErrorKind, Phase};

use super::{ok, proxy, through};
use crate::{
    clients::{FixedNames, builder},
    support::{Server, Socks},
};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const HERE_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

#[track_caller]
fn check(scheme: &str, host: &str, expected: &str, is_looked_up: bool) {
    let (socks, origin) = (Socks::open(), Server::http(ok));
    let names = FixedNames::loopback();
    let resolver = names.clone();
    let client = builder().proxy(proxy(socks.url(scheme))).resolver(resolver).build().unwrap();
    let reply = client.get(origin.url_at(host, "/x")).send().unwrap();
    assert_eq!(reply.remote_addr(), Some(socks.server().addr()));
    assert_eq!(reply.proxy().unwrap().scheme(), scheme);
    let port = origin.addr().port();
    let asked = &socks.asked()[0];
    assert_eq!(asked.target, format!("{expected}:{port}"));
    assert_eq!(asked.version, if scheme.starts_with("socks4") { 4 } else { 5 });
    assert_eq!(!names.asked().is_empty(), is_looked_up, "{:?}", names.asked());
    let seen = &origin.seen()[0];
    assert_eq!((seen.target.as_str(), seen.header("proxy-authorization")), ("/x", None));
    assert_eq!(seen.header("host"), Some(format!("{host}:{port}").as_str()));
}

#[test]
fn socks5_and_socks4_look_names_up_here() {
    check("socks5", "origin.test", "127.0.0.1", true);
    check("socks4", "origin.test", "127.0.0.1", true);
}

#[test]
fn socks5h_and_socks4a_leave_names_to_the_proxy() {
    check("socks5h", "origin.test", "origin.test", false);
    check("socks4a", "origin.test", "origin.test", false);
}

#[test]
fn addresses_need_no_look_up() {
    for scheme in ["socks5", "socks5h", "socks4", "socks4a"] {
        check(scheme, "127.0.0.1", "127.0.0.1", false);
    }
    for scheme in ["socks5", "socks5h"] {
        check(scheme, "[2001:db8::7]", "[2001:db8::7]", false);
    }
}

#[test]
fn a_connection_through_socks_is_kept_for_its_origin() {
    let (socks, first, second) = (Socks::open(), Server::http(ok), Server::http(ok));
    let client = through(socks.url("socks5h"));
    for _ in 0..2 {
        client.get(first.url("/")).send().unwrap();
        client.get(second.url("/")).send().unwrap();
    }
    assert_eq!(socks.asked().len(), 2);
    assert_eq!((first.connections(), second.connections()), (1, 1));
}

#[test]
fn socks4_is_told_the_user() {
    let (socks, origin) = (Socks::open(), Server::http(ok));
    through(socks.url_as("socks4", "joe", "secret")).get(origin.url("/")).send().unwrap();
    assert_eq!(socks.asked()[0].user, Some(("joe".to_owned(), String::new())));
}

#[test]
fn rfc_1929_socks5_is_told_user_and_password_if_it_asks() {
    let origin = Server::http(ok);
    let (long, word) = ("u".repeat(255), "w".repeat(255));
    let socks = Socks::with_password(&long, &word);
    through(socks.url_as("socks5", &long, &word)).get(origin.url("/")).send().unwrap();
    assert_eq!(socks.asked()[0].user, Some((long, word)));
    let socks = Socks::open();
    through(socks.url_as("socks5", "joe", "secret")).get(origin.url("/")).send().unwrap();
    assert_eq!(socks.asked()[0].user, None);
}

#[track_caller]
fn check_refused(client: &Client, host: &str, because: &str) {
    let error = client.get(format!("http://{host}:1/?q=hidden")).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Connect)));
    assert!(error.is_proxy() && error.is_connect() && !error.is_timeout(), "{error:?}");
    assert!(error.proxy().unwrap().starts_with("socks"), "{error:?}");
    assert!(error.to_string().contains(because), "{error}");
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    assert_eq!(client.stats().open(), 0);
}

#[test]
fn wrong_credentials_are_an_error_of_the_proxy() {
    let socks = Socks::with_password("joe", "right");
    check_refused(&through(socks.url_as("socks5h", "joe", "secret")), "a.test", "credentials");
    check_refused(&through(socks.url("socks5h")), "a.test", "wants credentials");
    assert!(socks.asked().is_empty());
}

#[test]
fn a_refusal_says_why() {
    let refusing = |code| Socks::answering(move |_| code);
    for (code, why) in [(1, "general failure"), (2, "not allowed"), (9, "code 9")] {
        let socks = refusing(code);
        check_refused(&through(socks.url("socks5h")), "a.test", why);
    }
    check_refused(&through(refusing(1).url("socks4a")), "a.test", "rejected");
}

#[test]
fn socks4_cannot_be_asked_for_ipv6() {
    let socks = Socks::open();
    check_refused(&through(socks.url("socks4a")), "[::1]", "no IPv6");
    let names = FixedNames::new([HERE_V6]);
    let client = builder().proxy(proxy(socks.url("socks4"))).resolver(names).build().unwrap();
    let error = client.get("http://a.test/").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resolve, "{error:?}");
    assert!(socks.asked().is_empty());
    let (origin, names) = (Server::http(ok), FixedNames::new([HERE_V6, HERE]));
    let client = builder().proxy(proxy(socks.url("socks4"))).resolver(names).build().unwrap();
    client.get(origin.url_at("a.test", "/")).send().unwrap();
}

#[test]
fn an_address_that_the_proxy_cannot_reach_is_followed_by_the_next() {
    let origin = Server::http(ok);
    let socks = Socks::answering(|target| if target.starts_with('[') { 4 } else { 0 });
    let names = FixedNames::new([HERE_V6, HERE]);
    let client = builder().proxy(proxy(socks.url("socks5"))).resolver(names).build().unwrap();
    client.get(origin.url_at("a.test", "/")).send().unwrap();
    let port = origin.addr().port();
    let asked: Vec<_> = socks.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(asked, [format!("[::1]:{port}"), format!("127.0.0.1:{port}")]);
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_spoken_through_socks() {
    use crate::clients::trusting;
    let (socks, origin) = (Socks::open(), Server::https(ok));
    let client = trusting().proxy(proxy(socks.url("socks5h"))).build().unwrap();
    client.get(origin.url_at("localhost", "/")).send().unwrap();
    assert_eq!(socks.asked()[0].target, format!("localhost:{}", origin.addr().port()));
}
