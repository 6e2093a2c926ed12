//! Client certificates by the names of credentials, on connections of their own.

use abide::{AuthConfig, AuthOrigins, ErrorKind, Identity};

use super::{ok, only};
use crate::{
    clients::trusting,
    support::{Server, client_identity},
};

fn certificate(origins: AuthOrigins) -> AuthConfig {
    AuthConfig::client_certificate(origins, Identity::from_pem(client_identity()).unwrap())
}

#[test]
fn a_certificate_opens_the_door_to_calls_that_name_it_and_to_no_others() {
    let server = Server::mutual_tls(ok);
    let client = trusting().build().unwrap();
    client.set_auth("pki", certificate(only(&server)));
    for reused in [false, true] {
        let reply = client.get(server.url("/")).auth("pki").send().unwrap();
        assert_eq!(reply.reused_connection(), reused);
    }
    // There is an idle connection, and it is not theirs.
    let error = client.get(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_certificate_that_was_replaced_or_removed_opens_nothing_any_more() {
    let server = Server::mutual_tls(ok);
    let client = trusting().build().unwrap();
    client.set_auth("pki", certificate(only(&server)));
    client.get(server.url("/")).auth("pki").send().unwrap();
    client.set_auth("pki", certificate(only(&server)));
    let reply = client.get(server.url("/")).auth("pki").send().unwrap();
    assert!(!reply.reused_connection(), "the connection of another certificate");
    client.remove_auth("pki");
    assert_eq!(client.get(server.url("/")).send().unwrap_err().kind(), ErrorKind::Tls);
}

#[test]
fn a_certificate_is_not_shown_after_a_redirect_to_another_origin() {
    let server = Server::mutual_tls(ok);
    let target = server.url("/");
    let first = Server::https(move |exchange| {
        exchange.reply(302, &[("location", &target)], b"");
    });
    let client = trusting().build().unwrap();
    client.set_auth("pki", certificate(only(&first)));
    let error = client.get(first.url("/")).auth("pki").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_certificate_without_tls_is_an_error() {
    let server = Server::http(ok);
    let client = trusting().build().unwrap();
    client.set_auth("pki", certificate(AuthOrigins::any_even_unencrypted()));
    let error = client.get(server.url("/")).auth("pki").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    assert_eq!(server.connections(), 0);
    client.set_auth("pki", certificate(AuthOrigins::any_even_unencrypted()).automatic());
    assert!(client.get(server.url("/")).send().is_ok());
}
