//! How long replies are used without asking.

use super::{Lab, assert_asked, assert_confirmed, assert_hit, report};
use abide::Forwarded;

#[track_caller]
fn reused(headers: &[(&str, &str)]) {
    assert!(Lab::is_reused_after(200, headers, 3), "not reused: {headers:?}");
}

#[track_caller]
fn not_reused(headers: &[(&str, &str)]) {
    assert!(!Lab::is_reused_after(200, headers, 3), "reused: {headers:?}");
}

#[test]
fn rfc9111_5_2_2_1_max_age_makes_fresh() {
    not_reused(&[]);
    reused(&[("cache-control", "max-age=3600")]);
    reused(&[("cache-control", "MaX-aGe=3600")]);
    reused(&[("cache-control", "foobar, max-age=3600")]);
    reused(&[("cache-control", "max-age=\"3600\"")]);
    reused(&[("cache-control", "max-age=003600")]);
    reused(&[("cache-control", "max-age=2147483648")]);
    reused(&[("cache-control", "max-age=99999999999")]);
    reused(&[("cache-control", "max-age=3600"), ("expires", "@-10000"), ("date", "@0")]);
    reused(&[("cache-control", "max-age=3600"), ("expires", "0"), ("date", "@0")]);
    not_reused(&[("cache-control", "max-age=0")]);
    not_reused(&[("cache-control", "max-age=0"), ("expires", "@+10000"), ("date", "@0")]);
    not_reused(&[("cache-control", "max-age=-3600")]);
    not_reused(&[("cache-control", "max-age=a3600")]);
    not_reused(&[("cache-control", "max-age=3600a")]);
    not_reused(&[("cache-control", "max-age='3600'")]);
    not_reused(&[("cache-control", "max-age =3600")]);
    not_reused(&[("cache-control", "max-age= 3600")]);
    not_reused(&[("cache-control", "extension=\"max-age=3600\", max-age=1")]);
    not_reused(&[("cache-control", "max-age=1, extension=\"max-age=3600\"")]);
}

#[test]
fn rfc9111_5_2_2_10_s_maxage_is_for_others() {
    not_reused(&[("cache-control", "s-maxage=3600")]);
    not_reused(&[("cache-control", "s-maxage=3600, max-age=1")]);
    not_reused(&[("cache-control", "s-maxage=3600"), ("cache-control", "max-age=1")]);
    reused(&[("cache-control", "s-maxage=1, max-age=3600")]);
    reused(&[("cache-control", "private, max-age=3600")]);
    reused(&[("cdn-cache-control", "max-age=1"), ("cache-control", "max-age=3600")]);
    not_reused(&[("cdn-cache-control", "max-age=3600")]);
    not_reused(&[("surrogate-control", "max-age=3600")]);
}

#[test]
fn rfc9111_5_3_expires_makes_fresh() {
    reused(&[("expires", "@+10000"), ("date", "@0")]);
    reused(&[("expires", "@+10"), ("date", "foo")]);
    reused(&[("expires", "THU, 18 AUG 2050 02:01:18 gMT"), ("date", "@0")]);
    not_reused(&[("expires", "@-10000"), ("date", "@0")]);
    not_reused(&[("expires", "@0"), ("date", "@0")]);
    not_reused(&[("expires", "@+300"), ("date", "@+400")]);
    not_reused(&[("expires", "0"), ("date", "@0")]);
    not_reused(&[("expires", "Thu, 18 Aug 2050 02:01:18 UTC"), ("date", "@0")]);
    not_reused(&[("expires", "Thu, 18 Aug 50 02:01:18 GMT"), ("date", "@0")]);
}

#[test]
fn rfc9111_4_2_3_age_counts() {
    not_reused(&[("cache-control", "max-age=10"), ("age", "15"), ("date", "@0")]);
    not_reused(&[("expires", "@+10"), ("age", "25"), ("date", "@-10")]);
    not_reused(&[("expires", "@+20"), ("age", "15"), ("date", "@+10")]);
    not_reused(&[("cache-control", "max-age=3600"), ("age", "7200,0")]);
    reused(&[("cache-control", "max-age=3600"), ("age", "abc")]);
    reused(&[("cache-control", "max-age=3600"), ("age", "0, 7200")]);
}

#[test]
fn rfc9111_4_2_2_statuses_that_allow_it_are_fresh_for_a_tenth_of_their_age() {
    let unchanged = [("last-modified", "@-86400"), ("date", "@0")];
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
        let lab = Lab::with(abide::Cache::memory(1 << 20), |builder| {
            builder.redirects(abide::RedirectPolicy::none())
        });
        let (then, now) = (lab.date(-86_400), lab.date(0));
        lab.will_answer(status, &[("last-modified", &then), ("date", &now)], "").get();
        lab.after(8639).get();
        assert_eq!(lab.requests(), 1, "{status}");
        lab.after(1).will_answer(500, &[], "").get();
        assert_eq!(lab.requests(), 2, "{status}");
    }
    for status in [201, 202, 403, 502, 503, 504, 599] {
        assert!(!Lab::is_reused_after(status, &unchanged, 1), "{status}");
    }
    let mut public = unchanged.to_vec();
    public.push(("cache-control", "public"));
    assert!(Lab::is_reused_after(599, &public, 1));
}

#[test]
fn rfc9111_3_any_status_may_be_stored_that_says_for_how_long() {
    for status in [200, 203, 299, 400, 404, 410, 499, 500, 502, 503, 504, 599] {
        assert!(Lab::is_reused_after(status, &[("cache-control", "max-age=60")], 3), "{status}");
        assert!(!Lab::is_reused_after(status, &[("expires", "@-60"), ("date", "@0")], 3));
    }
}

#[test]
fn rfc9111_4_a_redirect_is_stored_like_any_reply() {
    let lab = Lab::new();
    lab.will_answer(301, &[("location", "/new"), ("cache-control", "max-age=60")], "");
    lab.will_answer(200, &[("cache-control", "max-age=60")], "new");
    assert_eq!(lab.get().text(), "new");
    let again = lab.get();
    assert_hit(&again, "new");
    assert_eq!(again.history().len(), 1);
    assert_eq!(lab.requests(), 2);
}

#[test]
fn rfc9111_4_a_reply_from_the_cache_tells_its_age_and_keeps_its_date() {
    let lab = Lab::new();
    let date = lab.date(0);
    let headers = [("cache-control", "max-age=600"), ("date", &*date), ("age", "30")];
    lab.will_answer(200, &headers, "one").get();
    let reply = lab.after(12).get();
    assert_hit(&reply, "one");
    assert_eq!(reply.header("age"), Some("42"));
    assert_eq!(reply.header("date"), Some(&*date));
    assert_eq!(reply.headers().get_all("age").iter().count(), 1);
    assert_eq!(reply.header("cache-status"), Some("abide; hit; ttl=558"));
    assert_eq!(report(&reply).age().unwrap().as_secs(), 42);
    assert_eq!(report(&reply).fresh_for().unwrap().as_secs(), 558);
    assert_eq!((reply.attempts(), reply.remote_addr()), (0, None));
}

#[test]
fn rfc9211_2_the_status_of_other_caches_stays_in_front() {
    let lab = Lab::new();
    let headers = [("cache-control", "max-age=60"), ("cache-status", "edge; hit")];
    let first = lab.will_answer(200, &headers, "").get();
    let all = |reply: &abide::Reply| {
        let values = reply.headers().get_all("cache-status").iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(all(&first), ["edge; hit", "abide; fwd=uri-miss; stored"]);
    assert_eq!(all(&lab.get()), ["edge; hit", "abide; hit; ttl=60"]);
}

#[test]
fn rfc9111_5_2_1_directives_of_a_request_are_obeyed() {
    let hour = [("cache-control", "max-age=3600")];
    let aged = [("cache-control", "max-age=3600"), ("age", "1800")];
    for (stored, wanted) in [
        (&hour[..], "max-age=0"),
        (&hour[..], "max-age=1"),
        (&aged[..], "max-age=600"),
        (&hour[..], "min-fresh=4000"),
        (&aged[..], "min-fresh=2000"),
        (&hour[..], "no-cache"),
    ] {
        let lab = Lab::new();
        lab.will_answer(200, stored, "one").get();
        lab.after(3).will_answer(200, &hour, "two");
        let reply = lab.get_with(&[("cache-control", wanted)]);
        assert_asked(&reply, Forwarded::Request, "two");
        assert_hit(&lab.get(), "two");
    }
    let lab = Lab::new();
    lab.will_answer(200, &hour, "one").get();
    lab.will_answer(200, &hour, "two");
    let reply = lab.get_with(&[("cache-control", "no-store")]);
    assert_asked(&reply, Forwarded::Bypass, "two");
    assert_hit(&lab.get(), "one");
    lab.will_answer(200, &hour, "three");
    assert_asked(&lab.get_with(&[("pragma", "no-cache")]), Forwarded::Request, "three");
    assert_hit(&lab.get_with(&[("pragma", "other")]), "three");
}

#[test]
fn a_query_is_a_part_of_what_is_asked_and_a_fragment_is_not() {
    let lab = Lab::new();
    let fresh = [("cache-control", "max-age=60")];
    let get = |path: &str| lab.request_to(abide::Method::GET, path, &[]).send().unwrap();
    lab.will_answer(200, &fresh, "one");
    assert_asked(&get("/?a=1"), Forwarded::UriMiss, "one");
    lab.will_answer(200, &fresh, "two");
    assert_asked(&get("/?a=2"), Forwarded::UriMiss, "two");
    assert_hit(&get("/?a=1"), "one");
    assert_hit(&get("/?a=2#part"), "two");
}

#[test]
fn rfc9111_4_2_a_reply_that_lay_too_long_is_asked_about() {
    let lab = Lab::new();
    lab.will_answer(200, &[("cache-control", "max-age=60"), ("etag", "\"1\"")], "one").get();
    assert_hit(&lab.after(59).get(), "one");
    lab.after(1).will_answer(304, &[], "");
    assert_confirmed(&lab.get(), "one");
}
