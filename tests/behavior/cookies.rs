//! Cookies: off unless asked for, kept and sent by the rules, shared by threads, safe on disk.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use abide::{Client, CookieJar, ErrorKind, SameSite};

use crate::{
    clients::{FixedNames, builder},
    support::{Exchange, Server, assert_untold, forbid},
};

/// Sets the cookie that the query says, and redirects to where the fragment of it says.
fn setting(exchange: &mut Exchange) {
    let target = exchange.target().replace("%20", " ").replace("%22", "\"");
    match target.split_once('?') {
        Some((_, cookie)) => exchange.reply(200, &[("set-cookie", cookie)], b"set"),
        None => exchange.reply(200, &[], b"ok"),
    };
}

fn with_jar() -> (CookieJar, Client) {
    let jar = CookieJar::new();
    let named = builder().resolver(FixedNames::loopback()).cookies(&jar);
    (jar, named.build().unwrap())
}

fn sent(server: &Server) -> Vec<Option<String>> {
    let seen = server.seen();
    seen.iter().map(|request| request.header("cookie").map(str::to_owned)).collect()
}

fn last(server: &Server) -> String {
    sent(server).pop().flatten().unwrap_or_default()
}

#[test]
fn there_are_no_cookies_unless_there_is_a_jar() {
    let server = Server::http(setting);
    let client = builder().build().unwrap();
    client.get(server.url("/?n=v")).send().unwrap();
    client.get(server.url("/")).send().unwrap();
    assert_eq!(sent(&server), [None, None]);
}

#[test]
fn what_was_set_is_sent_by_every_call_of_the_client() {
    let server = Server::http(setting);
    let (jar, client) = with_jar();
    client.get(server.url("/?one=1")).send().unwrap();
    client.get(server.url("/?two=2; Path=/deep")).send().unwrap();
    client.clone().get(server.url("/deep/er")).send().unwrap();
    assert_eq!(last(&server), "two=2; one=1");
    client.get(server.url("/?one=; Max-Age=0")).send().unwrap();
    client.get(server.url("/deep")).send().unwrap();
    assert_eq!(last(&server), "two=2");
    assert_eq!(jar.all().len(), 1);
}

#[test]
fn a_call_may_have_a_jar_of_its_own_or_none() {
    let server = Server::http(setting);
    let (jar, client) = with_jar();
    let own = CookieJar::new();
    client.get(server.url("/?n=own")).cookies(&own).send().unwrap();
    client.get(server.url("/?n=none")).no_cookies().send().unwrap();
    assert!(jar.all().is_empty());
    client.get(server.url("/?n=client")).send().unwrap();
    client.get(server.url("/")).cookies(&own).send().unwrap();
    client.get(server.url("/")).no_cookies().send().unwrap();
    let expected = [None, None, None, Some("n=own"), None];
    assert_eq!(sent(&server), expected.map(|text| text.map(str::to_owned)));
}

#[test]
fn a_cookie_of_the_request_goes_in_front_in_one_field() {
    let server = Server::http(setting);
    let (jar, client) = with_jar();
    jar.set(server.url("/"), "a=jar").unwrap();
    jar.set(server.url("/"), "b=jar").unwrap();
    client.get(server.url("/")).header("cookie", "a=own").header("cookie", "c=own").send().unwrap();
    let seen = server.seen();
    let fields: Vec<_> = seen[0].headers_named("cookie").collect();
    assert_eq!(fields, ["a=own; c=own; b=jar"]);
}

#[test]
fn what_a_redirect_or_a_refusal_sets_counts() {
    let server = Server::http(|exchange| {
        match exchange.target() {
            "/login" => exchange.reply(
                302,
                &[("location", "/home"), ("set-cookie", "session=1; HttpOnly")],
                b"",
            ),
            "/home" if exchange.request().header("cookie") == Some("session=1") => {
                exchange.reply(403, &[("set-cookie", "seen=2")], b"")
            }
            _ => exchange.reply(200, &[], b""),
        };
    });
    let (jar, client) = with_jar();
    let reply = client.get(server.url("/login")).send().unwrap();
    assert_eq!((reply.status().as_u16(), reply.history().len()), (403, 1));
    client.get(server.url("/")).send().unwrap();
    assert_eq!(last(&server), "session=1; seen=2");
    let cookie = jar.get(server.url("/"), "session").unwrap().unwrap();
    assert!(cookie.is_http_only() && cookie.is_host_only() && cookie.expires().is_none());
}

#[cfg(feature = "digest")]
#[test]
fn what_a_challenge_sets_is_sent_with_its_answer() {
    let server = Server::http(|exchange| {
        let challenge = ("www-authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");
        match exchange.request().header("authorization") {
            Some(_) => exchange.reply(200, &[], b""),
            None => exchange.reply(401, &[challenge, ("set-cookie", "tied=1")], b""),
        };
    });
    let (_, client) = with_jar();
    let origins = abide::AuthOrigins::only([server.url("")]).unwrap();
    client.set_auth("user", abide::AuthConfig::digest(origins, "u", "p").unwrap());
    client.get(server.url("/")).auth("user").send().unwrap();
    assert_eq!(sent(&server), [None, Some("tied=1".to_owned())]);
}

#[cfg(feature = "cache")]
#[test]
fn what_a_cache_answers_is_for_the_same_cookies_and_sets_none() {
    let server = Server::http(|exchange| {
        let cookie = exchange.request().header("cookie").unwrap_or("none").to_owned();
        let headers = [("cache-control", "max-age=600"), ("set-cookie", "user=new")];
        exchange.reply(200, &headers, cookie.as_bytes());
    });
    let (one, other) = (CookieJar::new(), CookieJar::new());
    one.set(server.url("/"), "user=one").unwrap();
    other.set(server.url("/"), "user=other").unwrap();
    let client = builder().cache(abide::Cache::memory(1 << 20)).build().unwrap();
    let get = |jar: &CookieJar| client.get(server.url("/")).cookies(jar).send().unwrap().text();
    assert_eq!((get(&one), get(&other)), ("user=one".into(), "user=other".into()));
    one.set(server.url("/"), "user=one").unwrap();
    assert_eq!((get(&one).as_str(), server.requests()), ("user=one", 2));
    assert_eq!(one.get(server.url("/"), "user").unwrap().unwrap().value(), "one");
}

#[test]
fn a_cookie_stays_with_its_host_whoever_redirects() {
    let server = Server::http(|exchange| {
        match exchange.target().strip_prefix("/to/").map(str::to_owned) {
            Some(to) => exchange.reply(302, &[("location", &to)], b""),
            None => exchange.reply(200, &[], b""),
        };
    });
    let (jar, client) = with_jar();
    jar.set(server.url_at("a.test", "/"), "secret=1").unwrap();
    let to_evil = format!("/to/{}", server.url_at("evil.test", "/"));
    client.get(server.url_at("a.test", &to_evil)).send().unwrap();
    let to_home = format!("/to/{}", server.url_at("a.test", "/"));
    client.get(server.url_at("evil.test", &to_home)).send().unwrap();
    let expected = [Some("secret=1"), None, None, Some("secret=1")];
    assert_eq!(sent(&server), expected.map(|text| text.map(str::to_owned)));
}

#[test]
fn a_host_cannot_set_cookies_for_others_or_for_a_public_suffix() {
    let server = Server::http(setting);
    let (jar, client) = with_jar();
    for evil in [
        "n=v; Domain=victim.test",
        "n=v; Domain=test",
        "n=v; Domain=co.uk",
        "n=v; Domain=shop.evil.co.uk",
        "n=v; Domain=vil.co.uk",
        "__Host-n=v; Path=/",
        "__Secure-n=v",
    ] {
        client.get(server.url_at("evil.co.uk", &format!("/?{evil}"))).send().unwrap();
        assert!(jar.all().is_empty(), "{evil}");
    }
    client.get(server.url_at("a.evil.co.uk", "/?n=v; Domain=evil.co.uk")).send().unwrap();
    for (host, expected) in
        [("evil.co.uk", "n=v"), ("b.evil.co.uk", "n=v"), ("other.co.uk", ""), ("co.uk", "")]
    {
        client.get(server.url_at(host, "/")).send().unwrap();
        assert_eq!(last(&server), expected, "{host}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_secure_cookie_is_not_sent_or_replaced_in_clear() {
    let (secure, plain) = (Server::https(setting), Server::http(setting));
    let jar = CookieJar::new();
    let client = crate::clients::trusting().cookies(&jar).build().unwrap();
    client.get(secure.url("/?s=good; Secure")).send().unwrap();
    client.get(secure.url("/?p=1")).send().unwrap();
    // Ports do not keep cookies apart (RFC 6265 section 8.5), loopback does not make them secure.
    for attempt in ["/", "/?s=evil", "/?s=evil; Secure", "/?s=; Max-Age=0"] {
        client.get(plain.url(attempt)).send().unwrap();
        assert_eq!(last(&plain), "p=1", "{attempt}");
    }
    client.get(secure.url("/")).send().unwrap();
    assert_eq!(last(&secure), "s=good; p=1");
}

#[test]
fn no_text_can_end_its_cookie_field_and_values_are_not_told() {
    forbid("hunter2-cookies");
    let jar = CookieJar::new();
    for evil in [
        "n=hunter2-cookies\r\nx-evil: 1",
        "n\r\n=hunter2-cookies",
        "n=hunter2-cookies; Path=/\r\nx-evil: 1",
        "=hunter2-cookies",
    ] {
        let error = jar.set("http://a.test/", evil).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    jar.set("http://a.test/", "n=hunter2-cookies").unwrap();
    assert!(!format!("{jar:?} {:?}", jar.all()).contains("hunter2"));

    let server = Server::http(setting);
    let (_, client) = with_jar();
    for cookie in ["n=hunter2-cookies", "n=hunter2-cookies; Domain=other.test", "\u{1}"] {
        client.get(server.url(&format!("/?{cookie}"))).send().unwrap();
    }
    assert_untold("hunter2-cookies");
}

#[test]
fn a_cookie_that_is_no_text_is_left_out() {
    let server = Server::http(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\nset-cookie: n=\xff\r\nset-cookie: m=\xc3\xa9\r\n");
        exchange.write("content-length: 0\r\n\r\n");
    });
    let (jar, client) = with_jar();
    client.get(server.url("/")).send().unwrap();
    let all = jar.all();
    assert_eq!((all.len(), all[0].value()), (1, "é"));
}

#[test]
fn a_jar_is_looked_into_and_changed() {
    let jar = CookieJar::new();
    jar.set("https://a.b.test/x/y", "n=1; Domain=b.test; Secure; SameSite=Strict").unwrap();
    jar.set("https://a.b.test/", "m=2; Max-Age=60").unwrap();
    jar.set("https://c.test/", "n=3").unwrap();
    let cookie = jar.get("https://a.b.test/x/z", "n").unwrap().unwrap();
    assert_eq!((cookie.domain(), cookie.path(), cookie.is_host_only()), ("b.test", "/x", false));
    assert_eq!((cookie.same_site(), cookie.is_secure()), (Some(SameSite::Strict), true));
    assert!(jar.get("http://a.b.test/x/z", "n").unwrap().is_none());
    assert!(jar.get("no url", "n").is_err() && jar.set("no url", "n=v").is_err());
    let names = |cookies: Vec<abide::Cookie>| {
        cookies.iter().map(|cookie| cookie.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(jar.matching("https://a.b.test/x").unwrap()), ["n", "m"]);
    assert_eq!(names(jar.all()), ["n", "m", "n"]);
    jar.clear_session();
    assert_eq!(names(jar.all()), ["m"]);
    assert!(jar.remove("a.b.test", "/", "m") && !jar.remove("a.b.test", "/", "m"));
    jar.set("https://c.test/", "n=3").unwrap();
    jar.clear();
    assert!(jar.all().is_empty());
}

#[test]
fn threads_share_a_jar() {
    let server = Server::http(setting);
    let (jar, client) = with_jar();
    std::thread::scope(|scope| {
        for index in 0..4 {
            let (client, server) = (&client, &server);
            scope.spawn(move || {
                for round in 0..20 {
                    client.get(server.url(&format!("/?n{index}={round}"))).send().unwrap();
                }
            });
        }
    });
    let mut values: Vec<_> = jar.all().iter().map(|cookie| cookie.value().to_owned()).collect();
    values.sort();
    assert_eq!(values, ["19"; 4]);
}

/// A folder that goes with its value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("abide-cookies-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("cookies.txt")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn values(path: &Path) -> Vec<String> {
    CookieJar::load(path).unwrap().all().iter().map(|cookie| cookie.value().to_owned()).collect()
}

#[test]
fn a_jar_is_saved_whole_and_loaded_again() {
    let folder = Folder::new();
    let jar = CookieJar::load_or_new(folder.file()).unwrap();
    jar.set("https://a.test/", "n=stays; Max-Age=600; HttpOnly").unwrap();
    jar.set("https://a.test/", "m=goes").unwrap();
    jar.save(folder.file()).unwrap();
    assert_eq!(values(&folder.file()), ["stays"]);
    jar.save_with_session(folder.file()).unwrap();
    assert_eq!(values(&folder.file()), ["stays", "goes"]);
    assert_eq!(folder.names(), ["cookies.txt"]);
    let loaded = CookieJar::load_or_new(folder.file()).unwrap();
    assert!(loaded.get("https://a.test/", "n").unwrap().unwrap().is_http_only());
}

#[cfg(unix)]
#[test]
fn only_its_owner_reads_a_saved_jar() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    CookieJar::new().save(folder.file()).unwrap();
    assert_eq!(fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_broken_or_missing_file_is_an_error_and_stays_as_it_is() {
    let folder = Folder::new();
    let error = CookieJar::load(folder.file()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let text = "# Netscape HTTP Cookie File\na.test\tFALSE\t/\tFALSE\t0\tn\thunter2\nbro";
    fs::write(folder.file(), text).unwrap();
    for loaded in [CookieJar::load(folder.file()), CookieJar::load_or_new(folder.file())] {
        let error = loaded.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("line 3") && !error.to_string().contains("hunter2"));
    }
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), text);
    let nowhere = folder.0.join("nowhere").join("cookies.txt");
    let error = CookieJar::new().save(&nowhere).unwrap_err();
    assert!(std::error::Error::source(&error).is_some());
    // A folder in its place cannot be replaced, and nothing is left beside it.
    fs::create_dir(folder.0.join("taken")).unwrap();
    assert!(CookieJar::new().save(folder.0.join("taken")).is_err());
    assert_eq!(folder.names().len(), 2);
}

#[test]
fn threads_may_save_a_jar_at_the_same_time() {
    let folder = Folder::new();
    let jar = CookieJar::new();
    jar.set("https://a.test/", "n=v; Max-Age=600").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    jar.save(folder.file()).unwrap();
                    assert_eq!(values(&folder.file()), ["v"]);
                }
            });
        }
    });
    assert_eq!(folder.names(), ["cookies.txt"]);
}
