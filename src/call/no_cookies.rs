//! Without the feature `cookies` there is no jar to look into.

use http::{HeaderMap, HeaderValue};
use url::Url;

use crate::cookies::CookieJar;

pub(super) const fn header(jar: &CookieJar, _: &Url, _: &HeaderMap) -> Option<HeaderValue> {
    match *jar {}
}

pub(super) const fn keep(jar: &CookieJar, _: &Url, _: &HeaderMap) {
    match *jar {}
}
