//! The wheel and the parker of abide, from its own source files, under a scheduler that tries many
//! interleavings.
//!
//! `sync.rs` and `moment.rs` take the place of abide's files of that name, `lane.rs` that of a lane
//! with tokio's event loop; `properties.rs` says what has to hold. A failure prints its seed and its
//! schedule, and `SHUTTLE_RANDOM_SEED` repeats a run. `ABIDE_MODEL_SECONDS` makes it longer.
#![cfg(test)]

mod lane;
mod moment;
#[path = "../../../src/runtime/parker.rs"]
mod parker;
mod properties;
mod sync;
#[expect(dead_code, reason = "a model has one lane, and no pool that asks about it")]
#[path = "../../../src/wheel.rs"]
mod wheel;
