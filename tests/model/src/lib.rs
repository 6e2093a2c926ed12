//! The wheel, the parker and the life of a connection, from abide's own source files, under a
//! scheduler that tries many interleavings.
//!
//! `sync.rs` and `moment.rs` take the place of abide's files of that name, `lane.rs` that of a lane
//! with tokio's event loop, `wire.rs` that of a connection; `properties.rs` and `lives.rs` say what
//! has to hold. A failure prints its seed and its
//! schedule, and `SHUTTLE_RANDOM_SEED` repeats a run. `ABIDE_MODEL_SECONDS` makes it longer.
#![cfg(test)]

mod check;
mod lane;
#[path = "../../../src/life.rs"]
mod life;
mod lives;
mod moment;
#[path = "../../../src/runtime/parker.rs"]
mod parker;
mod properties;
mod sync;
#[expect(dead_code, reason = "a model has one lane, and no pool that asks about it")]
#[path = "../../../src/wheel.rs"]
mod wheel;
mod wire;
