//! Cookies, as httpbin sets and sees them.

use abide::{CookieJar, Url};
use abide_real::{builder, http, in_threads, path, port};
use serde_json::{Value, json};

/// What httpbin was sent.
fn seen(client: &abide::Client, url: String) -> Value {
    client.get(url).send().unwrap().json::<Value>().unwrap()["cookies"].clone()
}

#[test]
fn there_are_none_unless_there_is_a_jar() {
    let client = builder().build().unwrap();
    client.get(http("HTTPBIN", "/cookies/set?a=1")).send().unwrap();
    assert_eq!(seen(&client, http("HTTPBIN", "/cookies")), json!({}));
    let jar = CookieJar::new();
    let call = client.get(http("HTTPBIN", "/cookies/set?a=1")).cookies(&jar);
    // It is set by the redirect, and sent with the next hop.
    let reply = call.send().unwrap();
    assert_eq!(reply.json::<Value>().unwrap()["cookies"], json!({ "a": "1" }));
    assert_eq!(seen(&client, http("HTTPBIN", "/cookies")), json!({}));
}

#[test]
fn what_is_set_is_sent_until_it_is_deleted() {
    let client = builder().cookies(CookieJar::new()).build().unwrap();
    client.get(http("HTTPBIN", "/cookies/set?a=1&b=2&c=x%20y")).send().unwrap();
    let all = seen(&client, http("HTTPBIN", "/cookies"));
    assert_eq!((&all["a"], &all["b"]), (&json!("1"), &json!("2")));
    client.get(http("HTTPBIN", "/cookies/delete?a=&c=")).send().unwrap();
    assert_eq!(seen(&client, http("HTTPBIN", "/cookies")), json!({ "b": "2" }));
    let own = client.get(http("HTTPBIN", "/cookies")).no_cookies().send().unwrap();
    assert_eq!(own.json::<Value>().unwrap()["cookies"], json!({}));
    // The same server under another name is another host.
    let elsewhere = format!("http://localhost:{}/cookies", port("HTTPBIN"));
    assert_eq!(seen(&client, elsewhere), json!({}));
}

#[test]
fn a_jar_is_shared_by_threads_and_kept_as_a_file() {
    let jar = CookieJar::new();
    let client = builder().cookies(&jar).build().unwrap();
    in_threads(8, |thread| {
        for round in 0..5 {
            let url = http("HTTPBIN", &format!("/cookies/set/t{thread}/{round}"));
            client.get(url).send().unwrap();
        }
    });
    let all = seen(&client, http("HTTPBIN", "/cookies"));
    let expected: serde_json::Map<String, Value> =
        (0..8).map(|thread| (format!("t{thread}"), json!("4"))).collect();
    assert_eq!(all, Value::Object(expected));

    let file = path(&format!("cookies-{}.txt", std::process::id()));
    jar.save_with_session(&file).unwrap();
    let loaded = CookieJar::load(&file).unwrap();
    let other = builder().cookies(&loaded).build().unwrap();
    assert_eq!(seen(&other, http("HTTPBIN", "/cookies")), all);
}

#[test]
fn what_a_header_says_decides_where_a_cookie_goes() {
    let client = builder().cookies(CookieJar::new()).build().unwrap();
    for cookie in ["here=1; Path=/cookies", "there=1; Path=/elsewhere", "foreign=1; Domain=a.test"]
    {
        let mut url = Url::parse(&http("HTTPBIN", "/response-headers")).unwrap();
        url.query_pairs_mut().append_pair("Set-Cookie", cookie);
        client.get(url).send().unwrap();
    }
    assert_eq!(seen(&client, http("HTTPBIN", "/cookies")), json!({ "here": "1" }));
}
