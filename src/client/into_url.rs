//! What can be given as a URL.

use std::cell::RefCell;

use url::Url;

use crate::{
    error::{Error, Result},
    origin,
};

/// Text or a [`Url`], absolute, with the scheme `http` or `https`.
pub trait IntoUrl: sealed::Sealed {
    #[doc(hidden)]
    fn into_url(self) -> Result<Url>;
}

impl IntoUrl for &str {
    fn into_url(self) -> Result<Url> {
        if let Some(url) = remembered(self) {
            return Ok(url);
        }
        if self.trim().is_empty() {
            return Err(Error::invalid("the URL is empty"));
        }
        let url = Url::parse(self).map_err(|e| {
            let shown = origin::redacted_text(self);
            Error::invalid(format!("`{shown}` is not an absolute URL")).because(e)
        })?;
        remember(self, &url);
        Ok(url)
    }
}

thread_local! {
    /// The text that this thread has parsed last, and what it means.
    ///
    /// Who calls again and again calls the same URL more often than not, and parsing one takes a
    /// seventh of the instructions of a whole call over a kept connection.
    static LAST: RefCell<Option<(String, Url)>> = const { RefCell::new(None) };
}

fn remembered(text: &str) -> Option<Url> {
    let url = LAST.try_with(|last| {
        let last = last.try_borrow().ok()?;
        last.as_ref().filter(|(known, _)| known == text).map(|(_, url)| url.clone())
    });
    url.ok().flatten()
}

fn remember(text: &str, url: &Url) {
    // Passwords and queries are not kept beyond their call.
    if text.len() > REMEMBERED_BYTES_MAX || text.contains(['@', '?']) {
        return;
    }
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = Some((text.to_owned(), url.clone()));
        }
    });
}

const REMEMBERED_BYTES_MAX: usize = 512;

impl IntoUrl for String {
    fn into_url(self) -> Result<Url> {
        self.as_str().into_url()
    }
}

impl IntoUrl for &String {
    fn into_url(self) -> Result<Url> {
        self.as_str().into_url()
    }
}

impl IntoUrl for Url {
    fn into_url(self) -> Result<Url> {
        Ok(self)
    }
}

impl IntoUrl for &Url {
    fn into_url(self) -> Result<Url> {
        Ok(self.clone())
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "so that nobody else can implement it")]
    pub trait Sealed {}
    impl Sealed for &str {}
    impl Sealed for String {}
    impl Sealed for &String {}
    impl Sealed for url::Url {}
    impl Sealed for &url::Url {}
}
