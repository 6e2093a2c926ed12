//! What is stored, and what of it.

use abide::{Cache, Forwarded, NotStored};

use super::{Lab, assert_asked, assert_hit, report};

const FRESH: (&str, &str) = ("cache-control", "max-age=3600");

#[test]
fn rfc9111_5_2_2_5_no_store_is_not_stored() {
    for control in ["no-store", "No-StOrE", "max-age=10000, no-store"] {
        let lab = Lab::new();
        let date = lab.date(10_000);
        let reply =
            lab.will_answer(200, &[("cache-control", control), ("expires", &date)], "one").get();
        assert_eq!(report(&reply).not_stored(), Some(NotStored::ByReply));
        assert_eq!(reply.header("cache-status"), Some("abide; fwd=uri-miss"));
        lab.will_answer(200, &[], "two");
        assert_asked(&lab.get(), Forwarded::UriMiss, "two");
    }
}

#[test]
fn rfc9111_5_2_2_3_must_understand_goes_before_no_store() {
    let both = ("cache-control", "no-store, must-understand, max-age=60");
    let lab = Lab::new();
    lab.will_answer(200, &[both], "one").get();
    assert_hit(&lab.get(), "one");
    let lab = Lab::new();
    let reply = lab.will_answer(599, &[both], "one").get();
    assert_eq!(report(&reply).not_stored(), Some(NotStored::Status));
}

#[test]
fn rfc9111_3_1_fields_of_the_connection_are_not_stored() {
    let lab = Lab::new();
    let headers = [
        FRESH,
        ("connection", "a, b"),
        ("a", "1"),
        ("b", "2"),
        ("c", "3"),
        ("proxy-authenticate", "Basic"),
        ("keep-alive", "timeout=5"),
    ];
    let first = lab.will_answer(200, &headers, "one").get();
    assert_eq!(first.header("a"), Some("1"));
    let stored = lab.get();
    assert_hit(&stored, "one");
    for gone in ["connection", "a", "b", "proxy-authenticate", "keep-alive"] {
        assert_eq!(stored.header(gone), None, "{gone}");
    }
    assert_eq!(stored.header("c"), Some("3"));
}

#[test]
fn rfc9111_5_2_2_4_fields_that_no_cache_names_are_not_stored() {
    let lab = Lab::new();
    let headers = [("cache-control", "no-cache=\"a, B\", max-age=60"), ("a", "1"), ("b", "2")];
    lab.will_answer(200, &headers, "one").get();
    let stored = lab.get();
    assert_hit(&stored, "one");
    assert_eq!((stored.header("a"), stored.header("b")), (None, None));
}

#[test]
fn a_body_and_its_trailers_come_back_as_they_came() {
    use crate::support::Server;
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[FRESH, ("transfer-encoding", "chunked"), ("trailer", "x-sum")]);
        exchange.write("3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 42\r\n\r\n");
    });
    let client = crate::clients::builder().cache(Cache::memory(1 << 20)).build().unwrap();
    for _ in 0..2 {
        let reply = client.get(server.url("/")).send().unwrap();
        assert_eq!(reply.text(), "abcde");
        assert_eq!(reply.trailers().get("x-sum").unwrap(), "42");
    }
    assert_eq!(server.requests(), 1);
}

#[test]
fn an_informational_reply_is_not_what_is_stored() {
    use crate::support::Server;
    let server = Server::http(|exchange| {
        exchange.write("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
        exchange.write("HTTP/1.1 102 Processing\r\n\r\n");
        exchange.reply(200, &[FRESH], b"real");
    });
    let client = crate::clients::builder().cache(Cache::memory(1 << 20)).build().unwrap();
    for _ in 0..2 {
        let reply = client.get(server.url("/")).send().unwrap();
        assert_eq!((reply.text().as_str(), reply.header("link")), ("real", None));
    }
    assert_eq!(server.requests(), 1);
}

#[test]
fn what_is_too_large_is_delivered_and_not_stored() {
    let lab = Lab::with(Cache::memory(64 << 10), |builder| builder);
    let large = "x".repeat(64 << 10);
    for _ in 0..2 {
        lab.will_answer(200, &[FRESH], &large);
        let reply = lab.get();
        assert_eq!(reply.bytes().len(), large.len());
        assert_eq!(report(&reply).not_stored(), Some(NotStored::TooLarge));
    }
}

#[test]
fn a_stored_body_larger_than_a_call_takes_is_an_error_of_that_call() {
    let cache = Cache::memory(1 << 20);
    let lab = Lab::with(cache.clone(), |builder| builder);
    lab.will_answer(200, &[FRESH], "0123456789").get();
    let limits = abide::Limits::default().body_bytes(5);
    let client = crate::clients::builder()
        .limits(limits)
        .cache(lab.client.cache().unwrap().clone())
        .build()
        .unwrap();
    let error = client.get(lab.server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), abide::ErrorKind::Limit);
}

#[test]
fn a_cancelled_call_is_not_answered_from_the_cache() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "one").get();
    let feedback = abide::Feedback::new();
    feedback.cancel();
    assert!(lab.request(&[]).feedback(&feedback).send().unwrap_err().is_cancelled());
}

#[test]
fn listeners_hear_of_a_body_from_the_cache() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "0123456789").get();
    let feedback = abide::Feedback::new();
    lab.request(&[]).feedback(&feedback).send().unwrap();
    assert_eq!((feedback.download().bytes(), feedback.download().total()), (10, Some(10)));
}
