//! Runs the model of the pool.

use std::process::Command;

#[test]
fn calls_get_connections_in_every_interleaving() {
    let status = Command::new(env!("CARGO_BIN_EXE_pool-model")).status().expect("it is there");
    assert!(status.success(), "{status}");
}
