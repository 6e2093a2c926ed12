//! What a lent GET on a kept connection asks of the system, as `strace` sees it.

use std::{collections::HashMap, fs, process::Command};

use abide_real::{MARK, http, path};

/// What the whole process did during one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Counted {
    system_calls: usize,
    /// Threads that waited for or woke each other.
    futexes: usize,
    /// Writes to the descriptor that wakes an event loop.
    wake_ups: usize,
}

/// Most calls: when the machine is busy, one may have to wait in another way.
#[test]
fn a_lent_get_takes_few_system_calls_and_wakes_nobody() {
    let log = path("warm-gets.strace");
    let url = http("NGINX_PLAIN", "/1k");
    let output = Command::new("strace")
        .args(["--follow-forks", "--decode-fds=path", "--output"])
        .arg(&log)
        .args([env!("CARGO_BIN_EXE_warm-gets"), &url, &CALLS.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counted = per_call(&fs::read_to_string(log).unwrap());
    assert_eq!(counted.len(), CALLS);
    let mut times = HashMap::new();
    counted.iter().for_each(|call| *times.entry(call).or_insert(0) += 1);
    println!("{times:?}");
    let good = counted.iter().filter(|call| {
        call.system_calls <= SYSTEM_CALLS_MAX && (call.futexes, call.wake_ups) == (0, 0)
    });
    assert!(good.count() * 4 >= CALLS * 3, "{times:?}");
}

/// Counts what each call did, from the mark before it to the next one.
fn per_call(log: &str) -> Vec<Counted> {
    let mut counted: Vec<Counted> = Vec::new();
    for line in log.lines() {
        // The number of the thread, padded.
        let event = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        // Others are signals, ends of threads, and the second half of what was counted before.
        let Some((name, arguments)) = event.split_once('(') else { continue };
        if name.starts_with(['<', '+', '-']) {
            continue;
        }
        if arguments.contains(MARK) {
            counted.push(Counted::default());
        } else if let Some(call) = counted.last_mut() {
            call.system_calls += 1;
            call.futexes += usize::from(name == "futex");
            call.wake_ups += usize::from(name == "write" && arguments.contains("[eventfd]"));
        }
    }
    // What followed the last mark is the end of the program.
    counted.pop();
    counted
}

const CALLS: usize = 1000;
/// It takes four: the process's number, a write, a wait and a read.
const SYSTEM_CALLS_MAX: usize = 6;
