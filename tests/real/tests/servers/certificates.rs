//! Who is trusted, and who trusts us.

use abide::{ErrorKind, Version};
use abide_real::{APACHE, NGINX, builder, client, each, https, identity};

#[test]
fn a_client_certificate_says_who_calls() {
    let nginx = NGINX.map(|target| target.at("NGINX_CLIENT_CERTIFICATE"));
    each(&nginx, |target| {
        let client = target.builder().identity(identity("client")).build().unwrap();
        for _ in 0..3 {
            let reply = client.get(target.url("/who")).send().unwrap();
            assert_eq!((reply.text().as_str(), reply.version()), ("CN=client", target.version));
        }
        assert_eq!(client.stats().connections_opened(), 1);
    });
    let apache = APACHE.map(|target| target.at("APACHE_CLIENT_CERTIFICATE"));
    each(&apache, |target| {
        let client = target.builder().identity(identity("client")).build().unwrap();
        let reply = client.get(target.url("/1k")).send().unwrap();
        assert_eq!(reply.header("client-name"), Some("client"));
    });
}

#[test]
fn without_the_right_client_certificate_there_is_an_error_or_a_refusal() {
    // nginx makes the handshake and refuses the request.
    for client in [builder(), builder().identity(identity("stranger"))] {
        let reply = client.build().unwrap().get(https("NGINX_CLIENT_CERTIFICATE", "/")).send();
        let reply = reply.unwrap();
        assert_eq!(reply.status().as_u16(), 400);
        assert!(reply.text().contains("SSL certificate"), "{}", reply.text());
    }
    // Apache refuses the handshake, after we think that it is done in TLS 1.3.
    for client in [builder(), builder().identity(identity("stranger")), builder().http1_only()] {
        let url = https("APACHE_CLIENT_CERTIFICATE", "/1k");
        let error = client.build().unwrap().get(url).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
        assert!(format!("{error:?}").contains("alert"), "{error:?}");
    }
}

#[test]
fn both_versions_of_tls_are_spoken_and_keys_of_both_kinds_are_trusted() {
    let client = client();
    let old = client.get(https("NGINX_TLS12", "/")).send().unwrap();
    assert!(old.text().starts_with("TLSv1.2 ECDHE-RSA-"), "{}", old.text());
    assert_eq!(old.version(), Version::HTTP_2);
    let new = client.get(https("NGINX_TLS13", "/")).send().unwrap();
    assert!(new.text().starts_with("TLSv1.3 "), "{}", new.text());
    assert_eq!(new.version(), Version::HTTP_11);
}

#[test]
fn a_session_is_taken_up_again() {
    let client = client();
    let url = https("NGINX_TLS13", "/");
    assert_eq!(client.get(&url).send().unwrap().text(), "TLSv1.3 .");
    client.close_idle();
    let reply = client.get(&url).send().unwrap();
    assert!(!reply.reused_connection());
    assert_eq!(reply.text(), "TLSv1.3 r");
}

#[test]
fn what_is_too_old_or_signed_by_nobody_is_refused() {
    for server in ["NGINX_TLS11", "NGINX_SELF_SIGNED"] {
        let error = client().get(https(server, "/")).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
        assert!(error.is_connect());
    }
    let trusting = builder().danger_accept_invalid_certificates(true).build().unwrap();
    let reply = trusting.get(https("NGINX_SELF_SIGNED", "/")).send().unwrap();
    assert_eq!(reply.text(), "self-signed");
}
