//! Looking into a cache and taking care of it.

use std::io;

use abide::{
    Cache, CacheEntry, CacheHead, CacheKey, CacheStore, CacheUsage, CacheWriter, NotStored,
};

use super::{Lab, assert_hit, report};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[test]
fn a_cache_tells_what_is_in_it() {
    let lab = Lab::new();
    let cache = lab.client.cache().unwrap();
    assert_eq!(cache.usage().unwrap().entries, 0);
    lab.will_answer(200, &[FRESH, ("age", "5")], "hello");
    lab.request_to(abide::Method::GET, "/a?b", &[]).send().unwrap();
    lab.will_answer(404, &[FRESH, ("vary", "foo")], "");
    lab.request_to(abide::Method::GET, "/c", &[]).send().unwrap();
    lab.after(10);
    let mut entries = cache.entries().unwrap();
    entries.sort_by_key(|entry| entry.url.clone());
    let first = &entries[0];
    assert_eq!(first.url, lab.server.url("/a?b"));
    assert_eq!((first.status.as_u16(), first.body_bytes), (200, 5));
    assert_eq!((first.age.as_secs(), first.fresh_for.as_secs()), (15, 45));
    assert_eq!((entries.len(), entries[1].status.as_u16()), (2, 404));
    assert!(cache.usage().unwrap().bytes > 5);
}

#[test]
fn a_url_is_removed_for_all_and_others_stay() {
    let lab = Lab::new();
    let cache = lab.client.cache().unwrap();
    for (path, user) in [("/a", "one"), ("/a", "two"), ("/b", "one")] {
        lab.will_answer(200, &[FRESH], path);
        lab.request_to(abide::Method::GET, path, &[("authorization", user)]).send().unwrap();
    }
    cache.remove(lab.server.url("/a#part")).unwrap();
    let left: Vec<String> = cache.entries().unwrap().into_iter().map(|entry| entry.url).collect();
    assert_eq!(left, [lab.server.url("/b")]);
    assert_eq!(cache.remove("no url").unwrap_err().kind(), abide::ErrorKind::InvalidRequest);
    cache.clear().unwrap();
    assert_eq!(cache.entries().unwrap(), []);
}

#[test]
fn a_cache_counts() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH, ("etag", "\"1\"")], "one").get();
    lab.get();
    lab.after(60).will_answer(304, &[], "").get();
    lab.after(60).get_with(&[("cache-control", "max-stale")]);
    let statistics = lab.client.cache().unwrap().statistics();
    assert_eq!((statistics.misses, statistics.stored), (1, 1));
    assert_eq!((statistics.hits, statistics.revalidated, statistics.stale), (1, 1, 1));
    assert_eq!(statistics.failures, 0);
}

#[test]
fn clones_and_clients_share_one_cache() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "one").get();
    let cache = lab.client.cache().unwrap().clone();
    let other = crate::clients::builder().cache(cache).build().unwrap();
    assert_hit(&other.get(lab.server.url("/")).send().unwrap(), "one");
}

/// A store on a disk that is full, or worse.
struct Broken {
    reads: bool,
}

impl CacheStore for Broken {
    fn get(&self, _: CacheKey) -> io::Result<Option<CacheEntry>> {
        if self.reads { Ok(None) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
    fn put(&self, _: CacheKey, _: Option<u64>) -> io::Result<Option<Box<dyn CacheWriter>>> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn update(&self, _: CacheKey, _: &CacheHead) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn remove(&self, _: CacheKey) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn clear(&self) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn usage(&self) -> io::Result<CacheUsage> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn visit(&self, _: &mut dyn FnMut(CacheKey, &CacheHead, u64)) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

#[test]
fn a_store_that_fails_never_fails_a_call() {
    for reads in [true, false] {
        let lab = Lab::with(Cache::store(Broken { reads }), |builder| builder);
        for _ in 0..2 {
            lab.will_answer(200, &[FRESH], "one");
            let reply = lab.get();
            assert_eq!(reply.text(), "one");
            assert_eq!(report(&reply).not_stored(), Some(NotStored::StoreFailed));
        }
        lab.will_answer(204, &[], "");
        lab.request_to(abide::Method::DELETE, "/", &[]).send().unwrap();
        let cache = lab.client.cache().unwrap();
        assert!(cache.statistics().failures >= 2);
        assert!(cache.last_failure().is_some());
        assert_eq!(cache.clear().unwrap_err().kind(), abide::ErrorKind::Internal);
        cache.entries().unwrap_err();
    }
}
