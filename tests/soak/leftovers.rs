//! What a process has: threads, open files, memory.

use std::{
    fs,
    hint::black_box,
    thread,
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
    let mut thirds = [const { Vec::new() }; 3];
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        thread::sleep(Duration::from_millis(20));
        check();
        let third = lasts.saturating_sub(left).as_nanos() * 3 / lasts.as_nanos();
        thirds[usize::try_from(third).unwrap().min(2)].push(resident_bytes());
    }
    let [first, middle, last] = thirds.map(median);
    println!("{} MiB of memory, then {}, then {}", first >> 20, middle >> 20, last >> 20);
    // In a short run it is still growing to what it needs.
    if lasts >= LONG {
        let grown = last.saturating_sub(middle);
        assert!(grown <= GROWTH_MAX, "the memory in use has grown by {grown} bytes");
    }
}

fn median(mut values: Vec<usize>) -> usize {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Has the thread's stack count as memory in use from now on, and not when a call first needs it.
pub(crate) fn touch_stack() {
    let touched = [1_u8; STACK_TOUCHED];
    black_box(&touched);
}

fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() << 10
}

/// Most of what a caller's thread has.
const STACK_TOUCHED: usize = 384 << 10;
const LONG: Duration = Duration::from_secs(60);
const GROWTH_MAX: usize = 8 << 20;
