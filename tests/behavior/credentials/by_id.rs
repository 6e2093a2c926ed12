//! Credentials by their names, and those that need none.

use abide::{AuthConfig, AuthId, AuthOrigins, BlockingRequest, CallOptions, ErrorCode, ErrorKind};

use super::{authorizations, bearer, ok, only};
use crate::{
    clients::{builder, client},
    support::Server,
};

#[test]
fn each_kind_arrives_as_what_it_is() {
    let server = Server::http(ok);
    let client = client();
    client.set_auth("basic", AuthConfig::basic(only(&server), "Aladdin", "open sesame").unwrap());
    client.set_auth("bearer", bearer(&server, "t0ken"));
    let pairs = [("X-Api-Key", "one"), ("X-App", "two")];
    client.set_auth("headers", AuthConfig::api_key_headers(only(&server), pairs).unwrap());
    for id in ["basic", "bearer", "headers"] {
        client.get(server.url("/")).auth(id).send().unwrap();
    }
    let expected = [Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Some("Bearer t0ken"), None];
    assert_eq!(authorizations(&server), expected.map(|text| text.map(str::to_owned)));
    let seen = server.seen();
    assert_eq!((seen[2].header("x-api-key"), seen[2].header("x-app")), (Some("one"), Some("two")));
    assert!(seen[..2].iter().all(|request| request.header("x-api-key").is_none()));
}

#[test]
fn a_key_in_the_query_is_sent_and_shown_nowhere() {
    let server = Server::http(|exchange| {
        exchange.reply(if exchange.target().starts_with("/404") { 404 } else { 200 }, &[], b"");
    });
    let client = client();
    let key = AuthConfig::api_key_query(only(&server), [("key", "a&b=c#\r\n")]).unwrap();
    client.set_auth("key", key);
    let reply = client.get(server.url("/p?x=1&key=old&y=%20")).auth("key").send().unwrap();
    let sent = "/p?x=1&y=%20&key=a%26b%3Dc%23%0D%0A";
    assert_eq!(server.seen()[0].target, sent);
    assert_eq!(reply.url().as_str(), server.url("/p?x=1&key=old&y=%20"));
    client.get(server.url("/p")).auth("key").send().unwrap();
    assert_eq!(server.seen()[1].target, "/p?key=a%26b%3Dc%23%0D%0A");
    let error = client.get(server.url("/404")).auth("key").send().unwrap().error_for_status();
    assert!(!format!("{:?}", error.unwrap_err()).contains("a%26b"));
}

#[test]
fn what_cannot_be_applied_is_an_error_before_anything_is_sent() {
    let (server, other) = (Server::http(ok), Server::http(ok));
    let client = client();
    client.set_auth("other", bearer(&other, "t0ken"));
    for (id, words) in [("nobody", "`nobody`"), ("other", "127.0.0.1")] {
        let error = client.get(server.url("/")).auth(id).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        assert!(error.to_string().contains(words) && !error.to_string().contains("t0ken"));
    }
    assert_eq!((server.connections(), client.stats().exchanges()), (0, 0));
}

#[test]
fn a_request_cannot_bring_what_its_named_credentials_set() {
    let server = Server::http(ok);
    let client = client();
    client.set_auth("id", bearer(&server, "t0ken"));
    let call = client.get(server.url("/")).auth("id").header("authorization", "Own");
    assert_eq!(call.send().unwrap_err().kind(), ErrorKind::Auth);
    assert_eq!(server.connections(), 0);
}

#[test]
fn named_credentials_take_the_place_of_user_information() {
    let server = Server::http(ok);
    let client = client();
    client.set_auth("id", bearer(&server, "t0ken"));
    let url = server.url("/").replace("://", "://user:word@");
    client.get(url).auth("id").send().unwrap();
    assert_eq!(authorizations(&server), [Some("Bearer t0ken".to_owned())]);
}

#[test]
fn automatic_credentials_are_used_where_they_are_allowed_and_nothing_else_is_said() {
    let (server, other) = (Server::http(ok), Server::http(ok));
    let client = builder().auth("auto", bearer(&server, "auto").automatic()).build().unwrap();
    client.set_auth("named", bearer(&server, "named"));
    client.get(server.url("/")).send().unwrap();
    client.get(server.url("/")).auth("named").send().unwrap();
    client.get(server.url("/")).no_auth().send().unwrap();
    client.get(server.url("/")).header("authorization", "Own").send().unwrap();
    client.get(server.url("/").replace("://", "://u:p@")).send().unwrap();
    client.get(other.url("/")).send().unwrap();
    let expected =
        [Some("Bearer auto"), Some("Bearer named"), None, Some("Own"), Some("Basic dTpw")];
    assert_eq!(authorizations(&server), expected.map(|text| text.map(str::to_owned)));
    assert_eq!(authorizations(&other), [None]);
}

#[test]
fn credentials_are_added_replaced_and_removed_while_calls_run() {
    let server = Server::http(ok);
    let client = client();
    assert!(!client.set_auth("b", bearer(&server, "first")));
    assert!(client.set_auth("b", bearer(&server, "second")));
    assert!(!client.set_auth("a", bearer(&server, "other")));
    assert_eq!(client.auth_ids(), [AuthId::from("a"), AuthId::from("b")]);
    client.get(server.url("/")).auth("b").send().unwrap();
    assert_eq!(authorizations(&server), [Some("Bearer second".to_owned())]);
    std::thread::scope(|scope| {
        for index in 0..4 {
            let (client, server) = (client.clone(), &server);
            scope.spawn(move || {
                for round in 0..20 {
                    let id = format!("t{index}");
                    client.set_auth(&id, bearer(server, &format!("{index}-{round}")));
                    client.get(server.url("/")).auth(&id).send().unwrap();
                    assert!(client.remove_auth(&id));
                }
            });
        }
    });
    assert!(client.remove_auth("a") && client.remove_auth("b") && !client.remove_auth("b"));
    assert_eq!(client.auth_ids(), []);
    assert_eq!(client.get(server.url("/")).auth("b").send().unwrap_err().kind(), ErrorKind::Auth);
}

#[test]
fn every_origin_has_to_be_spelled_out() {
    let server = Server::http(ok);
    let client = client();
    let anywhere = |origins| AuthConfig::bearer(origins, "t").unwrap();
    client.set_auth("secure", anywhere(AuthOrigins::any_https()));
    client.set_auth("any", anywhere(AuthOrigins::any_even_unencrypted()));
    let call = client.get(server.url("/")).auth("secure").send();
    assert_eq!(call.unwrap_err().kind(), ErrorKind::Auth);
    client.get(server.url("/")).auth("any").send().unwrap();
    assert_eq!(authorizations(&server), [Some("Bearer t".to_owned())]);
}

#[test]
fn a_blocking_request_uses_the_id_it_was_given() {
    let server = Server::http(ok);
    let client = client();
    client.set_auth("abc1234", bearer(&server, "t0ken"));
    let request = BlockingRequest::with_client(&client);
    request.set_auth_cfg("abc1234");
    let (url, options) = (server.url("/"), CallOptions::default());
    assert_eq!(request.get(&url, options), ErrorCode::NoError);
    assert_eq!(request.post(&url, "body", options), ErrorCode::NoError);
    request.set_auth_cfg("");
    assert_eq!(request.get(&url, options), ErrorCode::NoError);
    let token = Some("Bearer t0ken".to_owned());
    assert_eq!(authorizations(&server), [token.clone(), token, None]);
}
