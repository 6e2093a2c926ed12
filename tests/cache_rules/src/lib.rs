//! The rules of the cache, compiled as they are, against the crate `http-cache-semantics`.
//!
//! It follows RFC 9111 too, and was written by others. Where it leaves the path of the RFC, or is
//! of another opinion where the RFC leaves a choice, no case is made: it does not look at `Date`
//! for the age, guesses a lifetime whatever the status is, stores no errors of servers, and takes
//! `no-cache` with names of fields for one without.

#![cfg(test)]

#[expect(dead_code, unreachable_pub, reason = "only a part of what replies tell is needed here")]
#[path = "../../../src/caching.rs"]
mod caching;
mod oracle;
#[expect(dead_code, unused_imports, reason = "only a part of the rules is compared")]
mod policy;
