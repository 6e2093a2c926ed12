//! Pure rules: they get everything as arguments and return what to do.
//!
//! No clock, no network, no thread; `now` is an argument where it matters.

pub(crate) mod auth;
pub(crate) mod back_off;
#[cfg(feature = "cache")]
pub(crate) mod cache;
#[cfg(feature = "cookies")]
pub(crate) mod cookies;
pub(crate) mod date;
pub(crate) mod encoding;
pub(crate) mod proxy;
pub(crate) mod redirect;
pub(crate) mod retry;
