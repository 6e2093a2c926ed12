//! An nginx that is reloaded and killed while calls are made, and the book it keeps of them.

use std::{
    collections::HashMap,
    fs,
    process::{self, Command},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use abide::{Client, ErrorKind, RetryPolicy};
use abide_real::{NGINX, PATIENCE, Target, each, eventually, in_threads, path};

const THREADS: usize = 16;
/// The others make calls that may be repeated.
const THREADS_PER_POSTER: usize = 4;
const RELOADS: usize = 8;

#[test]
fn a_reload_under_load_fails_no_get_and_repeats_no_post() {
    let nginx = Nginx::mine();
    each(&nginx.targets(), |target| {
        let client = target.client();
        let book = Book::default();
        under_load(&client, target, &book, || {
            for _ in 0..RELOADS {
                thread::sleep(Duration::from_millis(150));
                nginx.signal("HUP");
            }
        });
        // nginx logs a call after it has answered.
        eventually("every answered POST is in the log", || book.is_logged());
        let book = book.compare(target);
        assert_eq!(book.failed_gets, [""; 0]);
        // A POST may have met a connection that was just being closed.
        let most = RELOADS * THREADS / THREADS_PER_POSTER;
        assert!(book.failed_posts.len() <= most, "{:?}", book.failed_posts);
    });
}

#[test]
fn with_patience_a_restart_fails_no_get_either() {
    let nginx = Nginx::mine();
    each(&nginx.targets(), |target| {
        let patience = RetryPolicy::up_to(10).first_delay(Duration::from_millis(100));
        let client = target.builder().retries(patience).retry_budget(None).build().unwrap();
        let book = Book::default();
        under_load(&client, target, &book, || {
            for _ in 0..4 {
                thread::sleep(Duration::from_millis(150));
                nginx.restart(target);
            }
        });
        assert_eq!(book.compare(target).failed_gets, [""; 0]);
    });
}

#[test]
fn after_a_restart_calls_go_on_and_no_post_was_repeated() {
    let nginx = Nginx::mine();
    each(&nginx.targets(), |target| {
        let client = target.client();
        let book = Book::default();
        under_load(&client, target, &book, || {
            for _ in 0..4 {
                thread::sleep(Duration::from_millis(150));
                nginx.restart(target);
            }
        });
        // A server that is killed may have answered what it has not logged.
        book.compare(target);
        let reply = client.get(target.url("/done")).send().unwrap();
        assert_eq!(reply.text(), "done");
    });
}

/// Calls on all threads until `disturb` has done its work.
fn under_load(client: &Client, target: Target, book: &Book, disturb: impl FnOnce() + Send) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            disturb();
            is_over.store(true, Ordering::Relaxed);
        });
        in_threads(THREADS, |thread| {
            while !is_over.load(Ordering::Relaxed) {
                call(client, target, book, thread % THREADS_PER_POSTER == 0);
            }
        });
    });
}

fn call(client: &Client, target: Target, book: &Book, is_post: bool) {
    let mark = Book::next_mark();
    let url = target.url(&format!("/done?mark={mark}"));
    let call = if is_post { client.post(url).body("once") } else { client.get(url) };
    let answer = call.timeout(PATIENCE).send();
    let failure = match answer {
        Ok(reply) => {
            assert_eq!((reply.status().as_u16(), reply.text().as_str()), (200, "done"));
            None
        }
        Err(error) => {
            let kinds = [ErrorKind::Connect, ErrorKind::Protocol, ErrorKind::Body, ErrorKind::Tls];
            assert!(kinds.contains(&error.kind()), "{error:?}");
            Some(format!("{error:?}"))
        }
    };
    book.calls.lock().unwrap().push(Made { mark, is_post, failure });
}

/// What the callers know of their calls.
#[derive(Default)]
struct Book {
    calls: Mutex<Vec<Made>>,
}

struct Made {
    mark: String,
    is_post: bool,
    failure: Option<String>,
}

#[derive(Default)]
struct Compared {
    posts: usize,
    failed_posts: Vec<String>,
    failed_gets: Vec<String>,
}

impl Book {
    fn next_mark() -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        format!("{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether the server's book has all that it answered.
    fn is_logged(&self) -> bool {
        let served = served_posts();
        let calls = self.calls.lock().unwrap();
        let mut answered = calls.iter().filter(|call| call.is_post && call.failure.is_none());
        answered.all(|call| served.contains_key(&call.mark))
    }

    /// Holds the callers' book against the server's.
    fn compare(self, target: Target) -> Compared {
        let calls = self.calls.into_inner().unwrap();
        let served = posts_in_time(&calls);
        let mut compared = Compared::default();
        for call in calls {
            match (call.is_post, call.failure) {
                (true, failure) => {
                    compared.posts += 1;
                    let times = served.get(&call.mark).copied().unwrap_or(0);
                    assert!(times <= 1, "POST {} was served {times} times", call.mark);
                    compared.failed_posts.extend(failure);
                }
                (false, failure) => compared.failed_gets.extend(failure),
            }
        }
        let Compared { posts, failed_posts, failed_gets, .. } = &compared;
        println!(
            "{:?}: {} of {posts} POSTs and {} GETs failed",
            target.version,
            failed_posts.len(),
            failed_gets.len()
        );
        compared
    }
}

/// As `served_posts`, when all is logged that was answered: a line may be written after its answer
/// was read. What a killed server has not logged never is, so the wait ends.
fn posts_in_time(calls: &[Made]) -> HashMap<String, usize> {
    let deadline = Instant::now() + LOG_PATIENCE;
    loop {
        let served = served_posts();
        let is_logged = |call: &Made| {
            !call.is_post || call.failure.is_some() || served.contains_key(&call.mark)
        };
        if calls.iter().all(is_logged) || Instant::now() >= deadline {
            return served;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// How often each POST was served, by the server's own log.
fn served_posts() -> HashMap<String, usize> {
    let log = fs::read_to_string(path("logs/nginx-restarting.access")).unwrap();
    let mut times = HashMap::new();
    for line in log.lines() {
        let words: Vec<_> = line.split(' ').collect();
        if let ["POST", mark, "200"] = words[..] {
            *times.entry(mark.to_owned()).or_insert(0) += 1;
        }
    }
    times
}

/// The server that may be disturbed, one test at a time.
struct Nginx(#[expect(dead_code, reason = "held")] std::sync::MutexGuard<'static, ()>);

impl Nginx {
    fn mine() -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        Self(ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn targets(&self) -> [Target; 2] {
        NGINX.map(|target| target.at("NGINX_RESTARTING"))
    }

    fn process() -> Option<String> {
        let text = fs::read_to_string(path("nginx-restarting.pid")).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn signal(&self, signal: &str) {
        let process = Self::process().unwrap();
        let command = format!("kill -s {signal} {process}");
        let status = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(status.success(), "{command}");
    }

    /// Kills it; `run` starts it again, which takes a moment.
    fn restart(&self, target: Target) {
        let before = Self::process();
        self.signal("TERM");
        let began = Instant::now();
        eventually("nginx is there again", || {
            let is_new = Self::process().is_some_and(|process| Some(process) != before);
            is_new && target.client().get(target.url("/done")).send().is_ok()
        });
        println!("restarted in {:?}", began.elapsed());
    }
}
