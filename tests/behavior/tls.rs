//! TLS: who is trusted, who is refused, and what can be switched off.

use std::time::Duration;

use abide::{
    Budget, Certificate, Client, ClientBuilder, ErrorKind, Identity, Phase, Result, Timeouts,
    Version,
};

use crate::{
    clients::{FixedNames, await_quiet, builder, trusting},
    support::{Exchange, Server, ServerName, client_identity},
    timeouts::{self, Stall, check_all},
    victim::Victim,
    waiting::start,
};

fn ok(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"ok");
}

#[track_caller]
fn assert_refused(answer: Result<abide::Reply>, server: &Server) {
    let error = answer.unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Tls, Some(Phase::Tls)), "{error:?}");
    assert!(error.is_connect());
    assert_eq!(server.requests(), 0);
    server.await_open(0);
}

fn get(client: ClientBuilder, server: &Server) -> Result<abide::Reply> {
    client.build().unwrap().get(server.url("/")).send()
}

#[test]
fn an_own_root_is_trusted() {
    let server = Server::https(ok);
    let client = trusting().build().unwrap();
    for index in 0..3 {
        let reply = client.get(server.url("/")).send().unwrap();
        assert_eq!((reply.version(), reply.reused_connection()), (Version::HTTP_11, index > 0));
    }
    assert_eq!((server.connections(), server.handshakes()), (1, 1));
    assert!(get(builder().add_root_certificate(root()), &server).is_ok());
}

#[test]
fn timings_tell_when_the_handshake_was_done() {
    let server = Server::https(ok);
    let timings = *get(trusting(), &server).unwrap().timings();
    let times = [
        Some(timings.queued()),
        timings.resolved(),
        timings.connected(),
        timings.tls_done(),
        timings.sent(),
        timings.first_byte(),
        timings.last_byte(),
    ];
    assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{timings:?}");
}

#[test]
fn a_name_is_checked_against_the_certificate() {
    let server = Server::https(ok);
    let client = trusting().resolver(FixedNames::loopback()).build().unwrap();
    client.get(server.url_at("localhost", "/")).send().unwrap();
    let error = client.get(server.url_at("elsewhere.test", "/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
}

#[test]
fn an_unknown_root_is_refused() {
    let server = Server::https(ok);
    assert_refused(get(builder(), &server), &server);
    let nobody = builder().only_root_certificates([]);
    match nobody.build() {
        Ok(client) => assert_refused(client.get(server.url("/")).send(), &server),
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidRequest),
    }
}

#[test]
fn an_expired_certificate_is_refused_until_danger_is_accepted() {
    let server = Server::https_as(ServerName::Expired, ok);
    assert_refused(get(trusting(), &server), &server);
    let only_names = trusting().danger_accept_invalid_host_names(true);
    assert_refused(get(only_names, &server), &server);
    assert!(get(builder().danger_accept_invalid_certificates(true), &server).is_ok());
}

#[test]
fn a_refusal_is_told_to_all_who_wait_for_the_handshake() {
    let server = Server::https_as(ServerName::Expired, ok);
    let client = trusting().build().unwrap();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (client, url) = (client.clone(), server.url("/"));
            start(move || client.get(url).send())
        })
        .collect();
    for call in calls {
        assert_eq!(call.join().unwrap_err().kind(), ErrorKind::Tls);
    }
    await_quiet(&client);
    assert_eq!(client.stats().open(), 0);
}

#[test]
fn a_wrong_host_is_refused_until_danger_is_accepted() {
    let server = Server::https_as(ServerName::Wrong, ok);
    assert_refused(get(trusting(), &server), &server);
    let unknown = builder().danger_accept_invalid_host_names(true);
    assert_refused(get(unknown, &server), &server);
    assert!(get(trusting().danger_accept_invalid_host_names(true), &server).is_ok());
    assert!(get(builder().danger_accept_invalid_certificates(true), &server).is_ok());
}

#[test]
fn a_certificate_of_the_client_opens_the_door() {
    let server = Server::mutual_tls(ok);
    let identity = Identity::from_pem(client_identity()).unwrap();
    assert!(get(trusting().identity(identity), &server).is_ok());
    let error = get(trusting(), &server).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
    assert_eq!(server.requests(), 1);
}

#[test]
fn what_is_no_certificate_is_refused_when_it_is_given() {
    let garbage = b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n";
    for text in [b"".as_slice(), b"no certificate", garbage] {
        assert!(Certificate::from_pem(text).is_err());
        assert!(Certificate::all_from_pem(text).is_err());
        assert!(Identity::from_pem(text).is_err());
    }
    assert!(Identity::from_pem(crate::support::ca()).is_err(), "a certificate without a key");
    assert_eq!(Certificate::all_from_pem(client_identity()).unwrap().len(), 1);
}

#[test]
fn a_server_that_speaks_no_tls_is_an_error() {
    let server = Server::http(|_| panic!("no request should arrive"));
    drop(server);
    let server = Server::raw_answer("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    let url = server.url("/").replace("http://", "https://");
    let error = trusting().build().unwrap().get(url).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Tls, Some(Phase::Tls)), "{error:?}");
    server.await_open(0);
}

#[test]
fn a_server_that_hangs_up_in_the_handshake_is_an_error() {
    let server = Server::raw_answer("");
    let url = server.url("/").replace("http://", "https://");
    let error = trusting().build().unwrap().get(url).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Connect, Some(Phase::Tls)), "{error:?}");
}

#[test]
fn a_body_without_length_is_complete_only_after_the_farewell() {
    let server = Server::https(|exchange| {
        exchange.begin_reply(200, &[]);
        exchange.write("all of it");
        match exchange.target() {
            "/closed" => exchange.close(),
            _ => exchange.cut(),
        }
    });
    let client = trusting().build().unwrap();
    assert_eq!(client.get(server.url("/closed")).send().unwrap().text(), "all of it");
    let error = client.get(server.url("/cut")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Body, "{error:?}");
}

#[test]
fn a_whole_body_needs_no_farewell() {
    let server = Server::https(|exchange| {
        exchange.reply(200, &[], b"whole");
        exchange.cut();
    });
    let client = trusting().build().unwrap();
    for _ in 0..3 {
        assert_eq!(client.get(server.url("/")).send().unwrap().text(), "whole");
        server.await_open(0);
    }
}

#[test]
fn large_bodies_cross_tls_unharmed() {
    let server = Server::https(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[], &body);
    });
    let content: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    let client = trusting().build().unwrap();
    let reply = client.post(server.url("/")).body(content.clone()).send().unwrap();
    assert!(reply.bytes()[..] == content[..]);
}

#[test]
fn an_early_answer_is_seen_through_tls() {
    let server = Server::https(|exchange| {
        exchange.reply(413, &[("connection", "close")], b"too large");
        exchange.abandon();
    });
    let client = trusting().build().unwrap();
    for _ in 0..50 {
        let reply = client.post(server.url("/")).body(vec![7; 2 << 20]).send().unwrap();
        assert_eq!(reply.status(), 413);
    }
}

#[test]
fn the_timings_know_the_handshake() {
    let server = Server::https(ok);
    let client = trusting().build().unwrap();
    let timings = *client.get(server.url("/")).send().unwrap().timings();
    assert!(timings.connected() <= timings.tls_done() && timings.tls_done().is_some());
    assert!(timings.tls_done() <= timings.sent(), "{timings:?}");
    assert_eq!(client.get(server.url("/")).send().unwrap().timings().tls_done(), None);
}

fn root() -> Certificate {
    Certificate::from_pem(crate::support::ca()).unwrap()
}
#[test]
fn a_call_in_a_stalled_handshake_ends() {
    let server = Server::tls_stalled();
    let timeouts = Timeouts::default().tls(Duration::from_secs(1));
    let client = builder().timeouts(timeouts).build().unwrap();
    let victim = Victim::get(&client, server.url("/"));
    server.await_signal("hello", 1);
    victim.cancel(Phase::Tls);
    server.await_open(0);
    await_quiet(&client);
}

#[test]
fn a_budget_ends_the_wait_in_the_handshake() {
    check_all(&(in_the_handshake, Phase::Tls, Budget::Tls));
}

fn in_the_handshake(timeouts: Timeouts) -> Stall {
    let get = |client: &Client, url| client.get(url).send().unwrap_err();
    timeouts::at(Server::tls_stalled(), timeouts, get)
}
