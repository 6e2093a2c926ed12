//! Squid, Dante and microsocks: every way through them, and what they refuse.

use std::io;

use abide::{
    Client, ClientBuilder, ErrorKind, Proxy, ProxyConfig, Resolve, StatusCode, Timeouts, Version,
};
use abide_real::{
    APACHE, NGINX, PASSWORD, Target, USER, builder, each, http, https, in_threads, port, served,
};
use serde_json::Value;

/// A proxy and how to get through it.
struct Way {
    name: &'static str,
    proxy: Proxy,
}

fn at(scheme: &str, server: &str) -> Proxy {
    let host = if scheme == "https" { "localhost" } else { "127.0.0.1" };
    Proxy::new(format!("{scheme}://{host}:{}", port(server))).unwrap()
}

fn known(scheme: &str, server: &str) -> Proxy {
    at(scheme, server).credentials(USER, PASSWORD).unwrap()
}

fn ways() -> Vec<Way> {
    [
        ("http", at("http", "SQUID")),
        ("https", at("https", "SQUID_TLS")),
        ("http with Basic", known("http", "SQUID_BASIC")),
        ("https with Basic", known("https", "SQUID_BASIC_TLS")),
        ("http with Digest", known("http", "SQUID_DIGEST")),
        ("http with Digest only", known("http", "SQUID_DIGEST").digest_only()),
        ("socks4", at("socks4", "DANTE")),
        ("socks4a", at("socks4a", "DANTE")),
        ("socks5", at("socks5", "DANTE")),
        ("socks5h", at("socks5h", "DANTE")),
        ("socks5 with a password", known("socks5", "MICROSOCKS")),
        ("socks5h with a password", known("socks5h", "MICROSOCKS")),
    ]
    .map(|(name, proxy)| Way { name, proxy })
    .into()
}

fn each_way(test: impl Fn(&Proxy)) {
    for way in ways() {
        println!("by {}", way.name);
        test(&way.proxy);
    }
}

/// To both schemes and in both versions.
fn targets() -> [Target; 4] {
    [NGINX[0], NGINX[1], APACHE[1], Target { tls: false, server: "NGINX_PLAIN", ..NGINX[0] }]
}

/// Dante and SOCKS 4 know the first address of a name only, so it has to be the right one.
fn url(target: Target, path: &str) -> String {
    target.url(path).replace("localhost", "127.0.0.1")
}

fn through(proxy: &Proxy, target: Target) -> ClientBuilder {
    target.builder().proxy(proxy.clone())
}

#[test]
fn every_proxy_leads_to_every_server_and_keeps_the_connection() {
    let large = served("1m");
    each_way(|proxy| {
        each(&targets(), |target| {
            let client = through(proxy, target).build().unwrap();
            for name in ["1k", "1m", "empty"] {
                let reply = client.get(url(target, &format!("/{name}"))).send().unwrap();
                assert_eq!(reply.status(), StatusCode::OK, "{}", reply.text());
                assert!(reply.bytes() == &served(name), "{name} is not what it was");
                assert_eq!(reply.proxy(), Some(proxy));
                assert!(!target.tls || reply.version() == target.version);
            }
            let place = url(target, "/uploads/by-proxy");
            let put = client.put(&place).body(&large).send().unwrap();
            assert!(put.status().is_success(), "{:?} {}", put.status(), put.text());
            assert!(client.get(&place).send().unwrap().bytes() == &large);
            let head = client.head(url(target, "/1m")).send().unwrap();
            assert_eq!(head.header("content-length"), Some("1000000"));
            // A challenge may have cost one.
            assert!(client.stats().connections_opened() <= 2, "{:?}", client.stats());
        });
    });
}

#[test]
fn many_threads_go_through_every_proxy() {
    each_way(|proxy| {
        each(&targets(), |target| {
            let client = through(proxy, target).build().unwrap();
            in_threads(12, |_| {
                for _ in 0..5 {
                    let reply = client.get(url(target, "/1k")).send().unwrap();
                    assert!(reply.bytes() == &served("1k"), "{:?}", reply.status());
                }
            });
        });
    });
}

#[test]
fn who_is_not_known_is_told_that_it_was_the_proxy() {
    let unknown = [
        at("http", "SQUID_BASIC"),
        at("https", "SQUID_BASIC_TLS").credentials(USER, "wrong").unwrap(),
        at("http", "SQUID_DIGEST"),
        at("http", "SQUID_DIGEST").credentials(USER, "wrong").unwrap().digest_only(),
        known("http", "SQUID_BASIC").digest_only(),
    ];
    for proxy in unknown {
        println!("{proxy:?}");
        let client = builder().proxy(proxy.clone()).build().unwrap();
        let error = client.get(https("NGINX", "/1k")).send().unwrap_err();
        assert!(error.is_proxy(), "{error:?}");
        assert_eq!(error.proxy_status(), Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED));
        assert_eq!(error.proxy(), Some(&*proxy.to_string()));
        let reply = client.get(http("NGINX_PLAIN", "/1k")).send().unwrap();
        assert_eq!(reply.status(), StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    }
    let unknown = [
        at("socks5", "MICROSOCKS"),
        at("socks5h", "MICROSOCKS").credentials(USER, "wrong").unwrap(),
    ];
    for proxy in unknown {
        println!("{proxy:?}");
        let client = builder().proxy(proxy).build().unwrap();
        for url in [https("NGINX", "/1k"), http("NGINX_PLAIN", "/1k")] {
            let error = client.get(url).send().unwrap_err();
            assert!(error.is_proxy() && error.is_connect(), "{error:?}");
            assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
        }
    }
}

#[test]
fn what_a_proxy_forbids_or_cannot_reach_is_its_answer() {
    let client = builder().proxy(at("http", "SQUID")).build().unwrap();
    let reply = client.get("http://forbidden.test/").send().unwrap();
    assert_eq!(reply.status(), StatusCode::FORBIDDEN);
    let error = client.get("https://forbidden.test/").send().unwrap_err();
    assert_eq!((error.is_proxy(), error.proxy_status()), (true, Some(StatusCode::FORBIDDEN)));
    let reply = client.get(http("NOBODY", "/")).send().unwrap();
    assert_eq!(reply.status(), StatusCode::SERVICE_UNAVAILABLE);
    let error = client.get(https("NOBODY", "/")).send().unwrap_err();
    assert_eq!(error.proxy_status(), Some(StatusCode::SERVICE_UNAVAILABLE), "{error:?}");

    for proxy in [at("socks4", "DANTE"), at("socks5", "DANTE"), known("socks5h", "MICROSOCKS")] {
        let client = builder().proxy(proxy).build().unwrap();
        let error = client.get(http("NOBODY", "/")).send().unwrap_err();
        assert!(error.is_proxy() && error.is_connect(), "{error:?}");
    }
    let client = builder().proxy(at("socks5", "DANTE")).build().unwrap();
    let error = client.get(format!("http://127.0.0.9:{}/", port("NGINX_PLAIN"))).send();
    assert!(error.as_ref().unwrap_err().is_proxy(), "{error:?}");
}

#[test]
fn a_proxy_that_is_not_there_or_no_proxy_is_named() {
    let nobody = port("NOBODY");
    for scheme in ["http", "https", "socks4", "socks5h"] {
        let proxy = Proxy::new(format!("{scheme}://127.0.0.1:{nobody}")).unwrap();
        let client = builder().proxy(proxy).build().unwrap();
        for url in [https("NGINX", "/1k"), http("NGINX_PLAIN", "/1k")] {
            let error = client.get(url).send().unwrap_err();
            assert!(error.is_proxy() && error.is_connect(), "{error:?}");
            assert!(error.to_string().contains(&nobody.to_string()), "{error}");
        }
    }
    // An HTTP server that speaks no SOCKS, and a SOCKS server that speaks no HTTP.
    for proxy in [at("socks5", "NGINX_PLAIN"), at("socks4", "NGINX_PLAIN"), at("http", "DANTE")] {
        let timeouts = Timeouts::default().total(std::time::Duration::from_secs(3));
        let client = builder().proxy(proxy).timeouts(timeouts).build().unwrap();
        let error = client.get(https("NGINX", "/1k")).send().unwrap_err();
        assert!(error.is_proxy(), "{error:?}");
    }
}

#[test]
fn credentials_for_the_proxy_are_for_the_proxy_alone() {
    each_way(|proxy| {
        let client = builder().proxy(proxy.clone()).build().unwrap();
        let seen = client.get(http("HTTPBIN", "/headers")).send().unwrap();
        let headers = &seen.json::<Value>().unwrap()["headers"];
        assert!(headers.get("Proxy-Authorization").is_none(), "{headers}");
        assert!(headers.get("Authorization").is_none(), "{headers}");
    });
}

/// A resolver that knows nothing.
struct Nameless;

impl Resolve for Nameless {
    fn resolve(&self, _: &str) -> io::Result<Vec<std::net::IpAddr>> {
        Err(io::Error::new(io::ErrorKind::NotFound, "no such name"))
    }
}

#[test]
fn names_are_looked_up_by_whom_the_scheme_says() {
    for (proxy, looks_up) in [
        (at("http", "SQUID"), true),
        (at("socks5h", "DANTE"), true),
        (known("socks5h", "MICROSOCKS"), true),
        (at("socks5", "DANTE"), false),
        (at("socks4", "DANTE"), false),
    ] {
        let client = builder().proxy(proxy.clone()).resolver(Nameless).build().unwrap();
        let answer = client.get(https("NGINX", "/1k")).send();
        println!("{proxy:?}: {answer:?}");
        match answer {
            Ok(reply) => assert!(looks_up && reply.bytes() == &served("1k")),
            Err(error) => assert!(!looks_up && error.kind() == ErrorKind::Resolve),
        }
    }
    // Dante knows no 4a and takes what stands for the name's address for one.
    let client = builder().proxy(at("socks4a", "DANTE")).resolver(Nameless).build().unwrap();
    let error = client.get(https("NGINX", "/1k")).send().unwrap_err();
    assert!(error.is_proxy(), "{error:?}");
}

#[test]
fn calls_and_rules_choose_the_way_and_the_pool_keeps_them_apart() {
    let squid = at("http", "SQUID");
    let dante = at("socks5h", "DANTE");
    let plain = http("NGINX_PLAIN", "/1k");
    let secure = https("NGINX", "/1k").replace("localhost", "127.0.0.1");
    let rules = ProxyConfig::none()
        .http(squid.clone())
        .https(dante.clone())
        .exclude_prefixes([https("NGINX", "/")]);
    let client: Client = builder().proxy(rules).build().unwrap();
    let way = |client: &Client, url: &str| client.get(url).send().unwrap().proxy().cloned();
    for _ in 0..3 {
        assert_eq!(way(&client, &plain), Some(squid.clone()));
        assert_eq!(way(&client, &secure), Some(dante.clone()));
        assert_eq!(way(&client, &https("NGINX", "/1k")), None);
        let direct = client.get(&plain).no_proxy().send().unwrap();
        assert_eq!(direct.proxy(), None);
        let other = client.get(&plain).proxy(&dante).send().unwrap();
        assert_eq!(other.proxy(), Some(&dante));
    }
    assert_eq!(client.stats().connections_opened(), 5);
    let excluded = ProxyConfig::from(squid).exclude_hosts("localhost, 127.0.0.0/8");
    let client = builder().proxy(excluded).build().unwrap();
    assert_eq!(way(&client, &plain), None);
}

#[test]
fn http2_goes_through_a_tunnel_as_it_would_without() {
    each_way(|proxy| {
        let client = builder().proxy(proxy.clone()).build().unwrap();
        let secure = https("NGINX", "/100k").replace("localhost", "127.0.0.1");
        in_threads(20, |_| {
            let reply = client.get(&secure).send().unwrap();
            assert_eq!(reply.version(), Version::HTTP_2);
            assert!(reply.bytes() == &served("100k"));
        });
        // A challenge may have cost one.
        assert!(client.stats().connections_opened() <= 2, "{:?}", client.stats());
    });
}
