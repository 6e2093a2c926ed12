//! What becomes of the memory of bodies.

use std::{hint::black_box, sync::Once};

/// Has the memory of bodies used again by the next ones, from the first body on that has this many
/// bytes.
///
/// A body is received by one thread and freed by another. glibc gives memory back to the system when
/// 128 KiB at the end of a heap are free, and gets it again page by page: with many calls at once,
/// over HTTP/2, that was a third of the time of bodies of 64 KiB. But it learns: that a mapping was
/// freed raises what may stay free to twice its size, for good, unless the program has set it
/// (`M_MMAP_THRESHOLD` in mallopt(3)). To other allocators this is one allocation that nobody
/// touches.
pub(crate) fn expect_body(bytes: u64) {
    static TOLD: Once = Once::new();
    if bytes >= LARGE_BYTES {
        TOLD.call_once(|| drop(black_box(Vec::<u8>::with_capacity(MAPPING_BYTES))));
    }
}

const LARGE_BYTES: u64 = 32 << 10;
/// Twice of this may stay free, enough for what 64 calls have of such bodies.
const MAPPING_BYTES: usize = 2 << 20;

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use std::thread;

    use super::*;

    /// How many pages this thread had to be given so far, by proc(5).
    fn page_faults() -> u64 {
        let line = std::fs::read_to_string("/proc/thread-self/stat").expect("a file of Linux");
        let (_, fields) = line.rsplit_once(')').expect("a name in brackets");
        let field = fields.split_whitespace().nth(7).expect("the number of minor faults");
        field.parse().expect("a number")
    }

    #[test]
    fn bodies_get_the_memory_of_earlier_ones() {
        expect_body(LARGE_BYTES);
        let faults = thread::spawn(|| {
            let bodies = || drop((0..32).map(|_| vec![1_u8; 64 << 10]).collect::<Vec<_>>());
            bodies();
            let before = page_faults();
            (0..50).for_each(|_| bodies());
            page_faults() - before
        });
        // Given back each time, it would be 16 for each of 1 600.
        let faults = faults.join().expect("no panic");
        assert!(faults < 1000, "{faults} page faults");
    }
}
