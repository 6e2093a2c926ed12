//! Random replies, judged twice.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_cache_semantics::{CacheOptions, CachePolicy};
use url::Url;

use crate::policy::cache::{Lifetime, Now, ReplyDirectives, RequestDirectives, storable};

const CASES: u64 = 20_000;
/// Sun, 06 Nov 1994 08:49:37 GMT
const NOW: i64 = 784_111_777;

/// A small generator (xorshift); the same seed gives the same numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) % bound
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// A reply whose lifetime both read alike.
fn reply(random: &mut Random) -> (StatusCode, HeaderMap) {
    let statuses = [200, 203, 204, 301, 404, 405, 410, 414, 501, 302, 307];
    let status = statuses[random.below(11) as usize];
    let may_guess = !matches!(status, 302 | 307);
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: String| {
        let value = HeaderValue::try_from(value).expect("a value");
        headers.append(HeaderName::from_static(name), value);
    };
    set("date", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
    let mut directives = Vec::new();
    for directive in ["no-store", "no-cache", "must-revalidate", "private", "public", "immutable"] {
        if random.one_in(6) {
            directives.push(directive.to_owned());
        }
    }
    if random.one_in(2) {
        directives.push(format!("max-age={}", random.below(2000)));
    }
    if random.one_in(4) {
        directives.push(format!("s-maxage={}", random.below(2000)));
    }
    if !directives.is_empty() {
        set("cache-control", directives.join(", "));
    }
    if random.one_in(3) {
        // Within the hour.
        let minute = random.below(60);
        set("expires", format!("Sun, 06 Nov 1994 09:{minute:02}:37 GMT"));
    }
    if may_guess && random.one_in(3) {
        let day = 1 + random.below(5);
        set("last-modified", format!("Sat, 0{day} Oct 1994 08:49:37 GMT"));
    }
    if random.one_in(3) {
        set("age", random.below(1000).to_string());
    }
    (StatusCode::from_u16(status).expect("a status"), headers)
}

#[test]
fn both_judge_the_same_about_storing_and_lifetime() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let url = Url::parse("http://host/path").expect("a URL");
    let options = CacheOptions {
        shared: false,
        cache_heuristic: 0.1,
        immutable_min_time_to_live: Duration::ZERO,
        ignore_cargo_cult: false,
    };
    let received = Now { wall: NOW * 1000, steady: 0 };
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs());
    let mut stored = 0;
    for case in 0..CASES {
        let (status, headers) = reply(&mut random);
        let request = Request::get(url.as_str()).body(()).expect("a request");
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers.clone();
        let theirs = CachePolicy::new_options(&request, &response, then, options);

        let directives = ReplyDirectives::of(&headers);
        let asked = RequestDirectives::default();
        let ours = storable::decide((&Method::GET, &url, &asked), (status, &headers), &directives);
        // Our `private` allows what only a cache like this may store.
        if !directives.private {
            assert_eq!(ours.is_ok(), theirs.is_storable(), "{case}: {status} {headers:?}");
        }
        if !(ours.is_ok() && theirs.is_storable()) {
            continue;
        }
        stored += 1;
        let lifetime = Lifetime::of(status, &headers, &directives, received, received);
        for later in [0, 1, 100, 1000, 100_000] {
            let now = Now { wall: (NOW + later) * 1000, steady: later.unsigned_abs() * 1000 };
            let left = if lifetime.always_validate { 0 } else { lifetime.left(now).max(0) / 1000 };
            let their_now = then + Duration::from_secs(later.unsigned_abs());
            let theirs = theirs.time_to_live(their_now).as_secs();
            assert_eq!(
                left.unsigned_abs(),
                theirs,
                "{case}, {later} s later: {status} {headers:?}"
            );
        }
    }
    assert!(stored > CASES / 2, "only {stored} were stored");
}
