//! The pool of abide, from its own source files, under a scheduler that tries many interleavings.
//!
//! Callers, dials and connections are threads of the checker; `toys.rs` stands in for what crosses
//! between them. A call that would wait for ever is a deadlock to the checker. A failure prints its
//! seed and its schedule; `ABIDE_MODEL_SECONDS` makes a run longer.
#![expect(clippy::unwrap_used, reason = "a model fails where it meets the unexpected")]

#[expect(unreachable_pub, reason = "it is public where it comes from")]
#[path = "../../../src/priority.rs"]
mod priority;

#[expect(dead_code, unreachable_pub, reason = "a model asks for less than users of the client")]
#[path = "../../../src/stats.rs"]
mod stats;

mod properties;
mod toys;
mod transport;

use toys::{
    doorstep, environment, error, host_options, life, limits, moment, origin, traffic, watch, wheel,
};

/// The checker's primitives in place of the standard library's.
mod sync {
    pub(crate) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak, atomic};
}

fn main() {
    for (name, property) in properties::ALL {
        println!("{name}");
        properties::check(*property);
    }
}
