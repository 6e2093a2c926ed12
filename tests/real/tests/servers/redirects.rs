//! Redirects of httpbin and nginx: where they lead, and what travels along.

use abide::{Body, Client, ErrorKind, Method, RedirectPolicy, StatusCode, header};
use abide_real::{APACHE, CADDY, NGINX, client, each, http, https, port, served};
use serde_json::Value;

/// The URL of httpbin under its other name, which makes it another origin.
fn elsewhere(path: &str) -> String {
    format!("http://localhost:{}{path}", port("HTTPBIN"))
}

/// A URL that leads to `target` with `status`.
fn leading(to: &str, status: u16) -> String {
    let mut url = abide::Url::parse(&http("HTTPBIN", "/redirect-to")).unwrap();
    let status = status.to_string();
    url.query_pairs_mut().append_pair("url", to).append_pair("status_code", &status);
    url.into()
}

#[test]
fn relative_and_absolute_redirects_are_followed_and_told() {
    let client = client();
    for path in ["/redirect/4", "/relative-redirect/4", "/absolute-redirect/4"] {
        let reply = client.get(http("HTTPBIN", path)).send().unwrap();
        assert_eq!((reply.status(), reply.url().path()), (StatusCode::OK, "/get"));
        assert_eq!(reply.history().len(), 4, "{path}");
        for hop in reply.history() {
            assert_eq!(hop.status(), StatusCode::FOUND);
            assert!(hop.header("location").is_some());
        }
    }
    assert_eq!(client.stats().connections_opened(), 1);
}

#[test]
fn too_many_redirects_are_an_error_and_none_are_a_choice() {
    let client = client();
    let error = client.get(http("HTTPBIN", "/redirect/11")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect, "{error:?}");
    let few = RedirectPolicy::up_to(3);
    assert!(client.get(http("HTTPBIN", "/redirect/3")).redirects(few.clone()).send().is_ok());
    assert!(client.get(http("HTTPBIN", "/redirect/4")).redirects(few).send().is_err());
    let call = client.get(http("HTTPBIN", "/redirect/2")).redirects(RedirectPolicy::none());
    let reply = call.send().unwrap();
    assert_eq!(
        (reply.status().as_u16(), reply.header("location")),
        (302, Some("/relative-redirect/1"))
    );
}

/// RFC 9110 §15.4.
#[test]
fn method_and_content_are_repeated_or_dropped_by_the_status() {
    let client = client();
    let target = http("HTTPBIN", "/anything");
    for (method, status, expected) in [
        (Method::POST, 301, "GET"),
        (Method::POST, 302, "GET"),
        (Method::POST, 303, "GET"),
        (Method::PUT, 303, "GET"),
        (Method::DELETE, 303, "GET"),
        (Method::PUT, 301, "PUT"),
        (Method::POST, 307, "POST"),
        (Method::POST, 308, "POST"),
        (Method::PUT, 307, "PUT"),
        (Method::PATCH, 308, "PATCH"),
    ] {
        let call = client.request(method.clone(), leading(&target, status)).body("content");
        let reply = call.header("content-type", "text/x-own").send().unwrap();
        let seen: Value = reply.json().unwrap();
        let content = if expected == "GET" { "" } else { "content" };
        assert_eq!(seen["method"], expected, "{method} {status}");
        assert_eq!(seen["data"], content, "{method} {status}");
        let has_type = seen["headers"].get("Content-Type").is_some_and(|value| value != "");
        assert_eq!(has_type, expected != "GET", "{method} {status}: {seen}");
    }
}

/// The same by way of Caddy, in one connection.
#[test]
fn http2_streams_are_redirected_as_requests_of_http1_are() {
    each(&CADDY, |target| {
        let client = target.client();
        for (method, status, expected) in [
            (Method::POST, 302, "GET"),
            (Method::POST, 303, "GET"),
            (Method::DELETE, 303, "GET"),
            (Method::POST, 307, "POST"),
            (Method::PUT, 308, "PUT"),
        ] {
            let path = format!("/httpbin/redirect-to?url=anything&status_code={status}");
            let call = client.request(method.clone(), target.url(&path)).body("content");
            let reply = call.send().unwrap();
            assert_eq!((reply.version(), reply.history().len()), (target.version, 1));
            let seen: Value = reply.json().unwrap();
            let content = if expected == "GET" { "" } else { "content" };
            assert_eq!(seen["method"], expected, "{method} {status}");
            assert_eq!(seen["data"], content, "{method} {status}");
        }
        assert_eq!(client.stats().connections_opened(), 1, "{:?}", client.stats());
    });
}

#[test]
fn a_large_body_is_sent_again_to_where_it_belongs() {
    each(&NGINX, |target| {
        let client = target.client();
        let large = served("8m");
        let name = if target.is_http2() { "/moved/large-2" } else { "/moved/large-1" };
        let reply = client.put(target.url(name)).body(&large).send().unwrap();
        assert!(reply.status().is_success(), "{:?} {}", reply.status(), reply.text());
        assert_eq!(reply.history().len(), 1);
        let kept = target.url(&name.replace("moved", "uploads"));
        assert!(client.get(&kept).send().unwrap().bytes() == &large);

        let once = Body::reader(&large[..]);
        match client.put(target.url(name)).body(once).send() {
            // The redirect came before the reader was begun with.
            Ok(_) => assert!(client.get(kept).send().unwrap().bytes() == &large),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Redirect, "{error:?}"),
        }
    });
}

#[test]
fn secrets_stay_with_their_origin_even_when_the_way_leads_back() {
    let client = client();
    let sent = |url: String| -> Value {
        let call = client.get(url).header(header::AUTHORIZATION, "Bearer s3cret");
        let call = call.header(header::COOKIE, "sid=s3cret").secret_header("x-key", "s3cret");
        call.header("x-open", "seen").send().unwrap().json().unwrap()
    };
    let home = http("HTTPBIN", "/headers");
    let at_home = sent(leading(&home, 302)).to_string();
    assert_eq!(at_home.matches("s3cret").count(), 3, "{at_home}");
    let away = leading(&elsewhere("/headers"), 302);
    // Home, away, and home again.
    let and_back = leading(
        &elsewhere("/redirect-to?url=")
            .replace("url=", &format!("url={}", home.replace(':', "%3A").replace('/', "%2F"))),
        302,
    );
    for url in [away, and_back] {
        let seen = sent(url).to_string();
        assert_eq!(seen.matches("s3cret").count(), 0, "{seen}");
        assert!(seen.contains("seen"), "{seen}");
    }
}

#[test]
fn a_redirect_into_the_open_is_refused_and_one_into_safety_is_followed() {
    let client = client();
    let error = client.get(https("NGINX", "/to-plain")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect, "{error:?}");
    assert!(error.to_string().contains(&port("NGINX_PLAIN").to_string()), "{error}");
    let allowed = RedirectPolicy::default().allow_https_to_http(true);
    let reply = client.get(https("NGINX", "/to-plain")).redirects(allowed).send().unwrap();
    assert!(reply.bytes() == &served("1k"));
    let reply = client.get(http("NGINX_PLAIN", "/to-secure")).send().unwrap();
    assert_eq!((reply.url().scheme(), reply.bytes() == &served("1k")), ("https", true));
}

#[test]
fn the_servers_own_redirects_to_folders_are_followed() {
    each(NGINX.iter().chain(&APACHE), |target| {
        let reply = target.client().get(target.url("/folder?q=1")).send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.text().trim()), (200, "in the folder"));
        assert_eq!(reply.url().as_str(), target.url("/folder/?q=1"));
    });
}

#[test]
fn a_function_decides_where_to_go() {
    let policy = RedirectPolicy::custom(|redirect| match redirect.to().path() {
        "/relative-redirect/1" => abide::RedirectAction::Deliver,
        _ => abide::RedirectAction::Follow,
    });
    let reply = client().get(http("HTTPBIN", "/redirect/3")).redirects(policy).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.history().len()), (302, 1));
}

#[test]
fn an_interceptor_sees_each_hop() {
    let client: Client = client();
    let call = client.get(http("HTTPBIN", "/redirect/2"));
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&seen);
    let call = call.intercept_requests(move |hop| {
        let number = hop.history().len();
        noted.lock().unwrap().push(hop.url().path().to_owned());
        hop.headers_mut().insert("x-hop", number.into());
        Ok(())
    });
    let reply = call.send().unwrap();
    let told: Value = reply.json().unwrap();
    assert_eq!(told["headers"]["X-Hop"], "2");
    let paths = ["/redirect/2", "/relative-redirect/1", "/get"];
    assert_eq!(*seen.lock().unwrap(), paths);
}
