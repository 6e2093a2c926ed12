//! The rules of an HTTP cache for one user (RFC 9111): what may be kept, how long it is fresh, what
//! answers a request, and what changes it.
//!
//! `plan.rs` is the file to read first. Everything is worked out from headers and from a moment
//! that is given; nothing here reads a clock, stores anything, or knows how requests travel.

pub(crate) mod conditions;
pub(crate) mod dated;
mod directives;
mod head;
mod lifetime;
mod plan;
pub(crate) mod range;
pub(crate) mod storable;
pub(crate) mod update;
mod vary;

pub(crate) use self::{
    directives::{ReplyDirectives, RequestDirectives},
    head::{Head, Record, Signpost},
    lifetime::{Lifetime, Now},
    plan::{Asked, Begin, Plan, is_error_of_the_server},
    vary::{Fields, Vary, feed},
};
