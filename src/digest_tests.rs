use http::header::WWW_AUTHENTICATE;

use super::*;

const CLIENT_NONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

fn session(challenge: &str, user: &str, password: &str, client_nonce: &str) -> Session {
    let challenges = challenges_of(&HeaderValue::from_str(challenge).expect("a value"));
    let challenge = challenges.into_iter().next().expect("a challenge that can be answered");
    Session::new(challenge, user, &Secret::new(password), client_nonce.to_owned()).expect("valid")
}

#[track_caller]
fn check(session: &Session, target: &str, expected: &[&str]) -> String {
    let value = session.answer(&Method::GET, target).expect("an answer");
    assert!(value.is_sensitive());
    let text = String::from_utf8(value.as_bytes().to_vec()).expect("text");
    for part in expected {
        assert!(text.contains(part), "no {part} in {text}");
    }
    text
}

#[test]
fn rfc_7616_section_3_9_1_example_with_sha_256_and_md5() {
    let challenge = |algorithm: &str| {
        format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
             algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        )
    };
    let sha = session(&challenge("SHA-256"), "Mufasa", "Circle of Life", CLIENT_NONCE);
    check(
        &sha,
        "/dir/index.html",
        &[
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\"",
            "uri=\"/dir/index.html\"",
            "algorithm=SHA-256",
            "nc=00000001",
            "qop=auth,",
            "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\"",
            "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"",
            "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
        ],
    );
    let md5 = session(&challenge("MD5"), "Mufasa", "Circle of Life", CLIENT_NONCE);
    check(&md5, "/dir/index.html", &["response=\"8ca523f5e9506fed4657c9700eebdbec\""]);
}

/// The RFC's example with its published erratum 4897.
#[test]
fn rfc_7616_section_3_9_2_example_with_a_hashed_user() {
    let challenge = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
                     nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
                     opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, \
                     userhash=true";
    let client_nonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v";
    let session = session(challenge, "Jäsøn Doe", "Secret, or not?", client_nonce);
    check(
        &session,
        "/doe.json",
        &[
            "username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\"",
            "response=\"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5\"",
            "userhash=true",
        ],
    );
}

#[test]
fn rfc_2069_a_server_without_qop_gets_no_count() {
    let challenge = "Digest realm=\"testrealm@host.com\", \
                     nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
                     opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
    let session = session(challenge, "Mufasa", "CircleOfLife", CLIENT_NONCE);
    let expected = ["response=\"1949323746fe6a43ef61f9606e7febea\""];
    let text = check(&session, "/dir/index.html", &expected);
    assert!(!text.contains("cnonce") && !text.contains("nc=") && !text.contains("algorithm"));
}

#[test]
fn rfc_7616_section_3_4_2_a_session_key_is_made_once() {
    let challenge = "Digest realm=\"r\", nonce=\"n\", qop=auth, algorithm=md5-SESS";
    let session = session(challenge, "u", "p", "c");
    let hash = |text: &str| hashed::<md5::Md5>(&[text.as_bytes()]).to_string();
    let key = hash(&format!("{}:n:c", hash("u:r:p")));
    for count in ["00000001", "00000002"] {
        let response = hash(&format!("{key}:n:{count}:c:auth:{}", hash("GET:/")));
        let nc = format!("nc={count}");
        check(&session, "/", &[&nc, "algorithm=md5-SESS", &format!("response=\"{response}\"")]);
    }
}

#[test]
fn rfc_7616_section_3_4_each_answer_of_any_thread_has_a_count_of_its_own() {
    let session = session("Digest realm=r, nonce=n, qop=auth", "u", "p", "c");
    let counts = std::sync::Mutex::new(std::collections::HashSet::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let text = check(&session, "/", &[]);
                    let at = text.find("nc=").expect("a count") + 3;
                    counts.lock().expect("a lock").insert(text[at..at + 8].to_owned());
                }
            });
        }
    });
    assert_eq!(counts.lock().expect("a lock").len(), 200);
}

#[test]
fn rfc_7616_section_3_7_the_strongest_challenge_is_answered() {
    let mut headers = HeaderMap::new();
    for challenge in [
        "Negotiate",
        "Basic realm=\"b\", Digest realm=\"weak\", nonce=\"n\", qop=\"auth\"",
        "Digest realm=\"strong\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256",
        "Digest realm=\"later\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256",
        "Digest realm=\"unknown\", nonce=\"n\", qop=\"auth\", algorithm=SHA-3",
        "Digest realm=\"integrity\", nonce=\"n\", qop=\"auth-int\", algorithm=SHA-512-256",
    ] {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    let answering = Session::answering(&headers, WWW_AUTHENTICATE, "u", &Secret::new("p"));
    let session = answering.expect("valid").expect("a session");
    check(&session, "/", &["realm=\"strong\""]);
}

#[test]
fn what_is_no_challenge_is_not_answered() {
    for nonsense in [
        "",
        "Digest",
        "Digest realm=\"r\"",
        "Digest nonce=\"n\"",
        "Digest realm=\"r, nonce=\"n\"",
        "Digest realm=\"r\", nonce=\"n\", qop=\"\"",
        "Basic realm=\"r\", nonce=\"n\"",
        "Digest realm=\"r\\\", nonce=\"n\"",
    ] {
        let value = HeaderValue::from_str(nonsense).expect("a value");
        assert!(challenges_of(&value).is_empty(), "{nonsense}");
    }
    assert!(challenges_of(&HeaderValue::from_bytes(b"Digest realm=\xff").expect("v")).is_empty());
}

#[test]
fn the_servers_words_cannot_end_their_quotes() {
    let challenge = "Digest realm=\"a\\\", uri=\\\"/evil\", nonce=\"\\\\\", opaque=\"\\\"\"";
    let session = session(challenge, "u\"\\", "p", "c");
    check(
        &session,
        "/",
        &[
            "username=\"u\\\"\\\\\"",
            "realm=\"a\\\", uri=\\\"/evil\"",
            "nonce=\"\\\\\"",
            "opaque=\"\\\"\"",
        ],
    );
}

#[test]
fn a_user_beyond_ascii_is_sent_as_the_server_reads_it() {
    let plain = session("Digest realm=r, nonce=n", "Jäsøn", "p", "c");
    check(&plain, "/", &["username=\"Jäsøn\""]);
    let utf8 = session("Digest realm=r, nonce=n, charset=UTF-8", "Jäsøn", "p", "c");
    check(&utf8, "/", &["username*=UTF-8''J%C3%A4s%C3%B8n"]);
}

#[test]
fn control_characters_of_the_user_are_refused() {
    let challenge = || {
        let value = HeaderValue::from_static("Digest realm=r, nonce=n");
        challenges_of(&value).into_iter().next().expect("a challenge")
    };
    for (user, password) in [("a\r\nX: y", "p"), ("a", "b\n")] {
        let error = Session::new(challenge(), user, &Secret::new(password), "c".to_owned());
        assert_eq!(error.expect_err("refused").kind(), ErrorKind::Auth);
    }
}

#[test]
fn rfc_7616_section_3_5_the_next_nonce_is_used_from_its_beginning() {
    let first = session("Digest realm=r, nonce=old, qop=auth, stale=true", "u", "p", "c");
    check(&first, "/", &["nonce=\"old\"", "nc=00000001"]);
    assert!(first.is_stale());
    let name = HeaderName::from_static("authentication-info");
    let mut headers = HeaderMap::new();
    assert!(first.renewed(&headers, name.clone()).is_none());
    let info = "qop=auth, rspauth=\"00\", cnonce=\"c\", nc=00000001, nextnonce=\"new\"";
    headers.insert(name.clone(), HeaderValue::from_static(info));
    let next = first.renewed(&headers, name).expect("a next nonce");
    check(&next, "/", &["nonce=\"new\"", "nc=00000001"]);
    assert!(!next.is_stale());
}

#[test]
fn nothing_of_the_password_is_shown() {
    let session = session("Digest realm=r, nonce=n, qop=auth", "u", "hunter2", "c");
    let shown = format!("{session:?}");
    let key = String::from_utf8(session.key.expose().to_vec()).expect("hex");
    assert!(!shown.contains("hunter2") && !shown.contains(&key), "{shown}");
}
