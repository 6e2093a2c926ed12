//! The lanes of a client: which there are, and where the next connection goes.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::lane::Lane;
use crate::{config::Driving, error::Result};

#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: [OnceLock<Arc<Lane>>; LANES_MAX],
    /// Held while a lane is made, so that each is made once.
    making: Mutex<()>,
    driving: Driving,
}

impl Lanes {
    pub(super) fn new(driving: Driving) -> Self {
        Self { lanes: Default::default(), making: Mutex::new(()), driving }
    }

    pub(super) fn get(&self, number: usize) -> Option<&Arc<Lane>> {
        self.lanes.get(number)?.get()
    }

    /// The lane for a new connection; `avoid` is not it.
    pub(super) fn for_dial(&self, avoid: Option<usize>) -> Result<&Arc<Lane>> {
        let may = |number: &usize| avoid != Some(*number);
        if self.driving == Driving::Background {
            return self.make((0..LANES_MAX).find(may).unwrap_or(0));
        }
        let free = (0..LANES_MAX)
            .filter(may)
            .find(|number| self.get(*number).is_none_or(|lane| lane.wheel().connections() == 0));
        if let Some(number) = free {
            return self.make(number);
        }
        // More connections than lanes: these few are then driven for many at a time.
        let shared = (0..LANES_MAX).filter(may).take(LANES_SHARED).filter_map(|n| self.get(n));
        match shared.min_by_key(|lane| lane.wheel().connections()) {
            Some(shared) => Ok(shared),
            None => self.make(0),
        }
    }

    fn make(&self, number: usize) -> Result<&Arc<Lane>> {
        let slot = &self.lanes[number];
        if let Some(lane) = slot.get() {
            return Ok(lane);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = slot.get() {
            return Ok(lane);
        }
        let lane = Lane::start(number, self.driving == Driving::Lent)?;
        Ok(slot.get_or_init(|| lane))
    }

    pub(super) fn stop(&self) {
        self.lanes.iter().filter_map(OnceLock::get).for_each(|lane| lane.stop());
    }
}

const LANES_MAX: usize = 16;
/// Lanes that take the connections beyond what `LANES_MAX` callers need: about one per core.
const LANES_SHARED: usize = 2;
