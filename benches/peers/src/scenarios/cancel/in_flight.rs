//! How the one who cancels knows that the calls are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::control::Control;
use crate::outcome::Outcome;
use crate::spec::Spec;

pub(crate) enum InFlight {
    /// The server counts the requests it leaves unanswered.
    AtServer(Control),
    /// The calls count themselves.
    Counted(Arc<AtomicU64>),
}

impl InFlight {
    pub(crate) fn at_server(spec: &Spec) -> Outcome<Self> {
        let mut control = Control::connect(spec.ports)?;
        control.forget_arrivals()?;
        Ok(Self::AtServer(control))
    }

    pub(crate) fn counted(count: Arc<AtomicU64>) -> Self {
        Self::Counted(count)
    }

    /// Until so many have begun since the start of the round.
    pub(super) fn wait_for(&mut self, begun: u64) -> Outcome<()> {
        match self {
            Self::AtServer(control) => control.wait_for_arrivals(begun),
            Self::Counted(count) => {
                let deadline = Instant::now() + PATIENCE;
                while count.load(Ordering::SeqCst) < begun {
                    if Instant::now() > deadline {
                        return Err("a thread did not start".into());
                    }
                    thread::sleep(LOOK_INTERVAL);
                }
                Ok(())
            }
        }
    }

    /// Until the server has seen the end of every call: one that is over for its caller only was
    /// not cancelled.
    pub(super) fn wait_until_gone(&mut self) -> Outcome<()> {
        match self {
            Self::AtServer(control) => control.wait_until_gone(),
            Self::Counted(_) => Ok(()),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_micros(50);
