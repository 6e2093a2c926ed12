//! Tests that need a process to themselves: this test binary, started once more.

use std::process::Command;

/// Runs one test, which is ignored otherwise, in a process of its own.
#[track_caller]
pub(crate) fn run_alone(name: &str, variables: &[(&str, &str)]) {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--test-threads", "1", "--nocapture"])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success() && said[0].contains("1 passed"), "{}", said.concat());
}
