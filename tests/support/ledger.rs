//! What a server has seen so far, shared by its threads and the test, and the waiting for it.

use std::collections::{BTreeMap, HashMap};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::sync::watch;

use super::request::Request;

/// How long anything is waited for before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The payload with which a handler's thread unwinds when its server or client has gone.
pub(super) struct Ended;

pub(super) struct Ledger {
    state: Mutex<State>,
    changed: Condvar,
    /// The same news as `changed`, for the tasks of an HTTP/2 server.
    changed_for_tasks: watch::Sender<()>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) stopping: bool,
    pub(super) connections: usize,
    pub(super) handshakes: usize,
    pub(super) greetings: Vec<Greeting>,
    pub(super) max_open: usize,
    /// The first `REQUESTS_KEPT` heads.
    pub(super) requests: Vec<Request>,
    pub(super) resets: Vec<StreamReset>,
    pub(super) threads: usize,
    pub(super) failures: Vec<String>,
    /// The open connections.
    pub(super) open: BTreeMap<usize, Arc<TcpStream>>,
    pub(super) departures: Vec<Instant>,
    signals: HashMap<String, usize>,
}

/// What the TLS handshake of an HTTP/1.1 connection came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Greeting {
    /// The server name indication.
    pub(crate) server_name: Option<String>,
    /// As rustls calls it, `TLSv1_3`.
    pub(crate) version: String,
    /// Whether a session was resumed.
    pub(crate) resumed: bool,
}

/// A RST_STREAM frame of the client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StreamReset {
    pub(crate) stream: u32,
    pub(crate) reason: u32,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            changed_for_tasks: watch::Sender::new(()),
        }
    }

    pub(super) fn read<T>(&self, ask: impl FnOnce(&State) -> T) -> T {
        ask(&self.lock())
    }

    pub(super) fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let answer = change(&mut self.lock());
        self.changed.notify_all();
        self.changed_for_tasks.send_replace(());
        answer
    }

    /// Counts a new connection, after those that have meanwhile ended were taken off; `None` when
    /// the server is stopping.
    pub(super) fn arrive(&self, socket: Arc<TcpStream>) -> Option<usize> {
        self.write(|state| {
            state.take_off_the_gone();
            if state.stopping {
                return None;
            }
            let connection = state.connections;
            state.connections += 1;
            state.open.insert(connection, socket);
            state.max_open = state.max_open.max(state.open.len());
            Some(connection)
        })
    }

    /// Gives connections a while to read what has come, behind which an end may be hidden, if they
    /// would make one more the most that were ever open.
    pub(super) fn let_them_read(&self) {
        let deadline = Instant::now() + READING;
        while Instant::now() < deadline {
            if self.have_all_been_read() {
                return;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The same for connections whose readers are tasks of the one that waits here.
    pub(super) async fn let_tasks_read(&self) {
        let deadline = Instant::now() + READING;
        while !self.have_all_been_read() && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
    }

    fn have_all_been_read(&self) -> bool {
        self.write(|state| {
            state.take_off_the_gone();
            state.open.len() < state.max_open
                || state.find(|presence| matches!(presence, Presence::SaidMore)).is_empty()
        })
    }

    pub(super) fn depart(&self, connection: usize) {
        self.write(|state| state.take_off(connection));
    }

    /// The number of open connections, whether or not their threads have noticed the end.
    pub(super) fn open(&self) -> usize {
        self.write(|state| {
            state.take_off_the_gone();
            state.open.len()
        })
    }

    pub(super) fn signal(&self, name: &str) {
        self.write(|state| *state.signals.entry(name.to_owned()).or_default() += 1);
    }

    /// Waits on a handler's thread; unwinds quietly when the server stops.
    pub(super) fn await_signal_in_handler(&self, name: &str, count: usize) {
        let stopped = self.wait(&format!("signal {name:?} in a handler"), |state| {
            (state.stopping || state.signalled(name) >= count).then_some(state.stopping)
        });
        if stopped {
            end_quietly();
        }
    }

    /// Waits in the test until `name` was signalled `count` times.
    #[track_caller]
    pub(super) fn await_signal(&self, name: &str, count: usize) {
        self.wait(&format!("signal {name:?} × {count}"), |state| {
            (state.signalled(name) >= count).then_some(())
        });
    }

    /// Waits until `ready` gives an answer, and fails the test after [`PATIENCE`].
    #[track_caller]
    pub(super) fn wait<T>(&self, what: &str, mut ready: impl FnMut(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            if let Some(answer) = ready(&state) {
                return answer;
            }
            let Some(rest) = deadline.checked_duration_since(Instant::now()) else {
                let seen = state.summary();
                drop(state);
                panic!("waited {PATIENCE:?} for {what}; the server saw {seen}");
            };
            state =
                self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until exactly `count` connections are open.
    #[track_caller]
    pub(super) fn await_open(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.open() != count {
            if Instant::now() > deadline {
                let seen = self.read(State::summary);
                panic!("waited {PATIENCE:?} for {count} open connections; the server saw {seen}");
            }
            // A socket whose thread is busy elsewhere announces its end to nobody: look again.
            let state = self.lock();
            drop(self.changed.wait_timeout(state, LOOK_AGAIN));
        }
    }

    /// Waits, in a task, until `ready`; the task is dropped when the server stops.
    pub(super) async fn until(&self, ready: impl Fn(&State) -> bool) {
        let mut news = self.changed_for_tasks.subscribe();
        while !self.read(&ready) && news.changed().await.is_ok() {}
    }

    pub(super) async fn stopped(&self) {
        self.until(|state| state.stopping).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn note(&mut self, request: &Request) {
        if self.requests.len() < REQUESTS_KEPT {
            self.requests.push(request.clone());
        }
    }

    pub(super) fn signalled(&self, name: &str) -> usize {
        self.signals.get(name).copied().unwrap_or(0)
    }

    fn take_off_the_gone(&mut self) {
        for connection in self.find(|presence| matches!(presence, Presence::Gone)) {
            self.take_off(connection);
        }
    }

    fn find(&self, is_sought: impl Fn(Presence) -> bool) -> Vec<usize> {
        let sought = self.open.iter().filter(|(_, socket)| is_sought(presence(socket)));
        sought.map(|(number, _)| *number).collect()
    }

    fn take_off(&mut self, connection: usize) {
        if self.open.remove(&connection).is_some() {
            self.departures.push(Instant::now());
        }
    }

    fn summary(&self) -> String {
        format!(
            "{} connections ({} open), {} requests, {} stream resets, signals {:?}, failures {:?}",
            self.connections,
            self.open.len(),
            self.requests.len(),
            self.resets.len(),
            self.signals,
            self.failures,
        )
    }
}

/// Ends a handler without failing the test.
pub(super) fn end_quietly() -> ! {
    std::panic::resume_unwind(Box::new(Ended))
}

/// What can be seen of a peer without reading from it.
enum Presence {
    Here,
    /// It has closed or reset.
    Gone,
    /// There is something to read, and perhaps an end behind it.
    SaidMore,
}

fn presence(socket: &TcpStream) -> Presence {
    let mut byte = [MaybeUninit::uninit()];
    match SockRef::from(socket).recv_with_flags(&mut byte, PEEK | AT_ONCE) {
        Ok(0) => Presence::Gone,
        Ok(_) if socket.take_error().is_ok_and(|error| error.is_some()) => Presence::Gone,
        Ok(_) => Presence::SaidMore,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Presence::Here,
        Err(_) => Presence::Gone,
    }
}

/// More than any test counts, and not too much for one that goes on for long.
const REQUESTS_KEPT: usize = 20_000;
const READING: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const PEEK: i32 = 0x02;
#[cfg(target_os = "linux")]
const AT_ONCE: i32 = 0x40;
#[cfg(not(target_os = "linux"))]
const AT_ONCE: i32 = 0x80;
