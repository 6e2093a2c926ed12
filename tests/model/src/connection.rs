//! A connection on a lane, and its server: a request is written by whoever polls the connection's
//! life, and the answer comes as an event of the lane.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    task::{Context, Poll, Waker},
};

use shuttle::{
    rand::{Rng, thread_rng},
    sync::{
        Arc, Condvar, Mutex, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use crate::{
    doorstep::Doorstep,
    lane::{Answer, Lane},
    life::Life,
    steward::Tended,
    transport::pool::HandIn,
    wheel::{Attended, OnLane, Wheel, Work},
};

pub(crate) struct Connection {
    lane: Arc<Lane>,
    pub(crate) life: Arc<Life>,
    link: Arc<Link>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Link {
    state: Mutex<State>,
    /// Tells of what was written, freed, or closed.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    mail: Vec<(Request, Option<Work>)>,
    /// Those who wait until the connection is free, one at a time.
    queue: VecDeque<(Request, Arc<Doorstep>)>,
    /// Whether it has been given to one of them.
    is_leased: bool,
    written: usize,
    answered: usize,
    /// How many requests have come to their end.
    freed: usize,
    is_closing: bool,
    has_closed: bool,
    listener: Option<Waker>,
}

/// A call's request.
pub(crate) struct Request {
    pub(crate) answer: Arc<Answer>,
    /// Whether its caller still waits.
    pub(crate) is_wanted: Arc<AtomicBool>,
}

impl Connection {
    /// Dials; whoever gets the guard is going to drive that.
    pub(crate) fn dial(lane: &Arc<Lane>) -> (Arc<Self>, Attended) {
        let dial = lane.wheel().attended();
        (Self::open(lane), dial)
    }

    pub(crate) fn open(lane: &Arc<Lane>) -> Arc<Self> {
        let link = Arc::new(Link::default());
        let guards = (lane.connection(), lane.wheel().work());
        let (of_course, wheel) = (Arc::clone(&link), Arc::clone(lane.wheel()));
        let life = Life::begin(|life| course(of_course, guards, (wheel, life)));
        lane.spawn(&life);
        let server = thread::spawn({
            let (link, lane) = (Arc::clone(&link), Arc::clone(lane));
            move || link.serve(&lane)
        });
        Arc::new(Self { lane: Arc::clone(lane), life, link, server })
    }

    /// What begins a request.
    pub(crate) fn hand_in(&self, request: Request) -> HandIn {
        let (lane, link) = (Arc::clone(&self.lane), Arc::clone(&self.link));
        HandIn::new(move |is_inside| {
            link.mail((request, Some(lane.wheel().work())));
            if !is_inside {
                lane.wheel().see_to_it();
            }
        })
    }

    /// As the pool does it: what begins a request if the connection is free, else it waits in the
    /// queue, and its caller at the doorstep.
    pub(crate) fn place(&self, request: Request, doorstep: &Arc<Doorstep>) -> Option<HandIn> {
        let mut state = self.link.state.lock().unwrap();
        if std::mem::replace(&mut state.is_leased, true) {
            state.queue.push_back((request, Arc::clone(doorstep)));
            return None;
        }
        drop(state);
        Some(self.hand_in(request))
    }

    /// Waits until so many requests have come to their end.
    pub(crate) fn await_freed(&self, requests: usize) {
        drop(self.link.wait_while(|state| state.freed < requests));
    }

    /// A caller that gives its request up.
    pub(crate) fn give_up(&self, is_wanted: &AtomicBool) {
        is_wanted.store(false, SeqCst);
        self.link.wake();
    }

    pub(crate) fn close(self) {
        let work = self.lane.wheel().work();
        self.link.state.lock().unwrap().is_closing = true;
        self.link.wake();
        self.lane.wheel().see_to_it();
        drop(self.link.wait_while(|state| !state.has_closed));
        drop(work);
        self.server.join().unwrap();
    }
}

impl Link {
    fn mail(&self, request: (Request, Option<Work>)) {
        self.state.lock().unwrap().mail.push(request);
        self.wake();
    }

    fn wake(&self) {
        let listener = self.state.lock().unwrap().listener.clone();
        listener.into_iter().for_each(Waker::wake);
    }

    /// The next request of the queue that somebody still waits for, if there is one.
    fn begin_next(
        &self,
        wheel: &Arc<Wheel>,
        freed: &mut usize,
    ) -> Option<(Request, Work, Arc<Doorstep>)> {
        let mut state = self.state.lock().unwrap();
        while let Some((request, doorstep)) = state.queue.pop_front() {
            if request.is_wanted.load(SeqCst) {
                return Some((request, wheel.work(), doorstep));
            }
            *freed += 1;
        }
        state.is_leased = false;
        None
    }

    /// Answers everything, in its own time.
    fn serve(&self, lane: &Lane) {
        loop {
            let is_idle = |state: &State| state.answered == state.written && !state.has_closed;
            let mut state = self.wait_while(is_idle);
            if state.has_closed {
                return;
            }
            state.answered += 1;
            let listener = state.listener.clone();
            drop(state);
            listener.into_iter().for_each(|listener| lane.tell(listener));
        }
    }

    fn wait_while(
        &self,
        is_waiting: impl Fn(&State) -> bool,
    ) -> shuttle::sync::MutexGuard<'_, State> {
        let state = self.state.lock().unwrap();
        self.changed.wait_while(state, |state| is_waiting(state)).unwrap()
    }
}

/// Requests are written as they come, and answered in their order; who ends one begins the next that
/// is in the queue.
fn course(
    link: Arc<Link>,
    (on_lane, work): (OnLane, Work),
    (wheel, life): (Arc<Wheel>, Weak<Life>),
) -> impl Future<Output = ()> + Send {
    let mut open = VecDeque::new();
    let mut handled = 0;
    let mut dialing = Some(work);
    let mut on_lane = Some(on_lane);
    poll_fn(move |cx: &mut Context<'_>| {
        drop(dialing.take());
        let mut state = link.state.lock().unwrap();
        state.listener = Some(cx.waker().clone());
        let mail = std::mem::take(&mut state.mail);
        state.written += mail.len();
        let (answered, is_closing) = (state.answered, state.is_closing);
        drop(state);
        open.extend(mail);
        let (mut freed, mut begun) = (0, Vec::new());
        for (number, (request, work)) in (handled..).zip(&mut open) {
            let is_over = number < answered || !request.is_wanted.load(SeqCst);
            // As on the wire: who waits for the answer finds nothing left to do.
            if is_over && work.is_some() {
                // Work for the next one before the work of this one is over.
                begun.extend(link.begin_next(&wheel, &mut freed));
                drop(work.take());
                freed += 1;
                request.answer.give();
            }
        }
        drop(open.drain(..answered - handled));
        handled = answered;
        for (request, work, doorstep) in begun {
            open.push_back((request, Some(work)));
            link.state.lock().unwrap().written += 1;
            link.changed.notify_all();
            if let Some(life) = life.upgrade().filter(|_| thread_rng().gen_bool(0.9)) {
                doorstep.invite(&wheel, life);
            }
        }
        let has_closed = is_closing && open.is_empty();
        let mut state = link.state.lock().unwrap();
        state.freed += freed;
        state.has_closed = has_closed;
        link.changed.notify_all();
        drop(state);
        if has_closed {
            drop(on_lane.take());
            return Poll::Ready(());
        }
        Poll::Pending
    })
}
