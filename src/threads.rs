//! The one place that starts threads, and what is counted for each of them.

use std::{
    cell::RefCell,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use url::Url;

use crate::origin::Origin;

/// Starts a detached thread with a name that debuggers and `top` show.
pub(crate) fn start(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
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
