//! Dials that no lane can be found for.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::{
    super::{Pool, Ticket},
    world::{job, route},
};
use crate::{
    error::{Error, ErrorKind},
    host_options::ConnectionOptions,
    limits::Limits,
    moment::Moment,
    sync::{Arc, Mutex},
    transport::bridge::Outcome,
    watch::Watch,
};

/// As many as would not fit on a stack if each failed inside the one before.
#[test]
fn all_who_wait_fail_one_after_the_other() {
    let pool = Pool::new(Limits::default().places_per_route(1), ConnectionOptions::default(), true);
    let first = Arc::new(Mutex::new(None));
    pool.start_dials_with({
        let (first, is_first) = (Arc::clone(&first), Mutex::new(true));
        move |dial| {
            if mem::take(&mut *is_first.lock().unwrap()) {
                *first.lock().unwrap() = Some(dial);
                return Ok(());
            }
            Err((Box::new(dial), Error::new(ErrorKind::Internal, "there is no lane")))
        }
    });
    let host = route("http://host/");
    let submit = |_| {
        let watch = Arc::new(Watch::new(None, Moment::now()));
        pool.submit(job(&host, &watch), false).0
    };
    let mut tickets: Vec<Ticket> = (0..WAITERS).map(submit).collect();
    assert_eq!(pool.stats().queued(), WAITERS);
    drop(first.lock().unwrap().take());
    let stats = pool.stats();
    assert_eq!((stats.queued(), stats.dialing(), stats.open()), (0, 0, 0));
    assert!(tickets.iter_mut().all(|ticket| answer(ticket).is_some_and(|answer| answer.is_err())));
}

fn answer(ticket: &mut Ticket) -> Option<Outcome> {
    match Pin::new(&mut ticket.pending).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

const WAITERS: usize = 20_000;
