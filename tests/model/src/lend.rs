//! What a thread means to drive, and whether it may.

use shuttle::{
    rand::{Rng, thread_rng},
    sync::Arc,
};

use crate::{lane::Lane, life::Life, transport::pool::HandIn, wheel::Attended};

pub(crate) struct Plan {
    pub(crate) lane: Arc<Lane>,
    pub(crate) life: Option<Arc<Life>>,
    pub(crate) hand_in: Option<HandIn>,
    pub(crate) job: Option<Attended>,
}

/// Not if the thread is inside somebody else's runtime, which it may be now and then.
pub(crate) fn may_lend() -> bool {
    thread_rng().gen_bool(0.7)
}

pub(crate) fn unbudgeted(does: impl FnOnce()) {
    does();
}
