//! Who one is at a proxy: `Proxy-Authorization` (RFC 9110 §11.7.2) and the answer to a 407.

use abide::HeaderValue;

use super::{JOE, ok, proxy, through, url_as};
use crate::{
    clients::builder,
    support::{Exchange, Server},
};

const URL: &str = "http://a.test/";

/// Answers who says these words, and asks others for Basic credentials.
fn wanting(words: &'static str) -> impl Fn(&mut Exchange) + Send + Sync + 'static {
    move |exchange| match exchange.request().header("proxy-authorization") {
        Some(said) if said == words => ok(exchange),
        _ => {
            exchange.reply(407, &[("proxy-authenticate", "Basic realm=\"proxy\"")], b"who?");
        }
    }
}

#[test]
fn rfc_7617_credentials_are_said_before_they_are_asked_for() {
    let forwarder = Server::http(wanting(JOE));
    let reply = through(url_as(&forwarder, "joe:secret")).get(URL).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.attempts()), (200, 1));
    let client = builder().proxy(proxy(forwarder.url("")).credentials("joe", "secret").unwrap());
    assert_eq!(client.build().unwrap().get(URL).send().unwrap().status(), 200);
}

#[test]
fn a_407_that_cannot_be_answered_is_the_reply_of_a_forwarding_proxy() {
    let forwarder = Server::http(wanting(JOE));
    for user_info in ["", "joe:wrong"] {
        let reply = through(url_as(&forwarder, user_info)).get(URL).send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.text().as_str()), (407, "who?"));
        assert_eq!(reply.attempts(), 1);
    }
    assert_eq!(forwarder.requests(), 2);
}

#[test]
fn an_own_introduction_replaces_the_credentials() {
    let forwarder = Server::http(wanting("Bearer token"));
    let with_token =
        proxy(forwarder.url("")).authorization(HeaderValue::from_static("Bearer token"));
    let client = builder().proxy(with_token).build().unwrap();
    assert_eq!(client.get(URL).send().unwrap().status(), 200);
    let client = through(url_as(&forwarder, "joe:secret"));
    let request = client.get(URL).header("proxy-authorization", "Bearer token");
    assert_eq!(request.send().unwrap().status(), 200);
    assert_eq!(client.get(URL).send().unwrap().status(), 407);
    let client = builder()
        .proxy(proxy(forwarder.url("")))
        .default_header("proxy-authorization", "Bearer token");
    assert_eq!(client.build().unwrap().get(URL).send().unwrap().status(), 200);
}

#[test]
fn an_origin_never_sees_what_is_for_a_proxy() {
    let origin = Server::http(ok);
    let client = builder().default_header("proxy-authorization", "Basic x").build().unwrap();
    client.get(origin.url("/")).header("proxy-authorization", "Basic y").send().unwrap();
    client.get(origin.url("/")).send().unwrap();
    let socks = crate::support::Socks::with_password("joe", "secret");
    let through_socks = proxy(socks.url_as("socks5h", "joe", "secret"));
    let request = client.get(origin.url("/")).proxy(&through_socks);
    request.header("proxy-authorization", "Basic y").send().unwrap();
    for seen in origin.seen() {
        assert_eq!(seen.header("proxy-authorization"), None);
    }
    assert_eq!(origin.requests(), 3);
}

#[cfg(feature = "tls")]
mod in_tunnels {
    use abide::ErrorKind;

    use super::*;
    use crate::clients::trusting;

    #[test]
    fn an_origin_behind_a_tunnel_never_sees_what_is_for_a_proxy() {
        let tunneler = Server::http(|exchange| exchange.tunnel());
        let origin = Server::https(ok);
        let client = trusting().proxy(proxy(tunneler.url(""))).build().unwrap();
        let request = client.get(origin.url("/")).header("proxy-authorization", "Bearer token");
        request.send().unwrap();
        assert_eq!(tunneler.seen()[0].header("proxy-authorization"), Some("Bearer token"));
        assert_eq!(origin.seen()[0].header("proxy-authorization"), None);
    }

    #[test]
    fn an_unanswerable_407_is_an_error_that_says_what_is_wanted() {
        let wants = [("proxy-authenticate", "Negotiate"), ("proxy-authenticate", "Basic realm=x")];
        let tunneler = Server::http(move |exchange| {
            exchange.reply(407, &wants, b"who?");
        });
        for (user_info, because) in [("", "wants credentials"), ("joe:secret", "other credentials")]
        {
            let client = through(url_as(&tunneler, user_info));
            let error = client.get("https://a.test/").send().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Proxy, "{error:?}");
            assert_eq!(error.proxy_status().unwrap(), 407);
            assert!(error.to_string().contains(because), "{error}");
            assert!(error.to_string().contains("Negotiate, Basic"), "{error}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
        assert_eq!(tunneler.requests(), 2);
    }
}

#[cfg(feature = "digest")]
mod digest {
    use std::{io::Cursor, sync::Mutex};

    use abide::{Body, Client};

    use super::*;

    /// Asks for Digest with the nonce `0`, then `1` and so on: each is stale after `uses`.
    fn wanting_digest(uses: u32) -> Server {
        Server::http(move |exchange| {
            exchange.read_body();
            let said = exchange.request().header("proxy-authorization").map(str::to_owned);
            let said = said.as_deref().and_then(|said| said.strip_prefix("Digest "));
            let Some(said) = said else { return challenge(exchange, 0, false) };
            let (nonce, count) = (number(said, "nonce", 10), number(said, "nc", 16));
            let uri = format!("uri=\"{}\"", exchange.target());
            assert!(said.contains(&uri), "{said}");
            match count {
                _ if !said.contains("username=\"joe\"") => challenge(exchange, 7, false),
                _ if count > uses => challenge(exchange, nonce + 1, true),
                _ if exchange.request().method == "CONNECT" => exchange.tunnel(),
                _ => ok(exchange),
            }
        })
    }

    fn challenge(exchange: &mut Exchange, nonce: u32, is_stale: bool) {
        let digest = format!(
            "Digest realm=\"p\", qop=\"auth\", algorithm=SHA-256, nonce=\"{nonce}\", stale={is_stale}"
        );
        let offers = [("proxy-authenticate", "Basic realm=x"), ("proxy-authenticate", &digest)];
        exchange.reply(407, &offers, b"who?");
    }

    fn number(said: &str, name: &str, radix: u32) -> u32 {
        let value = said.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        u32::from_str_radix(value.unwrap().trim_matches('"'), radix).unwrap()
    }

    /// What each request said: its scheme, or the nonce and the count of Digest.
    fn said(server: &Server) -> Vec<String> {
        let said = |request: crate::support::Request| match request.header("proxy-authorization") {
            None => "nothing".to_owned(),
            Some(said) => match said.strip_prefix("Digest ") {
                Some(said) => format!("{}/{}", number(said, "nonce", 10), number(said, "nc", 16)),
                None => said.split(' ').next().unwrap().to_owned(),
            },
        };
        server.seen().into_iter().map(said).collect()
    }

    #[track_caller]
    fn check(client: &Client, expected: &[(u16, u32)]) {
        for (status, attempts) in expected {
            let reply = client.get(URL).send().unwrap();
            assert_eq!((reply.status().as_u16(), reply.attempts()), (*status, *attempts));
        }
    }

    #[test]
    fn rfc_7616_a_challenge_is_answered_and_its_nonce_used_again() {
        let server = wanting_digest(100);
        check(&through(url_as(&server, "joe:secret")), &[(200, 2), (200, 1), (200, 1)]);
        assert_eq!(said(&server), ["Basic", "0/1", "0/2", "0/3"]);
        assert_eq!(server.connections(), 1);
    }

    #[test]
    fn rfc_7616_section_3_3_a_stale_nonce_is_replaced_without_asking_anybody() {
        let server = wanting_digest(2);
        let client = through(url_as(&server, "joe:secret"));
        check(&client, &[(200, 2), (200, 1), (200, 2), (200, 1)]);
        assert_eq!(said(&server), ["Basic", "0/1", "0/2", "0/3", "1/1", "1/2"]);
    }

    #[test]
    fn wrong_credentials_are_said_once() {
        let server = wanting_digest(100);
        check(&through(url_as(&server, "jim:secret")), &[(407, 2), (407, 1)]);
        assert_eq!(said(&server), ["Basic", "0/1", "7/1"]);
    }

    #[test]
    fn a_password_can_be_kept_from_the_proxy() {
        let server = wanting_digest(100);
        let only = proxy(url_as(&server, "joe:secret")).digest_only();
        check(&builder().proxy(only).build().unwrap(), &[(200, 2), (200, 1)]);
        assert_eq!(said(&server), ["nothing", "0/1", "0/2"]);
        let basic = Server::http(wanting(JOE));
        let only = proxy(url_as(&basic, "joe:secret")).digest_only();
        check(&builder().proxy(only).build().unwrap(), &[(407, 1)]);
    }

    #[test]
    fn a_challenge_is_answered_on_another_connection_if_need_be() {
        let server = Server::http(|exchange| match exchange.connection() {
            0 => {
                let digest = "Digest realm=p, qop=auth, nonce=\"0\"";
                let offers = [("connection", "close"), ("proxy-authenticate", digest)];
                exchange.reply(407, &offers, b"who?");
                exchange.close();
            }
            _ => ok(exchange),
        });
        check(&through(url_as(&server, "joe:secret")), &[(200, 2)]);
        assert_eq!((server.connections(), said(&server)[1].as_str()), (2, "0/1"));
    }

    #[test]
    fn a_body_is_sent_again_if_it_can_be() {
        let server = wanting_digest(100);
        let client = through(url_as(&server, "joe:secret"));
        let reply = client.post(URL).body("again and again").send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.attempts()), (200, 2));
    }

    #[test]
    fn a_body_that_cannot_be_sent_again_goes_through_the_next_time() {
        let server = wanting_digest(100);
        let client = through(url_as(&server, "joe:secret"));
        for status in [407, 200] {
            let reply = client.post(URL).body(Body::reader(Cursor::new("once"))).send().unwrap();
            assert_eq!((reply.status().as_u16(), reply.attempts()), (status, 1));
        }
    }

    #[test]
    fn a_request_that_is_sent_again_has_a_count_of_its_own() {
        let server = Server::http(|exchange| {
            let said = exchange.request().header("proxy-authorization").unwrap();
            match said.strip_prefix("Digest ").map(|said| number(said, "nc", 16)) {
                None => challenge(exchange, 0, false),
                // The connection was kept and dies when it is used again.
                Some(2) => exchange.close(),
                Some(_) => ok(exchange),
            }
        });
        check(&through(url_as(&server, "joe:secret")), &[(200, 2), (200, 2)]);
        assert_eq!(said(&server), ["Basic", "0/1", "0/2", "0/3"]);
    }

    /// As Squid does it: each challenge has a nonce of its own, whose numbers have to grow.
    fn counting() -> Server {
        let last = Mutex::new(Vec::<u32>::new());
        Server::http(move |exchange| {
            exchange.read_body();
            let said = exchange.request().header("proxy-authorization").map(str::to_owned);
            let said = said.as_deref().and_then(|said| said.strip_prefix("Digest "));
            let mut last = last.lock().unwrap();
            let is_right = said.is_some_and(|said| {
                let count = number(said, "nc", 16);
                let last = &mut last[number(said, "nonce", 10) as usize];
                std::mem::replace(last, count.max(*last)) < count
            });
            if !is_right {
                last.push(0);
                let nonce = u32::try_from(last.len() - 1).unwrap();
                drop(last);
                return challenge(exchange, nonce, said.is_some());
            }
            drop(last);
            match exchange.request().method == "CONNECT" {
                true => exchange.tunnel(),
                false => ok(exchange),
            }
        })
    }

    #[track_caller]
    fn from_many_threads(client: &Client, url: &str) {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let reply = client.get(url).send().unwrap();
                        assert_eq!(reply.status().as_u16(), 200);
                        assert!(reply.attempts() <= 2, "{}", reply.attempts());
                    }
                });
            }
        });
    }

    #[test]
    fn many_threads_get_through_a_proxy_that_takes_what_comes_late_for_a_replay() {
        let server = counting();
        from_many_threads(&through(url_as(&server, "joe:secret")), URL);
    }

    #[test]
    fn an_open_reply_is_none_to_a_challenge() {
        let server = wanting_digest(100);
        let client = through(url_as(&server, "joe:secret"));
        let mut text = String::new();
        let mut reply = client.get(URL).open().unwrap();
        std::io::Read::read_to_string(&mut reply, &mut text).unwrap();
        assert_eq!((reply.status().as_u16(), text.as_str()), (200, "ok"));
    }

    #[test]
    fn rfc_7616_section_3_5_a_next_nonce_is_taken_up() {
        let server = Server::http(|exchange| {
            match exchange.request().header("proxy-authorization").map(str::to_owned) {
                Some(said) if said.starts_with("Digest") => {
                    let next = [("proxy-authentication-info", "nextnonce=\"5\"")];
                    exchange.reply(200, &next, b"ok");
                }
                _ => challenge(exchange, 0, false),
            }
        });
        check(&through(url_as(&server, "joe:secret")), &[(200, 2), (200, 1)]);
        assert_eq!(said(&server), ["Basic", "0/1", "5/1"]);
    }

    #[cfg(feature = "tls")]
    mod in_tunnels {
        use abide::ErrorKind;

        use super::*;
        use crate::clients::trusting;

        #[test]
        fn a_challenge_is_answered_with_one_more_connect() {
            let (server, origin) = (wanting_digest(2), Server::https(ok));
            let client = trusting().proxy(proxy(url_as(&server, "joe:secret"))).build().unwrap();
            for _ in 0..4 {
                let reply = client.get(origin.url("/")).send().unwrap();
                assert_eq!((reply.status().as_u16(), reply.attempts()), (200, 1));
                client.close_idle();
            }
            assert_eq!(said(&server), ["Basic", "0/1", "0/2", "0/3", "1/1", "1/2"]);
            assert_eq!(server.connections(), 4, "the same connection is asked twice");
            assert!(origin.seen().iter().all(|s| s.header("proxy-authorization").is_none()));
        }

        #[test]
        fn many_threads_get_tunnels_where_what_comes_late_is_taken_for_a_replay() {
            let (server, origin) = (counting(), Server::https(closing));
            let client = trusting().proxy(proxy(url_as(&server, "joe:secret"))).build().unwrap();
            from_many_threads(&client, &origin.url("/"));
            assert!(server.connections() >= 80, "{}", server.connections());
        }

        fn closing(exchange: &mut Exchange) {
            exchange.reply(200, &[("connection", "close")], b"ok");
            exchange.close();
        }

        #[test]
        fn a_challenge_may_close_its_connection() {
            for says_so in [true, false] {
                let server = Server::http(move |exchange| match exchange.connection() {
                    0 => {
                        let close: &[_] = if says_so { &[("connection", "close")] } else { &[] };
                        let digest = ("proxy-authenticate", "Digest realm=p, nonce=\"0\"");
                        exchange.reply(407, &[close, &[digest]].concat(), b"who?");
                        exchange.close();
                    }
                    _ => exchange.tunnel(),
                });
                let origin = Server::https(ok);
                let client = trusting().proxy(proxy(url_as(&server, "joe:secret")));
                client.build().unwrap().get(origin.url("/")).send().unwrap();
                assert_eq!((server.connections(), server.requests()), (2, 2));
            }
        }

        #[test]
        fn wrong_credentials_are_said_once_for_a_tunnel() {
            let server = wanting_digest(100);
            let client = through(url_as(&server, "jim:secret"));
            let error = client.get("https://a.test/").send().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Proxy);
            assert!(error.to_string().contains("other credentials"), "{error}");
            assert_eq!(said(&server), ["Basic", "0/1"]);
        }

        #[test]
        fn a_proxy_that_challenges_for_ever_is_left() {
            let server = Server::http(|exchange| challenge(exchange, 0, true));
            let client = through(url_as(&server, "joe:secret"));
            assert_eq!(
                client.get("https://a.test/").send().unwrap_err().proxy_status().unwrap(),
                407
            );
            assert_eq!(server.requests(), 2);
            let reply = client.get(URL).send().unwrap();
            assert_eq!((reply.status().as_u16(), server.requests()), (407, 4));
        }
    }
}
