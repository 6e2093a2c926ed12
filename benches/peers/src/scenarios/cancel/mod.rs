//! Calls to a silent server that another thread ends: one at a time, and all at once.
//!
//! What is measured runs from just before the cancelling to the moment at which the call has
//! returned, taken on the thread that made it.

mod board;
mod in_flight;
mod tasks;
mod threads;

use std::thread;
use std::time::{Duration, Instant};

use board::Board;
pub(crate) use in_flight::InFlight;

use crate::clients;
use crate::figures::{Figures, insert_latencies, micros};
use crate::outcome::Outcome;
use crate::spec::{ClientKind, Pace, Spec};
use crate::statistics::{Quartiles, quantile};

/// Makes calls to the silent server and what ends them.
pub(crate) trait Armory {
    fn arm(&mut self) -> Outcome<Armed>;

    /// Ends every call that was armed since the last time; by a common parent where there is one.
    fn cancel_all(&mut self, cancels: Vec<Cancel>) {
        cancels.into_iter().for_each(|cancel| cancel());
    }

    fn in_flight(&mut self) -> &mut InFlight;
}

pub(crate) struct Armed {
    /// Fails unless it was ended from outside.
    pub(crate) call: Call,
    pub(crate) cancel: Cancel,
}

pub(crate) type Call = Box<dyn FnOnce() -> Outcome<()> + Send>;
pub(crate) type Cancel = Box<dyn FnOnce()>;

/// Places with a call each, whatever they run on.
trait Places {
    fn start(&mut self, place: usize) -> Outcome<()>;
    fn cancel(&mut self, place: usize);
    fn cancel_all(&mut self);
    fn in_flight(&mut self) -> &mut InFlight;
}

pub(super) fn run(spec: &Spec) -> Outcome<Figures> {
    let board = Board::new(spec.threads);
    let mut places: Box<dyn Places> = if spec.client == ClientKind::RawHyper {
        Box::new(tasks::Tasks::new(spec, board.clone())?)
    } else {
        let armory = clients::armory(spec.client, spec)?;
        Box::new(threads::Threads::new(armory, board.clone(), spec.threads)?)
    };
    let mut round =
        Round { places: places.as_mut(), board: &board, count: spec.threads, started: 0 };
    round.start_all()?;
    let singles = round.cancel_singly(spec.pace)?;
    let together = round.cancel_jointly(spec.pace)?;
    round.board.expect(round.count);
    round.places.cancel_all();
    round.board.wait()?;
    round.places.in_flight().wait_until_gone()?;
    Ok(figures(&singles, &together))
}

struct Round<'a> {
    places: &'a mut dyn Places,
    board: &'a Board,
    count: usize,
    started: u64,
}

impl Round<'_> {
    fn start_all(&mut self) -> Outcome<()> {
        for place in 0..self.count {
            self.places.start(place)?;
        }
        self.started += self.count as u64;
        self.settle()
    }

    fn cancel_singly(&mut self, pace: Pace) -> Outcome<Vec<Duration>> {
        let mut latencies = Vec::with_capacity(pace.single_cancels);
        for turn in 0..pace.single_cancels {
            let place = turn % self.count;
            self.board.expect(1);
            let begun = Instant::now();
            self.places.cancel(place);
            latencies.push(self.board.wait()? - begun);
            self.places.start(place)?;
            self.started += 1;
            self.settle()?;
        }
        Ok(latencies)
    }

    fn cancel_jointly(&mut self, pace: Pace) -> Outcome<Vec<Duration>> {
        let mut latencies = Vec::with_capacity(pace.joint_cancels);
        for _ in 0..pace.joint_cancels {
            self.board.expect(self.count);
            let begun = Instant::now();
            self.places.cancel_all();
            latencies.push(self.board.wait()? - begun);
            self.start_all()?;
        }
        Ok(latencies)
    }

    /// Until every call is at the server and its thread had time to fall asleep.
    fn settle(&mut self) -> Outcome<()> {
        let arrived = self.places.in_flight().wait_for(self.started);
        // A call that came back by itself explains better why one is missing.
        self.board.check_quiet()?;
        arrived?;
        thread::sleep(SETTLING);
        Ok(())
    }
}

fn figures(singles: &[Duration], together: &[Duration]) -> Figures {
    let mut figures = Figures::new();
    figures.insert("cancels".into(), singles.len() as f64);
    insert_latencies(&mut figures, singles);
    let mut all: Vec<f64> = together.iter().map(|&one| micros(one)).collect();
    all.sort_by(f64::total_cmp);
    if let (Some(quartiles), Some(most)) = (Quartiles::of(&all), quantile(&all, 1.0)) {
        figures.insert("all_us".into(), quartiles.median);
        figures.insert("all_max_us".into(), most);
    }
    figures
}

const SETTLING: Duration = Duration::from_micros(200);
