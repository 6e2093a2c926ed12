//! Compares abide with other blocking HTTP clients, all on the same work and in one run.
//!
//! A round gives every client its turn, each in a child process of its own (this program again)
//! against one test server (this program once more), and the order rotates from round to round.
//! What counts is the ratio of two clients within a round: whatever else the machine does then
//! hits both. `--help` shows the options; read `run.rs` first.
//!
//! Every client has the same keep-alive, the same request headers as far as it allows, an idle
//! pool as large as its number of threads, and its own defaults for the rest. The figures of
//! memory and of other processes come from `/proc`; elsewhere they are left out.

mod child;
mod clients;
mod control;
mod figures;
mod machine;
mod meter;
mod options;
mod outcome;
mod payload;
mod report;
mod run;
mod scenarios;
mod server;
mod server_process;
mod spec;
mod statistics;
mod task;

use std::process::ExitCode;

use options::{Command, USAGE};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match options::parse(&arguments) {
        Ok(Command::Help) => {
            print!("{USAGE}");
            Ok(true)
        }
        Ok(Command::Compare(options)) => run::run(&options),
        Ok(Command::Server) => server::main().map(|()| true),
        Ok(Command::Client(spec)) => child::main(&spec).map(|()| true),
        Err(reason) => {
            eprint!("{reason}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
