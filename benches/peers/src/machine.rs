//! The machine: what it is, and how busy others keep it.

use std::fs;
use std::time::Duration;

use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Machine {
    pub(crate) cpus: usize,
    cpu_model: Option<String>,
    memory_bytes: Option<u64>,
    system: Option<String>,
    load_average_before: Option<String>,
    optimized_build: bool,
    pub(crate) rounds: usize,
    pub(crate) round_ms: u64,
    /// False as soon as one row was measured while it was not.
    pub(crate) quiet: bool,
}

impl Machine {
    pub(crate) fn describe(rounds: usize, round: Duration) -> Self {
        Self {
            cpus: cpus(),
            cpu_model: field("/proc/cpuinfo", "model name"),
            memory_bytes: memory_bytes(),
            system: text("/proc/version"),
            load_average_before: text("/proc/loadavg"),
            optimized_build: !cfg!(debug_assertions),
            rounds,
            round_ms: u64::try_from(round.as_millis()).unwrap_or(u64::MAX),
            quiet: true,
        }
    }
}

pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Processor time that processes other than ours have used, by now.
///
/// Counted over processes and not from the totals of `/proc/stat`: those count the network's
/// interrupts, which are our own doing, apart from the processes that caused them.
pub(crate) struct Others {
    /// A process that ends gives its ticks to its parent, so only the sum means something.
    ticks: u64,
}

impl Others {
    /// `ours` are left out, and so are the kernel's threads, which mostly work for us.
    pub(crate) fn now(ours: &[u32]) -> Option<Self> {
        let used: u64 = fs::read_dir("/proc")
            .ok()?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| !ours.contains(pid))
            .filter_map(user_process_ticks)
            .sum();
        Some(Self { ticks: used + stolen_ticks()? })
    }

    /// The share of the whole machine that went to others, stolen time included.
    pub(crate) fn share_since(&self, earlier: &Self, elapsed: Duration) -> f64 {
        let seconds = self.ticks.saturating_sub(earlier.ticks) as f64 / TICKS_PER_SECOND;
        seconds / (elapsed.as_secs_f64() * cpus() as f64)
    }
}

fn user_process_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields after it are plain.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let parent: u32 = fields.get(1)?.parse().ok()?;
    if pid == KERNEL_THREAD_PARENT || parent == KERNEL_THREAD_PARENT {
        return None;
    }
    fields.get(11..15)?.iter().map(|ticks| ticks.parse::<u64>().ok()).sum()
}

fn stolen_ticks() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().next()?.split_whitespace().nth(8)?.parse().ok()
}

fn text(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn field(path: &str, name: &str) -> Option<String> {
    let content = fs::read_to_string(path).ok()?;
    let line = content.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn memory_bytes() -> Option<u64> {
    let kibibytes = field("/proc/meminfo", "MemTotal")?;
    Some(kibibytes.strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

const KERNEL_THREAD_PARENT: u32 = 2;
const TICKS_PER_SECOND: f64 = 100.0;
