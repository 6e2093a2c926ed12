//! TLS as the user wants it: versions, names, keys.

use std::{fs, path::PathBuf};

use abide::{ClientBuilder, ErrorKind, Phase, PublicKeyPin, Reply, Result, TlsVersion};

use crate::{
    alone::run_alone,
    clients::{builder, trusting},
    support::{Exchange, Server, ServerName},
};

fn ok(exchange: &mut Exchange) {
    exchange.reply(200, &[("connection", "close")], b"ok");
}

fn get(client: ClientBuilder, server: &Server) -> Result<Reply> {
    client.build().unwrap().get(server.url("/")).send()
}

#[track_caller]
fn assert_refused(answer: Result<Reply>, server: &Server) -> String {
    let error = answer.unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Tls, Some(Phase::Tls)), "{error:?}");
    assert_eq!(server.requests(), 0);
    error.to_string()
}

#[test]
fn a_server_with_an_old_version_only_is_refused_if_that_is_asked_for() {
    let server = Server::https_with_tls_1_2(ok);
    assert_refused(get(trusting().min_tls_version(TlsVersion::Tls13), &server), &server);
    let spoken = |reply: Reply| reply.timings().connection().unwrap().tls_version();
    assert_eq!(spoken(get(trusting(), &server).unwrap()), Some(TlsVersion::Tls12));
    get(trusting().min_tls_version(TlsVersion::Tls12), &server).unwrap();
    let server = Server::https(ok);
    let reply = get(trusting().min_tls_version(TlsVersion::Tls13), &server).unwrap();
    assert_eq!(spoken(reply), Some(TlsVersion::Tls13));
    assert_eq!(server.greetings()[0].version, "TLSv1_3");
}

/// The server names that a call to `https://{host}` greets with.
#[track_caller]
fn greeted(client: ClientBuilder, host: &str) -> Option<String> {
    let server = Server::https(ok);
    let client = client.resolve_to(host, [server.addr()]).build().unwrap();
    client.get(server.url_at(host, "/")).send().unwrap();
    let authority = format!("{host}:{}", server.addr().port());
    assert_eq!(server.seen()[0].header("host"), Some(authority.as_str()));
    server.greetings()[0].server_name.clone()
}

#[test]
fn a_host_is_greeted_by_its_name() {
    assert_eq!(greeted(trusting(), "localhost").as_deref(), Some("localhost"));
    // RFC 6066 §3: an address is no name.
    assert_eq!(greeted(trusting(), "127.0.0.1"), None);
}

#[test]
fn a_host_can_have_another_name_in_tls() {
    let client = trusting().tls_name("internal.test", "localhost");
    assert_eq!(greeted(client, "internal.test").as_deref(), Some("localhost"));
    let client = trusting().tls_name("internal.test", "127.0.0.1");
    assert_eq!(greeted(client, "internal.test"), None);
    let client = trusting().tls_name("127.0.0.1", "localhost");
    assert_eq!(greeted(client, "127.0.0.1").as_deref(), Some("localhost"));
}

#[test]
fn the_other_name_is_the_one_that_is_checked() {
    let server = Server::https(ok);
    assert_refused(get(trusting().tls_name("127.0.0.1", "elsewhere.test"), &server), &server);
    let port = server.addr().port();
    let at_port = |port: u16| format!("127.0.0.1:{port}");
    let here = trusting().tls_name(&at_port(port), "elsewhere.test");
    assert_refused(get(here, &server), &server);
    get(trusting().tls_name(&at_port(port - 1), "elsewhere.test"), &server).unwrap();
    let server = Server::https_as(ServerName::Wrong, ok);
    get(trusting().tls_name("127.0.0.1", "elsewhere.test"), &server).unwrap();
}

#[test]
fn the_name_can_be_left_out_of_the_greeting_and_is_still_checked() {
    assert_eq!(greeted(trusting().without_tls_server_name(), "localhost"), None);
    let server = Server::https_as(ServerName::Wrong, ok);
    assert_refused(get(trusting().without_tls_server_name(), &server), &server);
}

/// The key of the server's certificate, and of others.
const RIGHT: &str = "sha256//bNarkB3ujhS9Q7BWqomEuptTpJqBqDwzlig7GzE3H7I=";
const EXPIRED: &str = "sha256//6mPlO8s9ZJN5FkS6dyiH78hwZwqPGp1dKDjg1eQo1bs=";
const ROOT: &str = "sha256//NL3jdQeqxtIRJW/TmgQEWwd+zGHHIw0sR3+jfAQxPGM=";

fn pinned(client: ClientBuilder, host: &str, pins: &[&str]) -> ClientBuilder {
    client.pin_public_keys(host, pins.iter().map(|pin| pin.parse::<PublicKeyPin>().unwrap()))
}

#[test]
fn a_pinned_key_is_accepted_on_resumed_sessions_too() {
    let server = Server::https(ok);
    let client = pinned(trusting(), "127.0.0.1", &[EXPIRED, RIGHT]).build().unwrap();
    for _ in 0..2 {
        client.get(server.url("/")).send().unwrap();
    }
    let resumed = server.greetings().iter().map(|greeting| greeting.resumed).collect::<Vec<_>>();
    assert_eq!(resumed, [false, true]);
}

#[test]
fn a_key_that_is_not_pinned_is_refused_and_named() {
    let server = Server::https(ok);
    // What signed the certificate does not count, it is not the server's key.
    let error = get(pinned(trusting(), "127.0.0.1", &[EXPIRED, ROOT]), &server);
    let text = assert_refused(error, &server);
    for named in ["127.0.0.1", RIGHT, EXPIRED, ROOT] {
        assert!(text.contains(named), "{text}");
    }
    server.await_open(0);
    // Other hosts are free, and so are other ports.
    get(pinned(trusting(), "elsewhere.test", &[EXPIRED]), &server).unwrap();
    get(pinned(trusting(), "127.0.0.1:1", &[EXPIRED]), &server).unwrap();
}

#[test]
fn a_pin_replaces_no_other_check_until_danger_is_accepted() {
    let server = Server::https_as(ServerName::Expired, ok);
    assert_refused(get(pinned(trusting(), "127.0.0.1", &[EXPIRED]), &server), &server);
    let only_pins = || builder().danger_accept_invalid_certificates(true);
    assert_refused(get(pinned(only_pins(), "127.0.0.1", &[RIGHT]), &server), &server);
    get(pinned(only_pins(), "127.0.0.1", &[EXPIRED]), &server).unwrap();
}

#[test]
fn what_makes_no_sense_is_refused_when_the_client_is_built() {
    let root = || abide::Certificate::from_pem(crate::support::ca()).unwrap();
    for client in [
        builder().tls_name("", "name"),
        builder().tls_name("host", "no name"),
        builder().pin_public_keys("host", []),
        builder().pin_public_keys("no host", [PublicKeyPin::from_sha256([0; 32])]),
        builder().only_root_certificates([root()]).add_root_certificate(root()),
        builder().add_root_certificate(root()).only_root_certificates([root()]),
    ] {
        assert_eq!(client.build().unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
}

/// A file that is gone when this value is.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("abide-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// Whether each line is a label and two numbers; how many there are.
    #[track_caller]
    fn secrets(&self) -> usize {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        for line in text.lines() {
            let words = line.split(' ').collect::<Vec<_>>();
            assert!(words.len() == 3 && words[1].len() == 64, "{line}");
            assert!(words[1..].iter().all(|word| word.chars().all(|c| c.is_ascii_hexdigit())));
        }
        text.lines().count()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[test]
fn secrets_are_appended_to_the_key_log() {
    let log = Scratch::new("key-log");
    for (version, label) in [(TlsVersion::Tls12, "CLIENT_RANDOM"), (TlsVersion::Tls13, "_0 ")] {
        let server = match version {
            TlsVersion::Tls12 => Server::https_with_tls_1_2(ok),
            _ => Server::https(ok),
        };
        let before = log.secrets();
        get(trusting().danger_key_log(&log.0), &server).unwrap();
        assert!(log.secrets() > before);
        assert!(fs::read_to_string(&log.0).unwrap().contains(label));
    }
}

#[test]
fn a_key_log_that_cannot_be_opened_fails_the_call_and_is_named() {
    let server = Server::https(ok);
    let nowhere = std::env::temp_dir().join("no such folder").join("keys");
    let error = get(trusting().danger_key_log(&nowhere), &server).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("no such folder"), "{error}");
}

#[test]
fn the_environment_names_the_key_log_only_if_it_is_asked() {
    let log = Scratch::new("environment");
    let path = log.0.to_str().unwrap();
    let variables = [("SSLKEYLOGFILE", path)];
    run_alone("tls_options::alone_nobody_asks_for_a_key_log", &variables);
    assert!(!log.0.exists());
    run_alone("tls_options::alone_a_key_log_is_asked_for", &variables);
    assert!(cfg!(not(target_os = "linux")) || log.secrets() > 0);
    // Nothing is set, nothing is written.
    run_alone("tls_options::alone_a_key_log_is_asked_for", &[("SSLKEYLOGFILE", "")]);
}

#[test]
#[ignore = "needs an environment of its own; run by another test"]
fn alone_nobody_asks_for_a_key_log() {
    get(trusting(), &Server::https(ok)).unwrap();
}

#[test]
#[ignore = "needs an environment of its own; run by another test"]
fn alone_a_key_log_is_asked_for() {
    get(trusting().danger_key_log_from_env(), &Server::https(ok)).unwrap();
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn aws_lc_does_the_cryptography_if_asked() {
    use abide::Crypto;
    let server = Server::https(ok);
    let pins = [EXPIRED, RIGHT];
    for crypto in [Crypto::AwsLc, Crypto::Ring] {
        get(pinned(trusting().crypto(crypto), "127.0.0.1", &pins), &server).unwrap();
    }
    let expired = Server::https_as(ServerName::Expired, ok);
    assert_refused(get(trusting().crypto(Crypto::AwsLc), &expired), &expired);
}
