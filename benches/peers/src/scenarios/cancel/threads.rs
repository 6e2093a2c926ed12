//! Blocking calls: each place is a thread that makes one call after the other.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Instant;

use super::board::{Board, Return};
use super::{Armory, Call, Cancel, InFlight, Places};
use crate::outcome::Outcome;

pub(super) struct Threads {
    armory: Box<dyn Armory>,
    threads: Vec<Sender<Call>>,
    cancels: Vec<Option<Cancel>>,
}

impl Threads {
    pub(super) fn new(armory: Box<dyn Armory>, board: Board, count: usize) -> Outcome<Self> {
        let threads = (0..count).map(|place| thread_at(place, board.clone())).collect();
        Ok(Self { armory, threads, cancels: (0..count).map(|_| None).collect() })
    }
}

impl Places for Threads {
    fn start(&mut self, place: usize) -> Outcome<()> {
        let armed = self.armory.arm()?;
        self.cancels[place] = Some(armed.cancel);
        self.threads[place].send(armed.call).map_err(|_| "a calling thread panicked".into())
    }

    fn cancel(&mut self, place: usize) {
        if let Some(cancel) = self.cancels[place].take() {
            cancel();
        }
    }

    fn cancel_all(&mut self) {
        let cancels = self.cancels.iter_mut().filter_map(Option::take).collect();
        self.armory.cancel_all(cancels);
    }

    fn in_flight(&mut self) -> &mut InFlight {
        self.armory.in_flight()
    }
}

/// Ends when its sender is dropped.
fn thread_at(place: usize, board: Board) -> Sender<Call> {
    let (sender, calls) = mpsc::channel::<Call>();
    thread::spawn(move || {
        for call in calls {
            let outcome = call();
            let at = Instant::now();
            board.post(place, Return { at, outcome });
        }
    });
    sender
}
