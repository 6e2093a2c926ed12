//! Tasks that make one exchange after the other, so that none is made anew for each.
//!
//! A task costs about as much as everything else that is done for a small exchange on the lane.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// The tasks of one connection that have nothing to do at present.
#[derive(Debug)]
pub(super) struct Hands<W> {
    /// `None` when nothing more is to be done; held for a look or a change only.
    free: Mutex<Option<Vec<Arc<Hand<W>>>>>,
}

/// Where one task gets its work.
#[derive(Debug)]
pub(super) struct Hand<W> {
    /// Held for a look or a change only.
    task: Mutex<Task<W>>,
}

#[derive(Debug)]
struct Task<W> {
    work: Option<W>,
    is_over: bool,
    waker: Option<Waker>,
}

impl<W> Default for Hands<W> {
    fn default() -> Self {
        Self { free: Mutex::new(Some(Vec::new())) }
    }
}

impl<W> Hands<W> {
    /// Has a task do the work that has nothing to do; the work comes back if there is none.
    pub(super) fn give(&self, work: W) -> Option<W> {
        let free = self.free().as_mut().and_then(Vec::pop);
        let Some(hand) = free else { return Some(work) };
        hand.task().work = Some(work);
        hand.wake();
        None
    }

    /// Waits for more work; `None` is the end.
    pub(super) async fn take(&self, hand: &Arc<Hand<W>>) -> Option<W> {
        {
            let mut free = self.free();
            let free = free.as_mut().filter(|free| free.len() < FREE_MAX)?;
            free.push(Arc::clone(hand));
        }
        poll_fn(|cx| hand.poll(cx)).await
    }

    /// Ends all tasks that have nothing to do, and later all others.
    pub(super) fn end(&self) {
        let free = self.free().take();
        for hand in free.unwrap_or_default() {
            hand.task().is_over = true;
            hand.wake();
        }
    }

    fn free(&self) -> MutexGuard<'_, Option<Vec<Arc<Hand<W>>>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> Hand<W> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { task: Mutex::new(Task { work: None, is_over: false, waker: None }) })
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<W>> {
        let mut task = self.task();
        if let Some(work) = task.work.take() {
            return Poll::Ready(Some(work));
        }
        if task.is_over {
            return Poll::Ready(None);
        }
        if !task.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            task.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn wake(&self) {
        // Cloned, since the same task waits again and again.
        let waker = self.task().waker.clone();
        waker.into_iter().for_each(Waker::wake);
    }

    fn task(&self) -> MutexGuard<'_, Task<W>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tasks beyond that end when they have nothing to do: each is some kilobytes.
const FREE_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin};

    use super::*;

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn work_goes_to_those_who_wait_and_comes_back_if_nobody_does() {
        let hands = Hands::default();
        assert_eq!(hands.give(1), Some(1));
        let hand = Hand::new();
        {
            let mut taking = pin!(hands.take(&hand));
            assert!(poll(taking.as_mut()).is_pending());
            assert_eq!(hands.give(2), None);
            assert_eq!(hands.give(3), Some(3));
            assert_eq!(poll(taking.as_mut()), Poll::Ready(Some(2)));
        }
        let mut again = pin!(hands.take(&hand));
        assert!(poll(again.as_mut()).is_pending());
        assert_eq!(hands.give(4), None);
        // What was given before the end is still done.
        hands.end();
        assert_eq!(poll(again.as_mut()), Poll::Ready(Some(4)));
        assert_eq!(poll(pin!(hands.take(&hand))), Poll::Ready(None));
    }

    #[test]
    fn the_end_reaches_those_who_wait_and_those_who_come_later() {
        let hands = Hands::<u8>::default();
        let (first, second) = (Hand::new(), Hand::new());
        let mut waiting = pin!(hands.take(&first));
        assert!(poll(waiting.as_mut()).is_pending());
        hands.end();
        assert_eq!(poll(waiting), Poll::Ready(None));
        assert_eq!(poll(pin!(hands.take(&second))), Poll::Ready(None));
        assert_eq!(hands.give(1), Some(1));
    }

    #[test]
    fn not_more_tasks_wait_than_are_worth_keeping() {
        let hands = Hands::<u8>::default();
        let all: Vec<_> = (0..=FREE_MAX).map(|_| Hand::new()).collect();
        let mut waiting: Vec<_> = all.iter().map(|hand| Box::pin(hands.take(hand))).collect();
        let pending = waiting.iter_mut().map(|one| poll(one.as_mut()).is_pending());
        assert_eq!(pending.filter(|is_pending| *is_pending).count(), FREE_MAX);
    }
}
