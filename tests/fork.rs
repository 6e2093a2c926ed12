//! What `fork` makes of a client, in the child and in the parent.
//!
//! A binary with a `main` of its own: a child must end where its part ends, and must inherit only
//! what its test made, so the tests run one after the other. Each child says by its exit code
//! whether its part went well, and is waited for, for a bounded time.

#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

#[cfg(unix)]
#[path = "fork/unix.rs"]
mod unix;

fn main() -> std::process::ExitCode {
    #[cfg(unix)]
    return unix::run();
    #[cfg(not(unix))]
    std::process::ExitCode::SUCCESS
}
