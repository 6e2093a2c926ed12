//! The one place that starts threads, and what is counted for each of them.

use std::{
    cell::RefCell,
    io,
    num::NonZero,
    sync::{
        Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use url::Url;

use crate::origin::Origin;

/// How many threads can run at once.
pub(crate) fn processors() -> usize {
    // Asking takes some files to be read.
    static PROCESSORS: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
    *PROCESSORS
}

/// The threads of one client: each has a name and is waited for when the client is shut down.
///
/// A client that is dropped leaves them to end by themselves.
#[derive(Debug, Default)]
pub(crate) struct Crew {
    /// Held while a thread is started, has ended, or is counted.
    members: Mutex<Members>,
    /// Tells that a thread has ended, or was joined.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Members {
    all: Vec<Member>,
    /// How many were taken out to be joined.
    joining: usize,
}

#[derive(Debug)]
struct Member {
    name: String,
    /// Whether its work is done, so that joining it takes no time.
    has_ended: Arc<AtomicBool>,
    handle: JoinHandle<()>,
}

impl Crew {
    /// Starts a thread named by what it is and the first number that is free.
    ///
    /// Linux shows 15 bytes of a name, the number included.
    pub(crate) fn start(
        self: &Arc<Self>,
        what: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let mut members = self.lock();
        members.all.retain(|member| !member.handle.is_finished());
        let is_taken = |name: &String| members.all.iter().any(|member| member.name == *name);
        let mut names = (0_usize..).map(|number| format!("{what}-{number}"));
        let name = names.find(|name| !is_taken(name)).unwrap_or_default();
        let has_ended = Arc::new(AtomicBool::new(false));
        let (crew, ended) = (Arc::clone(self), Arc::clone(&has_ended));
        let run = move || {
            // Made here: a thread that could not be started has no end to tell of.
            let _ending = Ending { crew, has_ended: ended };
            run();
        };
        let handle = thread::Builder::new().name(name.clone()).spawn(run)?;
        members.all.push(Member { name, has_ended, handle });
        Ok(())
    }

    /// Waits for the threads to end; the names of those that have not when the time is over.
    ///
    /// The thread that calls is never waited for.
    pub(crate) fn join(&self, limit: Duration) -> Vec<String> {
        let own = thread::current().id();
        let is_awaited = |members: &mut Members| {
            let mut others = members.all.iter().filter(|member| member.handle.thread().id() != own);
            members.joining > 0 || others.any(|member| !member.has_ended.load(Ordering::SeqCst))
        };
        let waited = self.changed.wait_timeout_while(self.lock(), limit, is_awaited);
        let mut members = waited.unwrap_or_else(PoisonError::into_inner).0;
        let may_join = |member: &mut Member| member.has_ended.load(Ordering::SeqCst);
        let ended: Vec<_> = members.all.extract_if(.., may_join).collect();
        members.joining += ended.len();
        let left = members.all.iter().map(|member| member.name.clone()).collect();
        drop(members);
        let joined = ended.len();
        for member in ended {
            // Whether it panicked was told when it did.
            let _ = member.handle.join();
        }
        self.lock().joining -= joined;
        self.changed.notify_all();
        left
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a thread's work is done, also when it panicked.
struct Ending {
    crew: Arc<Crew>,
    has_ended: Arc<AtomicBool>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let members = self.crew.lock();
        self.has_ended.store(true, Ordering::SeqCst);
        drop(members);
        self.crew.changed.notify_all();
    }
}

/// An open reply that a thread holds; its connection serves no other call meanwhile.
///
/// It counts for the thread that opened it, wherever it is dropped.
#[derive(Debug)]
pub(crate) struct Held(Arc<AtomicUsize>);

/// How many replies of one origin a thread holds.
#[derive(Debug)]
struct Account {
    origin: Origin,
    held: Arc<AtomicUsize>,
}

thread_local! {
    static HELD: RefCell<Vec<Account>> = const { RefCell::new(Vec::new()) };
}

impl Held {
    pub(crate) fn of(url: &Url) -> Self {
        let account = |accounts: &RefCell<Vec<Account>>| {
            let mut accounts = accounts.borrow_mut();
            if let Some(account) = accounts.iter().find(|account| account.origin.is_of(url)) {
                return Arc::clone(&account.held);
            }
            accounts.retain(|account| account.held.load(Ordering::Relaxed) > 0);
            let held = Arc::default();
            if let Ok(origin) = Origin::of(url) {
                accounts.push(Account { origin, held: Arc::clone(&held) });
            }
            held
        };
        // While thread-local values are being destroyed nobody counts.
        let count = HELD.try_with(account).unwrap_or_default();
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    /// How many replies of a URL's origin this thread has opened that are still held.
    pub(crate) fn by_this_thread(url: &Url) -> usize {
        let held = |accounts: &RefCell<Vec<Account>>| {
            let accounts = accounts.borrow();
            let of_origin = accounts.iter().filter(|account| account.origin.is_of(url));
            of_origin.map(|account| account.held.load(Ordering::Relaxed)).sum()
        };
        HELD.try_with(held).unwrap_or_default()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_counted_for_their_origin_and_the_thread_that_opened_them() {
        let url = |text: &str| text.parse::<Url>().expect("a URL");
        let held =
            ["http://a/1", "http://a:80/2", "http://b/", "https://a/"].map(|u| Held::of(&url(u)));
        assert_eq!(Held::by_this_thread(&url("http://a/3")), 2);
        assert_eq!(Held::by_this_thread(&url("https://a:443/")), 1);
        assert_eq!(Held::by_this_thread(&url("http://c/")), 0);
        let elsewhere = thread::scope(|scope| {
            let moved = scope.spawn(|| {
                let count = Held::by_this_thread(&url("http://a/"));
                drop(held);
                count
            });
            moved.join().expect("no panic")
        });
        assert_eq!((elsewhere, Held::by_this_thread(&url("http://a/"))), (0, 0));
    }
}
