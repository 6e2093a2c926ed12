//! Credentials that code of the user makes for each request.

use std::{
    error::Error as StdError,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use abide::{
    AuthConfig, AuthRequest, Body, Client, CredentialSource, Credentials, ErrorKind, Feedback,
    HeaderMap,
};

use super::{authorizations, ok, only, start_get};
use crate::{
    clients::client,
    support::{Exchange, Server},
};

type Failed = Box<dyn StdError + Send + Sync>;

/// A source that is two functions.
struct Source<C, R>(C, R);

impl<C, R> CredentialSource for Source<C, R>
where
    C: Fn(&AuthRequest<'_>) -> Result<Credentials, Failed> + Send + Sync + 'static,
    R: Fn(&HeaderMap) -> Result<bool, Failed> + Send + Sync + 'static,
{
    fn credentials(&self, request: &AuthRequest<'_>) -> Result<Credentials, Failed> {
        (self.0)(request)
    }

    fn refused(&self, _: &AuthRequest<'_>, challenge: &HeaderMap) -> Result<bool, Failed> {
        (self.1)(challenge)
    }
}

fn with_source(
    server: &Server,
    credentials: impl Fn(&AuthRequest<'_>) -> Result<Credentials, Failed> + Send + Sync + 'static,
) -> Client {
    let client = client();
    let source = Source(credentials, |_: &HeaderMap| Ok(false));
    client.set_auth("own", AuthConfig::source(only(server), source));
    client
}

#[test]
fn a_source_sees_the_request_as_it_will_be_sent() {
    let server = Server::http(ok);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let client = with_source(&server, move |request| {
        let headers = request.headers();
        let named = |name| headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into());
        let names: [Option<String>; 3] = ["host", "user-agent", "x-own"].map(named);
        let body = request.body().map(<[u8]>::to_vec);
        let url = request.url().to_string();
        notes.lock().unwrap().push((request.method().clone(), url, names, body));
        Ok(Credentials::new()
            .header("x-signature", "s")?
            .query("sig", "a b")
            .header("x-own", "n")?)
    });
    let url = server.url("/p?q=1&sig=old");
    client.post(&url).body("text").header("x-own", "o").auth("own").send().unwrap();
    client.post(&url).body(Body::reader(&b"text"[..])).auth("own").send().unwrap();
    let seen = seen.lock().unwrap();
    let (method, asked, [host, agent, own], body) = &seen[0];
    assert_eq!((method.as_str(), asked), ("POST", &url));
    assert_eq!(host.as_deref(), Some(server.addr().to_string().as_str()));
    assert!(agent.as_ref().is_some_and(|agent| agent.starts_with("abide/")));
    assert_eq!((own.as_deref(), body.as_deref()), (Some("o"), Some(b"text".as_slice())));
    assert_eq!(seen[1].3, None);
    let sent = &server.seen()[0];
    assert_eq!((sent.target.as_str(), sent.header("x-signature")), ("/p?q=1&sig=a+b", Some("s")));
    assert_eq!(sent.headers_named("x-own").collect::<Vec<_>>(), ["n"]);
}

#[test]
fn a_failing_source_is_an_error_before_anything_is_sent() {
    let server = Server::http(ok);
    let client = with_source(&server, |_| Err("the vault is locked".into()));
    let error = client.get(server.url("/")).auth("own").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    assert!(error.to_string().contains("`own`"), "{error}");
    assert_eq!(StdError::source(&error).unwrap().to_string(), "the vault is locked");
    assert_eq!(server.connections(), 0);
}

#[test]
fn no_text_of_a_source_can_end_its_header_field() {
    for (name, value) in
        [("x-a", "hunter2\r\nx-evil: 1"), ("x-a\r\nx-evil", "hunter2"), ("host", "hunter2")]
    {
        let error = Credentials::new().header(name, value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    let credentials = Credentials::new().header("x-a", "hunter2").unwrap().query("k", "hunter2");
    assert!(!format!("{credentials:?}").contains("hunter2"));
}

#[test]
fn a_source_may_make_calls_that_end_with_the_call_they_are_for() {
    let vault = Server::http(|exchange| {
        if exchange.target() == "/silent" {
            exchange.signal("asked");
            exchange.await_client_gone();
        } else {
            exchange.reply(200, &[], b"from-vault");
        }
    });
    let server = Server::http(ok);
    let (inner, url) = (client(), vault.url(""));
    let client = with_source(&server, move |request| {
        let path = request.url().path();
        assert!(request.time_left().is_some_and(|left| left <= Duration::from_secs(30)));
        let reply = inner.get(format!("{url}{path}")).feedback(request.feedback()).send()?;
        Ok(Credentials::new().header("authorization", reply.text())?)
    });
    let call = client.get(server.url("/quick")).auth("own").timeout(Duration::from_secs(30));
    call.send().unwrap();
    assert_eq!(authorizations(&server), [Some("from-vault".to_owned())]);

    let feedback = Feedback::new();
    let call = start_get(&client, server.url("/silent"), "own", &feedback);
    vault.await_signal("asked", 1);
    feedback.cancel();
    let error = call.join().unwrap_err();
    assert!(error.is_cancelled(), "{error:?}");
    assert_eq!(server.requests(), 1);
}

fn only_second(exchange: &mut Exchange) {
    exchange.try_read_body();
    match exchange.request().header("authorization") {
        Some("second") => exchange.reply(200, &[], b"ok"),
        _ => exchange.reply(401, &[("www-authenticate", "Own")], b"no"),
    };
}

#[test]
fn a_refused_source_is_asked_once_for_something_better() {
    let server = Server::http(only_second);
    let (asked, client) = (Arc::new(AtomicUsize::new(0)), client());
    let set = |words: [&'static str; 2]| {
        let (asked, now) = (Arc::clone(&asked), Arc::new(AtomicUsize::new(0)));
        let later = Arc::clone(&now);
        let credentials = move |_: &AuthRequest<'_>| {
            let word = words[now.load(Ordering::SeqCst)];
            Ok(Credentials::new().header("authorization", word)?)
        };
        let refused = move |challenge: &HeaderMap| {
            assert_eq!(challenge["www-authenticate"], "Own");
            asked.fetch_add(1, Ordering::SeqCst);
            later.store(1, Ordering::SeqCst);
            Ok(true)
        };
        client.set_auth("own", AuthConfig::source(only(&server), Source(credentials, refused)));
    };
    set(["first", "second"]);
    let reply = client.post(server.url("/")).body("text").auth("own").send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.history().len()), (200, 1));
    assert_eq!(reply.history()[0].status(), 401);

    set(["first", "third"]);
    let reply = client.get(server.url("/")).auth("own").send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (401, "no"));
    assert_eq!((server.requests(), asked.load(Ordering::SeqCst)), (4, 2));
}
