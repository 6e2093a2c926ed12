//! What is remembered of look-ups, and for how long.

use std::{collections::HashMap, time::Instant};

use super::Looked;
use crate::{resolve::NameCache, transport::FOR_EVER};

/// Answers by name, each with the moment it is forgotten.
#[derive(Debug)]
pub(super) struct Cache {
    answers: HashMap<Box<str>, (Looked, Instant)>,
    kept: NameCache,
}

impl Cache {
    pub(super) fn new(kept: NameCache) -> Self {
        Self { answers: HashMap::new(), kept }
    }

    pub(super) fn get(&self, host: &str, now: Instant) -> Option<Looked> {
        let (looked, until) = self.answers.get(host)?;
        (*until > now).then(|| looked.clone())
    }

    pub(super) fn put(&mut self, host: &str, looked: &Looked, now: Instant) {
        let NameCache { found, not_found } = self.kept;
        let is_found = looked.as_ref().is_ok_and(|addresses| !addresses.is_empty());
        let kept = if is_found { found } else { not_found }.min(FOR_EVER);
        self.answers.remove(host);
        if kept.is_zero() {
            return;
        }
        if self.answers.len() >= ANSWERS_MAX {
            self.answers.retain(|_, (_, until)| *until > now);
        }
        if self.answers.len() < ANSWERS_MAX {
            self.answers.insert(host.into(), (looked.clone(), now + kept));
        }
    }
}

const ANSWERS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

    use super::*;

    fn found() -> Looked {
        Ok(Arc::from([Ipv4Addr::LOCALHOST.into()]))
    }

    fn nothing() -> Looked {
        Err(Arc::new(io::ErrorKind::NotFound.into()))
    }

    /// How many whole seconds an answer is remembered.
    #[track_caller]
    fn check(kept: NameCache, looked: &Looked, expected: Option<u64>) {
        let now = Instant::now();
        let mut cache = Cache::new(kept);
        cache.put("host", looked, now);
        assert!(cache.get("other", now).is_none());
        let at = |seconds| cache.get("host", now + Duration::from_secs(seconds)).is_some();
        let remembered = (1..100).take_while(|seconds| at(seconds - 1)).last();
        assert_eq!(remembered, expected);
    }

    #[test]
    fn an_answer_is_kept_as_long_as_its_kind_is() {
        let seconds = Duration::from_secs;
        check(NameCache::default(), &found(), Some(5));
        check(NameCache::default(), &nothing(), None);
        check(NameCache::default(), &Ok(Arc::from([])), None);
        let both = NameCache::default().found(seconds(20)).not_found(seconds(3));
        check(both, &found(), Some(20));
        check(both, &nothing(), Some(3));
        check(both, &Ok(Arc::from([])), Some(3));
        check(NameCache::off(), &found(), None);
        check(NameCache::default().found(Duration::MAX), &found(), Some(99));
    }

    #[test]
    fn a_cache_that_is_full_makes_room_by_what_is_over_only() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(6));
        let mut cache = Cache::new(NameCache::default());
        for index in 0..ANSWERS_MAX {
            cache.put(&index.to_string(), &found(), now);
        }
        cache.put("one more", &found(), now);
        assert!(cache.get("one more", now).is_none() && cache.get("0", now).is_some());
        cache.put("one more", &found(), later);
        assert!(cache.get("one more", later).is_some());
        assert_eq!(cache.answers.len(), 1);
    }

    #[test]
    fn a_failure_ends_what_was_known_before() {
        let now = Instant::now();
        let mut cache = Cache::new(NameCache::default());
        cache.put("host", &found(), now);
        cache.put("host", &nothing(), now);
        assert!(cache.get("host", now).is_none());
    }
}
