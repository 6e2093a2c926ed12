//! What abide does, on one screen.
//!
//! `cargo run --release --example quickstart` starts a small HTTP server inside this process and
//! takes a tour of the library against it; `tour.rs` is the file to read. With URLs as arguments
//! it fetches those instead:
//! `cargo run --release --example quickstart -- https://www.rust-lang.org/`.

mod fetch;
mod screen;
mod server;
mod tour;

use std::{env, error::Error, process::ExitCode};

fn main() -> ExitCode {
    let urls: Vec<String> =
        env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let all_went_well = if urls.is_empty() { tour::run() } else { fetch::run(&urls) };
    match all_went_well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // There may be no screen to complain on: a closed pipe is the usual cause.
        Err(error) => ExitCode::from(u8::from(!is_closed_pipe(&*error))),
    }
}

fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
