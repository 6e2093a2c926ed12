//! Threads that are parked and unparked: what waking costs with no call around it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};

use crate::outcome::Outcome;
use crate::scenarios::cancel::{Armed, Armory, InFlight};

pub(super) struct Parked {
    parked: Arc<AtomicU64>,
    in_flight: InFlight,
}

impl Default for Parked {
    fn default() -> Self {
        let parked = Arc::new(AtomicU64::new(0));
        Self { in_flight: InFlight::counted(parked.clone()), parked }
    }
}

impl Armory for Parked {
    fn arm(&mut self) -> Outcome<Armed> {
        let bed = Arc::new(Bed::default());
        let (sleeper, parked) = (bed.clone(), self.parked.clone());
        let call = move || {
            // Nobody else sets it: the bed is this thread's until it returns.
            let _ = sleeper.thread.set(thread::current());
            parked.fetch_add(1, Ordering::SeqCst);
            while !sleeper.called.load(Ordering::Acquire) {
                thread::park();
            }
            Ok(())
        };
        let cancel = move || {
            bed.called.store(true, Ordering::Release);
            if let Some(thread) = bed.thread.get() {
                thread.unpark();
            }
        };
        Ok(Armed { call: Box::new(call), cancel: Box::new(cancel) })
    }

    fn in_flight(&mut self) -> &mut InFlight {
        &mut self.in_flight
    }
}

#[derive(Default)]
struct Bed {
    called: AtomicBool,
    thread: OnceLock<Thread>,
}
