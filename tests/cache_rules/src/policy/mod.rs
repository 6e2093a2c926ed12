//! The rules themselves.

#[path = "../../../../src/policy/cache/mod.rs"]
pub(crate) mod cache;
#[path = "../../../../src/policy/date.rs"]
pub(crate) mod date;
