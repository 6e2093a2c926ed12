//! What an attacker would try: redirects, challenges and texts that lead secrets astray.

use abide::{AuthConfig, AuthOrigins, Client, ErrorKind};

use super::{authorizations, bearer, ok, only};
use crate::{
    clients::{FixedNames, builder, client},
    support::{Exchange, Server, assert_untold, forbid},
};

/// Redirects to where the target says, `/to/http://host/path`, and answers everything else.
fn redirecting(exchange: &mut Exchange) {
    match exchange.target().strip_prefix("/to/").map(str::to_owned) {
        Some(location) => exchange.reply(307, &[("location", &location)], b""),
        None => exchange.reply(200, &[], b"ok"),
    };
}

fn with_key(server: &Server) -> Client {
    let client = builder().resolver(FixedNames::loopback()).build().unwrap();
    let pairs = [("x-key", "hunter2-key"), ("authorization", "Bearer hunter2")];
    client.set_auth("id", AuthConfig::api_key_headers(only(server), pairs).unwrap());
    client
}

#[track_caller]
fn assert_nothing_shown(server: &Server) {
    for request in server.seen() {
        let text = format!("{request:?}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_redirect_to_the_same_origin_keeps_credentials() {
    let server = Server::http(redirecting);
    let reply = with_key(&server).get(server.url("/to//there")).auth("id").send().unwrap();
    assert_eq!(reply.url().path(), "/there");
    assert!(server.seen().iter().all(|request| request.header("x-key") == Some("hunter2-key")));
}

#[test]
fn a_redirect_to_another_port_goes_without_credentials() {
    let (server, evil) = (Server::http(redirecting), Server::http(ok));
    let url = server.url(&format!("/to/{}", evil.url("/")));
    with_key(&server).get(url).auth("id").send().unwrap();
    assert_eq!((server.requests(), evil.requests()), (1, 1));
    assert_nothing_shown(&evil);
}

#[test]
fn a_redirect_to_another_host_at_the_same_address_goes_without_credentials() {
    let server = Server::http(redirecting);
    let url = server.url(&format!("/to/{}", server.url_at("evil.test", "/")));
    with_key(&server).get(url).auth("id").send().unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("x-key"), Some("hunter2-key"));
    assert_eq!((seen[1].header("x-key"), seen[1].header("authorization")), (None, None));
}

#[cfg(feature = "tls")]
#[test]
fn a_redirect_to_another_scheme_goes_without_credentials() {
    let (secure, plain) = (Server::https(redirecting), Server::http(redirecting));
    let client = crate::clients::trusting()
        .redirects(abide::RedirectPolicy::default().allow_https_to_http(true))
        .build()
        .unwrap();
    for (from, to) in [(&secure, &plain), (&plain, &secure)] {
        client.set_auth("id", bearer(from, "hunter2"));
        let before = to.requests();
        let url = from.url(&format!("/to/{}", to.url("/")));
        client.get(url).auth("id").send().unwrap();
        assert_eq!(authorizations(to)[before..], [None]);
    }
}

#[test]
fn a_redirect_that_leads_back_finds_no_credentials_any_more() {
    let (server, evil) = (Server::http(redirecting), Server::http(redirecting));
    let back = evil.url(&format!("/to/{}", server.url("/delete-everything")));
    let (client, url) = (with_key(&server), server.url(&format!("/to/{back}")));
    client.get(&url).auth("id").send().unwrap();
    assert_nothing_shown(&evil);
    assert_eq!(server.requests(), 2);
    assert_eq!(server.seen()[1].header("x-key"), None);

    // The same for automatic ones, and for user information.
    client.remove_auth("id");
    client.set_auth("auto", bearer(&server, "hunter2").automatic());
    client.get(&url).send().unwrap();
    client.remove_auth("auto");
    client.get(url.replacen("://", "://user:hunter2@", 1)).send().unwrap();
    assert_nothing_shown(&evil);
    let shown: Vec<_> = authorizations(&server)[2..].iter().map(Option::is_some).collect();
    assert_eq!(shown, [true, false, true, false]);
}

#[test]
fn automatic_credentials_of_another_origin_are_its_own_and_no_others() {
    let (server, other) = (Server::http(redirecting), Server::http(ok));
    let client = client();
    client.set_auth("one", bearer(&server, "one").automatic());
    client.set_auth("two", bearer(&other, "two").automatic());
    let url = server.url(&format!("/to/{}", other.url("/")));
    client.get(url).send().unwrap();
    assert_eq!(authorizations(&server), [Some("Bearer one".to_owned())]);
    assert_eq!(authorizations(&other), [Some("Bearer two".to_owned())]);
}

#[test]
fn a_key_of_the_query_does_not_follow_a_redirect() {
    let evil = Server::http(ok);
    let away = evil.url("/?x");
    let server = Server::http(move |exchange| {
        match exchange.target().split('?').next() {
            Some("/away") => exchange.reply(307, &[("location", &away)], b""),
            Some("/next") => exchange.reply(307, &[("location", "there?page=2")], b""),
            _ => exchange.reply(200, &[], b""),
        };
    });
    let client = client();
    let key = AuthConfig::api_key_query(only(&server), [("key", "hunter2")]).unwrap();
    client.set_auth("id", key);
    client.get(server.url("/away")).auth("id").send().unwrap();
    assert_nothing_shown(&evil);
    // A relative one is resolved against the URL without the key, and gets it anew.
    let reply = client.get(server.url("/next")).auth("id").send().unwrap();
    assert_eq!(reply.url().as_str(), server.url("/there?page=2"));
    let targets: Vec<_> = server.seen().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/away?key=hunter2", "/next?key=hunter2", "/there?page=2&key=hunter2"]);
}

#[test]
fn a_refusal_of_fixed_credentials_is_a_reply_and_ends_there() {
    let server = Server::http(|exchange| {
        let challenge = ("www-authenticate", "Digest realm=\"r\", nonce=\"n\", Basic realm=\"x\"");
        exchange.reply(401, &[challenge], b"no");
    });
    let reply = with_key(&server).get(server.url("/")).auth("id").send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (401, "no"));
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_challenge_without_credentials_is_a_reply() {
    let server = Server::http(|exchange| {
        exchange.reply(401, &[("www-authenticate", "Basic realm=\"r\"")], b"no");
    });
    assert_eq!(client().get(server.url("/")).send().unwrap().status(), 401);
    assert_eq!(server.requests(), 1);
}

#[test]
fn nothing_that_is_told_contains_a_secret() {
    forbid("hunter2-untold");
    let secret = "hunter2-untold";
    let (server, evil) = (Server::http(redirecting), Server::http(ok));
    let unused = AuthOrigins::only(["http://elsewhere.test"]).unwrap();
    let client = client();
    let configs = [
        AuthConfig::basic(only(&server), secret, secret).unwrap(),
        AuthConfig::bearer(only(&server), secret).unwrap(),
        AuthConfig::api_key_headers(only(&server), [("x-key", secret)]).unwrap(),
        AuthConfig::api_key_query(only(&server), [("key", secret)]).unwrap(),
    ];
    for config in configs {
        assert!(!format!("{config:?}").contains(secret));
        client.set_auth("id", config);
        let to_evil = server.url(&format!("/to/{}", evil.url("/")));
        let reply = client.get(&to_evil).auth("id").send().unwrap();
        assert!(!format!("{reply:?} {:?}", reply.history()).contains(secret));
        let request = client.get(server.url("/to/ftp://x/")).auth("id");
        assert!(!format!("{request:?} {client:?}").contains(secret));
        let error = request.send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirect);
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
    client.set_auth("id", AuthConfig::bearer(unused, secret).unwrap());
    let error = client.get(server.url("/")).auth("id").send().unwrap_err();
    assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    let url = server.url("/to//nowhere").replace("://", &format!("://{secret}:{secret}@"));
    client.get(url).send().unwrap();
    assert_untold(secret);
}
