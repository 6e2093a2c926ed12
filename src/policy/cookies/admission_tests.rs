use super::*;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn take(url: &str, text: &str) -> Result<Cookie, Refusal> {
    read(text, &Url::parse(url).expect("a URL"), now())
}

/// Domain, whether it is the host alone, path.
#[track_caller]
fn check_scope(url: &str, text: &str, expected: (&str, bool, &str)) {
    let cookie = take(url, text).unwrap_or_else(|why| panic!("{text}: {why}"));
    assert_eq!((&*cookie.domain, cookie.host_only, &*cookie.path), expected, "{url} {text}");
}

#[track_caller]
fn check_refused(url: &str, text: &str, expected: Refusal) {
    assert_eq!(take(url, text).err(), Some(expected), "{url} {text}");
}

#[test]
fn rfc_6265_section_5_2_3_and_5_3_domains() {
    check_scope("https://a.b.test/", "n=v", ("a.b.test", true, "/"));
    check_scope("https://a.b.test/", "n=v; Domain=b.test", ("b.test", false, "/"));
    check_scope("https://a.b.test/", "n=v; domain=.B.TEST", ("b.test", false, "/"));
    check_scope("https://a.b.test/", "n=v; Domain=a.b.test", ("a.b.test", false, "/"));
    check_scope("https://a.b.test/", "n=v; Domain=", ("a.b.test", true, "/"));
    check_scope("http://127.0.0.1/", "n=v; Domain=127.0.0.1", ("127.0.0.1", true, "/"));
    check_scope("http://[::1]:8080/", "n=v", ("[::1]", true, "/"));
    for domain in ["c.b.test", "x.a.b.test", "evil.test", "vil.test", "b.test.evil", "0.0.1"] {
        check_refused("https://a.b.test/", &format!("n=v; Domain={domain}"), Refusal::OtherDomain);
    }
    check_refused("http://127.0.0.1/", "n=v; Domain=0.0.1", Refusal::OtherDomain);
}

#[test]
fn rfc_6265_section_5_3_public_suffixes_belong_to_nobody() {
    check_refused("https://a.co.uk/", "n=v; Domain=co.uk", Refusal::PublicSuffix);
    check_refused("https://a.com/", "n=v; Domain=com", Refusal::PublicSuffix);
    check_refused("https://me.github.io/", "n=v; Domain=github.io", Refusal::PublicSuffix);
    check_refused("https://a.internal/", "n=v; Domain=internal", Refusal::PublicSuffix);
    check_scope("https://github.io/", "n=v; Domain=github.io", ("github.io", true, "/"));
    check_scope("http://localhost/", "n=v; Domain=localhost", ("localhost", true, "/"));
    check_scope("https://x.a.co.uk/", "n=v; Domain=a.co.uk", ("a.co.uk", false, "/"));
}

#[test]
fn rfc_6265_section_5_1_4_default_paths() {
    for (path, expected) in [("/", "/"), ("/a", "/"), ("/a/", "/a"), ("/a/b?q=/c/d", "/a")] {
        check_scope(&format!("https://a.test{path}"), "n=v", ("a.test", true, expected));
    }
    check_scope("https://a.test/x/y", "n=v; Path=/z", ("a.test", true, "/z"));
    check_scope("https://a.test/x/y", "n=v; Path=z", ("a.test", true, "/x"));
}

#[track_caller]
fn check_expires(text: &str, expected: Option<i64>) {
    let cookie = take("https://a.test/", text).unwrap_or_else(|why| panic!("{text}: {why}"));
    let left = cookie.expires.map(|at| match at.duration_since(now()) {
        Ok(left) => i64::try_from(left.as_secs()).expect("seconds"),
        Err(_) => -1,
    });
    assert_eq!(left, expected, "{text}");
}

#[test]
fn rfc_6265_section_5_2_1_and_5_2_2_expiry_with_400_days_at_most() {
    const DAYS_400: i64 = 400 * 24 * 60 * 60;
    check_expires("n=v", None);
    check_expires("n=v; Max-Age=60", Some(60));
    check_expires("n=v; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", Some(60));
    check_expires("n=v; Max-Age=0", Some(-1));
    check_expires("n=v; Max-Age=-5", Some(-1));
    check_expires("n=v; Max-Age=99999999999999999999999", Some(DAYS_400));
    check_expires("n=v; Max-Age=soon", None);
    check_expires("n=v; Expires=Fri, 15 Jan 2027 08:01:00 GMT", Some(60));
    check_expires("n=v; Expires=Fri, 15-Jan-2027 08:01:00 GMT", Some(60));
    check_expires("n=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT", Some(-1));
    check_expires("n=v; Expires=Fri, 31 Dec 9999 23:59:59 GMT", Some(DAYS_400));
    check_expires("n=v; Expires=whenever", None);
}

#[test]
fn rfc_6265bis_section_5_7_secure_cookies_are_set_over_https() {
    assert!(take("https://a.test/", "n=v; Secure").is_ok_and(|cookie| cookie.secure));
    for host in ["a.test", "127.0.0.1", "localhost"] {
        check_refused(&format!("http://{host}/"), "n=v; Secure", Refusal::NotSecure);
    }
}

#[test]
fn rfc_6265bis_section_4_1_3_prefixes() {
    let url = "https://a.b.test/";
    for good in ["__Secure-n=v; Secure; Domain=b.test", "__Host-n=v; Secure; Path=/"] {
        assert!(take(url, good).is_ok(), "{good}");
    }
    for bad in [
        "__Secure-n=v",
        "__secure-n=v",
        "__Host-n=v; Secure",
        "__Host-n=v; Path=/",
        "__Host-n=v; Secure; Path=/x",
        "__Host-n=v; Secure; Path=/; Domain=a.b.test",
        "__HOST-n=v; Secure; Path=/; Domain=b.test",
    ] {
        check_refused(url, bad, Refusal::Prefix);
    }
}

#[test]
fn what_cannot_be_kept_or_sent_is_refused() {
    let url = "https://a.test/";
    for bad in ["", "=v", "n", "; Path=/"] {
        check_refused(url, bad, Refusal::Unreadable);
    }
    for bad in ["n=a\r\nx-evil: 1", "n=\0", "n\n=v", "n=v; Path=/\x7f", "n=a\tb", "n=v; Path=/a\tb"]
    {
        check_refused(url, bad, Refusal::ControlCharacters);
    }
    check_refused(url, &format!("n={}", "v".repeat(4096)), Refusal::TooLarge);
    assert!(take(url, &format!("n={}", "v".repeat(4095))).is_ok());
    check_refused(url, &format!("n=v; Path=/{}", "p".repeat(1024)), Refusal::TooLarge);
}

#[test]
fn the_value_and_the_attributes_are_kept_as_they_came() {
    let cookie = take("https://a.test/", "n=\"a%20b=\"; HttpOnly; SameSite=lax").expect("kept");
    assert_eq!((cookie.name(), cookie.value()), ("n", "\"a%20b=\""));
    assert!(cookie.is_http_only() && !cookie.is_secure());
    assert_eq!(cookie.same_site(), Some(SameSite::Lax));
    assert!(!format!("{cookie:?}").contains("a%20b"));
}

#[test]
fn sites_are_registrable_domains_or_hosts() {
    for (host, expected) in [
        ("a.b.example.co.uk", "example.co.uk"),
        ("example.com", "example.com"),
        ("me.github.io", "me.github.io"),
        ("github.io", "github.io"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
    ] {
        assert_eq!(site(host), expected);
    }
}
