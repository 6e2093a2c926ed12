//! Runs tests one after the other and reports like libtest.

#![expect(clippy::print_stdout, reason = "the report goes where libtest puts its own")]

use std::{
    env,
    panic::catch_unwind,
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use super::processes;

/// A name and what it promises.
pub(crate) type Test = (&'static str, fn());

macro_rules! tests {
    ($($(#[$if:meta])* $name:ident),* $(,)?) => {
        &[$($(#[$if])* (stringify!($name), $name as fn())),*]
    };
}
pub(crate) use tests;

/// Runs the tests whose name contains the word of the command line, or all.
pub(crate) fn run_all(tests: &[Test]) -> ExitCode {
    let Wanted { only_list, words } = Wanted::from_command_line();
    let is_wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let (wanted, others): (Vec<Test>, Vec<Test>) =
        tests.iter().partition(|(name, _)| is_wanted(name));
    if only_list {
        wanted.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", wanted.len());
    let began = Instant::now();
    let failed = wanted.iter().filter(|test| !is_kept(test)).count();
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out; \
         finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        wanted.len() - failed,
        others.len(),
        began.elapsed().as_secs_f64(),
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

/// Runs a test on a thread of its own and says how it went.
fn is_kept(&(name, run): &Test) -> bool {
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(catch_unwind(run).is_ok()));
    let went_well = match end.recv_timeout(TEST_MAX) {
        Ok(went_well) => went_well,
        Err(RecvTimeoutError::Disconnected) => false,
        Err(RecvTimeoutError::Timeout) => {
            println!("after {TEST_MAX:?} this has not ended:");
            false
        }
    };
    let left_child = !processes::none_is_left();
    if left_child {
        println!("this has left a child behind:");
    }
    let is_kept = went_well && !left_child;
    println!("test {name} ... {}", if is_kept { "ok" } else { "FAILED" });
    is_kept
}

/// What the command line asks for, of what libtest knows.
#[derive(Default)]
struct Wanted {
    only_list: bool,
    words: Vec<String>,
}

impl Wanted {
    fn from_command_line() -> Self {
        let mut wanted = Self::default();
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => wanted.only_list = true,
                flag if FLAGS_WITH_VALUE.contains(&flag) => drop(arguments.next()),
                flag if flag.starts_with('-') => {}
                _ => wanted.words.push(argument),
            }
        }
        wanted
    }
}

const FLAGS_WITH_VALUE: &[&str] = &["--test-threads", "--skip", "--format", "--color", "-Z"];
const FAILED: u8 = 101;
const TEST_MAX: Duration = Duration::from_secs(60);
