//! What a call asks of the cache.

use abide::{
    BlockingRequest, Cache, CacheMode, CacheOutcome, CallOptions, ErrorCode, Forwarded, NotStored,
};

use super::{Lab, assert_asked, assert_confirmed, assert_hit, report};

const MINUTE: (&str, &str) = ("cache-control", "max-age=60");
const TAG: (&str, &str) = ("etag", "\"abc\"");

#[test]
fn force_refresh_asks_without_condition_and_stores_the_answer() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE, TAG], "one").get();
    lab.will_answer(200, &[MINUTE, TAG], "two");
    assert_asked(&lab.get_in(CacheMode::ForceRefresh), Forwarded::Request, "two");
    let seen = &lab.server.seen()[1];
    assert_eq!(seen.header("cache-control"), Some("no-cache"));
    assert_eq!(seen.header("pragma"), Some("no-cache"));
    assert_eq!(seen.header("if-none-match"), None);
    assert_hit(&lab.get(), "two");
    lab.will_answer(200, &[MINUTE], "three");
    let own = lab.request(&[("cache-control", "max-age=5")]);
    own.cache_mode(CacheMode::ForceRefresh).send().unwrap();
    let seen = &lab.server.seen()[2];
    assert_eq!((seen.header("cache-control"), seen.header("pragma")), (Some("max-age=5"), None));
}

#[test]
fn force_refresh_forgets_what_is_older_if_the_answer_is_not_stored() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE], "one").get();
    lab.will_answer(200, &[("cache-control", "no-store")], "two");
    let reply = lab.get_in(CacheMode::ForceRefresh);
    assert_eq!(report(&reply).not_stored(), Some(NotStored::ByReply));
    lab.will_answer(200, &[], "three");
    assert_asked(&lab.get(), Forwarded::UriMiss, "three");
}

#[test]
fn revalidate_asks_with_condition() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE, TAG], "one").get();
    lab.will_answer(304, &[], "");
    assert_confirmed(&lab.get_in(CacheMode::Revalidate), "one");
    let seen = &lab.server.seen()[1];
    assert_eq!(seen.header("cache-control"), Some("max-age=0"));
    assert_eq!(seen.header("if-none-match"), Some("\"abc\""));
}

#[test]
fn rfc8246_2_revalidate_leaves_alone_what_is_immutable_and_fresh() {
    let lab = Lab::new();
    lab.will_answer(200, &[("cache-control", "max-age=60, immutable"), TAG], "one").get();
    assert_hit(&lab.get_in(CacheMode::Revalidate), "one");
    lab.after(60).will_answer(304, &[], "");
    assert_confirmed(&lab.get_in(CacheMode::Revalidate), "one");
    assert_eq!(lab.server.seen()[1].header("cache-control"), Some("max-age=0"));
}

#[test]
fn prefer_cache_takes_what_there_is_however_old() {
    for control in ["max-age=60", "no-cache", "max-age=1, must-revalidate"] {
        let lab = Lab::new();
        lab.will_answer(200, &[("cache-control", control)], "one").get();
        let reply = lab.after(1_000_000).get_in(CacheMode::PreferCache);
        assert_eq!((reply.text().as_str(), lab.requests()), ("one", 1), "{control}");
        assert_eq!(report(&reply).outcome(), CacheOutcome::Stale);
        assert_eq!(report(&reply).fresh_for().unwrap().as_secs(), 0);
        assert!(reply.header("cache-status").unwrap().contains("; hit; ttl=-"));
    }
    let lab = Lab::new();
    lab.will_answer(200, &[], "one");
    assert_asked(&lab.get_in(CacheMode::PreferCache), Forwarded::UriMiss, "one");
    lab.get_in(CacheMode::PreferCache);
    assert_eq!(lab.requests(), 1);
}

#[test]
fn rfc9111_5_2_1_7_only_if_cached_never_asks() {
    let lab = Lab::new();
    let reply = lab.get_in(CacheMode::OnlyIfCached);
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (504, ""));
    assert!(!report(&reply).is_hit());
    let only = [("cache-control", "only-if-cached")];
    assert_eq!(lab.get_with(&only).status(), 504);
    assert_eq!(lab.requests(), 0);
    lab.will_answer(200, &[MINUTE], "one").get();
    assert_hit(&lab.get_in(CacheMode::OnlyIfCached), "one");
    assert_hit(&lab.get_with(&only), "one");
    assert_eq!(lab.after(60).get_in(CacheMode::OnlyIfCached).status(), 504);
    let stale = [("cache-control", "only-if-cached, max-stale")];
    assert_eq!(lab.get_with(&stale).text(), "one");
    assert_eq!(lab.requests(), 1);
}

#[test]
fn no_store_neither_uses_nor_stores() {
    let lab = Lab::new();
    lab.will_answer(200, &[MINUTE], "one").get();
    lab.will_answer(200, &[MINUTE], "two");
    let reply = lab.get_in(CacheMode::NoStore);
    assert_asked(&reply, Forwarded::Bypass, "two");
    assert_eq!(report(&reply).not_stored(), Some(NotStored::ByRequest));
    assert_hit(&lab.get(), "one");
}

#[test]
fn the_client_has_a_mode_that_a_call_may_change() {
    let lab = Lab::with(Cache::memory(1 << 20), |b| b.cache_mode(CacheMode::OnlyIfCached));
    assert_eq!(lab.get().status(), 504);
    lab.will_answer(200, &[MINUTE], "one");
    assert_eq!(lab.get_in(CacheMode::Default).text(), "one");
    assert_hit(&lab.get(), "one");
}

#[test]
fn directives_of_the_clients_own_fields_are_obeyed() {
    let lab = Lab::with(Cache::memory(1 << 20), |b| b.default_header("cache-control", "no-cache"));
    lab.will_answer(200, &[MINUTE, TAG], "one").get();
    lab.will_answer(304, &[], "");
    assert_confirmed(&lab.get(), "one");
}

#[test]
fn a_client_without_a_cache_reports_none_and_still_tells_the_others() {
    use crate::support::Server;
    let server = Server::http(|exchange| {
        exchange.reply(200, &[MINUTE], b"one");
    });
    let client = crate::clients::client();
    assert!(client.cache().is_none());
    for _ in 0..2 {
        let reply = client.get(server.url("/")).send().unwrap();
        assert_eq!((reply.cache(), reply.header("cache-status")), (None, None));
    }
    assert_eq!(server.requests(), 2);
    client.get(server.url("/")).cache_mode(CacheMode::ForceRefresh).send().unwrap();
    assert_eq!(server.seen()[2].header("cache-control"), Some("no-cache"));
    let reply = client.get(server.url("/")).cache_mode(CacheMode::OnlyIfCached).send().unwrap();
    assert_eq!(reply.status(), 504);
    assert_eq!(server.requests(), 3);
}

#[test]
fn blocking_requests_without_a_client_share_a_cache() {
    use crate::support::Server;
    let server = Server::http(|exchange| {
        exchange.reply(200, &[MINUTE], b"one");
    });
    let (one, other) = (BlockingRequest::new(), BlockingRequest::new());
    let options = CallOptions::default();
    assert_eq!(one.get(server.url("/"), options), ErrorCode::NoError);
    assert_eq!(other.get(server.url("/"), options), ErrorCode::NoError);
    assert_eq!(other.reply().cache().unwrap().outcome(), CacheOutcome::Hit);
    assert_eq!(server.requests(), 1);
    assert_eq!(one.get(server.url("/"), options.force_refresh(true)), ErrorCode::NoError);
    assert_eq!(one.reply().cache().unwrap().forwarded(), Some(Forwarded::Request));
    assert_eq!(server.requests(), 2);
    // Others who use the process-wide client do not get what is stored, unless they ask for it.
    assert_eq!(abide::get(server.url("/")).unwrap().cache(), None);
    assert_eq!(server.requests(), 3);
    let asked = abide::client().get(server.url("/")).cache_mode(CacheMode::Default);
    assert_hit(&asked.send().unwrap(), "one");
}
