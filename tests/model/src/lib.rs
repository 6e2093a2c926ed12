//! The wheel, its keeper and steward, the parker, the life of a connection, the attendance of callers and
//! the doorsteps where they wait for a connection, from abide's own source files, under a scheduler that tries many interleavings.
//!
//! `sync.rs`, `moment.rs`, `load.rs`, `lend.rs`, `environment.rs` and `transport/` take the place of abide's
//! files of that name, `lane.rs` that of a lane with tokio's event loop, `wire.rs` and
//! `connection.rs` that of what is on it. What has to hold is said in `properties.rs` of the wheel,
//! in `lives.rs` of lives, and in `attending.rs` of all of it together. A failure prints its seed and its
//! schedule, and `SHUTTLE_RANDOM_SEED` repeats a run. `ABIDE_MODEL_SECONDS` makes it longer.
#![cfg(test)]

#[path = "../../../src/runtime/attendance.rs"]
mod attendance;
mod attending;
mod check;
mod connection;
#[path = "../../../src/doorstep.rs"]
mod doorstep;
mod environment;
mod lane;
mod lend;
#[path = "../../../src/life.rs"]
mod life;
mod lives;
mod load;
mod moment;
#[path = "../../../src/runtime/parker.rs"]
mod parker;
#[path = "../../../src/post.rs"]
mod post;
mod properties;
#[path = "../../../src/steward.rs"]
mod steward;
mod sync;
mod transport;
#[expect(dead_code, reason = "a model has one lane, and no pool that asks about it")]
#[path = "../../../src/wheel.rs"]
mod wheel;
mod wire;
