//! Random histories against a model that remembers everything and forgets nothing it should not.

use std::collections::HashMap;

use abide::{Cache, CacheMode, Method, Reply};

use super::Lab;
use crate::random::Random;

/// What may be answered without asking.
#[derive(Clone)]
struct Kept {
    body: String,
    tag: String,
    fresh_until: u64,
}

/// Who asks for what.
type Asked = (usize, usize);

#[derive(Default)]
struct Model {
    step: usize,
    now: u64,
    kept: HashMap<Asked, Kept>,
    /// What the server has; a change makes another body.
    versions: HashMap<usize, u64>,
}

impl Model {
    fn body(&self, (url, user): Asked) -> String {
        let version = self.versions.get(&url).copied().unwrap_or_default();
        format!("body {version} of {url} for {user}")
    }
}

const URLS: usize = 3;
const USERS: usize = 3;
const STEPS: usize = 400;

#[test]
fn histories_end_as_the_model_says() {
    for seed in 1..=8 {
        history(seed, Cache::memory(1 << 20));
    }
}

#[cfg(feature = "disk-cache")]
#[test]
fn histories_end_as_the_model_says_on_disk() {
    for (seed, in_front) in [(11, false), (12, true)] {
        let path = std::env::temp_dir().join(format!("abide-model-{}-{seed}", std::process::id()));
        let cache = Cache::disk(&path, 16 << 20);
        history(seed, if in_front { cache.memory_in_front(1 << 20) } else { cache });
        drop(std::fs::remove_dir_all(path));
    }
}

fn history(seed: u64, cache: Cache) {
    let lab = Lab::with(cache, |builder| builder);
    let mut random = Random::new(seed);
    let mut model = Model::default();
    for step in 0..STEPS {
        model.step = step;
        let asked = (random.below(URLS), random.below(USERS));
        match random.below(10) {
            0 => {
                let seconds = random.below(40) as u64;
                lab.after(seconds);
                model.now += seconds;
            }
            1 => change(&lab, &mut model, asked.0),
            2 => *model.versions.entry(asked.0).or_default() += 1,
            3 => get(&lab, &mut model, &mut random, asked, CacheMode::ForceRefresh),
            4 => get(&lab, &mut model, &mut random, asked, CacheMode::Revalidate),
            5 => only_if_cached(&lab, &model, asked, step),
            _ => get(&lab, &mut model, &mut random, asked, CacheMode::Default),
        }
    }
}

fn call(lab: &Lab, method: Method, (url, user): Asked, mode: CacheMode) -> Reply {
    let user = format!("user {user}");
    let request = lab.request_to(method, &format!("/{url}"), &[("authorization", &user)]);
    request.cache_mode(mode).send().unwrap()
}

/// Whoever changes a resource, it is forgotten for all.
fn change(lab: &Lab, model: &mut Model, url: usize) {
    lab.will_answer(204, &[], "");
    call(lab, Method::PUT, (url, 0), CacheMode::Default);
    *model.versions.entry(url).or_default() += 1;
    model.kept.retain(|asked, _| asked.0 != url);
}

fn only_if_cached(lab: &Lab, model: &Model, asked: Asked, step: usize) {
    let reply = call(lab, Method::GET, asked, CacheMode::OnlyIfCached);
    match model.kept.get(&asked).filter(|kept| kept.fresh_until > model.now) {
        Some(kept) => assert_eq!(reply.text(), kept.body, "step {step}"),
        None => assert_eq!(reply.status(), 504, "step {step}"),
    }
}

fn get(lab: &Lab, model: &mut Model, random: &mut Random, asked: Asked, mode: CacheMode) {
    let step = model.step;
    let lifetime = random.below(60) as u64;
    let control = match random.below(6) {
        0 => "no-store".to_owned(),
        1 => "no-cache".to_owned(),
        _ => format!("max-age={lifetime}"),
    };
    let body = model.body(asked);
    let tag = format!("\"{body}\"");
    let headers = [("cache-control", &*control), ("etag", &*tag)];
    let kept = model.kept.get(&asked).cloned();
    let may_serve = kept.as_ref().filter(|kept| kept.fresh_until > model.now);
    if let (CacheMode::Default, Some(kept)) = (mode, may_serve) {
        let before = lab.requests();
        assert_eq!(call(lab, Method::GET, asked, mode).text(), kept.body, "step {step}");
        assert_eq!(lab.requests(), before, "step {step}");
        return;
    }
    let validates = kept.as_ref().filter(|_| mode != CacheMode::ForceRefresh);
    let is_same = validates.is_some_and(|kept| kept.tag == tag);
    lab.will_answer(if is_same { 304 } else { 200 }, &headers, &body);
    let reply = call(lab, Method::GET, asked, mode);
    assert_eq!(reply.text(), body, "step {step}");
    let sent = lab.server.seen().pop().unwrap();
    assert_eq!(sent.header("if-none-match"), validates.map(|kept| &*kept.tag), "step {step}");
    let fresh_until = match &*control {
        "no-store" => None,
        "no-cache" => Some(0),
        _ => Some(model.now + lifetime),
    };
    match fresh_until {
        Some(fresh_until) => drop(model.kept.insert(asked, Kept { body, tag, fresh_until })),
        None => drop(model.kept.remove(&asked)),
    }
}
