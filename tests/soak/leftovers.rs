//! What a process has: threads, open files, memory.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// Of the client; those of the server end with it.
    threads: usize,
    files: usize,
}

impl Leftovers {
    pub(crate) fn now() -> Self {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let is_ours = |task: &fs::DirEntry| {
            // It may end meanwhile.
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            name.starts_with("abide")
        };
        let threads = tasks.flatten().filter(is_ours).count();
        Self { threads, files: fs::read_dir("/proc/self/fd").unwrap().count() }
    }
}

/// Fails if the memory in use grows on and on; calls `check` now and then.
pub(crate) fn watch_memory(end: Instant, lasts: Duration, check: impl Fn()) {
    let settled_at = end - lasts * 2 / 3;
    let mut settled = None;
    while Instant::now() < end {
        thread::sleep(Duration::from_millis(20));
        check();
        if settled.is_none() && Instant::now() > settled_at {
            settled = Some(resident_bytes());
        }
    }
    let (settled, last) = (settled.unwrap_or_default(), resident_bytes());
    println!("{} MiB of memory, {} MiB at the end", settled >> 20, last >> 20);
    // In a short run it is still growing to what it needs.
    if lasts >= LONG {
        assert!(last < settled + GROWTH_MAX, "the memory in use has grown");
    }
}

fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() << 10
}

const LONG: Duration = Duration::from_secs(60);
const GROWTH_MAX: usize = 48 << 20;
