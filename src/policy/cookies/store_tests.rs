use std::time::{Duration, UNIX_EPOCH};

use super::*;

const NOW: SystemTime = UNIX_EPOCH;

fn later(seconds: u64) -> SystemTime {
    NOW + Duration::from_secs(seconds)
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

fn jar(cookies: &[(&str, &str)]) -> Cookies {
    let mut jar = Cookies::default();
    for (from, text) in cookies {
        jar.set(text, &url(from), NOW).unwrap_or_else(|why| panic!("{text}: {why}"));
    }
    jar
}

#[track_caller]
fn check(jar: &Cookies, request: &str, expected: &str) {
    let sent = jar.header(&url(request), &HeaderMap::new(), NOW);
    let sent = sent.as_ref().map_or("", |value| value.to_str().expect("text"));
    assert_eq!(sent, expected, "{request}");
}

#[test]
fn rfc_6265_section_5_4_hosts() {
    let jar =
        jar(&[("https://a.b.test/", "host=1"), ("https://a.b.test/", "below=2; Domain=b.test")]);
    check(&jar, "https://a.b.test/", "host=1; below=2");
    check(&jar, "https://a.b.test:8443/", "host=1; below=2");
    check(&jar, "http://a.b.test/", "host=1; below=2");
    check(&jar, "https://b.test/", "below=2");
    check(&jar, "https://x.a.b.test/", "below=2");
    check(&jar, "https://evilb.test/", "");
    check(&jar, "https://test/", "");
    check(&jar, "https://b.test.evil.test/", "");
}

#[test]
fn rfc_6265_section_5_1_4_paths() {
    let jar = jar(&[
        ("https://a.test/", "deep=1; Path=/x/y"),
        ("https://a.test/", "all=2; Path=/"),
        ("https://a.test/", "x=3; Path=/x"),
        ("https://a.test/", "slash=4; Path=/x/"),
    ]);
    check(&jar, "https://a.test/", "all=2");
    check(&jar, "https://a.test/x", "x=3; all=2");
    check(&jar, "https://a.test/xy", "all=2");
    check(&jar, "https://a.test/x/", "slash=4; x=3; all=2");
    check(&jar, "https://a.test/x/y/z", "deep=1; slash=4; x=3; all=2");
    check(&jar, "https://a.test/x/yz", "slash=4; x=3; all=2");
}

#[test]
fn rfc_6265_section_5_4_secure_cookies_go_over_https_only() {
    let jar = jar(&[("https://127.0.0.1/", "s=1; Secure"), ("https://127.0.0.1/", "p=2")]);
    check(&jar, "https://127.0.0.1/", "s=1; p=2");
    check(&jar, "http://127.0.0.1/", "p=2");
}

#[test]
fn rfc_6265bis_section_5_7_what_came_in_clear_does_not_hide_what_was_secure() {
    let mut jar = jar(&[("https://a.b.test/login", "s=good; Secure; Path=/login")]);
    for evil in ["s=evil; Path=/login", "s=evil; Path=/login/x; Domain=b.test"] {
        let set = jar.set(evil, &url("http://a.b.test/login"), NOW);
        assert_eq!(set, Err(Refusal::HidesSecure), "{evil}");
    }
    // Another path and another name are other cookies.
    jar.set("s=plain; Path=/", &url("http://a.b.test/"), NOW).expect("kept");
    jar.set("t=plain; Path=/login", &url("http://a.b.test/"), NOW).expect("kept");
    check(&jar, "https://a.b.test/login", "s=good; t=plain; s=plain");
    jar.set("s=new; Path=/login", &url("https://a.b.test/"), NOW).expect("kept");
    check(&jar, "https://a.b.test/login", "s=new; t=plain; s=plain");
}

#[test]
fn rfc_6265_section_5_3_a_cookie_is_replaced_in_its_place_and_taken_away() {
    let mut jar = jar(&[
        ("https://a.b.test/", "one=1"),
        ("https://a.b.test/", "two=2"),
        ("https://a.b.test/", "one=3"),
        ("https://a.b.test/", "two=4; Domain=a.b.test"),
    ]);
    check(&jar, "https://a.b.test/", "one=3; two=2; two=4");
    jar.set("two=; Max-Age=0", &url("https://a.b.test/"), NOW).expect("taken");
    jar.set("nobody=; Max-Age=0", &url("https://a.b.test/"), NOW).expect("taken");
    check(&jar, "https://a.b.test/", "one=3; two=4");
    assert_eq!(jar.count, 2);
}

#[test]
fn rfc_6265_section_5_4_what_has_expired_is_not_sent() {
    let jar = jar(&[("https://a.test/", "n=v; Max-Age=60")]);
    assert_eq!(jar.matching(&url("https://a.test/"), later(59)).len(), 1);
    assert_eq!(jar.matching(&url("https://a.test/"), later(60)).len(), 0);
    assert_eq!(jar.all(later(60)).len(), 0);
}

#[test]
fn a_request_keeps_its_own_cookies_and_gets_the_others() {
    let jar = jar(&[("https://a.test/", "n=jar"), ("https://a.test/", "m=jar")]);
    let mut own = HeaderMap::new();
    own.append(header::COOKIE, HeaderValue::from_static("n=own; x"));
    own.append(header::COOKIE, HeaderValue::from_static("y=1"));
    let value = jar.header(&url("https://a.test/"), &own, NOW).expect("cookies");
    assert_eq!(value, "n=own; x; y=1; m=jar");
    assert!(value.is_sensitive());
    assert!(jar.header(&url("https://b.test/"), &own, NOW).is_none(), "nothing to add");
}

#[test]
fn a_site_is_bounded_and_expired_and_old_ones_make_room() {
    let mut jar = jar(&[("https://a.test/", "old=1; Secure"), ("https://a.test/", "plain=1")]);
    for number in 0..SITE_COUNT_MAX {
        let host = format!("https://h{number}.a.test/");
        jar.set("n=v; Domain=a.test; Path=/x", &url(&host), NOW).expect("kept");
        jar.set(&format!("n{number}=v"), &url(&host), NOW).expect("kept");
    }
    assert_eq!(jar.count, SITE_COUNT_MAX);
    check(&jar, "https://a.test/", "old=1");
}

#[test]
fn a_jar_is_bounded_in_all() {
    let mut jar = Cookies::default();
    for number in 0..COUNT_MAX + 10 {
        jar.set("n=v", &url(&format!("https://h{number}.test/")), NOW).expect("kept");
    }
    assert_eq!((jar.count, jar.by_site.len()), (COUNT_MAX, COUNT_MAX));
    check(&jar, "https://h9.test/", "");
    check(&jar, "https://h10.test/", "n=v");
}

#[test]
fn a_named_cookie_is_removed() {
    let mut jar = jar(&[("https://a.test/", "n=v"), ("https://a.test/", "m=v; Path=/x")]);
    assert!(!jar.remove("a.test", "/", "m") && !jar.remove("b.test", "/", "n"));
    assert!(jar.remove("a.test", "/x", "m"));
    assert_eq!(jar.count, 1);
}
