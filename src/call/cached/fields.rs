//! The header fields of a hop as the rules see them, and those that modes and validators add.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{
        AUTHORIZATION, CACHE_CONTROL, COOKIE, IF_MODIFIED_SINCE, IF_NONE_MATCH, PRAGMA,
        PROXY_AUTHORIZATION,
    },
};

use super::super::hop::Hop;
use crate::{
    cache::Found,
    caching::CacheMode,
    policy::cache::{Fields, update},
};

impl Fields for Hop<'_> {
    fn each(&self, name: &HeaderName, each: &mut dyn FnMut(&HeaderValue)) {
        let mut is_there = false;
        let mut found = |value: &HeaderValue| {
            is_there = true;
            each(value);
        };
        let applied = self.applied.iter().flat_map(|applied| &applied.headers);
        let mut applied = applied.filter(|(applied, _)| applied == name).peekable();
        if applied.peek().is_some() {
            // These replace what the caller has said.
            applied.for_each(|(_, value)| found(value));
        } else if let Some(cookies) = self.cookies.as_ref().filter(|_| *name == COOKIE) {
            found(cookies);
        } else if self.headers().contains_key(name) {
            self.headers().get_all(name).into_iter().for_each(found);
        } else {
            self.added().filter(|(added, _)| *added == name).for_each(|(_, value)| found(value));
        }
        if *name == AUTHORIZATION && (!is_there || self.applied.is_some()) {
            user(self).iter().for_each(each);
        }
    }

    fn each_secret(&self, each: &mut dyn FnMut(&HeaderName)) {
        let own = self.headers().iter();
        for (name, _) in own.chain(self.added()).filter(|(name, value)| is_secret(name, value)) {
            each(name);
        }
        if self.cookies.is_some() {
            each(&COOKIE);
        }
        if let Some(applied) = &self.applied {
            applied.headers.iter().for_each(|(name, _)| each(name));
            // For a secret in the query too.
            each(&AUTHORIZATION);
        } else if has_user(self) {
            each(&AUTHORIZATION);
        }
    }
}

pub(super) fn is_secret(name: &HeaderName, value: &HeaderValue) -> bool {
    // What is for the proxy says nothing to the server behind it.
    (value.is_sensitive() || *name == AUTHORIZATION) && *name != PROXY_AUTHORIZATION
}

/// Who the URL says that asks, if the header fields do not: users are told apart by it, and how it
/// is sent does not matter here.
pub(super) fn user(hop: &Hop<'_>) -> Option<HeaderValue> {
    if let Some(applied) = &hop.applied {
        let query = applied.url.as_ref()?.query()?;
        return secret(format!("?{query}"));
    }
    if !has_user(hop) || hop.headers_with(&[AUTHORIZATION]).contains_key(AUTHORIZATION) {
        return None;
    }
    let user = format!("{}:{}", hop.url.username(), hop.url.password().unwrap_or_default());
    secret(user)
}

fn secret(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn has_user(hop: &Hop<'_>) -> bool {
    !hop.url.username().is_empty() || hop.url.password().is_some()
}

/// The fields that the directives of a request are read from.
pub(super) fn of_directives<'h>(hop: &'h Hop<'_>) -> &'h HeaderMap {
    hop.headers_with(&[CACHE_CONTROL, PRAGMA])
}

/// The hop with what its mode says to caches on the way.
pub(super) fn for_mode<'m>(hop: &Hop<'m>, mode: CacheMode) -> Option<Hop<'m>> {
    let value = match mode {
        CacheMode::ForceRefresh => "no-cache",
        CacheMode::Revalidate => "max-age=0",
        _ => return None,
    };
    if of_directives(hop).contains_key(CACHE_CONTROL) {
        return None;
    }
    Some(hop.with_headers(|headers| {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
        if mode == CacheMode::ForceRefresh {
            headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        }
    }))
}

/// The hop with the validators of what is stored, so that the server can say that it still counts.
pub(super) fn validating<'m>(hop: &Hop<'m>, found: &Found) -> Option<Hop<'m>> {
    if hop.method != Method::GET {
        return None;
    }
    let (tag, modified) = update::validators(&found.stored.headers);
    if tag.is_none() && modified.is_none() {
        return None;
    }
    Some(hop.with_headers(|headers| {
        headers.extend(tag.map(|tag| (IF_NONE_MATCH, tag.clone())));
        headers.extend(modified.map(|modified| (IF_MODIFIED_SINCE, modified.clone())));
    }))
}
