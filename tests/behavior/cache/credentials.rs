//! An answer to one user never reaches another.

use abide::{Cache, Forwarded};

use super::{Lab, assert_asked, assert_confirmed, assert_hit};

const FRESH: (&str, &str) = ("cache-control", "max-age=5000");

#[test]
fn rfc9111_3_5_credentials_select_whatever_the_reply_says() {
    for control in ["max-age=3600", "max-age=3600, public", "max-age=3600, must-revalidate"] {
        let lab = Lab::new();
        let control = [("cache-control", control)];
        lab.will_answer(200, &control, "for one");
        assert_eq!(lab.get_with(&[("authorization", "one")]).text(), "for one");
        lab.will_answer(200, &control, "for two");
        assert_asked(&lab.get_with(&[("authorization", "two")]), Forwarded::VaryMiss, "for two");
        lab.will_answer(200, &control, "for all");
        assert_asked(&lab.get(), Forwarded::VaryMiss, "for all");
        assert_hit(&lab.get_with(&[("authorization", "one")]), "for one");
        assert_hit(&lab.get_with(&[("authorization", "two")]), "for two");
        assert_hit(&lab.get(), "for all");
    }
}

#[test]
fn what_was_answered_to_nobody_is_not_for_somebody() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "for all").get();
    lab.will_answer(200, &[FRESH], "for one");
    assert_asked(&lab.get_with(&[("authorization", "one")]), Forwarded::VaryMiss, "for one");
}

#[test]
fn the_user_of_the_url_is_a_credential() {
    let lab = Lab::new();
    let url = |user: &str| lab.server.url("/").replace("://", &format!("://{user}@"));
    let get = |user: &str| lab.client.get(url(user)).send().unwrap();
    lab.will_answer(200, &[FRESH], "one");
    assert_eq!(get("one:word").text(), "one");
    lab.will_answer(200, &[FRESH], "two");
    assert_asked(&get("two:word"), Forwarded::VaryMiss, "two");
    lab.will_answer(200, &[FRESH], "other word");
    assert_asked(&get("one:other"), Forwarded::VaryMiss, "other word");
    assert_hit(&get("one:word"), "one");
    lab.will_answer(200, &[FRESH], "all");
    assert_asked(&lab.get(), Forwarded::VaryMiss, "all");
}

#[test]
fn a_header_that_is_marked_secret_is_a_credential() {
    let lab = Lab::new();
    let get = |key: &str| lab.request(&[]).secret_header("x-api-key", key).send().unwrap();
    lab.will_answer(200, &[FRESH], "one");
    assert_eq!(get("one").text(), "one");
    lab.will_answer(200, &[FRESH], "two");
    assert_asked(&get("two"), Forwarded::VaryMiss, "two");
    assert_hit(&get("one"), "one");
}

#[test]
fn what_came_with_one_cookie_is_not_for_another() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "one");
    assert_eq!(lab.get_with(&[("cookie", "session=1")]).text(), "one");
    lab.will_answer(200, &[FRESH], "two");
    assert_asked(&lab.get_with(&[("cookie", "session=2")]), Forwarded::VaryMiss, "two");
    assert_hit(&lab.get_with(&[("cookie", "session=1")]), "one");
}

#[test]
fn what_came_without_a_cookie_or_is_public_is_for_all() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "one").get();
    assert_hit(&lab.get_with(&[("cookie", "a=b")]), "one");
    let lab = Lab::new();
    lab.will_answer(200, &[("cache-control", "public, max-age=60")], "one");
    lab.get_with(&[("cookie", "session=1")]);
    assert_hit(&lab.get_with(&[("cookie", "session=2")]), "one");
    assert_hit(&lab.get(), "one");
}

#[test]
fn a_reply_with_a_cookie_is_stored() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH, ("set-cookie", "a=b")], "one").get();
    let reply = lab.get();
    assert_hit(&reply, "one");
    assert_eq!(reply.header("set-cookie"), Some("a=b"));
}

#[test]
fn each_users_reply_is_confirmed_for_that_user() {
    let lab = Lab::new();
    for user in ["one", "two"] {
        let tag = format!("\"{user}\"");
        let headers = [("cache-control", "max-age=1"), ("etag", &*tag)];
        lab.will_answer(200, &headers, user).get_with(&[("authorization", user)]);
    }
    lab.after(2).will_answer(304, &[], "");
    assert_confirmed(&lab.get_with(&[("authorization", "one")]), "one");
    assert_eq!(lab.server.seen()[2].header("if-none-match"), Some("\"one\""));
}

#[test]
fn no_secret_is_shown() {
    let lab = Lab::with(Cache::memory(1 << 20), |builder| builder);
    lab.will_answer(200, &[FRESH], "one");
    let url = lab.server.url("/?token=hidden").replace("://", "://user:hidden@");
    let reply = lab.client.get(url).header("authorization", "hidden").send().unwrap();
    let cache = lab.client.cache().unwrap();
    assert!(!format!("{reply:?} {:?} {cache:?}", reply.cache()).contains("hidden"));
}
