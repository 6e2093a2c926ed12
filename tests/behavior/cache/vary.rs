//! Replies that depend on more than their URL.

use abide::{Forwarded, NotStored};

use super::{Lab, assert_asked, assert_confirmed, assert_hit, report};

const FRESH: (&str, &str) = ("cache-control", "max-age=5000");

#[track_caller]
fn selects(vary: &str, one: &[(&'static str, &str)], other: &[(&'static str, &str)], same: bool) {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH, ("vary", vary)], "one").get_with(one);
    lab.will_answer(200, &[FRESH, ("vary", vary)], "two");
    let reply = lab.get_with(other);
    if same {
        assert_hit(&reply, "one");
    } else {
        assert_asked(&reply, Forwarded::VaryMiss, "two");
    }
}

#[test]
fn rfc9111_4_1_named_fields_must_be_the_same() {
    selects("Foo", &[("foo", "1")], &[("foo", "1")], true);
    selects("Foo", &[("foo", "1")], &[("foo", "2")], false);
    selects("Foo", &[("foo", "1")], &[], false);
    selects("Foo", &[("foo", "1"), ("other", "2")], &[("foo", "1"), ("other", "3")], true);
    selects("Foo, Bar", &[("foo", "1"), ("bar", "a")], &[("bar", "a"), ("foo", "1")], true);
    selects("Foo, Bar", &[("foo", "1"), ("bar", "a")], &[("foo", "2"), ("bar", "a")], false);
    selects("Foo, Bar", &[("foo", "1")], &[], false);
    let three = [("foo", "1"), ("bar", "abc"), ("baz", "789")];
    selects("Foo, Bar, Baz", &three, &three, true);
    selects("Foo, Bar, Baz", &three, &[("foo", "1"), ("bar", "x"), ("baz", "789")], false);
    selects("Foo, Bar, Baz", &[three[0], three[2]], &[three[0], three[2]], true);
    selects("Foo", &[("foo", "1,2")], &[("foo", "1, 2")], true);
    selects("Foo", &[("foo", "1, 2")], &[("foo", "1"), ("foo", "2")], true);
}

#[test]
fn rfc9111_4_1_a_star_is_never_matched() {
    for vary in ["*", "*, *", ", *", "*, Foo", "Foo, *"] {
        let lab = Lab::new();
        let first = lab.will_answer(200, &[FRESH, ("vary", vary)], "one").get();
        assert_eq!(report(&first).not_stored(), Some(NotStored::VariesOnEverything));
        lab.will_answer(200, &[], "two");
        assert_asked(&lab.get(), Forwarded::UriMiss, "two");
    }
}

#[test]
fn rfc9111_4_1_replies_that_vary_are_stored_side_by_side() {
    let lab = Lab::new();
    for value in ["1", "2", "3"] {
        lab.will_answer(200, &[FRESH, ("vary", "foo")], value);
        assert_eq!(lab.get_with(&[("foo", value)]).text(), value);
    }
    for value in ["2", "1", "3"] {
        assert_hit(&lab.get_with(&[("foo", value)]), value);
    }
    assert_eq!(lab.requests(), 3);
}

#[test]
fn rfc9111_4_3_1_another_variants_validator_is_not_sent() {
    let lab = Lab::new();
    let one = [("cache-control", "max-age=1"), ("vary", "abc"), ("etag", "\"1\"")];
    lab.will_answer(200, &one, "one").get_with(&[("abc", "123")]);
    lab.after(2).will_answer(200, &[("vary", "abc")], "two");
    assert_asked(&lab.get_with(&[("abc", "456")]), Forwarded::VaryMiss, "two");
    assert_eq!(lab.server.seen()[1].header("if-none-match"), None);
    lab.will_answer(304, &[], "");
    assert_confirmed(&lab.get_with(&[("abc", "123")]), "one");
    let seen = &lab.server.seen()[2];
    assert_eq!((seen.header("if-none-match"), seen.header("abc")), (Some("\"1\""), Some("123")));
}

#[test]
fn replies_that_vary_on_different_things_do_not_hide_each_other() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH, ("vary", "foo")], "one").get_with(&[("foo", "1")]);
    lab.will_answer(200, &[FRESH, ("vary", "bar")], "two").get_with(&[("foo", "2"), ("bar", "b")]);
    lab.will_answer(200, &[FRESH, ("vary", "foo")], "one").get_with(&[("foo", "1")]);
    assert_hit(&lab.get_with(&[("foo", "1")]), "one");
    assert_hit(&lab.get_with(&[("foo", "2"), ("bar", "b")]), "two");
    assert_eq!(lab.requests(), 3);
}

#[test]
fn a_field_that_the_client_adds_counts_as_sent() {
    let lab = Lab::with(abide::Cache::memory(1 << 20), |builder| {
        builder.default_header("x-tongue", "en")
    });
    lab.will_answer(200, &[FRESH, ("vary", "x-tongue")], "one").get();
    assert_hit(&lab.get(), "one");
    assert_hit(&lab.get_with(&[("x-tongue", "en")]), "one");
    lab.will_answer(200, &[FRESH, ("vary", "x-tongue")], "two");
    assert_asked(&lab.get_with(&[("x-tongue", "de")]), Forwarded::VaryMiss, "two");
}
