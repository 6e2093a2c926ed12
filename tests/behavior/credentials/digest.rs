//! Digest: challenges are answered, by those who were asked and as often as makes sense.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use abide::{AuthConfig, Body, Client, ErrorKind, RetryPolicy};
use md5::{Digest, Md5};

use super::{authorizations, ok, only};
use crate::{
    clients::{builder, client},
    support::{Exchange, Server, assert_untold, forbid},
};

fn hash<H: Digest>(text: &str) -> String {
    H::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parameters of an `Authorization: Digest`.
fn parameters(authorization: &str) -> HashMap<String, String> {
    let pairs = authorization.strip_prefix("Digest ").expect("a Digest answer").split(", ");
    let pairs = pairs.map(|pair| pair.split_once('=').expect("a pair"));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// Whether a request answers the challenge as the user `u` with the password `p w`.
fn is_right<H: Digest>(exchange: &Exchange, nonce: &str) -> bool {
    let Some(authorization) = exchange.request().header("authorization") else { return false };
    let sent = parameters(authorization);
    let get = |name: &str| sent.get(name).map_or("", String::as_str);
    let mut key = hash::<H>("u:the realm:p w");
    if get("algorithm").ends_with("-sess") {
        key = hash::<H>(&format!("{key}:{}:{}", get("nonce"), get("cnonce")));
    }
    let request = hash::<H>(&format!("{}:{}", exchange.request().method, get("uri")));
    let (nc, cnonce) = (get("nc"), get("cnonce"));
    let expected = hash::<H>(&format!("{key}:{nonce}:{nc}:{cnonce}:auth:{request}"));
    get("uri") == exchange.target() && get("nonce") == nonce && get("response") == expected
}

fn challenge(exchange: &mut Exchange, parameters: &str) {
    let value = format!("Digest realm=\"the realm\", qop=\"auth\", {parameters}");
    exchange.reply(401, &[("www-authenticate", "Negotiate"), ("www-authenticate", &value)], b"no");
}

fn guarded<H: Digest>(algorithm: &'static str) -> Server {
    Server::http(move |exchange| {
        let body = exchange.read_body();
        match is_right::<H>(exchange, "n1") {
            true => drop(exchange.reply(200, &[], &body)),
            false => challenge(exchange, &format!("nonce=\"n1\", algorithm={algorithm}")),
        }
    })
}

fn with_user(server: &Server) -> Client {
    let client = client();
    client.set_auth("user", AuthConfig::digest(only(server), "u", "p w").unwrap());
    client
}

fn counts(server: &Server) -> Vec<Option<String>> {
    let count = |text: String| parameters(&text)["nc"].clone();
    authorizations(server).into_iter().map(|text| text.map(count)).collect()
}

#[track_caller]
fn check<H: Digest>(algorithm: &'static str) {
    let server = guarded::<H>(algorithm);
    let client = with_user(&server);
    for index in 0..3 {
        let call = client.post(server.url("/p?q=a%20b")).body("text").auth("user");
        let reply = call.send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.text().as_str()), (200, "text"), "{algorithm}");
        let past: Vec<_> = reply.history().iter().map(|hop| hop.status().as_u16()).collect();
        assert_eq!(past, if index == 0 { vec![401] } else { vec![] });
    }
    let expected = [None, Some("00000001"), Some("00000002"), Some("00000003")];
    assert_eq!(counts(&server), expected.map(|text| text.map(str::to_owned)));
    assert_eq!(server.connections(), 1);
}

#[test]
fn each_algorithm_is_answered_once_and_its_nonce_used_on() {
    check::<Md5>("MD5");
    check::<Md5>("MD5-sess");
    check::<sha2::Sha256>("SHA-256");
    check::<sha2::Sha256>("SHA-256-sess");
    check::<sha2::Sha512_256>("SHA-512-256");
}

#[test]
fn many_threads_share_a_nonce_and_count_it_together() {
    let server = guarded::<Md5>("MD5");
    let client = with_user(&server);
    client.get(server.url("/")).auth("user").send().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let reply = client.get(server.url("/")).auth("user").send().unwrap();
                    assert_eq!((reply.status().as_u16(), reply.history().len()), (200, 0));
                }
            });
        }
    });
    let mut counts: Vec<_> = counts(&server).into_iter().flatten().collect();
    counts.sort();
    counts.dedup();
    assert_eq!((counts.len(), server.requests()), (41, 42));
}

#[test]
fn a_request_that_is_sent_again_has_a_count_of_its_own() {
    let server = Server::http(|exchange| {
        let said = exchange.request().header("authorization").map(parameters);
        match said.as_ref().map(|said| &*said["nc"]) {
            None => challenge(exchange, "nonce=\"n1\""),
            // The connection was kept and dies when it is used again.
            Some("00000002") => exchange.close(),
            Some("00000004") => drop(exchange.reply(503, &[], b"later")),
            Some(_) => drop(exchange.reply(200, &[], b"ok")),
        }
    });
    let retries = RetryPolicy::up_to(2).first_delay(Duration::from_millis(1));
    let client = builder().retries(retries).build().unwrap();
    client.set_auth("user", AuthConfig::digest(only(&server), "u", "p w").unwrap());
    for attempts in [1, 2, 2] {
        let reply = client.get(server.url("/")).auth("user").send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.attempts()), (200, attempts));
    }
    let expected = ["00000001", "00000002", "00000003", "00000004", "00000005"];
    let counts: Vec<_> = counts(&server).into_iter().flatten().collect();
    assert_eq!(counts, expected);
}

#[test]
fn many_threads_are_served_where_what_comes_late_is_taken_for_a_replay() {
    // Each challenge has a nonce of its own, whose numbers have to grow.
    let last = Mutex::new(Vec::<u32>::new());
    let server = Server::http(move |exchange| {
        let said = exchange.request().header("authorization").map(parameters);
        let mut last = last.lock().unwrap();
        let is_right = said.as_ref().is_some_and(|said| {
            let count = u32::from_str_radix(&said["nc"], 16).unwrap();
            let last = &mut last[said["nonce"].parse::<usize>().unwrap()];
            std::mem::replace(last, count.max(*last)) < count
        });
        if is_right {
            drop(last);
            exchange.reply(200, &[], b"ok");
        } else {
            last.push(0);
            let nonce = last.len() - 1;
            drop(last);
            challenge(exchange, &format!("nonce=\"{nonce}\", stale={}", said.is_some()));
        }
    });
    let client = with_user(&server);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let reply = client.get(server.url("/")).auth("user").send().unwrap();
                    assert_eq!(reply.status().as_u16(), 200);
                    assert!(reply.history().len() <= 1, "{:?}", reply.history());
                }
            });
        }
    });
}

#[test]
fn a_stale_nonce_is_replaced_without_asking_anybody() {
    let server = Server::http(|exchange| match exchange.target() {
        "/old" if !is_right::<Md5>(exchange, "n1") => challenge(exchange, "nonce=\"n1\""),
        "/new" if !is_right::<Md5>(exchange, "n2") => {
            challenge(exchange, "nonce=\"n2\", stale=TRUE");
        }
        _ => drop(exchange.reply(200, &[], b"ok")),
    });
    let client = with_user(&server);
    for (path, hops) in [("/old", 1), ("/new", 1), ("/new", 0)] {
        let reply = client.get(server.url(path)).auth("user").send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.history().len()), (200, hops), "{path}");
    }
}

#[test]
fn the_next_nonce_of_a_reply_is_used() {
    let server = Server::http(|exchange| {
        if is_right::<Md5>(exchange, "n1") || is_right::<Md5>(exchange, "n2") {
            exchange.reply(200, &[("authentication-info", "nextnonce=\"n2\"")], b"");
        } else {
            challenge(exchange, "nonce=\"n1\"");
        }
    });
    let client = with_user(&server);
    for _ in 0..2 {
        client.get(server.url("/")).auth("user").send().unwrap();
    }
    let nonces: Vec<_> = authorizations(&server).into_iter().flatten().collect();
    assert_eq!(
        nonces.iter().map(|text| &*parameters(text)["nonce"] == "n1").collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn a_wrong_password_is_tried_once() {
    let server = guarded::<Md5>("MD5");
    let client = client();
    client.set_auth("user", AuthConfig::digest(only(&server), "u", "wrong").unwrap());
    for requests in [2, 4] {
        let reply = client.get(server.url("/")).auth("user").send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.text().as_str()), (401, "no"));
        assert_eq!(server.requests(), requests);
    }
}

#[test]
fn a_server_that_challenges_for_ever_is_not_answered_for_ever() {
    let nonces = Mutex::new(0);
    let server = Server::http(move |exchange| {
        let mut nonce = nonces.lock().unwrap();
        *nonce += 1;
        challenge(exchange, &format!("nonce=\"n{nonce}\", stale=true"));
    });
    let reply = with_user(&server).get(server.url("/")).auth("user").send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.history().len()), (401, 2));
    assert_eq!(server.requests(), 3);
}

#[test]
fn a_challenge_of_another_origin_is_not_answered() {
    let evil = Server::http(|exchange| challenge(exchange, "nonce=\"n1\""));
    let target = evil.url("/");
    let server = Server::http(move |exchange| {
        exchange.reply(302, &[("location", &target)], b"");
    });
    let client = with_user(&server);
    let reply = client.get(server.url("/")).auth("user").send().unwrap();
    assert_eq!((reply.status().as_u16(), evil.requests()), (401, 1));
    // Nor one that claims to be for others.
    let wide = Server::http({
        let space = server.url("/");
        move |exchange| challenge(exchange, &format!("nonce=\"n1\", domain=\"{space}\""))
    });
    client.set_auth("user", AuthConfig::digest(only(&wide), "u", "p w").unwrap());
    client.get(wide.url("/")).auth("user").send().unwrap();
    let call = client.get(server.url("/")).auth("user").send();
    assert_eq!(call.unwrap_err().kind(), ErrorKind::Auth);
}

#[test]
fn a_challenge_after_a_redirect_to_an_allowed_origin_is_answered() {
    let inside = guarded::<Md5>("MD5");
    let target = inside.url("/in");
    let door = Server::http(move |exchange| {
        exchange.reply(307, &[("location", &target)], b"");
    });
    let client = client();
    let both = abide::AuthOrigins::only([door.url(""), inside.url("")]).unwrap();
    client.set_auth("user", AuthConfig::digest(both, "u", "p w").unwrap());
    let reply = client.post(door.url("/")).body("text").auth("user").send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (200, "text"));
    let past: Vec<_> = reply.history().iter().map(|hop| hop.status().as_u16()).collect();
    assert_eq!(past, [307, 401]);
}

#[test]
fn answers_to_challenges_are_no_redirects() {
    let server = Server::http(|exchange| match exchange.target() {
        "/" => drop(exchange.reply(302, &[("location", "/in")], b"")),
        _ if is_right::<Md5>(exchange, "n1") => drop(exchange.reply(200, &[], b"ok")),
        _ => challenge(exchange, "nonce=\"n1\""),
    });
    let client = builder().redirects(abide::RedirectPolicy::up_to(1)).build().unwrap();
    client.set_auth("user", AuthConfig::digest(only(&server), "u", "p w").unwrap());
    let reply = client.get(server.url("/")).auth("user").send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.history().len()), (200, 2));
}

#[test]
fn content_that_cannot_be_sent_again_is_an_error_that_says_so() {
    let server = guarded::<Md5>("MD5");
    let client = with_user(&server);
    let send = || client.post(server.url("/")).body(Body::reader(&b"text"[..])).auth("user").send();
    let error = send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    assert!(error.to_string().contains("sent again"), "{error}");
    assert_eq!(error.history().len(), 0);
    // With a nonce that is known there is no challenge.
    assert_eq!(send().unwrap().status(), 200);
}

#[test]
fn a_401_that_is_answered_is_no_progress_and_keeps_its_connection() {
    let server = guarded::<Md5>("MD5");
    let feedback = abide::Feedback::new();
    let call = with_user(&server).post(server.url("/")).body("text").auth("user");
    let mut reply = call.feedback(&feedback).open().unwrap();
    let text = std::io::read_to_string(&mut reply).unwrap();
    assert_eq!((text.as_str(), server.connections()), ("text", 1));
    assert_eq!(feedback.download().bytes(), 4);
}

#[test]
fn words_of_the_server_cannot_inject_and_nothing_of_the_password_is_told() {
    forbid("hunter2-digest");
    let server = Server::http(|exchange| {
        exchange.try_read_body();
        let evil = r#"Digest realm="a\", uri=\"/evil", nonce="n\"x", opaque="\\", qop=auth"#;
        exchange.reply(401, &[("www-authenticate", evil)], b"no");
    });
    let client = client();
    let config = AuthConfig::digest(only(&server), "us\"er", "hunter2-digest").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    client.set_auth("user", config);
    let reply = client.get(server.url("/")).auth("user").send().unwrap();
    assert_eq!(reply.status(), 401);
    let sent = authorizations(&server)[1].clone().unwrap();
    assert!(sent.contains(r#"realm="a\", uri=\"/evil", nonce="n\"x", uri="/","#), "{sent}");
    assert!(sent.contains(r#"username="us\"er""#) && sent.contains(r#"opaque="\\""#), "{sent}");
    assert_untold("hunter2-digest");
    for (user, password) in [("a\r\nx: y", "p"), ("u", "a\nb")] {
        let error = AuthConfig::digest(only(&server), user, password).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
}

#[test]
fn a_challenge_that_breaks_the_line_is_no_header_at_all() {
    let server = Server::http(|exchange| {
        exchange
            .write("HTTP/1.1 401 No\r\nwww-authenticate: Digest realm=\"a\r\n b\", nonce=n\r\n");
        exchange.write("content-length: 0\r\n\r\n");
        exchange.abandon();
    });
    let call = with_user(&server).get(server.url("/")).auth("user").send();
    // Refused as a whole, or taken as something that is not answered.
    assert!(call.is_err_and(|e| e.kind() == ErrorKind::Protocol) || server.requests() == 1);
    assert!(authorizations(&server).iter().all(Option::is_none));
}

#[test]
fn a_user_without_a_challenge_sends_nothing() {
    let server = Server::http(ok);
    let shared = Arc::new(with_user(&server));
    shared.get(server.url("/")).auth("user").send().unwrap();
    assert_eq!(authorizations(&server), [None]);
}
