//! The cache on disk against processes that are killed, processes that share a folder, and a disk
//! that is full.
//!
//! The program is its own child: with `ABIDE_CHILD` set it works on the folder that it is given.
//! Every body proves itself, so that a wrong byte is seen by whoever reads it.

#![cfg(all(unix, feature = "disk-cache"))]
#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]
#![expect(clippy::print_stdout, reason = "how far a child is")]

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use abide::{Cache, CacheMode, Client};

/// A body that says which one it is, and follows from that.
fn body(url: u64, version: u64) -> Vec<u8> {
    let mut state = (url << 32 ^ version).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut body = [url.to_le_bytes(), version.to_le_bytes()].concat();
    // Some of a few bytes, some larger than what is read at once.
    let length = match url % 10 {
        0 => 1_200_000,
        1 | 2 => 300_000,
        3..6 => 20_000,
        _ => 500,
    };
    while body.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        body.extend_from_slice(&state.to_le_bytes());
    }
    body
}

#[track_caller]
fn assert_proved(url: u64, read: &[u8]) {
    let number = |at: usize| u64::from_le_bytes(read[at..at + 8].try_into().unwrap());
    assert_eq!(number(0), url, "the body of another URL");
    assert!(read == body(url, number(8)), "a wrong byte in the body of {url}");
}

/// Answers each `GET` with the next version of its body, for as long as the process lives.
fn serve() -> SocketAddr {
    static VERSION: AtomicU64 = AtomicU64::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            thread::spawn(move || answer(socket.unwrap(), &VERSION));
        }
    });
    addr
}

fn answer(socket: TcpStream, version: &AtomicU64) -> Option<()> {
    let mut reader = BufReader::new(socket.try_clone().ok()?);
    let mut socket = socket;
    loop {
        let mut request = String::new();
        while !request.ends_with("\r\n\r\n") {
            if reader.read_line(&mut request).ok()? == 0 {
                return None;
            }
        }
        let url = request.split(['/', ' ']).find_map(|word| word.parse().ok())?;
        let body = body(url, version.fetch_add(1, Ordering::Relaxed));
        let head = "HTTP/1.1 200 OK\r\ncache-control: max-age=3600\r\netag: \"1\"\r\n";
        write!(socket, "{head}content-length: {}\r\n\r\n", body.len()).ok()?;
        socket.write_all(&body).ok()?;
    }
}

/// A folder that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("abide-disk-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

const URLS: u64 = 20;

fn client(folder: &Path, bytes: u64) -> Client {
    Client::builder().cache(Cache::disk(folder, bytes)).build().unwrap()
}

/// What the children do: calls of every kind, each reply proved.
fn work(client: &Client, server: &str, calls: u64, seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for call in 0..calls {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let url = (state >> 33) % URLS;
        let request = client.get(format!("http://{server}/{url}"));
        match (state >> 20) % 8 {
            0 => assert_proved(
                url,
                request.cache_mode(CacheMode::ForceRefresh).send().unwrap().bytes(),
            ),
            1 => client.cache().unwrap().remove(format!("http://{server}/{url}")).unwrap(),
            2 => {
                let mut read = Vec::new();
                // A body may be taken away between two blocks; then it says so.
                if request.open().unwrap().read_to_end(&mut read).is_ok() {
                    assert_proved(url, &read);
                }
            }
            _ => assert_proved(url, request.send().unwrap().bytes()),
        }
        println!("{call}");
    }
}

/// Not a test of its own: what a child does.
#[test]
fn child() {
    let Ok(folder) = env::var("ABIDE_CHILD") else { return };
    let number = |name: &str| env::var(name).unwrap().parse().unwrap();
    let client = client(Path::new(&folder), number("ABIDE_BYTES"));
    work(&client, &env::var("ABIDE_SERVER").unwrap(), number("ABIDE_CALLS"), number("ABIDE_SEED"));
    assert_eq!(client.cache().unwrap().statistics().failures, 0);
}

fn start(folder: &Path, server: SocketAddr, bytes: u64, calls: u64, seed: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("ABIDE_CHILD", folder)
        .env("ABIDE_SERVER", server.to_string())
        .env("ABIDE_BYTES", bytes.to_string())
        .env("ABIDE_CALLS", calls.to_string())
        .env("ABIDE_SEED", seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads every entry that there is, without asking; tells how many there were.
fn prove_all(folder: &Path, server: SocketAddr) -> usize {
    let client = client(folder, 64 << 20);
    let found = (0..URLS).filter(|url| {
        let request = client.get(format!("http://{server}/{url}"));
        let reply = request.cache_mode(CacheMode::OnlyIfCached).send().unwrap();
        let is_there = reply.status() == 200;
        if is_there {
            assert_proved(*url, reply.bytes());
        }
        is_there
    });
    let found = found.count();
    let cache = client.cache().unwrap();
    assert!(cache.entries().unwrap().len() >= found);
    assert_eq!(cache.statistics().failures, 0, "{:?}", cache.last_failure());
    found
}

#[test]
fn a_writer_that_is_killed_leaves_whole_entries_only() {
    let (scratch, server) = (Scratch::new("killed"), serve());
    let mut found = 0;
    for round in 0..12 {
        let mut child = start(&scratch.0, server, 64 << 20, u64::MAX, round);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed after other numbers of calls each time, in the middle of whatever comes next.
        let calls = 5 + round * 3;
        let last = lines.find(|line| line.as_ref().unwrap().ends_with(&calls.to_string()));
        assert!(last.is_some(), "the child ended before its {calls} calls");
        child.kill().unwrap();
        child.wait().unwrap();
        found = prove_all(&scratch.0, server);
    }
    assert!(found > 5, "{found} entries were left");
}

#[test]
fn two_processes_hammer_one_folder() {
    let (scratch, server) = (Scratch::new("shared"), serve());
    // Room for about half of what they ask for.
    let bytes = 3 << 20;
    let mut children = [1, 2].map(|seed| start(&scratch.0, server, bytes, 150, seed));
    let here = client(&scratch.0, bytes);
    work(&here, &server.to_string(), 150, 3);
    for child in &mut children {
        let mut told = String::new();
        child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
        assert!(child.wait().unwrap().success(), "{told}");
    }
    let usage = here.cache().unwrap().usage().unwrap();
    assert!(usage.bytes <= bytes + bytes / 8 * 3, "{usage:?}");
    assert!(prove_all(&scratch.0, server) > 3);
}

#[test]
fn a_full_disk_fails_no_call() {
    let (scratch, server) = (Scratch::new("full"), serve());
    let mount = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let run = command.args(arguments).arg(&scratch.0).stderr(Stdio::null()).status();
        run.is_ok_and(|status| status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=1m", "abide"]) {
        // Not allowed here; a store that fails is tested with the other promises of the cache.
        return;
    }
    let client = client(&scratch.0, 64 << 20);
    for url in (0..URLS).chain(0..URLS) {
        let reply = client.get(format!("http://{server}/{url}")).send().unwrap();
        assert_proved(url, reply.bytes());
        let mut read = Vec::new();
        let open = client.get(format!("http://{server}/{url}")).open();
        open.unwrap().read_to_end(&mut read).unwrap();
        assert_proved(url, &read);
    }
    let cache = client.cache().unwrap();
    assert!(cache.statistics().failures > 0 && cache.statistics().hits > 0);
    assert!(cache.last_failure().is_some());
    cache.clear().unwrap();
    client.get(format!("http://{server}/1")).send().unwrap();
    let again = client.get(format!("http://{server}/1")).send().unwrap();
    assert!(again.cache().unwrap().is_hit());
    drop(client);
    assert!(mount("umount", &[]));
}
