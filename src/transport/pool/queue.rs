//! Those who wait for a connection of one route, in the order in which they are served.

use std::collections::VecDeque;

use crate::{
    priority::Priority,
    transport::bridge::{Job, Order},
};

/// One job that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    /// Rises from job to job, whatever their routes.
    pub(super) ticket: u64,
    pub(super) job: Box<Job>,
    /// Whether a dial was started because of it.
    pub(super) dialing: bool,
    /// Whether it stands in the row of the background.
    pub(super) is_background: bool,
}

impl Waiter {
    pub(super) fn new(ticket: u64, job: Box<Job>) -> Self {
        let is_background = job.order.priority == Priority::Background;
        Self { ticket, job, dialing: false, is_background }
    }

    /// Whether its caller is inside of a lane.
    const fn is_insider(&self) -> bool {
        self.job.order.avoid.is_some()
    }
}

/// Two rows, each in the order of its tickets.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The interactive jobs, and those of the background whose turn has come.
    interactive: VecDeque<Waiter>,
    background: VecDeque<Waiter>,
    /// How many have callers inside of lanes; those are never of the background.
    insiders: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.interactive.len() + self.background.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a job of this priority that comes now has others before it.
    pub(super) fn is_before(&self, priority: Priority) -> bool {
        match priority {
            Priority::Interactive => !self.interactive.is_empty(),
            Priority::Background => !self.is_empty(),
        }
    }

    /// Puts a job where its ticket belongs: at the end, unless it was in the queue before.
    pub(super) fn enter(&mut self, waiter: Waiter) {
        self.insiders += usize::from(waiter.is_insider());
        let row = if waiter.is_background { &mut self.background } else { &mut self.interactive };
        enter(row, waiter);
    }

    /// Takes out the job with this ticket, wherever it is.
    pub(super) fn leave(&mut self, ticket: u64) -> Option<Waiter> {
        let row = match find(&self.interactive, ticket) {
            Some(_) => &mut self.interactive,
            None => &mut self.background,
        };
        let waiter = row.remove(find(row, ticket)?)?;
        self.insiders -= usize::from(waiter.is_insider());
        Some(waiter)
    }

    pub(super) fn get_mut(&mut self, ticket: u64) -> Option<&mut Waiter> {
        let row = match find(&self.interactive, ticket) {
            Some(_) => &mut self.interactive,
            None => &mut self.background,
        };
        let at = find(row, ticket)?;
        row.get_mut(at)
    }

    /// The ticket that is to be served next.
    pub(super) fn first(&self) -> Option<u64> {
        self.interactive.front().or_else(|| self.background.front()).map(|waiter| waiter.ticket)
    }

    /// Takes the first job that suits; one of the background only if it may begin now.
    pub(super) fn take(
        &mut self,
        may_begin_background: bool,
        suits: impl Fn(&Order) -> bool,
    ) -> Option<Waiter> {
        let suits = |waiter: &Waiter| suits(&waiter.job.order);
        let waiter = if let Some(at) = self.interactive.iter().position(suits) {
            self.interactive.remove(at)?
        } else if may_begin_background {
            let at = self.background.iter().position(suits)?;
            self.background.remove(at)?
        } else {
            return None;
        };
        self.insiders -= usize::from(waiter.is_insider());
        Some(waiter)
    }

    /// The jobs in the order in which they are served.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiter> {
        self.interactive.iter().chain(&self.background)
    }

    /// The job that the next dial is started for: the first that has none, those from inside of
    /// lanes before others, as not every dial will do for them; one of the background only if it
    /// may begin.
    pub(super) fn undialed_mut(&mut self, may_begin_background: bool) -> Option<&mut Waiter> {
        let only_insiders = self.undialed_insiders() > 0;
        let background = self.background.iter_mut().filter(|_| may_begin_background);
        let is_next =
            |waiter: &&mut Waiter| !waiter.dialing && (waiter.is_insider() || !only_insiders);
        self.interactive.iter_mut().chain(background).find(is_next)
    }

    /// How many callers inside of lanes wait without a dial of their own.
    pub(super) fn undialed_insiders(&self) -> usize {
        if self.insiders == 0 {
            return 0;
        }
        let insiders = self.interactive.iter().filter(|waiter| waiter.is_insider());
        insiders.filter(|waiter| !waiter.dialing).count()
    }

    pub(super) fn has_background(&self) -> bool {
        !self.background.is_empty()
    }

    pub(super) fn oldest_background(&self) -> Option<u64> {
        self.background.front().map(|waiter| waiter.ticket)
    }

    /// From now on the longest waiting job of the background is treated like the others.
    pub(super) fn promote(&mut self) {
        if let Some(mut waiter) = self.background.pop_front() {
            waiter.is_background = false;
            enter(&mut self.interactive, waiter);
        }
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Waiter> {
        self.insiders = 0;
        self.interactive.drain(..).chain(self.background.drain(..))
    }
}

fn enter(row: &mut VecDeque<Waiter>, waiter: Waiter) {
    let at = row.partition_point(|other| other.ticket < waiter.ticket);
    row.insert(at, waiter);
}

fn find(row: &VecDeque<Waiter>, ticket: u64) -> Option<usize> {
    row.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
}
