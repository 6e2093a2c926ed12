//! Interceptors see each hop, may change it, and harm nobody but their own call.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use abide::{ErrorKind, Feedback, HeaderMap, StatusCode, Url};

use crate::{
    clients::{await_quiet, builder, client},
    support::{Exchange, Server},
};

/// `/from` leads to `/to`, everything else is there.
fn script(exchange: &mut Exchange) {
    match exchange.target() {
        "/from" => drop(exchange.reply(302, &[("location", "/to")], b"")),
        _ => drop(exchange.reply(200, &[("x-reply", "yes")], b"there")),
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn interceptors_run_in_order_the_clients_before_the_calls_and_for_each_hop() {
    let server = Server::http(script);
    let log = Log::default();
    let noting = |name: &'static str| {
        let log = log.clone();
        move |request: &mut abide::OutgoingRequest<'_>| {
            log.note(format!("{name} {} {}", request.url().path(), request.history().len()));
            Ok(())
        }
    };
    let client = builder().intercept_requests(noting("one")).build().unwrap();
    client.intercept_requests(noting("two"));
    let replies = log.clone();
    client.intercept_replies(move |reply| {
        replies.note(format!("reply {} {}", reply.url().path(), reply.status().as_u16()));
        Ok(())
    });
    client.get(server.url("/from")).intercept_requests(noting("call")).send().unwrap();
    let expected = ["one /from 0", "two /from 0", "call /from 0", "reply /from 302"];
    let then = ["one /to 1", "two /to 1", "call /to 1", "reply /to 200"];
    assert_eq!(log.take(), [expected, then].concat());

    client.get(server.url("/to")).send().unwrap();
    assert_eq!(log.take(), ["one /to 0", "two /to 0", "reply /to 200"], "the call's own is gone");
}

#[test]
fn interceptors_run_on_the_thread_that_calls() {
    let server = Server::http(script);
    let here = std::thread::current().id();
    let seen = Log::default();
    let (requests, replies) = (seen.clone(), seen.clone());
    let client = builder().build().unwrap();
    client.intercept_requests(move |_| {
        requests.note(format!("{}", std::thread::current().id() == here));
        Ok(())
    });
    client.intercept_replies(move |_| {
        replies.note(format!("{}", std::thread::current().id() == here));
        Ok(())
    });
    client.get(server.url("/from")).send().unwrap();
    assert_eq!(seen.take(), ["true"; 4]);
}

#[test]
fn a_change_holds_for_its_hop_and_the_next_begins_with_what_the_caller_gave() {
    let server = Server::http(script);
    let client = client();
    client.intercept_requests(|request| {
        assert!(request.headers().contains_key("user-agent"), "the client's are there too");
        request.headers_mut().remove("user-agent");
        request.headers_mut().append("x-added", "once".parse()?);
        if request.history().is_empty() {
            request.headers_mut().insert("x-first", "yes".parse()?);
            request.headers_mut().remove("x-given");
        }
        Ok(())
    });
    client.get(server.url("/from")).header("x-given", "1").send().unwrap();
    let seen = server.seen();
    for request in &seen {
        assert_eq!(request.headers_named("x-added").collect::<Vec<_>>(), ["once"]);
        assert_eq!(request.header("user-agent"), None);
        assert_eq!(request.header("accept"), Some("*/*"));
    }
    assert_eq!((seen[0].header("x-first"), seen[1].header("x-first")), (Some("yes"), None));
    assert_eq!((seen[0].header("x-given"), seen[1].header("x-given")), (None, Some("1")));
}

#[test]
fn another_url_can_be_asked_and_another_origin_gets_no_secrets() {
    let (home, other) = (Server::http(script), Server::http(script));
    let client = client();
    let mirror = Url::parse(&other.url("/mirror")).unwrap();
    client.intercept_requests(move |request| {
        request.set_url(mirror.clone());
        request.headers_mut().insert("x-api-key", "the mirror's own".parse()?);
        Ok(())
    });
    let call = client.get(home.url("/")).header("authorization", "secret").header("x-plain", "1");
    assert_eq!(call.send().unwrap().url().path(), "/mirror");
    assert_eq!(home.connections(), 0);
    let request = &other.seen()[0];
    assert_eq!((request.header("authorization"), request.header("x-plain")), (None, Some("1")));
    assert_eq!(request.header("x-api-key"), Some("the mirror's own"));
    assert_eq!(request.header("host"), Some(&*other.addr().to_string()));
}

#[test]
fn an_interceptor_cannot_lead_an_https_only_client_to_http() {
    let server = Server::http(script);
    let client = builder().https_only(true).build().unwrap();
    let plain = Url::parse(&server.url("/")).unwrap();
    client.intercept_requests(move |request| {
        request.set_url(plain.clone());
        Ok(())
    });
    let error = client.get("https://localhost/").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn an_answer_in_place_of_the_network_is_a_reply_like_any_other() {
    let client = client();
    client.intercept_requests(|request| {
        let mut headers = HeaderMap::new();
        match request.url().path() {
            "/from" => {
                headers.insert("location", "/to".parse()?);
                request.answer(StatusCode::FOUND, headers, "");
            }
            _ => {
                headers.insert("content-type", "text/plain".parse()?);
                request.answer(StatusCode::IM_A_TEAPOT, headers, "short and stout");
            }
        }
        Ok(())
    });
    client.intercept_requests(|_| panic!("answered before"));
    client.intercept_replies(|reply| {
        reply.headers_mut().insert("x-seen", "yes".parse()?);
        Ok(())
    });
    let reply = client.get("http://nowhere.test/from").send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (418, "short and stout"));
    assert_eq!((reply.history().len(), reply.header("x-seen")), (1, Some("yes")));
    assert_eq!((reply.attempts(), reply.remote_addr()), (0, None));
    let open = client.get("http://nowhere.test/to").open().unwrap();
    assert_eq!(std::io::read_to_string(open).unwrap(), "short and stout");
    assert_eq!(client.stats().open(), 0);
}

#[test]
fn a_changed_reply_is_what_counts() {
    let server = Server::http(script);
    let client = client();
    client.intercept_replies(|reply| {
        reply.headers_mut().remove("location");
        reply.headers_mut().insert("x-changed", "yes".parse()?);
        Ok(())
    });
    let reply = client.get(server.url("/from")).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.header("x-changed")), (302, Some("yes")));
    assert!(reply.history().is_empty());
}

#[test]
fn a_removed_interceptor_is_not_asked_again() {
    let server = Server::http(script);
    let client = client();
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    let id = client.intercept_requests(move |_| {
        counting.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    client.get(server.url("/")).send().unwrap();
    assert!(client.clone().remove_interceptor(id));
    assert!(!client.remove_interceptor(id), "it is gone");
    client.get(server.url("/")).send().unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert_eq!(Arc::strong_count(&count), 1, "and so is what it held");
}

#[test]
fn an_error_of_an_interceptor_is_the_error_of_the_call() {
    let server = Server::http(script);
    let client = client();
    let calls = [
        client.get(server.url("/")).intercept_requests(|_| Err("not today".into())),
        client.get(server.url("/")).intercept_replies(|_| Err("not today".into())),
    ];
    for call in calls {
        let error = call.send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interceptor, "{error:?}");
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.to_string(), "not today");
    }
    assert_eq!(server.requests(), 1, "the first one sent nothing");
    await_quiet(&client);
    assert_eq!(client.get(server.url("/")).send().unwrap().text(), "there");
}

#[test]
fn a_panic_of_an_interceptor_is_the_error_of_the_call() {
    let server = Server::http(script);
    let client = client();
    for call in [
        client.get(server.url("/")).intercept_requests(|_| panic!("oh {}", "no")),
        client.get(server.url("/")).intercept_replies(|_| panic!("oh no")),
    ] {
        let error = call.send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interceptor, "{error:?}");
        assert!(error.to_string().contains("oh no"), "{error}");
    }
    await_quiet(&client);
    assert_eq!(client.get(server.url("/")).send().unwrap().text(), "there");
}

#[test]
fn an_interceptor_may_make_calls_and_change_interceptors() {
    let server = Server::http(script);
    let client = client();
    let (inside, url) = (client.clone(), server.url("/token"));
    client.intercept_requests(move |request| {
        if request.url().path() != "/token" {
            let token = inside.get(&url).send()?.text();
            request.headers_mut().insert("x-token", token.parse()?);
            let id = inside.intercept_requests(|_| Ok(()));
            assert!(inside.remove_interceptor(id));
        }
        Ok(())
    });
    let (inside, url) = (client.clone(), server.url("/token"));
    client.intercept_replies(move |reply| {
        if reply.url().path() != "/token" {
            inside.get(&url).send()?;
        }
        Ok(())
    });
    assert_eq!(client.get(server.url("/from")).send().unwrap().text(), "there");
    let asked: Vec<_> = server.seen().into_iter().map(|request| request.target).collect();
    assert_eq!(asked, ["/token", "/from", "/token", "/token", "/to", "/token"]);
    assert_eq!(server.seen()[4].header("x-token"), Some("there"));
}

#[test]
fn a_cancelled_call_asks_no_interceptor_and_never_looks_like_a_success() {
    let client = client();
    let feedback = Feedback::new();
    let canceller = feedback.clone();
    client.intercept_requests(move |request| {
        canceller.cancel();
        request.answer(StatusCode::OK, HeaderMap::new(), "fine");
        Ok(())
    });
    let error = client.get("http://nowhere.test/").feedback(&feedback).send().unwrap_err();
    assert!(error.is_cancelled(), "{error:?}");
    let call = client.get("http://nowhere.test/").feedback(&feedback);
    let error = call.intercept_requests(|_| panic!("asked")).send().unwrap_err();
    assert!(error.is_cancelled(), "{error:?}");
}
