//! Looking names up, on threads of the client's own.
//!
//! Never tokio's blocking pool: its threads would keep a runtime from ending. One look-up per name
//! whoever asks, a short cache (`cache.rs`), at most `THREADS_MAX` threads. A look-up that is stuck
//! cannot be ended, only abandoned by those who wait for it; so that stuck names do not stop all
//! others, a name that is known to be slow may start only while half of the threads are not stuck,
//! threads that are stuck beyond that half are replaced, up to `SUBSTITUTES_MAX`, and the newest
//! name goes first then.

mod cache;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::timeout;

use self::cache::Cache;
use super::{failed, hickory};
use crate::{
    error::{Error, ErrorKind, Result},
    origin::Origin,
    per_host::PerHost,
    phase::Phase,
    resolve::{NameOptions, Resolve},
    threads::Crew,
    transport::bridge::{self, Answers},
};

type Addresses = Arc<[IpAddr]>;
type Looked = std::result::Result<Addresses, Arc<io::Error>>;

#[derive(Debug)]
pub(super) struct Resolver {
    fixed: PerHost<Box<[SocketAddr]>>,
    /// Guards the queue and the cache; never held while a name is looked up.
    state: Mutex<State>,
    /// Wakes an idle thread when there is a name to look up.
    work: Condvar,
    crew: Arc<Crew>,
}

#[derive(Debug)]
struct State {
    /// `None` when no names are looked up any more.
    source: Option<Arc<dyn Resolve>>,
    cache: Cache,
    pending: HashMap<Box<str>, Pending>,
    queue: VecDeque<Box<str>>,
    /// Names that did not answer in time when they were looked up last, and until when that counts.
    slow: HashMap<Box<str>, Instant>,
    threads: usize,
    idle_threads: usize,
}

#[derive(Debug, Default)]
struct Pending {
    waiters: Answers<Looked>,
    started: Option<Instant>,
}

impl Resolver {
    pub(super) fn new(options: &NameOptions, crew: &Arc<Crew>) -> Arc<Self> {
        let state = State {
            source: Some(hickory::resolver(&options.source)),
            cache: Cache::new(options.cache),
            pending: HashMap::new(),
            queue: VecDeque::new(),
            slow: HashMap::new(),
            threads: 0,
            idle_threads: 0,
        };
        let (fixed, state) = (options.fixed.clone(), Mutex::new(state));
        Arc::new(Self { fixed, state, work: Condvar::new(), crew: Arc::clone(crew) })
    }

    /// Looks no more names up; the threads end, but for those that are stuck.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        let (source, pending) = (state.source.take(), std::mem::take(&mut state.pending));
        state.queue.clear();
        drop(state);
        self.work.notify_all();
        // These may be the last to hold what is the user's, or be waited for.
        drop((source, pending));
    }

    /// Where an origin can be reached: at least one address, the best first.
    pub(super) async fn look_up(self: &Arc<Self>, origin: &Origin) -> Result<Vec<SocketAddr>> {
        if let Some(fixed) = self.fixed.get(origin) {
            let ported = |address: &SocketAddr| match address.port() {
                0 => SocketAddr::new(address.ip(), origin.port),
                _ => *address,
            };
            return Ok(fixed.iter().map(ported).collect());
        }
        if let Some(address) = origin.address() {
            return Ok(vec![SocketAddr::new(address, origin.port)]);
        }
        let addresses = self.addresses(&origin.host).await?;
        Ok(addresses.iter().map(|address| SocketAddr::new(*address, origin.port)).collect())
    }

    async fn addresses(self: &Arc<Self>, host: &str) -> Result<Addresses> {
        let looked = match self.ask(host) {
            Ask::Known(looked) => Some(looked),
            Ask::Wait(answer) => self.patiently(answer).await,
            Ask::NoThread(error) => {
                let message = "no thread could be started to look up names".to_owned();
                return Err(failed(ErrorKind::Internal, Phase::Resolve, message).because(error));
            }
        };
        match looked {
            Some(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Some(Ok(_)) => Err(unknown(host)),
            Some(Err(error)) => Err(unknown(host).because(error)),
            // The look-up itself panicked; it is the user's code.
            None => Err(unknown(host)),
        }
    }

    /// Waits for an answer, and has stuck threads replaced meanwhile.
    async fn patiently(self: &Arc<Self>, answer: bridge::Awaited<Looked>) -> Option<Looked> {
        let mut answer = pin!(answer);
        loop {
            match timeout(SLOW_AFTER, answer.as_mut()).await {
                Ok(answer) => return answer,
                Err(_) => {
                    // Without a thread more it goes on as it is.
                    let _ = self.provide_thread(&mut self.lock());
                }
            }
        }
    }

    fn ask(self: &Arc<Self>, host: &str) -> Ask {
        let mut state = self.lock();
        if let Some(looked) = state.cache.get(host, Instant::now()) {
            return Ask::Known(looked);
        }
        if let Some(pending) = state.pending.get_mut(host) {
            return Ask::Wait(pending.waiters.add());
        }
        let mut pending = Pending::default();
        let answer = pending.waiters.add();
        state.pending.insert(host.into(), pending);
        state.queue.push_back(host.into());
        match self.provide_thread(&mut state) {
            Ok(()) => Ask::Wait(answer),
            Err(error) => {
                state.pending.remove(host);
                state.queue.pop_back();
                Ask::NoThread(error)
            }
        }
    }

    fn provide_thread(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let stuck = state.slow_running(Instant::now());
        let substitutes = stuck.saturating_sub(THREADS_MAX / 2).min(SUBSTITUTES_MAX);
        if state.idle_threads >= state.queue.len() || state.threads >= THREADS_MAX + substitutes {
            self.work.notify_one();
            return Ok(());
        }
        let resolver = Arc::clone(self);
        match self.crew.start("abide-dns", move || resolver.work()) {
            Ok(()) => state.threads += 1,
            Err(error) if state.threads == 0 => return Err(error),
            // Those that run already will come to it.
            Err(_) => {}
        }
        Ok(())
    }

    /// The life of a resolver thread.
    fn work(&self) {
        let _leaving = Leaving(self);
        while let Some((host, source)) = self.next_name() {
            // Should it panic, those who wait are told by the waiters being dropped.
            let mut unanswered = Unanswered { resolver: self, host: Some(&host) };
            let looked = source.resolve(&host);
            // From here on those who wait for the name may wait for another look-up.
            unanswered.host = None;
            self.answer(&host, looked.map(Arc::from).map_err(Arc::new));
        }
    }

    /// The next name that may be looked up and who does it; `None` when there was nothing to do for
    /// a while, or never will be.
    fn next_name(&self) -> Option<(Box<str>, Arc<dyn Resolve>)> {
        let mut state = self.lock();
        let patience = Instant::now() + THREAD_IDLE;
        loop {
            let source = Arc::clone(state.source.as_ref()?);
            if let Some(host) = state.take_name() {
                return Some((host, source));
            }
            let left = patience.checked_duration_since(Instant::now())?;
            state.idle_threads += 1;
            let waited = self.work.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle_threads -= 1;
        }
    }

    fn answer(&self, host: &str, looked: Looked) {
        let mut state = self.lock();
        let now = Instant::now();
        state.cache.put(host, &looked, now);
        let pending = state.pending.remove(host);
        state.note_speed(host, pending.as_ref().and_then(|pending| pending.started), now);
        drop(state);
        // A thread that kept back because of slow names may go on now.
        self.work.notify_one();
        if let Some(pending) = pending {
            pending.waiters.send(&looked);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the next name off the queue, but no slow one if such hold their share of threads.
    fn take_name(&mut self) -> Option<Box<str>> {
        let now = Instant::now();
        self.forget_unwanted();
        let slow_may_start = self.slow_running(now) < THREADS_MAX / 2;
        let may_start = |host: &str| slow_may_start || !self.is_slow(host, now);
        // When many are stuck, who has waited least is most likely to be helped in time.
        let at = if slow_may_start {
            self.queue.iter().position(|host| may_start(host))
        } else {
            self.queue.iter().rposition(|host| may_start(host))
        }?;
        let host = self.queue.remove(at)?;
        if let Some(pending) = self.pending.get_mut(&host) {
            pending.started = Some(now);
        }
        Some(host)
    }

    /// Drops the names that were not begun and that nobody waits for any more.
    fn forget_unwanted(&mut self) {
        let Self { queue, pending, .. } = self;
        queue.retain(|host| {
            let is_wanted = pending.get(host).is_some_and(|pending| pending.waiters.are_wanted());
            if !is_wanted {
                pending.remove(host);
            }
            is_wanted
        });
    }

    /// How many threads are held by names that do not answer in time, or did not last time.
    fn slow_running(&self, now: Instant) -> usize {
        let slow = self.pending.iter().filter(|(host, pending)| {
            let is_stuck = |started: Instant| now.duration_since(started) >= SLOW_AFTER;
            pending.started.is_some_and(|started| is_stuck(started) || self.is_slow(host, now))
        });
        slow.count()
    }

    fn is_slow(&self, host: &str, now: Instant) -> bool {
        self.slow.get(host).is_some_and(|until| *until > now)
    }

    fn note_speed(&mut self, host: &str, started: Option<Instant>, now: Instant) {
        self.slow.remove(host);
        if started.is_some_and(|started| now.duration_since(started) >= SLOW_AFTER) {
            self.slow.retain(|_, until| *until > now);
            self.slow.insert(host.into(), now + SLOW_FOR);
        }
    }
}

enum Ask {
    Known(Looked),
    Wait(bridge::Awaited<Looked>),
    NoThread(io::Error),
}

/// Takes a thread off the books, also when the user's resolver panicked.
struct Leaving<'r>(&'r Resolver);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
    }
}

/// Makes sure that nobody waits for a look-up that has ended.
struct Unanswered<'r> {
    resolver: &'r Resolver,
    /// `None` once it has answered.
    host: Option<&'r str>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(host) = self.host {
            let pending = self.resolver.lock().pending.remove(host);
            drop(pending);
        }
    }
}

fn unknown(host: &str) -> Error {
    failed(ErrorKind::Resolve, Phase::Resolve, format!("the host {host} was not found"))
}

const THREADS_MAX: usize = 16;
const SUBSTITUTES_MAX: usize = 8;
const SLOW_AFTER: Duration = Duration::from_secs(5);
const SLOW_FOR: Duration = Duration::from_secs(60);
const THREAD_IDLE: Duration = Duration::from_secs(5);
