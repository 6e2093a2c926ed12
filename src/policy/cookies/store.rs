//! Keeping cookies and giving them out.

use std::{collections::HashSet, time::SystemTime};

use http::{HeaderMap, HeaderValue, header};
use url::Url;
use zeroize::Zeroizing;

use super::admission::{self, Refusal, site};
use crate::cookies::{Cookie, Cookies};

impl Cookies {
    /// Takes the cookie that a reply of `url` sets, or a method of the jar's; one that has expired
    /// takes the one of its name away.
    pub(crate) fn set(&mut self, text: &str, url: &Url, now: SystemTime) -> Result<(), Refusal> {
        let cookie = admission::read(text, url, now)?;
        if url.scheme() != "https" && self.hides_secure(&cookie) {
            return Err(Refusal::HidesSecure);
        }
        self.keep(cookie, now);
        Ok(())
    }

    /// Keeps a cookie in place of the one of the same name, domain and path (RFC 6265 §5.3).
    pub(super) fn keep(&mut self, mut cookie: Cookie, now: SystemTime) {
        let key = site(&cookie.domain);
        let same_site = self.by_site.entry(key.to_owned()).or_default();
        let before = same_site.iter().position(|other| is_same(other, &cookie));
        if let Some(before) = before.map(|index| same_site.remove(index)) {
            self.count -= 1;
            // It is as old as the one it replaces.
            cookie.number = before.number;
        } else {
            cookie.number = self.next;
            self.next += 1;
        }
        if !is_over(&cookie, now) {
            same_site.push(cookie);
            self.count += 1;
        } else if same_site.is_empty() {
            let key = key.to_owned();
            self.by_site.remove(&key);
        }
        self.make_room(now);
    }

    /// The cookies for a request, in the order they are sent (RFC 6265 §5.4).
    pub(crate) fn matching(&self, url: &Url, now: SystemTime) -> Vec<&Cookie> {
        let Some(host) = url.host_str() else { return Vec::new() };
        let of_site = self.by_site.get(site(host)).map_or(&[][..], Vec::as_slice);
        let mut matching: Vec<&Cookie> = of_site
            .iter()
            .filter(|cookie| {
                is_in_domain(cookie, host)
                    && is_at_path(url.path(), &cookie.path)
                    && (!cookie.secure || url.scheme() == "https")
                    && !is_over(cookie, now)
            })
            .collect();
        matching.sort_by_key(|cookie| (std::cmp::Reverse(cookie.path.len()), cookie.number));
        matching
    }

    /// The whole value of `Cookie` for a request that has header fields of its own: its own cookies
    /// first, and the jar's that have other names.
    pub(crate) fn header(
        &self,
        url: &Url,
        own: &HeaderMap,
        now: SystemTime,
    ) -> Option<HeaderValue> {
        let matching = self.matching(url, now);
        if matching.is_empty() {
            return None;
        }
        let mut text = Zeroizing::new(Vec::new());
        let mut names = HashSet::new();
        for value in own.get_all(header::COOKIE) {
            for pair in value.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
                names.extend(pair.split(|byte| *byte == b'=').next());
                add(&mut text, &[pair]);
            }
        }
        for cookie in matching {
            if !names.contains(cookie.name.as_bytes()) {
                add(&mut text, &[cookie.name.as_bytes(), b"=", cookie.value.as_bytes()]);
            }
        }
        let mut value = HeaderValue::from_bytes(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    pub(crate) fn remove(&mut self, domain: &str, path: &str, name: &str) -> bool {
        let Some(of_site) = self.by_site.get_mut(site(domain)) else { return false };
        let before = of_site.len();
        of_site.retain(|cookie| {
            !(cookie.domain == domain && cookie.path == path && cookie.name == name)
        });
        let removed = before - of_site.len();
        self.count -= removed;
        removed > 0
    }

    /// Forgets the cookies that `goes` names.
    pub(crate) fn forget(&mut self, goes: impl Fn(&Cookie) -> bool) {
        self.by_site.retain(|_, of_site| {
            of_site.retain(|cookie| !goes(cookie));
            !of_site.is_empty()
        });
        self.count = self.by_site.values().map(Vec::len).sum();
    }

    /// All cookies that have not expired, the oldest first.
    pub(crate) fn all(&self, now: SystemTime) -> Vec<&Cookie> {
        let all = self.by_site.values().flatten();
        let mut all: Vec<&Cookie> = all.filter(|cookie| !is_over(cookie, now)).collect();
        all.sort_by_key(|cookie| cookie.number);
        all
    }

    /// RFC 6265bis §5.7, step 15: what was set over https is not replaced or hidden by what came in
    /// clear, from whoever was on the way.
    fn hides_secure(&self, new: &Cookie) -> bool {
        let of_site = self.by_site.get(site(&new.domain)).into_iter().flatten();
        of_site.filter(|old| old.secure && old.name == new.name).any(|old| {
            let share_hosts = is_or_is_below(&old.domain, &new.domain)
                || is_or_is_below(&new.domain, &old.domain);
            share_hosts && is_at_path(&new.path, &old.path)
        })
    }

    /// RFC 6265bis §5.7: what has expired goes first, then the oldest that came in clear.
    fn make_room(&mut self, now: SystemTime) {
        let is_full = self.by_site.values().any(|of_site| of_site.len() > SITE_COUNT_MAX);
        if !is_full && self.count <= COUNT_MAX {
            return;
        }
        self.forget(|cookie| is_over(cookie, now));
        for of_site in self.by_site.values_mut() {
            while of_site.len() > SITE_COUNT_MAX {
                let oldest = of_site.iter().enumerate().min_by_key(|(_, c)| (c.secure, c.number));
                let Some(index) = oldest.map(|(index, _)| index) else { break };
                of_site.remove(index);
            }
        }
        self.count = self.by_site.values().map(Vec::len).sum();
        if self.count > COUNT_MAX {
            let oldest = self.by_site.values().flatten().map(|cookie| cookie.number).min();
            self.forget(|cookie| Some(cookie.number) == oldest);
        }
    }
}

fn add(text: &mut Vec<u8>, parts: &[&[u8]]) {
    if !text.is_empty() {
        text.extend_from_slice(b"; ");
    }
    parts.iter().for_each(|part| text.extend_from_slice(part));
}

fn is_same(one: &Cookie, other: &Cookie) -> bool {
    one.name == other.name
        && one.domain == other.domain
        && one.host_only == other.host_only
        && one.path == other.path
}

fn is_over(cookie: &Cookie, now: SystemTime) -> bool {
    cookie.expires.is_some_and(|expires| expires <= now)
}

fn is_in_domain(cookie: &Cookie, host: &str) -> bool {
    if cookie.host_only { host == cookie.domain } else { is_or_is_below(host, &cookie.domain) }
}

/// RFC 6265 §5.1.3. Domains of cookies are never addresses unless for the host alone.
fn is_or_is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

/// RFC 6265 §5.1.4.
fn is_at_path(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

/// Of one registrable domain; more than browsers keep.
const SITE_COUNT_MAX: usize = 180;
/// Of all.
const COUNT_MAX: usize = 3000;

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
