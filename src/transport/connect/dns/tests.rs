//! Which name is looked up next, when some do not answer.

use super::*;
use crate::resolve::NameCache;

/// Names that are looked up, and names that wait for a thread.
struct Names {
    state: State,
    /// Nothing is looked up that nobody waits for.
    waiters: Vec<bridge::Awaited<Looked>>,
}

impl Names {
    fn new() -> Self {
        let state = State {
            source: None,
            cache: Cache::new(NameCache::default()),
            pending: HashMap::new(),
            queue: VecDeque::new(),
            slow: HashMap::new(),
            threads: 0,
            idle_threads: 0,
        };
        Self { state, waiters: Vec::new() }
    }

    fn ask(&mut self, host: &str) {
        let mut pending = Pending::default();
        self.waiters.push(pending.waiters.add());
        self.state.pending.insert(host.into(), pending);
        self.state.queue.push_back(host.into());
    }

    /// It did not answer in time when it was looked up last.
    fn is_known_to_be_slow(&mut self, host: &str) {
        self.state.note_speed(host, Some(long_ago()), Instant::now());
    }

    /// These are looked up since then.
    fn run(&mut self, hosts: impl IntoIterator<Item = String>, since: Instant) {
        for host in hosts {
            let started = Some(since);
            let pending = Pending { started, ..Pending::default() };
            self.state.pending.insert(host.into(), pending);
        }
    }

    #[track_caller]
    fn next_is(&mut self, expected: Option<&str>) {
        assert_eq!(self.state.take_name().as_deref(), expected);
    }
}

fn long_ago() -> Instant {
    Instant::now().checked_sub(SLOW_AFTER).expect("a machine that runs for longer")
}

fn hosts(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("{number}.slow.test"))
}

#[test]
fn names_that_are_known_to_be_slow_hold_at_most_half_of_the_threads() {
    let mut names = Names::new();
    for host in hosts(THREADS_MAX) {
        names.is_known_to_be_slow(&host);
        names.ask(&host);
    }
    names.ask("good.test");
    for host in hosts(THREADS_MAX / 2) {
        names.next_is(Some(&host));
    }
    names.next_is(Some("good.test"));
    names.next_is(None);
    // One that has ended makes room for the next one.
    names.state.pending.remove("0.slow.test");
    names.next_is(Some(&format!("{}.slow.test", THREADS_MAX / 2)));
    names.next_is(None);
}

#[test]
fn names_that_are_stuck_for_the_first_time_count_as_slow_ones_do() {
    let mut names = Names::new();
    names.is_known_to_be_slow("slow.test");
    names.ask("slow.test");
    names.ask("older.test");
    names.ask("newer.test");
    names.run(hosts(THREADS_MAX / 2), long_ago());
    // Who has waited least is most likely to be helped in time.
    names.next_is(Some("newer.test"));
    names.next_is(Some("older.test"));
    names.next_is(None);
    names.state.pending.remove("0.slow.test");
    names.next_is(Some("slow.test"));
}

#[test]
fn names_are_taken_in_their_order_while_less_than_half_are_stuck() {
    let mut names = Names::new();
    names.is_known_to_be_slow("slow.test");
    names.ask("slow.test");
    names.ask("good.test");
    names.run(hosts(THREADS_MAX / 2 - 1), long_ago());
    names.run(hosts(THREADS_MAX).skip(THREADS_MAX / 2), Instant::now());
    names.next_is(Some("slow.test"));
    names.next_is(Some("good.test"));
    names.next_is(None);
}

#[test]
fn a_name_is_slow_for_a_while_or_until_it_answers_in_time() {
    let mut names = Names::new();
    let now = Instant::now();
    let is_slow = |names: &Names, at| names.state.is_slow("some.test", at);
    names.state.note_speed("some.test", Some(now), now + SLOW_AFTER - Duration::from_millis(1));
    assert!(!is_slow(&names, now));
    names.state.note_speed("some.test", Some(now), now + SLOW_AFTER);
    assert!(is_slow(&names, now + SLOW_AFTER));
    assert!(!is_slow(&names, now + SLOW_AFTER + SLOW_FOR));
    names.state.note_speed("some.test", Some(now), now);
    assert!(!is_slow(&names, now));
}

#[test]
fn a_name_that_nobody_waits_for_is_not_looked_up() {
    let mut names = Names::new();
    names.ask("left.test");
    names.waiters.clear();
    names.ask("wanted.test");
    names.next_is(Some("wanted.test"));
    names.next_is(None);
    assert!(!names.state.pending.contains_key("left.test"));
}
