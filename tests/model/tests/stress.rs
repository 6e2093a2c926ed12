//! Many threads that come and go against one host, in both ways of driving.
//!
//! Asserts that every call ends, none later than its budget and a little, and that nothing is left
//! in the books. `ABIDE_STRESS_SECONDS` says for how long, for each way; 5 is the default.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use abide::{Body, Client, Driving, Feedback, Limits, Timeouts};

#[test]
fn calls_end_in_time_while_callers_drive() {
    stress(Driving::Lent, 1);
    stress(Driving::Lent, 6);
}

#[test]
fn calls_end_in_time_while_a_thread_of_the_client_drives() {
    stress(Driving::Background, 1);
    stress(Driving::Background, 6);
}

fn stress(driving: Driving, places: usize) {
    let server = serve();
    let limits = Limits::default().places_per_route(places);
    let client =
        Client::builder().driving(driving).limits(limits).build().expect("the options fit");
    let end = Instant::now() + duration() / 2;
    let seed = std::env::var("ABIDE_STRESS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("{driving:?}, {places} places, ABIDE_STRESS_SEED={seed}");
    let seen = Arc::new(Seen::default());
    thread::scope(|scope| {
        for slot in 0..SLOTS {
            let (client, seen) = (&client, &seen);
            scope.spawn(move || {
                // One thread after the other, each for a few calls.
                for generation in 0.. {
                    if Instant::now() >= end {
                        break;
                    }
                    let dice = Dice(seed ^ (slot << 40) ^ (generation << 8) | 1);
                    let caller = Caller { client, server, seen, dice };
                    let joined = thread::scope(|scope| scope.spawn(|| caller.live()).join());
                    assert!(joined.is_ok(), "a caller panicked");
                }
            });
        }
    });
    println!("{seen:?}");
    assert!(seen.replies.load(Relaxed) > 0, "nothing worked: {seen:?}");
    let settled = Instant::now() + SLACK;
    loop {
        let stats = client.stats();
        if stats.active() + stats.queued() + stats.dialing() == 0 {
            break;
        }
        assert!(Instant::now() < settled, "left over: {stats:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn duration() -> Duration {
    let seconds = std::env::var("ABIDE_STRESS_SECONDS").ok();
    Duration::from_secs_f64(seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(5.0))
}

/// What happened, so that one can see that all of it did.
#[derive(Debug, Default)]
struct Seen {
    replies: AtomicUsize,
    errors: AtomicUsize,
    cancelled: AtomicUsize,
    timed_out: AtomicUsize,
    panics: AtomicUsize,
    nested: AtomicUsize,
    longest_micros: AtomicU64,
}

struct Caller<'s> {
    client: &'s Client,
    server: SocketAddr,
    seen: &'s Arc<Seen>,
    dice: Dice,
}

impl Caller<'_> {
    fn live(mut self) {
        for _ in 0..self.dice.below(8) + 1 {
            let started = Instant::now();
            match self.dice.below(8) {
                0 => self.is_cancelled(),
                1 => self.leaves_half_read(),
                2 => self.listener_panics(),
                3 => self.listener_calls(),
                4 => self.reader_calls(),
                5 => self.has_little_time(),
                _ => self.gets(),
            }
            let took = started.elapsed();
            self.seen.longest_micros.fetch_max(took.as_micros() as u64, Relaxed);
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.server)
    }

    /// Counts how a call ended, and holds it to its budget.
    fn saw<T>(&self, budget: Duration, call: impl FnOnce() -> Result<T, abide::Error>) {
        let started = Instant::now();
        let ended = call();
        let took = started.elapsed();
        assert!(took < budget + SLACK, "{took:?} of {budget:?}");
        let counter = match &ended {
            Ok(_) => &self.seen.replies,
            Err(error) if error.is_cancelled() => &self.seen.cancelled,
            Err(error) if error.is_timeout() => &self.seen.timed_out,
            Err(_) => &self.seen.errors,
        };
        counter.fetch_add(1, Relaxed);
    }

    fn gets(&mut self) {
        let path = ["small", "large", "close", "slow"][self.dice.below(4) as usize];
        self.saw(BUDGET, || self.client.get(self.url(path)).timeout(BUDGET).send());
    }

    fn is_cancelled(&mut self) {
        let feedback = Feedback::new();
        let (canceller, after) = (feedback.clone(), self.dice.below(2_000));
        let path = ["small", "large", "slow"][self.dice.below(3) as usize];
        thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(Duration::from_micros(after));
                canceller.cancel();
            });
            let request = self.client.get(self.url(path)).feedback(&feedback);
            // The budget is not what ends it.
            self.saw(Duration::from_micros(after), || request.timeout(BUDGET).send());
        });
    }

    fn leaves_half_read(&mut self) {
        let bytes = self.dice.below(200_000) as usize;
        let pause = Duration::from_micros(self.dice.below(30_000));
        self.saw(BUDGET + pause, || {
            let mut reply = self.client.get(self.url("large")).timeout(BUDGET).open()?;
            let mut buffer = vec![0; bytes / 2];
            // An error of the body shows in how the next read ends, and does not matter here.
            let _ = reply.read_exact(&mut buffer);
            thread::sleep(pause);
            let _ = reply.read_exact(&mut buffer);
            Ok(())
        });
    }

    fn listener_panics(&self) {
        let feedback = Feedback::new();
        feedback.on_download(|_| std::panic::resume_unwind(Box::new("a listener's panic")));
        let request = self.client.get(self.url("large")).feedback(&feedback).timeout(BUDGET);
        let started = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| request.send())).is_err() {
            self.seen.panics.fetch_add(1, Relaxed);
        }
        assert!(started.elapsed() < BUDGET + SLACK);
    }

    fn listener_calls(&self) {
        let feedback = Feedback::new();
        let (client, url, seen) = (self.client.clone(), self.url("small"), Arc::clone(self.seen));
        feedback.on_download(move |_| {
            // With one place it may be the outer call that holds it.
            let _ = client.get(&url).timeout(NESTED_BUDGET).send();
            seen.nested.fetch_add(1, Relaxed);
        });
        let budget = BUDGET + NESTED_BUDGET * 4;
        let request = self.client.get(self.url("large")).feedback(&feedback).timeout(BUDGET);
        self.saw(budget, || request.send());
    }

    fn reader_calls(&self) {
        let reader = Nested {
            client: self.client.clone(),
            url: self.url("small"),
            seen: Arc::clone(self.seen),
            left: 20_000,
        };
        let request = self.client.post(self.url("small")).timeout(BUDGET);
        self.saw(BUDGET + NESTED_BUDGET * 2, || {
            request.body(Body::sized_reader(reader, 20_000)).send()
        });
    }

    fn has_little_time(&mut self) {
        let budget = Duration::from_micros(self.dice.below(3_000));
        let timeouts = Timeouts::none().total(budget);
        self.saw(budget, || self.client.get(self.url("slow")).timeouts(timeouts).send());
    }
}

/// A reader that makes a call of its own half-way.
struct Nested {
    client: Client,
    url: String,
    seen: Arc<Seen>,
    left: usize,
}

impl Read for Nested {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.left).min(10_000);
        if self.left == 10_000 {
            let _ = self.client.get(&self.url).timeout(NESTED_BUDGET).send();
            self.seen.nested.fetch_add(1, Relaxed);
        }
        buffer[..length].fill(b'n');
        self.left -= length;
        Ok(length)
    }
}

/// A small generator of numbers (xorshift), so that a seed repeats what each thread does.
struct Dice(u64);

impl Dice {
    const fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// A server with a thread for each connection; it lives as long as the process.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("is bound");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away ends it with an error.
            thread::spawn(move || answer_all(stream));
        }
    });
    address
}

fn answer_all(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let Some((path, length)) = request(&mut reader)? else { return Ok(()) };
        io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
        let body: &[u8] = if path == "/large" { &[b'l'; 300_000] } else { b"small" };
        if path == "/slow" {
            thread::sleep(Duration::from_millis(2));
        }
        let closes = if path == "/close" { "Connection: close\r\n" } else { "" };
        write!(stream, "HTTP/1.1 200 OK\r\n{closes}Content-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(body)?;
        if path == "/close" {
            return Ok(());
        }
    }
}

/// The path of the next request and the length of its body.
fn request(reader: &mut impl BufRead) -> io::Result<Option<(String, u64)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            return Ok(Some((path, length)));
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
}

/// How many threads there are at a time.
const SLOTS: u64 = 12;
const BUDGET: Duration = Duration::from_secs(5);
const NESTED_BUDGET: Duration = Duration::from_millis(50);
/// What a call may take beyond its budget on a busy machine.
const SLACK: Duration = Duration::from_secs(2);
