//! What abide promises when the network fails: in a network namespace at the near end of a cable.
//!
//! At the far end are an nginx and addresses that drop or reject. Run by `tests/real/run`.

#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

mod cable;
mod connecting;
mod cuts;
mod loss;
