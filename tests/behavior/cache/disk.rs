//! Replies in a folder.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use abide::{Cache, CacheMode, NotStored};

use super::{Lab, assert_confirmed, assert_hit, report};

const FRESH: (&str, &str) = ("cache-control", "max-age=3600");

/// A folder that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("abide-cache-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn cache(&self) -> Cache {
        Cache::disk(&self.0, 64 << 20)
    }

    /// The files of the entries.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in list(&self.0.join("v1")) {
            if folder.file_name().unwrap().len() == 2 {
                files.extend(list(&folder));
            }
        }
        files
    }

    fn unfinished(&self) -> usize {
        list(&self.0.join("v1/unfinished")).len()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn list(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.exists()).collect();
    found.sort();
    found
}

#[test]
fn what_one_client_stored_another_finds() {
    let scratch = Scratch::new();
    let lab = Lab::with(scratch.cache(), |builder| builder);
    assert!(!scratch.0.exists());
    let headers = [FRESH, ("etag", "\"1\""), ("vary", "foo"), ("x-other", "a")];
    lab.will_answer(200, &headers, "one").get();
    lab.after(5);
    let cache = scratch.cache().clock(lab.clock.clone());
    let other = crate::clients::builder().cache(cache).build().unwrap();
    let reply = other.get(lab.server.url("/")).send().unwrap();
    assert_hit(&reply, "one");
    assert_eq!((reply.header("age"), reply.header("x-other")), (Some("5"), Some("a")));
    let entries = other.cache().unwrap().entries().unwrap();
    assert_eq!((entries.len(), entries[0].body_bytes), (1, 3));
    other.cache().unwrap().clear().unwrap();
    assert_eq!((scratch.files().len(), scratch.unfinished()), (0, 0));
}

#[test]
fn a_confirmation_is_written_beside_the_body() {
    let scratch = Scratch::new();
    let lab = Lab::with(scratch.cache(), |builder| builder);
    lab.will_answer(200, &[("cache-control", "max-age=10"), ("etag", "\"1\"")], "one").get();
    for round in 0..5 {
        let news = format!("{round}");
        lab.after(11).will_answer(304, &[("cache-control", "max-age=10"), ("x-news", &news)], "");
        assert_confirmed(&lab.get(), "one");
        let stored = lab.get();
        assert_hit(&stored, "one");
        assert_eq!(stored.header("x-news"), Some(&*news));
    }
    // Longer than there is room for: the entry is written anew.
    let long = "x".repeat(5000);
    lab.after(11).will_answer(304, &[("cache-control", "max-age=10"), ("x-news", &long)], "");
    assert_confirmed(&lab.get(), "one");
    let stored = lab.get();
    assert_hit(&stored, "one");
    assert_eq!(stored.header("x-news"), Some(&*long));
    assert_eq!((scratch.files().len(), scratch.unfinished()), (1, 0));
}

#[test]
fn a_changed_or_cut_file_is_a_miss_and_never_a_wrong_byte() {
    let scratch = Scratch::new();
    let lab = Lab::with(scratch.cache(), |builder| builder);
    lab.will_answer(200, &[FRESH], "the body of the reply").get();
    let file = scratch.files().pop().unwrap();
    let whole = fs::read(&file).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&file, &changed).unwrap();
        let reply = lab.get_in(CacheMode::OnlyIfCached);
        // What nobody reads may be anything: the rest of a place for a head.
        let is_right = reply.status() == 504 || reply.text() == "the body of the reply";
        assert!(is_right, "changed at {at}: {reply:?} {}", reply.text());
    }
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(lab.get_in(CacheMode::OnlyIfCached).status(), 504, "cut at {length}");
        assert!(!file.exists());
    }
    assert_eq!(lab.requests(), 1);
    lab.will_answer(200, &[FRESH], "again").get();
    assert_hit(&lab.get(), "again");
}

#[test]
fn a_large_body_is_read_and_written_piece_by_piece() {
    let scratch = Scratch::new();
    let lab = Lab::with(scratch.cache(), |builder| builder);
    let body: String = (0..400_000).map(|number| format!("{number:07}")).collect();
    lab.will_answer(200, &[FRESH], &body);
    let mut open = lab.request(&[]).open().unwrap();
    let mut read = String::new();
    open.read_to_string(&mut read).unwrap();
    assert!(open.cache().unwrap().is_stored());
    // Whole, in pieces, and a part of it.
    assert_hit(&lab.get(), &body);
    let mut open = lab.request(&[]).open().unwrap();
    read.clear();
    open.read_to_string(&mut read).unwrap();
    assert!(read == body && open.cache().unwrap().is_hit());
    let part = lab.get_with(&[("range", "bytes=1000000-1000006")]);
    assert_eq!((part.status().as_u16(), part.text().as_str()), (206, &body[1_000_000..1_000_007]));
    // A bad block in the middle: a call for all of it asks again.
    let file = scratch.files().pop().unwrap();
    let mut changed = fs::read(&file).unwrap();
    changed[1_500_000] ^= 1;
    fs::write(&file, changed).unwrap();
    let mut open = lab.request(&[]).open().unwrap();
    let error = open.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("cannot be read from the cache"), "{error}");
    lab.will_answer(200, &[FRESH], "new");
    assert_eq!(lab.get().text(), "new");
    assert_eq!(lab.requests(), 2);
}

#[test]
fn the_folder_keeps_its_bound_and_what_is_used() {
    let scratch = Scratch::new();
    let lab = Lab::with(Cache::disk(&scratch.0, 1 << 20), |builder| builder);
    let body = "x".repeat(50_000);
    let get = |number: usize| {
        let path = format!("/{number}");
        lab.request_to(abide::Method::GET, &path, &[]).send().unwrap()
    };
    for number in 0..60 {
        lab.will_answer(200, &[FRESH], &body);
        assert!(report(&get(number)).is_stored());
        if number > 0 {
            assert_hit(&get(0), &body);
        }
        // Further apart than any file system's clock can blur.
        for file in scratch.files() {
            let file = fs::File::open(file).unwrap();
            let used = file.metadata().unwrap().modified().unwrap();
            let earlier =
                used.checked_sub(Duration::from_secs(1)).unwrap_or(SystemTime::UNIX_EPOCH);
            file.set_modified(earlier).unwrap();
        }
        let usage = lab.client.cache().unwrap().usage().unwrap();
        assert!(usage.bytes <= 1 << 20, "{usage:?}");
    }
    let usage = lab.client.cache().unwrap().usage().unwrap();
    assert!(usage.entries >= 12 && usage.evicted >= 40, "{usage:?}");
    let large = "x".repeat(600_000);
    lab.will_answer(200, &[FRESH], &large);
    assert_eq!(report(&get(100)).not_stored(), Some(NotStored::TooLarge));
    assert_eq!(scratch.unfinished(), 0);
}

#[test]
fn a_folder_that_cannot_be_written_fails_no_call() {
    let scratch = Scratch::new();
    fs::write(&scratch.0, b"a file, where a folder should be").unwrap();
    let lab = Lab::with(scratch.cache(), |builder| builder);
    for _ in 0..2 {
        lab.will_answer(200, &[FRESH], "one");
        let reply = lab.get();
        assert_eq!(reply.text(), "one");
        assert_eq!(report(&reply).not_stored(), Some(NotStored::StoreFailed));
    }
    assert!(lab.client.cache().unwrap().last_failure().is_some());
    fs::remove_file(&scratch.0).unwrap();
    // And works again when it can.
    lab.will_answer(200, &[FRESH], "one").get();
    assert_hit(&lab.get(), "one");
}

#[test]
fn memory_in_front_answers_without_the_file() {
    let scratch = Scratch::new();
    let lab = Lab::with(scratch.cache().memory_in_front(1 << 20), |builder| builder);
    lab.will_answer(200, &[FRESH], "one").get();
    let large = "x".repeat(900_000);
    lab.will_answer(200, &[FRESH], &large);
    lab.request_to(abide::Method::GET, "/large", &[]).send().unwrap();
    assert_eq!(scratch.files().len(), 2);
    let cache = scratch.cache().memory_in_front(1 << 20).clock(lab.clock.clone());
    let other = crate::clients::builder().cache(cache).build().unwrap();
    assert_hit(&other.get(lab.server.url("/")).send().unwrap(), "one");
    scratch.files().iter().for_each(|file| fs::remove_file(file).unwrap());
    // It came into memory when it was read.
    assert_hit(&other.get(lab.server.url("/")).send().unwrap(), "one");
    assert_hit(&lab.get(), "one");
    lab.client.cache().unwrap().clear().unwrap();
    assert_eq!(lab.get_in(CacheMode::OnlyIfCached).status(), 504);
}

#[cfg(unix)]
#[test]
fn the_folder_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let lab = Lab::with(scratch.cache(), |builder| builder);
    lab.will_answer(200, &[FRESH], "one").get();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&scratch.0), 0o700);
    for file in scratch.files().iter().chain([&scratch.0.join("v1/secret")]) {
        assert_eq!(mode(file), 0o600, "{file:?}");
    }
}
