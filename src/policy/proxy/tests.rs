use super::*;

type Variables = &'static [(&'static str, &'static str)];

#[track_caller]
fn choice(config: &ProxyConfig, url: &str) -> String {
    let url = Url::parse(url).expect("a URL");
    match Rules::new(config).choose(&url) {
        Ok(None) => "direct".to_owned(),
        Ok(Some(proxy)) => proxy.to_string(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Proxy);
            format!("error: {error}")
        }
    }
}

#[track_caller]
fn check(variables: Variables, url: &str, expected: &str) {
    let config = ProxyConfig::from_variables(|name| {
        let set = variables.iter().find(|(known, _)| *known == name);
        set.map(|(_, value)| (*value).to_owned())
    });
    assert_eq!(choice(&config, url), expected, "{variables:?}");
}

const HTTP: &str = "http://a.test/";
const HTTPS: &str = "https://a.test/";

#[test]
fn curl_man_page_each_scheme_has_a_variable() {
    check(&[], HTTP, "direct");
    check(&[("http_proxy", "http://p:1")], HTTP, "http://p:1");
    check(&[("http_proxy", "http://p:1")], HTTPS, "direct");
    check(&[("https_proxy", "http://p:1")], HTTPS, "http://p:1");
    check(&[("https_proxy", "http://p:1")], HTTP, "direct");
    check(&[("HTTPS_PROXY", "http://p:1")], HTTPS, "http://p:1");
}

#[test]
fn curl_man_page_http_proxy_is_only_read_in_lower_case() {
    check(&[("HTTP_PROXY", "http://p:1")], HTTP, "direct");
    check(&[("HTTP_PROXY", "http://p:1"), ("ALL_PROXY", "q:2")], HTTP, "http://q:2");
}

#[test]
fn curl_man_page_lower_case_has_precedence() {
    check(&[("HTTPS_PROXY", "p:1"), ("https_proxy", "q:2")], HTTPS, "http://q:2");
    check(&[("ALL_PROXY", "p:1"), ("all_proxy", "q:2")], HTTP, "http://q:2");
    let both = &[("http_proxy", "p:1"), ("NO_PROXY", "a.test"), ("no_proxy", "b.test")];
    check(both, HTTP, "http://p:1");
    check(both, "http://b.test/", "direct");
}

#[test]
fn curl_man_page_all_proxy_is_for_schemes_without_their_own() {
    let variables = &[("all_proxy", "socks5h://p:1"), ("https_proxy", "q:2")];
    check(variables, HTTP, "socks5h://p:1");
    check(variables, HTTPS, "http://q:2");
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    check(&[("http_proxy", ""), ("all_proxy", "p:1")], HTTP, "http://p:1");
    check(&[("https_proxy", " "), ("HTTPS_PROXY", "p:1")], HTTPS, "http://p:1");
    check(&[("http_proxy", "p:1"), ("no_proxy", ""), ("NO_PROXY", "*")], HTTP, "direct");
}

#[test]
fn curl_has_no_special_case_for_this_machine() {
    for url in ["http://localhost/", "http://127.0.0.1/", "http://[::1]/"] {
        check(&[("http_proxy", "p:1")], url, "http://p:1");
    }
}

#[test]
fn an_unusable_variable_fails_the_calls_that_it_is_for() {
    let variables = &[("http_proxy", "gopher://u:secret@p"), ("no_proxy", "b.test")];
    let error = "error: the environment variable `http_proxy` names no proxy: \
                 `gopher://...@p` is not the URL of a proxy: its scheme is unknown; \
                 use http, https, socks4, socks4a, socks5 or socks5h";
    check(variables, HTTP, error);
    check(variables, HTTPS, "direct");
    check(variables, "http://b.test/", "direct");
}

fn proxy(url: &str) -> Proxy {
    Proxy::new(url).expect("a proxy")
}

#[test]
fn explicit_rules_need_no_environment() {
    let rules = ProxyConfig::none().http(proxy("p:1")).all(proxy("q:2"));
    assert_eq!(choice(&rules, HTTP), "http://p:1");
    assert_eq!(choice(&rules, HTTPS), "http://q:2");
    assert_eq!(choice(&rules.exclude_hosts("a.test"), HTTP), "direct");
    assert_eq!(choice(&ProxyConfig::none(), HTTP), "direct");
    assert_eq!(choice(&proxy("socks5://p:1").into(), HTTP), "socks5://p:1");
}

#[test]
fn explicit_rules_win_over_variables_they_are_added_to() {
    let variables = ProxyConfig::from_variables(|name| (name != "no_proxy").then(|| "p:1".into()));
    let rules = variables.https(proxy("q:2"));
    assert_eq!(choice(&rules, HTTP), "http://p:1");
    assert_eq!(choice(&rules, HTTPS), "http://q:2");
}

#[test]
fn a_function_is_asked_for_what_is_not_excluded() {
    let rules = ProxyConfig::by(|url| (url.path() == "/far").then(|| proxy("p:1")));
    let rules = rules.exclude_hosts("b.test");
    assert_eq!(choice(&rules, "http://a.test/far"), "http://p:1");
    assert_eq!(choice(&rules, "http://a.test/near"), "direct");
    assert_eq!(choice(&rules, "http://b.test/far"), "direct");
}

#[track_caller]
fn check_prefix(prefix: &str, url: &str, excludes: bool) {
    let rules = ProxyConfig::from(proxy("p:1")).exclude_prefixes([prefix]);
    let expected = if excludes { "direct" } else { "http://p:1" };
    assert_eq!(choice(&rules, url), expected, "{url} by {prefix:?}");
}

#[test]
fn seed_2_1_excluded_urls_are_compared_as_plain_text() {
    check_prefix("http://a.test/x", "http://a.test/x/y", true);
    check_prefix("http://a.test/x", "http://a.test/xy?z", true);
    check_prefix("http://a.test/x", "https://a.test/x", false);
    check_prefix("http://a.test/x", "http://a.test/X", false);
    check_prefix("http://A.test/x", "http://a.test/x", false);
    check_prefix("http://a.test", "http://a.test.evil.test/", true);
    check_prefix("http://a.test/", "http://a.test.evil.test/", false);
    check_prefix("a.test", "http://a.test/", false);
    check_prefix("http", "https://a.test/", true);
}

#[test]
fn seed_2_1_user_information_is_not_compared() {
    check_prefix("http://a.test/x", "http://user:word@a.test/x", true);
    check_prefix("http://a.test/x", "http://a.test@b.test/x", false);
    check_prefix("http://", "http://user@a.test/x", true);
    check_prefix("ht", "http://user@a.test/x", true);
    check_prefix("https://", "http://user@a.test/x", false);
}

#[test]
fn seed_2_1_blank_prefixes_are_dropped() {
    check_prefix("", HTTP, false);
    check_prefix(" \t", HTTP, false);
}
