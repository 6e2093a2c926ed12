//! What can be given as a URL.

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
        if self.trim().is_empty() {
            return Err(Error::invalid("the URL is empty"));
        }
        Url::parse(self).map_err(|e| {
            let shown = origin::redacted_text(self);
            Error::invalid(format!("`{shown}` is not an absolute URL")).because(e)
        })
    }
}

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
