//! The cookies of a hop: sent with it, and kept from its answer.

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, header};
use url::Url;

use crate::{cookies::CookieJar, origin};

/// The whole of `Cookie` for a hop with header fields of its own, if the jar adds to it.
pub(super) fn header(jar: &CookieJar, url: &Url, own: &HeaderMap) -> Option<HeaderValue> {
    jar.lock().header(url, own, SystemTime::now())
}

/// Keeps what an answer sets, whatever its status.
pub(super) fn keep(jar: &CookieJar, url: &Url, headers: &HeaderMap) {
    let mut set = headers.get_all(header::SET_COOKIE).iter().peekable();
    if set.peek().is_none() {
        return;
    }
    let now = SystemTime::now();
    for value in set {
        let kept = match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => jar.lock().set(text, url, now).map_err(|refusal| refusal.to_string()),
            Err(_) => Err("it is not UTF-8".to_owned()),
        };
        if let Err(why) = kept {
            tracing::debug!(url = %origin::redacted(url), why, "cookie refused");
        }
    }
}
