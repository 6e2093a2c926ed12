//! Credentials, as Apache and httpbin want to have them.

use std::{thread, time::Duration};

use abide::{
    AuthConfig, AuthOrigins, AuthRequest, Body, Client, CredentialSource, Credentials, ErrorKind,
    StatusCode,
};
use abide_real::{
    APACHE, NGINX, PASSWORD, Target, USER, client, each, http, https, identity, in_threads, port,
    served,
};
use serde_json::{Value, json};

/// The origin of a target.
fn origin(target: Target) -> AuthOrigins {
    AuthOrigins::only([target.url("/")]).unwrap()
}

fn httpbin() -> AuthOrigins {
    AuthOrigins::only([http("HTTPBIN", "/")]).unwrap()
}

fn apache() -> [Target; 3] {
    let [http1, http2] = APACHE;
    [http1, http2, Target { tls: false, server: "APACHE_PLAIN", ..http1 }]
}

#[test]
fn basic_opens_the_door_by_id_by_url_and_on_its_own() {
    each(&apache(), |target| {
        let config = || AuthConfig::basic(origin(target), USER, PASSWORD).unwrap();
        let url = target.url("/basic/1k");
        let client = target.client();
        let refused = client.get(&url).send().unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert!(refused.header("www-authenticate").unwrap().starts_with("Basic"));

        client.set_auth("door", config());
        assert!(client.get(&url).auth("door").send().unwrap().bytes() == &served("1k"));
        assert_eq!(client.get(&url).send().unwrap().status(), StatusCode::UNAUTHORIZED);
        client.set_auth("door", config().automatic());
        assert!(client.get(&url).send().unwrap().bytes() == &served("1k"));
        let without = client.get(&url).no_auth().send().unwrap();
        assert_eq!(without.status(), StatusCode::UNAUTHORIZED);

        let other = target.client();
        let with_user = url.replace("://", &format!("://{USER}:pass%20word@"));
        let reply = other.get(with_user).send().unwrap();
        assert!(reply.bytes() == &served("1k"));
        let wrong = AuthConfig::basic(origin(target), USER, "wrong").unwrap();
        other.set_auth("door", wrong);
        let reply = other.get(&url).auth("door").send().unwrap();
        assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn digest_answers_the_challenge_and_goes_on_with_the_nonce() {
    each(&apache(), |target| {
        let client = digesting(target);
        for index in 0..5 {
            let url = target.url(&format!("/digest/1k?query=a%20b&index={index}"));
            let reply = client.get(url).auth("door").send().unwrap();
            assert!(reply.bytes() == &served("1k"), "{:?}", reply.status());
        }
        let head = client.head(target.url("/digest/8m")).auth("door").send().unwrap();
        assert_eq!(head.status(), StatusCode::OK);
        // One challenge for all of them.
        assert_eq!(client.stats().exchanges(), 6 + 1, "{:?}", client.stats());
        // The nonce is good for two seconds.
        thread::sleep(Duration::from_millis(2500));
        let reply = client.get(target.url("/digest/1k")).auth("door").send().unwrap();
        assert!(reply.bytes() == &served("1k"), "{:?}", reply.status());

        client.set_auth("wrong", AuthConfig::digest(origin(target), USER, "wrong").unwrap());
        let reply = client.get(target.url("/digest/1k")).auth("wrong").send().unwrap();
        assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn digest_sends_a_large_body_again_after_the_challenge() {
    let large = served("8m");
    each(&apache(), |target| {
        let client = digesting(target);
        let url = target.url("/digest-uploads/guarded");
        let reply = client.put(&url).auth("door").body(&large).send().unwrap();
        assert!(reply.status().is_success(), "{:?}", reply.status());
        assert!(client.get(&url).auth("door").send().unwrap().bytes() == &large);

        // The nonce is known by now, so a body that can be sent once is enough.
        let once = Body::sized_reader(&large[..], large.len() as u64);
        let reply = client.put(&url).auth("door").body(once).send().unwrap();
        assert!(reply.status().is_success(), "{:?}", reply.status());
    });
}

#[test]
fn many_threads_share_a_nonce() {
    each(&apache(), |target| {
        let client = digesting(target);
        in_threads(16, |_| {
            for _ in 0..15 {
                let reply = client.get(target.url("/digest/1k")).auth("door").send().unwrap();
                assert!(reply.bytes() == &served("1k"), "{:?}", reply.status());
            }
        });
    });
}

fn digesting(target: Target) -> Client {
    let client = target.client();
    client.set_auth("door", AuthConfig::digest(origin(target), USER, PASSWORD).unwrap());
    client
}

#[test]
fn httpbin_knows_digest_with_both_algorithms() {
    let client = client();
    client.set_auth("door", AuthConfig::digest(httpbin(), "me", "sesame").unwrap());
    for algorithm in ["MD5", "SHA-256"] {
        let path = format!("/digest-auth/auth/me/sesame/{algorithm}");
        for _ in 0..2 {
            let reply = client.get(http("HTTPBIN", &path)).auth("door").send().unwrap();
            assert_eq!(reply.status(), StatusCode::OK, "{algorithm}");
            let seen: Value = reply.json().unwrap();
            assert_eq!(seen, json!({ "authenticated": true, "user": "me" }));
        }
    }
}

#[test]
fn httpbin_sees_every_kind_as_it_should_be() {
    let client = client();
    client.set_auth("basic", AuthConfig::basic(httpbin(), "me", "ö: sesame").unwrap());
    client.set_auth("bearer", AuthConfig::bearer(httpbin(), "x.y-z").unwrap());
    let header = AuthConfig::api_key_headers(httpbin(), [("x-api-key", "k 1")]).unwrap();
    client.set_auth("header", header);
    let query = AuthConfig::api_key_query(httpbin(), [("key", "a&b=c d")]).unwrap();
    client.set_auth("query", query);
    client.set_auth("source", AuthConfig::source(httpbin(), Signer));

    let path = "/hidden-basic-auth/me/%C3%B6%3A%20sesame";
    let hidden = client.get(http("HTTPBIN", path)).auth("basic").send().unwrap();
    assert_eq!(hidden.status(), StatusCode::OK);
    let bearer = client.get(http("HTTPBIN", "/bearer")).auth("bearer").send().unwrap();
    assert_eq!(bearer.json::<Value>().unwrap()["token"], "x.y-z");
    let ask = |id: &str| -> Value {
        let call = client.get(http("HTTPBIN", "/anything?key=old&more=1")).auth(id);
        let reply = call.send().unwrap();
        assert!(!format!("{reply:?} {}", reply.url()).contains("a&b"), "{reply:?}");
        reply.json().unwrap()
    };
    assert_eq!(ask("header")["headers"]["X-Api-Key"], "k 1");
    assert_eq!(ask("query")["args"], json!({ "key": "a&b=c d", "more": "1" }));
    assert_eq!(ask("source")["headers"]["X-Signed"], "GET /anything");
}

/// Signs what it sees of a request.
struct Signer;

impl CredentialSource for Signer {
    fn credentials(
        &self,
        request: &AuthRequest<'_>,
    ) -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>> {
        let seen = format!("{} {}", request.method(), request.url().path());
        Ok(Credentials::new().header("x-signed", seen)?)
    }
}

#[test]
fn credentials_stay_with_their_origin() {
    let client = client();
    client.set_auth("door", AuthConfig::bearer(httpbin(), "s3cret").unwrap().automatic());
    // The same server under another name is another origin.
    let elsewhere = format!("http://localhost:{}/headers", port("HTTPBIN"));
    let error = client.get(&elsewhere).auth("door").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    let mut redirect = abide::Url::parse(&http("HTTPBIN", "/redirect-to")).unwrap();
    redirect.query_pairs_mut().append_pair("url", &elsewhere);
    for url in [elsewhere, redirect.into()] {
        let seen = client.get(url).send().unwrap().text();
        assert!(!seen.contains("s3cret"), "{seen}");
    }
    assert!(client.get(http("HTTPBIN", "/headers")).send().unwrap().text().contains("s3cret"));
    let error = client.get(http("HTTPBIN", "/headers")).auth("nobody").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
}

#[test]
fn a_certificate_is_shown_by_id_and_to_its_origin_only() {
    each(&NGINX.map(|target| target.at("NGINX_CLIENT_CERTIFICATE")), |target| {
        let client = target.client();
        let config = AuthConfig::client_certificate(origin(target), identity("client"));
        client.set_auth("me", config);
        for round in 0..3 {
            let reply = client.get(target.url("/")).auth("me").send().unwrap();
            assert_eq!(
                (reply.text().as_str(), reply.reused_connection()),
                ("CN=client", round > 0)
            );
            let reply = client.get(target.url("/")).send().unwrap();
            assert_eq!(reply.status().as_u16(), 400, "{}", reply.text());
        }
        let error = client.get(https("NGINX", "/1k")).auth("me").send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    });
}
