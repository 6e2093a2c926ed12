//! Tests that need a process to themselves: this test binary, started once more.

use std::process::Command;

/// Runs one test, which is ignored otherwise, in a process of its own.
#[track_caller]
pub(crate) fn run_alone(name: &str, variables: &[(&str, &str)]) {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    run(Command::new(std::env::current_exe().unwrap()), name, variables);
}

/// The same with a bound on its memory that it can reach; a thread needs much of it.
#[track_caller]
pub(crate) fn run_alone_with_little_room(name: &str) {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 2000000; exec \"$0\" \"$@\""]);
    shell.arg(std::env::current_exe().unwrap());
    run(shell, name, &[("RUST_MIN_STACK", "67108864")]);
}

#[track_caller]
fn run(mut command: Command, name: &str, variables: &[(&str, &str)]) {
    let output = command
        .args(["--exact", name, "--ignored", "--test-threads", "1", "--nocapture"])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success() && said[0].contains("1 passed"), "{}", said.concat());
}
