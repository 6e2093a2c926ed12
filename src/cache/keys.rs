//! Under which key a reply is found.

use std::hash::Hasher as _;

use http::{HeaderName, HeaderValue};
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use url::{Position, Url};

use super::store::CacheKey;
use crate::policy::cache::{Fields, Signpost, feed};

/// Makes keys with the secret of a store, so that nobody can choose URLs or credentials that
/// collide, and names of files tell nothing.
pub(super) struct Keys(SipHasher24);

/// Whose replies: clients that show different certificates do not share any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner(u64);

impl Owner {
    pub(crate) fn of_certificate(certificate: &[u8]) -> Self {
        let mut hasher = SipHasher24::new();
        hasher.write(certificate);
        // Not zero, which is one who shows none.
        Self(hasher.finish128().h1 | 1)
    }
}

impl Keys {
    pub(super) fn new(secret: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(secret))
    }

    /// The key of a URL, or rather of what is asked there.
    pub(super) fn of_url(&self, url: &Url, owner: Owner, host: Option<&HeaderValue>) -> CacheKey {
        let mut hasher = self.0;
        let (scheme, rest) = parts(url);
        hasher.write(scheme.as_bytes());
        hasher.write(rest.as_bytes());
        if let Some(host) = host {
            hasher.write(b"\nhost:");
            hasher.write(host.as_bytes());
        }
        if owner != Owner::default() {
            hasher.write(b"\nowner:");
            hasher.write(&owner.0.to_le_bytes());
        }
        CacheKey(hasher.finish128().as_u128())
    }

    /// The key of the reply that a request selects among those of a URL.
    pub(super) fn of_variant(
        &self,
        url: CacheKey,
        signpost: &Signpost,
        request: &dyn Fields,
    ) -> CacheKey {
        // With the signpost's id: what an earlier one led to is found no more.
        self.selected(url, signpost.id, &signpost.fields, request)
    }

    /// The key under which calls that may share a reply meet.
    pub(super) fn of_flight(
        &self,
        url: CacheKey,
        secrets: &[HeaderName],
        request: &dyn Fields,
    ) -> CacheKey {
        self.selected(url, 0, secrets, request)
    }

    fn selected(
        &self,
        url: CacheKey,
        id: u64,
        fields: &[HeaderName],
        request: &dyn Fields,
    ) -> CacheKey {
        let mut hasher = self.0;
        hasher.write(&url.0.to_le_bytes());
        hasher.write(&id.to_le_bytes());
        feed(fields, request, &mut |bytes| hasher.write(bytes));
        CacheKey(hasher.finish128().as_u128())
    }
}

/// The URL as it is stored: without user information and fragment.
pub(super) fn shown(url: &Url) -> Box<str> {
    let (scheme, rest) = parts(url);
    [scheme, rest].concat().into()
}

pub(super) fn is_shown_as(url: &Url, shown: &str) -> bool {
    let (scheme, rest) = parts(url);
    shown.strip_prefix(scheme) == Some(rest)
}

fn parts(url: &Url) -> (&str, &str) {
    (&url[..Position::BeforeUsername], &url[Position::BeforeHost..Position::AfterQuery])
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header};

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn user_information_and_fragment_are_no_part_of_a_key() {
        let keys = Keys::new(&[7; 16]);
        let of = |text: &str| keys.of_url(&url(text), Owner::default(), None);
        assert_eq!(of("http://host/a?b"), of("http://user:word@host/a?b#c"));
        assert_eq!(&*shown(&url("http://user:word@host/a?b#c")), "http://host/a?b");
        assert!(is_shown_as(&url("http://user:word@host/a?b#c"), "http://host/a?b"));
        for other in ["https://host/a?b", "http://host:8/a?b", "http://host/a?c", "http://host/a"] {
            assert_ne!(of("http://host/a?b"), of(other), "{other}");
            assert!(!is_shown_as(&url("http://host/a?b"), other));
        }
    }

    #[test]
    fn owner_and_named_host_are_part_of_a_key() {
        let keys = Keys::new(&[7; 16]);
        let url = url("http://host/");
        let host = HeaderValue::from_static("other");
        let plain = keys.of_url(&url, Owner::default(), None);
        assert_ne!(plain, keys.of_url(&url, Owner::default(), Some(&host)));
        assert_ne!(plain, keys.of_url(&url, Owner(1), None));
        assert_ne!(plain, Keys::new(&[8; 16]).of_url(&url, Owner::default(), None));
    }

    #[test]
    fn calls_with_other_credentials_never_meet() {
        struct With(HeaderMap);
        impl Fields for With {
            fn each(&self, name: &HeaderName, each: &mut dyn FnMut(&HeaderValue)) {
                self.0.get_all(name).into_iter().for_each(each);
            }
            fn each_secret(&self, _: &mut dyn FnMut(&HeaderName)) {}
        }
        let with = |value: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(
                value.map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value))),
            );
            With(headers)
        };
        let keys = Keys::new(&[7; 16]);
        let url = keys.of_url(&url("http://host/"), Owner::default(), None);
        let meet = |value| keys.of_flight(url, &[header::AUTHORIZATION], &with(value));
        assert_eq!(meet(Some("one")), meet(Some("one")));
        assert_ne!(meet(Some("one")), meet(Some("two")));
        assert_ne!(meet(Some("one")), meet(None));
    }
}
