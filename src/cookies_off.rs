//! Without the feature `cookies` there is no jar.

/// Never there.
#[derive(Clone)]
pub(crate) enum CookieJar {}

/// There is no choice.
#[derive(Clone, Default)]
pub(crate) struct CookieChoice(());

impl CookieChoice {
    #[expect(clippy::unused_self, reason = "the same API as with the feature")]
    pub(crate) const fn jar(self, _: Option<&CookieJar>) -> Option<CookieJar> {
        None
    }

    #[cfg(feature = "json")]
    pub(crate) const fn none() -> Self {
        Self(())
    }
}
