//! What is stale is confirmed or replaced.

use abide::{Forwarded, Method, NotStored};

use super::{Lab, assert_asked, assert_confirmed, assert_hit, report};

const MINUTE: (&str, &str) = ("cache-control", "max-age=60");
const TAG: (&str, &str) = ("etag", "\"abc\"");

#[test]
fn rfc9111_4_3_1_a_stale_reply_is_validated_with_what_it_has() {
    let lab = Lab::new();
    let modified = lab.date(-1000);
    let date = lab.date(0);
    for (headers, tag, since) in [
        (vec![MINUTE, TAG], Some("\"abc\""), None),
        (vec![MINUTE, ("etag", "W/\"abc\"")], Some("W/\"abc\""), None),
        (vec![MINUTE, ("last-modified", &*modified)], None, Some(&*modified)),
        (vec![MINUTE, TAG, ("last-modified", &*modified)], Some("\"abc\""), Some(&*modified)),
        (vec![MINUTE], None, None),
    ] {
        let lab = Lab::new();
        let mut headers = headers;
        headers.push(("date", &*date));
        lab.will_answer(200, &headers, "one").get();
        lab.after(60).will_answer(200, &[], "two").get();
        let asked = lab.server.seen().pop().unwrap();
        assert_eq!(asked.header("if-none-match"), tag);
        assert_eq!(asked.header("if-modified-since"), since);
    }
}

#[test]
fn rfc9111_4_3_3_a_304_confirms_and_makes_fresh_again() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE, TAG, ("x-kept", "1"), ("x-news", "old")], "one").get();
    lab.after(60).will_answer(304, &[MINUTE, TAG, ("x-news", "new")], "");
    let reply = lab.get();
    assert_confirmed(&reply, "one");
    assert_eq!(reply.status(), 200);
    assert_eq!((reply.header("x-kept"), reply.header("x-news")), (Some("1"), Some("new")));
    assert_eq!(reply.header("age"), Some("0"));
    assert_eq!(reply.header("cache-status"), Some("abide; fwd=stale; fwd-status=304; ttl=60"));
    assert!(reply.remote_addr().is_some());
    let again = lab.after(59).get();
    assert_hit(&again, "one");
    assert_eq!((again.header("x-kept"), again.header("x-news")), (Some("1"), Some("new")));
    assert_eq!(lab.requests(), 2);
}

#[test]
fn rfc9110_6_6_1_what_comes_without_a_date_is_of_the_day_of_its_coming() {
    let lab = Lab::new();
    let first = lab.date(0);
    lab.will_answer(200, &[MINUTE, TAG], "one").get();
    assert_eq!(lab.after(59).get().header("date"), Some(&*first));
    // As old as when it was made, if the date of before stood for the confirmation.
    lab.after(3600).will_answer(304, &[MINUTE, TAG], "").get();
    let again = lab.after(30).get();
    assert_hit(&again, "one");
    assert_eq!(again.header("age"), Some("30"));
    assert_eq!(again.header("date"), Some(&*lab.date(-30)));
}

#[test]
fn rfc9111_3_2_a_304_updates_all_fields_but_those_of_the_body() {
    for (name, old, new) in [
        ("content-type", "text/plain", "text/plain;charset=utf-8"),
        ("content-md5", "rL0Y20zC+Fzt72VPzMSk2A==", "N7UdGUp1E+RbVvZSTy1R8g=="),
        ("content-location", "/foo", "/bar"),
        ("content-security-policy", "default-src 'self'", "default-src 'self' cdn.example.com"),
        ("x-content-foo", "a", "b"),
        ("x-frame-options", "deny", "sameorigin"),
        ("set-cookie", "a=b", "a=c"),
    ] {
        let lab = Lab::new();
        lab.will_answer(200, &[("cache-control", "max-age=1"), TAG, (name, old)], "one").get();
        lab.after(2).will_answer(304, &[("cache-control", "max-age=60"), TAG, (name, new)], "");
        assert_eq!(lab.get().header(name), Some(new));
        let stored = lab.after(2).get();
        assert_hit(&stored, "one");
        assert_eq!(stored.headers().get_all(name).iter().collect::<Vec<_>>(), [new]);
    }
    let lab = Lab::new();
    let old = [("cache-control", "max-age=1"), TAG, ("content-encoding", "x-none")];
    lab.will_answer(200, &old, "one").get();
    let news = [("cache-control", "max-age=60"), TAG, ("content-encoding", "x-other")];
    lab.after(2).will_answer(304, &news, "").get();
    assert_eq!(lab.get().header("content-encoding"), Some("x-none"));
    assert_eq!(lab.get().header("content-length"), Some("3"));
}

#[test]
fn rfc9111_4_3_4_a_304_about_another_reply_is_not_believed() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE, TAG], "one").get();
    lab.after(60).will_answer(304, &[MINUTE, ("etag", "\"other\"")], "");
    lab.will_answer(200, &[MINUTE, ("etag", "\"other\"")], "two");
    assert_asked(&lab.get(), Forwarded::Stale, "two");
    let last = lab.server.seen().pop().unwrap();
    assert_eq!(last.header("if-none-match"), None);
    assert_hit(&lab.get(), "two");
}

#[test]
fn rfc9111_4_3_3_a_whole_reply_replaces_what_was_stored() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE, TAG], "one").get();
    lab.after(60).will_answer(200, &[MINUTE], "two");
    assert_asked(&lab.get(), Forwarded::Stale, "two");
    assert_hit(&lab.get(), "two");
}

#[test]
fn rfc9111_4_3_3_an_error_of_the_server_is_delivered_and_replaces_nothing() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE, TAG], "one").get();
    lab.after(60).will_answer(503, &[], "sorry");
    let reply = lab.get();
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (503, "sorry"));
    assert_eq!(report(&reply).not_stored(), Some(NotStored::Status));
    lab.will_answer(304, &[], "");
    assert_confirmed(&lab.get(), "one");
}

#[test]
fn rfc9111_5_2_2_4_no_cache_is_stored_and_validated_each_time() {
    for control in ["no-cache", "max-age=10000, No-CaChE"] {
        let lab = Lab::new();
        lab.will_answer(200, &[("cache-control", control), TAG], "one").get();
        for _ in 0..2 {
            lab.will_answer(304, &[TAG], "");
            assert_confirmed(&lab.get(), "one");
        }
        lab.will_answer(200, &[("cache-control", control)], "two");
        assert_asked(&lab.get(), Forwarded::Stale, "two");
    }
}

#[test]
fn rfc9111_5_2_2_2_must_revalidate_is_fresh_until_it_is_not() {
    let lab = Lab::new();
    let control = ("cache-control", "max-age=60, must-revalidate");
    lab.will_answer(200, &[control, TAG], "one").get();
    assert_hit(&lab.after(59).get(), "one");
    lab.after(1).will_answer(304, &[], "");
    assert_confirmed(&lab.get(), "one");
}

#[test]
fn rfc9111_4_3_2_a_condition_of_the_users_own_is_answered_from_the_cache() {
    let lab = Lab::new();
    let (modified, later) = (lab.date(-1000), lab.date(-500));
    let headers = [("cache-control", "max-age=600"), TAG, ("last-modified", &*modified)];
    lab.will_answer(200, &[&headers[..], &[("x-other", "1")]].concat(), "one").get();
    for condition in [
        ("if-none-match", "\"abc\""),
        ("if-none-match", "W/\"abc\""),
        ("if-none-match", "\"1\", \"abc\", \"2\""),
        ("if-none-match", "*"),
        ("if-modified-since", &*modified),
        ("if-modified-since", &*later),
    ] {
        let reply = lab.get_with(&[condition]);
        assert_eq!((reply.status().as_u16(), reply.text().as_str()), (304, ""), "{condition:?}");
        assert_eq!((reply.header("etag"), reply.header("x-other")), (Some("\"abc\""), None));
        assert!(report(&reply).is_hit());
    }
    assert_hit(&lab.get_with(&[("if-none-match", "\"1\"")]), "one");
    let both = [("if-none-match", "\"1\""), ("if-modified-since", &*modified)];
    assert_hit(&lab.get_with(&both), "one");
    assert_eq!(lab.requests(), 1);
}

#[test]
fn rfc9111_4_3_2_a_condition_of_the_users_own_goes_to_the_server_as_it_is() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE, TAG], "one").get();
    lab.after(60).will_answer(304, &[MINUTE, TAG], "");
    let reply = lab.get_with(&[("if-none-match", "\"abc\"")]);
    assert_eq!(reply.status(), 304);
    // It was about what is stored, which is fresh again.
    assert_hit(&lab.get(), "one");
    lab.will_answer(412, &[], "");
    assert_eq!(lab.get_with(&[("if-match", "\"x\"")]).status(), 412);
    assert_hit(&lab.get(), "one");
    let other = Lab::new();
    other.will_answer(304, &[TAG], "");
    assert_eq!(other.get_with(&[("if-none-match", "\"abc\"")]).status(), 304);
    assert_eq!(other.server.seen()[0].header("if-none-match"), Some("\"abc\""));
}

#[test]
fn rfc9111_4_3_5_a_head_is_answered_and_tells_news() {
    let lab = Lab::new();
    let head = || lab.request_to(Method::HEAD, "/", &[]).send().unwrap();
    lab.will_answer(200, &[MINUTE, TAG, ("x-a", "1")], "one").get();
    let reply = head();
    assert_hit(&reply, "");
    assert_eq!((reply.header("x-a"), reply.header("content-length")), (Some("1"), Some("3")));
    // Stale, it is asked, and its answer makes what is stored fresh.
    lab.after(60).will_answer(200, &[MINUTE, TAG, ("x-a", "2")], "one");
    assert_asked(&head(), Forwarded::Stale, "");
    let stored = lab.get();
    assert_hit(&stored, "one");
    assert_eq!(stored.header("x-a"), Some("2"));
    // Another length: it is no longer what is stored.
    lab.after(60)
        .will_answer(200, &[MINUTE, TAG], "other")
        .request_to(Method::HEAD, "/", &[])
        .send()
        .unwrap();
    lab.will_answer(200, &[MINUTE], "other");
    assert_asked(&lab.get(), Forwarded::UriMiss, "other");
}

#[test]
fn a_reply_to_a_head_is_not_stored() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE], "one");
    let reply = lab.request_to(Method::HEAD, "/", &[]).send().unwrap();
    assert_eq!(report(&reply).not_stored(), Some(NotStored::Method));
    lab.will_answer(200, &[MINUTE], "one");
    assert_asked(&lab.get(), Forwarded::UriMiss, "one");
}

#[test]
fn a_confirmation_that_forbids_storing_is_the_last_use() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE, TAG], "one").get();
    lab.after(60).will_answer(304, &[("cache-control", "no-store")], "");
    assert_confirmed(&lab.get(), "one");
    lab.will_answer(200, &[], "two");
    assert_asked(&lab.get(), Forwarded::UriMiss, "two");
}
