//! Redirects are followed as RFC 9110 says, and secrets are not.

use std::{
    io::{self, Read},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use abide::{
    Body, Budget, ErrorKind, Feedback, HeaderValue, Method, RedirectAction, RedirectPolicy,
    StatusCode, Timeouts,
};

use crate::{
    clients::{await_quiet, builder, client},
    support::{Exchange, Server},
    waiting::{AT_ONCE, start},
};

/// Redirects as the target's query says, `?302=where`, and answers everything else.
fn script(exchange: &mut Exchange) {
    let target = exchange.target().to_owned();
    let redirect = target.split_once('?').and_then(|(_, query)| query.split_once('='));
    match redirect.map(|(status, location)| (status.parse(), location)) {
        Some((Ok(status), location)) => {
            exchange.try_read_body();
            exchange.reply(status, &[("location", location), ("x-hop", "yes")], b"moved");
        }
        _ => {
            let body = exchange.try_read_body().unwrap_or_default();
            exchange.reply(200, &[], &body);
        }
    }
}

/// Counts down: `/3` leads to `/2`, and `/0` is there.
fn countdown(exchange: &mut Exchange) {
    match exchange.target()[1..].parse::<u32>() {
        Ok(0) | Err(_) => drop(exchange.reply(200, &[], b"there")),
        Ok(n) => drop(exchange.reply(302, &[("location", &format!("/{}", n - 1))], b"moved")),
    }
}

fn targets(server: &Server) -> Vec<String> {
    server.seen().into_iter().map(|request| request.target).collect()
}

#[test]
fn a_reply_tells_the_way_it_came() {
    let server = Server::http(countdown);
    let reply = client().get(server.url("/2?first")).send().unwrap();
    assert_eq!(reply.text(), "there");
    assert!(reply.history().is_empty(), "no number, no redirect");

    let reply = client().get(server.url("/2")).send().unwrap();
    assert_eq!((reply.text().as_str(), reply.url().path()), ("there", "/0"));
    let hops: Vec<_> =
        reply.history().iter().map(|hop| (hop.status().as_u16(), hop.url().path())).collect();
    assert_eq!(hops, [(302, "/2"), (302, "/1")]);
    let first = &reply.history()[0];
    assert_eq!((first.header("location"), first.method()), (Some("/1"), &Method::GET));
    assert_eq!((first.attempts(), reply.attempts()), (1, 1));
}

#[test]
fn ten_redirects_are_followed_and_one_more_is_an_error_with_its_history() {
    let server = Server::http(countdown);
    let client = client();
    assert_eq!(client.get(server.url("/10")).send().unwrap().history().len(), 10);
    let error = client.get(server.url("/11")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect, "{error:?}");
    assert_eq!(error.history().len(), 11);
    assert_eq!(error.history()[10].header("location"), Some("/0"));
    assert!(error.to_string().contains("10 redirects"), "{error}");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_loop_ends_at_the_limit_of_the_call() {
    let server = Server::http(script);
    let call = client().get(server.url("/?302=/%3F302")).redirects(RedirectPolicy::up_to(0)).send();
    assert_eq!(call.unwrap_err().kind(), ErrorKind::Redirect);
    let itself = Server::http(|exchange| {
        exchange.reply(302, &[("location", "")], b"");
    });
    assert_eq!(client().get(itself.url("/")).send().unwrap().status(), 302, "an empty Location");
    let itself = Server::http(|exchange| {
        exchange.reply(302, &[("location", "#again")], b"");
    });
    let error = client().get(itself.url("/")).redirects(RedirectPolicy::up_to(3)).send();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Redirect);
    assert_eq!(itself.requests(), 4);
}

#[test]
fn none_delivers_the_redirect_for_a_client_and_for_a_call() {
    let server = Server::http(script);
    let url = server.url("/?301=/there");
    let never = builder().redirects(RedirectPolicy::none()).build().unwrap();
    let reply = never.get(&url).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (301, "moved"));
    let reply = never.get(&url).redirects(RedirectPolicy::default()).send().unwrap();
    assert_eq!(reply.url().path(), "/there");
    let reply = client().get(&url).redirects(RedirectPolicy::none()).send().unwrap();
    assert_eq!(reply.header("location"), Some("/there"));
}

#[test]
fn the_forms_of_a_location_are_resolved() {
    let server = Server::http(script);
    let (client, host) = (client(), server.addr().to_string());
    for (location, expected) in [
        ("/c", "/c".to_owned()),
        ("c/d?e", "/a/c/d?e".to_owned()),
        ("../c", "/c".to_owned()),
        ("?q", "/a/b?q".to_owned()),
        (&*format!("//{host}/s"), "/s".to_owned()),
        (&*format!("http://{host}/u"), "/u".to_owned()),
    ] {
        let reply = client.get(server.url(&format!("/a/b?307={location}#top"))).send().unwrap();
        let asked = server.seen().last().unwrap().target.clone();
        assert_eq!(asked, expected, "{location}");
        assert_eq!(reply.url().fragment(), Some("top"), "RFC 9110 section 10.2.2: {location}");
    }
}

#[test]
fn rfc_9110_section_15_4_methods_and_content_become_what_the_status_says() {
    let server = Server::http(script);
    let client = client();
    for (method, status, expected) in [
        (Method::POST, 301, "GET"),
        (Method::POST, 302, "GET"),
        (Method::POST, 303, "GET"),
        (Method::PUT, 303, "GET"),
        (Method::DELETE, 303, "GET"),
        (Method::HEAD, 303, "HEAD"),
        (Method::PUT, 301, "PUT"),
        (Method::PATCH, 302, "PATCH"),
        (Method::POST, 307, "POST"),
        (Method::POST, 308, "POST"),
    ] {
        let url = server.url(&format!("/?{status}=/there"));
        let call = client.request(method.clone(), url).header("content-type", "text/x");
        let body = if method == Method::HEAD { Body::default() } else { "content".into() };
        let reply = call.header("x-kept", "1").body(body).send().unwrap();
        let last = server.seen().pop().unwrap();
        assert_eq!(last.method, expected, "{method} {status}");
        assert_eq!(last.header("x-kept"), Some("1"));
        let keeps_content = expected != "GET" && expected != "HEAD";
        assert_eq!(reply.text(), if keeps_content { "content" } else { "" }, "{method} {status}");
        assert_eq!(last.header("content-type").is_some(), expected != "GET", "{method} {status}");
        let length = keeps_content.then_some("7");
        assert_eq!(last.header("content-length"), length, "{method} {status}");
    }
}

#[test]
fn a_body_that_can_be_made_again_is_repeated_whole() {
    let server = Server::http(script);
    let content = vec![7; 300_000];
    let client = client();
    for status in [307, 308] {
        let url = server.url(&format!("/?{status}=/there"));
        let factory = Body::factory(None, || Ok(&content[..]));
        assert_eq!(client.post(&url).body(factory).send().unwrap().bytes().len(), 300_000);
        assert_eq!(client.put(&url).body(&content).send().unwrap().bytes().len(), 300_000);
    }
}

#[test]
fn a_body_that_was_read_is_a_clear_error_and_no_half_request() {
    let server = Server::http(script);
    let body = Body::reader(&b"content"[..]);
    let error = client().post(server.url("/?307=/there")).body(body).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect, "{error:?}");
    assert!(error.to_string().contains("Body::factory"), "{error}");
    assert_eq!((server.requests(), error.history().len()), (1, 1));
    let body = Body::reader(&b"content"[..]);
    let reply = client().post(server.url("/?303=/there")).body(body).send().unwrap();
    assert_eq!(reply.url().path(), "/there");
}

const SECRETS: [&str; 6] = ["authorization", "cookie", "x-marked", "x-named", "x-default", "x-key"];

fn secrets_at(request: &crate::support::Request) -> Vec<&'static str> {
    SECRETS.into_iter().filter(|name| request.header(name).is_some()).collect()
}

/// Sends every kind of secret to `url`.
fn send_with_secrets(url: &str) -> abide::Reply {
    let mut marked = HeaderValue::from_static("secret");
    marked.set_sensitive(true);
    let client = builder()
        .secret_headers(["x-named", "x-default"])
        .default_header("x-default", "secret")
        .default_header("x-plain-default", "1")
        .default_header("authorization", "secret")
        .build()
        .unwrap();
    let call = client.get(url).header("cookie", "secret").header("x-named", "secret");
    let call = call.header("x-marked", marked);
    call.header("x-plain", "1").secret_header("x-key", "secret").send().unwrap()
}

#[test]
fn headers_are_kept_on_the_same_origin() {
    let server = Server::http(script);
    send_with_secrets(&server.url("/?302=/there"));
    for request in server.seen() {
        assert_eq!(secrets_at(&request), SECRETS);
    }
}

#[test]
fn redirect_to_another_origin_drops_secrets_and_they_stay_dropped() {
    let (home, other) = (Server::http(script), Server::http(script));
    let back = home.url("/back");
    let on = other.url(&format!("/b?307={back}"));
    let on = other.url(&format!("/a?302={on}"));
    send_with_secrets(&home.url(&format!("/?302={on}")));

    assert_eq!(targets(&home)[1..], ["/back"]);
    assert_eq!(other.requests(), 2, "A to B, B to B, B to A");
    assert_eq!(secrets_at(&home.seen()[0]), SECRETS);
    let later = [other.seen(), home.seen()[1..].to_vec()].concat();
    for request in later {
        assert_eq!(secrets_at(&request), [""; 0], "{request:?}");
        assert_eq!(request.header("x-plain"), Some("1"));
        assert_eq!(request.header("x-plain-default"), Some("1"));
    }
}

#[test]
fn another_name_of_the_same_host_is_another_origin() {
    let server = Server::http(script);
    let other = server.url_at("localhost", "/there");
    send_with_secrets(&server.url(&format!("/?302={other}")));
    assert_eq!(secrets_at(&server.seen()[1]), [""; 0]);
}

#[test]
fn user_information_stays_at_its_origin() {
    let (home, other) = (Server::http(script), Server::http(script));
    let with_user = |url: String| url.replace("http://", "http://user:word@");
    let client = client();
    client.get(with_user(home.url("/?302=/there"))).send().unwrap();
    let sent: Vec<_> =
        home.seen().iter().map(|r| r.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent[0].as_deref(), Some("Basic dXNlcjp3b3Jk"));
    assert_eq!(sent[1], sent[0]);

    let on = other.url("/there");
    let reply = client.get(with_user(home.url(&format!("/?302={on}")))).send().unwrap();
    assert_eq!(other.seen()[0].header("authorization"), None);
    assert_eq!(reply.url().username(), "");
}

#[test]
fn a_location_cannot_hand_out_credentials() {
    let server = Server::http(script);
    let to = server.url_at("user:word@localhost", "/there");
    let reply = client().get(server.url(&format!("/?302={to}"))).send().unwrap();
    assert_eq!(server.seen()[1].header("authorization"), None);
    assert_eq!((reply.url().username(), reply.url().password()), ("", None));
}

#[test]
fn a_host_of_the_callers_own_is_for_the_origin_it_was_given_for() {
    let (home, other) = (Server::http(script), Server::http(script));
    let on = other.url("/there");
    let on = format!("/a?302={on}");
    client().get(home.url(&format!("/?302={on}"))).header("host", "virtual.test").send().unwrap();
    assert_eq!(home.seen()[0].header("host"), Some("virtual.test"));
    assert_eq!(home.seen()[1].header("host"), Some("virtual.test"));
    assert_eq!(other.seen()[0].header("host"), Some(&*other.addr().to_string()));
}

#[test]
fn a_location_injects_no_header() {
    let server = Server::http(script);
    let to = "/there%0d%0ax-injected:%201%0d%0a";
    client().get(server.url(&format!("/?302={to}"))).send().unwrap();
    let request = &server.seen()[1];
    assert_eq!(request.target, to, "as it came, still encoded");
    assert_eq!(request.header("x-injected"), None);
}

#[test]
fn a_redirect_out_of_http_is_refused() {
    let server = Server::http(script);
    for target in ["file:///etc/passwd", "ftp://localhost/", "data:,x", "javascript:alert(1)"] {
        let error = client().get(server.url(&format!("/?302={target}"))).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirect, "{error:?}");
        assert!(error.to_string().contains(target.split(':').next().unwrap()), "{error}");
    }
}

#[test]
fn a_range_goes_along() {
    let server = Server::http(script);
    client().get(server.url("/?302=/there")).header("range", "bytes=0-9").send().unwrap();
    assert_eq!(server.seen()[1].header("range"), Some("bytes=0-9"));
}

#[test]
fn a_function_decides_about_each_redirect() {
    let server = Server::http(countdown);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let policy = RedirectPolicy::custom({
        let asked = Arc::clone(&asked);
        move |redirect| {
            assert_eq!(redirect.status(), StatusCode::FOUND);
            let ways = (redirect.from().path().to_owned(), redirect.to().path().to_owned());
            asked.lock().unwrap().push((ways, redirect.history().len()));
            match redirect.to().path() {
                "/1" => RedirectAction::Deliver,
                "/11" => RedirectAction::Refuse("not there".into()),
                _ => RedirectAction::Follow,
            }
        }
    });
    let client = builder().redirects(policy).build().unwrap();
    let reply = client.get(server.url("/3")).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.url().path()), (302, "/2"));
    assert_eq!(reply.text(), "moved");
    let way = |from: &str, to: &str, hops| ((from.to_owned(), to.to_owned()), hops);
    assert_eq!(*asked.lock().unwrap(), [way("/3", "/2", 0), way("/2", "/1", 1)]);

    let error = client.get(server.url("/12")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
    assert!(error.to_string().contains("not there"), "{error}");
}

#[test]
fn a_function_may_make_calls_and_is_bounded_too() {
    let server = Server::http(countdown);
    let (client, url) = (client(), server.url("/0"));
    let policy = RedirectPolicy::custom({
        let client = client.clone();
        move |_| {
            assert_eq!(client.get(&url).send().unwrap().text(), "there");
            RedirectAction::Follow
        }
    });
    let reply = client.get(server.url("/3")).redirects(policy.clone()).send().unwrap();
    assert_eq!(reply.text(), "there");
    let error = client.get(server.url("/3")).redirects(policy.limit(2)).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect);
}

#[test]
fn a_small_body_of_a_redirect_is_drained_and_its_connection_used_again() {
    let server = Server::http(|exchange| match exchange.target() {
        "/there" => drop(exchange.reply(200, &[], b"there")),
        _ => drop(exchange.reply(302, &[("location", "/there")], &vec![7; 60_000])),
    });
    let client = client();
    assert_eq!(client.get(server.url("/")).send().unwrap().text(), "there");
    let mut open = client.get(server.url("/")).open().unwrap();
    assert_eq!(io::read_to_string(&mut open).unwrap(), "there");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_redirect_with_a_large_or_slow_body_is_not_waited_for() {
    let server = Server::http(|exchange| match exchange.target() {
        "/there" => drop(exchange.reply(200, &[], b"there")),
        "/large" => {
            exchange.begin_reply(302, &[("location", "/there"), ("content-length", "99999999")]);
            while exchange.write([7; 4096]) {}
        }
        _ => {
            exchange.begin_reply(302, &[("location", "/there"), ("content-length", "9")]);
            exchange.await_client_gone();
        }
    });
    let client = client();
    for target in ["/large", "/slow"] {
        let began = Instant::now();
        assert_eq!(client.get(server.url(target)).send().unwrap().text(), "there");
        assert!(began.elapsed() < AT_ONCE, "{target}: {:?}", began.elapsed());
    }
    await_quiet(&client);
}

#[test]
fn a_cut_body_of_a_redirect_harms_nobody() {
    let server = Server::http(|exchange| match exchange.target() {
        "/there" => drop(exchange.reply(200, &[], b"there")),
        _ => {
            exchange.begin_reply(302, &[("location", "/there"), ("content-length", "9")]);
            exchange.close();
        }
    });
    assert_eq!(client().get(server.url("/")).send().unwrap().text(), "there");
}

#[test]
fn bodies_of_redirects_are_no_progress_and_repeated_uploads_count_once() {
    let server = Server::http(script);
    let feedback = Feedback::new();
    let content = vec![7; 100_000];
    let client = client();
    let call = client.put(server.url("/?307=/there")).body(&content).feedback(&feedback);
    assert_eq!(call.send().unwrap().bytes().len(), 100_000);
    for progress in [feedback.upload(), feedback.download()] {
        assert_eq!((progress.bytes(), progress.total()), (100_000, Some(100_000)));
    }

    let feedback = Feedback::new();
    let stay = RedirectPolicy::custom(|_| RedirectAction::Deliver);
    let call = client.get(server.url("/?307=/there")).redirects(stay).feedback(&feedback);
    assert_eq!(call.send().unwrap().text(), "moved");
    assert_eq!((feedback.download().bytes(), feedback.download().total()), (5, Some(5)));
}

#[test]
fn the_deadline_of_the_call_spans_its_hops_and_other_budgets_begin_anew() {
    let server = Server::http(|exchange| {
        // Slow hops, each well within its budget.
        std::thread::sleep(Duration::from_millis(20));
        exchange.reply(302, &[("location", "/on")], b"");
    });
    let endless = RedirectPolicy::up_to(u32::MAX);
    let timeouts = Timeouts::default()
        .total(Duration::from_millis(200))
        .first_byte(Duration::from_millis(150));
    let call = client().get(server.url("/")).timeouts(timeouts).redirects(endless);
    let error = call.send().unwrap_err();
    assert_eq!(error.budget(), Some(Budget::Total), "{error:?}");
    // The last one was under way, or had not been sent yet.
    let (hops, requests) = (error.history().len(), server.requests());
    assert!([hops, hops + 1].contains(&requests), "{hops} hops, {requests} requests");
}

#[test]
fn a_call_is_cancelled_in_a_later_hop() {
    let server = Server::http(|exchange| match exchange.target() {
        "/there" => exchange.await_client_gone(),
        _ => drop(exchange.reply(302, &[("location", "/there")], b"")),
    });
    let feedback = Feedback::new();
    let running = start({
        let (client, url, feedback) = (client(), server.url("/"), feedback.clone());
        move || client.get(url).feedback(feedback).send().unwrap_err()
    });
    server.await_requests(2);
    feedback.cancel();
    let error = running.join();
    assert!(error.is_cancelled(), "{error:?}");
    assert_eq!(error.history().len(), 1);
    assert!(error.to_string().contains("/there"), "{error}");
}

#[test]
fn an_open_reply_was_redirected_too() {
    let server = Server::http(countdown);
    let mut reply = client().get(server.url("/2")).open().unwrap();
    assert_eq!((reply.history().len(), reply.url().path()), (2, "/0"));
    let mut text = String::new();
    reply.read_to_string(&mut text).unwrap();
    assert_eq!(text, "there");
}

#[test]
fn an_https_only_client_sends_nothing_to_http() {
    let server = Server::http(script);
    let client = builder().https_only(true).build().unwrap();
    let error = client.get(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(server.connections(), 0);
}

#[cfg(feature = "tls")]
mod https {
    use super::*;
    use crate::clients::trusting;

    #[test]
    fn https_to_http_is_an_error_that_names_the_target() {
        let (plain, secure) = (Server::http(script), Server::https(script));
        let url = secure.url(&format!("/?302={}", plain.url("/plain?key=hidden")));
        let error = trusting().build().unwrap().get(&url).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirect);
        assert!(error.to_string().contains(&plain.url("/plain")), "{error}");
        assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
        assert_eq!(plain.connections(), 0);

        let policy = RedirectPolicy::default().allow_https_to_http(true);
        let call = trusting().build().unwrap().get(&url).redirects(policy.clone());
        assert_eq!(call.header("authorization", "x").send().unwrap().status(), 200);
        assert_eq!(plain.seen()[0].header("authorization"), None);

        let strict = trusting().https_only(true).redirects(policy).build().unwrap();
        let error = strict.get(&url).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirect);
        assert_eq!(plain.requests(), 1);
    }

    #[test]
    fn http_to_https_is_followed_without_secrets() {
        let secure = Server::https(script);
        let plain = Server::http(script);
        let url = plain.url(&format!("/?308={}", secure.url("/there")));
        let call = trusting().build().unwrap().get(url).header("cookie", "secret");
        assert_eq!(call.send().unwrap().url().scheme(), "https");
        assert_eq!(secure.seen()[0].header("cookie"), None);
    }
}
