//! Tokens of OAuth 2: fetched when needed, once for all who need them, and never shown.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use abide::{AuthConfig, Budget, Client, ErrorKind, Feedback, OAuth2};

use super::{authorizations, ok, only, start_get};
use crate::{
    clients::{builder, client},
    support::{Exchange, Server, assert_untold, forbid},
    waiting::in_time,
};

/// Gives out `t1`, `t2` and so on.
fn login() -> Server {
    let number = AtomicUsize::new(0);
    Server::http(move |exchange| {
        exchange.read_body();
        let number = number.fetch_add(1, Ordering::SeqCst) + 1;
        give(exchange, &format!(r#"{{"access_token":"t{number}","expires_in":3600}}"#));
    })
}

fn give(exchange: &mut Exchange, body: &str) {
    exchange.reply(200, &[("content-type", "application/json")], body.as_bytes());
}

fn grant(login: &Server) -> OAuth2 {
    OAuth2::client_credentials(&login.url("/token?tenant=1"), "robot", "hunter2-tokens").unwrap()
}

fn with_tokens(client: Client, server: &Server, login: &Server) -> Client {
    client.set_auth("oauth", AuthConfig::oauth2(only(server), grant(login)));
    client
}

fn sent(tokens: &[&str]) -> Vec<Option<String>> {
    tokens.iter().map(|token| Some(format!("Bearer {token}"))).collect()
}

#[test]
fn a_token_is_fetched_by_the_first_call_and_kept() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    let login = Server::http(move |exchange| {
        let body = exchange.read_body();
        seen.lock().unwrap().push(String::from_utf8(body).unwrap());
        give(exchange, r#"{"access_token":"t1","token_type":"Bearer","expires_in":3600}"#);
    });
    let server = Server::http(ok);
    let client = client();
    let grant = grant(&login).scope("a b").parameter("audience", "x&y");
    client.set_auth("oauth", AuthConfig::oauth2(only(&server), grant));
    for _ in 0..3 {
        client.get(server.url("/")).auth("oauth").send().unwrap();
    }
    assert_eq!(authorizations(&server), sent(&["t1"; 3]));
    assert_eq!(*bodies.lock().unwrap(), ["grant_type=client_credentials&scope=a+b&audience=x%26y"]);
    let asked = &login.seen()[0];
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/token?tenant=1"));
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked.header("accept"), Some("application/json"));
    assert_eq!(asked.header("authorization"), Some("Basic cm9ib3Q6aHVudGVyMi10b2tlbnM="));
}

#[test]
fn a_token_that_has_run_out_is_replaced_before_it_is_sent() {
    let login = Server::http(|exchange| {
        exchange.read_body();
        give(exchange, r#"{"access_token":"short","expires_in":0}"#);
    });
    let server = Server::http(ok);
    let client = with_tokens(client(), &server, &login);
    for _ in 0..2 {
        client.get(server.url("/")).auth("oauth").send().unwrap();
    }
    assert_eq!(login.requests(), 2);
}

fn only_t2(exchange: &mut Exchange) {
    let body = exchange.read_body();
    match exchange.request().header("authorization") {
        Some("Bearer t2") => exchange.reply(200, &[], &body),
        _ => exchange.reply(401, &[("www-authenticate", "Bearer")], b"no"),
    };
}

#[test]
fn a_refused_token_is_replaced_once_and_the_call_repeated_once() {
    let (login, server) = (login(), Server::http(only_t2));
    let client = with_tokens(client(), &server, &login);
    let reply = client.post(server.url("/")).body("text").auth("oauth").send().unwrap();
    assert_eq!((reply.text().as_str(), reply.history().len()), ("text", 1));
    assert_eq!(authorizations(&server), sent(&["t1", "t2"]));

    let never = Server::http(|exchange| {
        exchange.reply(401, &[], b"never");
    });
    client.set_auth("oauth", AuthConfig::oauth2(only(&never), grant(&login)));
    let reply = client.get(never.url("/")).auth("oauth").send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (401, "never"));
    assert_eq!((never.requests(), login.requests()), (2, 4));
}

#[test]
fn a_place_is_enough_for_a_token_and_the_call_it_is_for() {
    // The server that guards gives out the tokens too, and there is one connection in all.
    let number = AtomicUsize::new(0);
    let server = Server::http(move |exchange| {
        if exchange.target().starts_with("/token") {
            exchange.read_body();
            let number = number.fetch_add(1, Ordering::SeqCst) + 1;
            give(exchange, &format!(r#"{{"access_token":"t{number}"}}"#));
        } else {
            only_t2(exchange);
        }
    });
    let limits = abide::Limits::default().places_per_route(1).places_total(1);
    let client = with_tokens(builder().limits(limits).build().unwrap(), &server, &server);
    let reply = client.get(server.url("/")).auth("oauth").send().unwrap();
    assert_eq!((reply.status().as_u16(), server.connections()), (200, 1));
}

/// The call that fetches gets no further while its listener's call waits.
#[test]
fn a_listener_that_calls_while_a_token_is_fetched_waits_for_no_other_fetch() {
    let (login, server) = (login(), Server::http(ok));
    let client = with_tokens(client(), &server, &login);
    let (feedback, replies) = (Feedback::new(), Arc::new(Mutex::new(Vec::new())));
    let url = server.url("/");
    feedback.on_upload({
        let (client, url, replies) = (client.clone(), url.clone(), Arc::clone(&replies));
        move |_| {
            let is_first = replies.lock().unwrap().is_empty();
            if is_first {
                let reply = client.get(&url).auth("oauth").send().unwrap();
                replies.lock().unwrap().push(reply.status().as_u16());
            }
        }
    });
    let call = client.clone();
    let status = in_time(move || {
        let call = call.post(&url).body("text").auth("oauth").feedback(&feedback);
        call.send().unwrap().status().as_u16()
    });
    assert_eq!((status, replies.lock().unwrap().as_slice()), (200, &[200][..]));
    // The first to come was the listener's.
    assert_eq!((login.requests(), server.requests()), (2, 2));
}

#[test]
fn many_threads_share_one_fetch() {
    let login = Server::http(|exchange| {
        exchange.read_body();
        exchange.signal("asked");
        exchange.await_signal("go", 1);
        give(exchange, r#"{"access_token":"t"}"#);
    });
    let server = Server::http(ok);
    let client = with_tokens(client(), &server, &login);
    let get = |_| start_get(&client, server.url("/"), "oauth", &Feedback::new());
    let calls: Vec<_> = (0..8).map(get).collect();
    login.await_signal("asked", 1);
    login.signal("go");
    for call in calls {
        assert_eq!(call.join().unwrap().status(), 200);
    }
    assert_eq!((login.requests(), server.requests()), (1, 8));
}

#[test]
fn a_refused_token_is_replaced_once_for_all_who_had_it() {
    let (login, server) = (login(), Server::http(only_t2));
    let client = with_tokens(client(), &server, &login);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let reply = client.get(server.url("/")).auth("oauth").send().unwrap();
                assert_eq!(reply.status(), 200);
            });
        }
    });
    assert_eq!(login.requests(), 2);
}

/// A token endpoint that does not answer its first request.
fn first_hangs() -> Server {
    let requests = AtomicUsize::new(0);
    Server::http(move |exchange| {
        exchange.read_body();
        // Before the signal: the next request may come at once.
        let requests_before = requests.fetch_add(1, Ordering::SeqCst);
        exchange.signal("asked");
        if requests_before == 0 {
            exchange.await_client_gone();
        } else {
            give(exchange, r#"{"access_token":"t"}"#);
        }
    })
}

#[test]
fn another_takes_over_when_the_one_that_fetches_is_cancelled() {
    let (login, server) = (first_hangs(), Server::http(ok));
    let client = with_tokens(client(), &server, &login);
    let feedback = Feedback::new();
    let first = start_get(&client, server.url("/"), "oauth", &feedback);
    login.await_signal("asked", 1);
    let get = |_| start_get(&client, server.url("/"), "oauth", &Feedback::new());
    let others: Vec<_> = (0..3).map(get).collect();
    feedback.cancel();
    assert!(first.join().unwrap_err().is_cancelled());
    for other in others {
        assert_eq!(other.join().unwrap().status(), 200);
    }
    assert_eq!((login.requests(), server.requests()), (2, 3));
}

#[test]
fn who_waits_for_a_fetch_has_a_deadline_and_can_be_cancelled() {
    let (login, server) = (first_hangs(), Server::http(ok));
    let client = with_tokens(client(), &server, &login);
    let leader = Feedback::new();
    let first = start_get(&client, server.url("/"), "oauth", &leader);
    login.await_signal("asked", 1);

    let limit = Duration::from_millis(100);
    let error = client.get(server.url("/")).auth("oauth").timeout(limit).send().unwrap_err();
    assert_eq!((error.kind(), error.budget()), (ErrorKind::TimedOut, Some(Budget::Total)));
    assert!(error.to_string().contains("100ms"), "{error}");

    let feedback = Feedback::new();
    let waiting = start_get(&client, server.url("/"), "oauth", &feedback);
    feedback.cancel();
    assert!(waiting.join().unwrap_err().is_cancelled());
    leader.cancel();
    assert!(first.join().unwrap_err().is_cancelled());
    assert_eq!((login.requests(), server.requests()), (1, 0));
}

#[test]
fn the_deadline_of_a_call_covers_its_token() {
    let (login, server) = (first_hangs(), Server::http(ok));
    let client = with_tokens(client(), &server, &login);
    let call = client.get(server.url("/")).auth("oauth").timeout(Duration::from_millis(100));
    let error = call.send().unwrap_err();
    assert_eq!((error.kind(), error.budget()), (ErrorKind::TimedOut, Some(Budget::Total)));
    // The next call is not held up by that.
    assert_eq!(client.get(server.url("/")).auth("oauth").send().unwrap().status(), 200);
}

#[test]
fn a_token_that_cannot_be_had_is_an_error_in_the_servers_words_and_without_secrets() {
    forbid("hunter2-tokens");
    let login = Server::http(|exchange| {
        exchange.read_body();
        let body = br#"{"error":"invalid_client","error_description":"not hunter2-tokens!"}"#;
        exchange.reply(401, &[], body);
    });
    let server = Server::http(ok);
    let client = with_tokens(client(), &server, &login);
    let error = client.get(server.url("/")).auth("oauth").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    let text = error.to_string();
    assert!(text.contains("invalid_client (not ...!)") && text.contains("/token"), "{text}");
    assert!(!format!("{error:?}").contains("hunter2-tokens"), "{error:?}");
    assert_eq!(server.connections(), 0);

    client.set_auth("oauth", {
        let nobody = OAuth2::client_credentials("http://127.0.0.1:1/", "r", "hunter2-tokens");
        AuthConfig::oauth2(only(&server), nobody.unwrap())
    });
    let error = client.get(server.url("/")).auth("oauth").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    assert!(std::error::Error::source(&error).is_some());
    assert_untold("hunter2-tokens");
}

#[test]
fn a_token_endpoint_cannot_lead_the_secret_elsewhere() {
    let evil = Server::http(ok);
    let target = evil.url("/");
    let login = Server::http(move |exchange| {
        exchange.read_body();
        exchange.reply(307, &[("location", &target)], b"");
    });
    let server = Server::http(ok);
    let client = with_tokens(client(), &server, &login);
    let error = client.get(server.url("/")).auth("oauth").send().unwrap_err();
    assert_eq!((error.kind(), evil.connections()), (ErrorKind::Auth, 0));
}

#[test]
fn a_token_with_a_line_break_is_not_sent() {
    let login = Server::http(|exchange| {
        exchange.read_body();
        give(exchange, r#"{"access_token":"t\r\nx-evil: 1"}"#);
    });
    let server = Server::http(ok);
    let client = with_tokens(client(), &server, &login);
    let error = client.get(server.url("/")).auth("oauth").send().unwrap_err();
    assert_eq!((error.kind(), server.connections()), (ErrorKind::Auth, 0));
}

#[test]
fn a_token_does_not_follow_a_redirect_to_another_origin() {
    let (login, evil) = (login(), Server::http(ok));
    let target = evil.url("/");
    let server = Server::http(move |exchange| {
        exchange.reply(302, &[("location", &target)], b"");
    });
    let client = with_tokens(client(), &server, &login);
    client.get(server.url("/")).auth("oauth").send().unwrap();
    assert_eq!((authorizations(&server), authorizations(&evil)), (sent(&["t1"]), vec![None]));
}

#[test]
fn fetching_is_no_progress_of_the_call() {
    let (login, server) = (login(), Server::http(ok));
    let client = with_tokens(client(), &server, &login);
    let feedback = Feedback::new();
    client.get(server.url("/")).auth("oauth").feedback(&feedback).send().unwrap();
    assert_eq!((feedback.upload().bytes(), feedback.download().bytes()), (0, 2));
    assert_eq!(feedback.download().total(), Some(2));
}

#[test]
fn refresh_tokens_are_rotated() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    let login = Server::http(move |exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let number = {
            let mut bodies = seen.lock().unwrap();
            bodies.push(body);
            bodies.len()
        };
        give(exchange, &format!(r#"{{"access_token":"t{number}","refresh_token":"r{number}"}}"#));
    });
    let server = Server::http(only_t2);
    let (client, kept) = (client(), Arc::new(Mutex::new(Vec::new())));
    let keeper = Arc::clone(&kept);
    let grant = OAuth2::refresh_token(&login.url("/token"), "app", "r0").unwrap();
    let grant = grant.on_refresh_token(move |token| keeper.lock().unwrap().push(token.to_owned()));
    client.set_auth("oauth", AuthConfig::oauth2(only(&server), grant));
    assert_eq!(client.get(server.url("/")).auth("oauth").send().unwrap().status(), 200);
    let form = |token| format!("grant_type=refresh_token&refresh_token={token}&client_id=app");
    assert_eq!(*bodies.lock().unwrap(), [form("r0"), form("r1")]);
    assert_eq!(*kept.lock().unwrap(), ["r1", "r2"]);
}
