//! A job that whoever drives or attends next begins; dropped before, it goes its way.

use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};

use crate::moment::Moment;

pub(crate) struct HandIn(Option<Begin>);

/// Told whether it is done inside, by the one who drives or attends.
type Begin = Box<dyn FnOnce(bool) + Send>;

impl HandIn {
    pub(crate) fn new(begin: impl FnOnce(bool) + Send + 'static) -> Self {
        Self(Some(Box::new(begin)))
    }

    pub(crate) fn inside(mut self) {
        self.begin(true);
    }

    /// Just now or long ago, by chance.
    #[expect(clippy::unused_self, reason = "the real one knows it")]
    pub(crate) fn idle_since(&self) -> Moment {
        let now = Moment::now();
        let long_ago = now.nanos().saturating_sub(Duration::from_secs(1).as_nanos() as u64);
        if thread_rng().gen_bool(0.5) { now } else { Moment::from_nanos(long_ago) }
    }

    fn begin(&mut self, is_inside: bool) {
        self.0.take().into_iter().for_each(|begin| begin(is_inside));
    }
}

impl Drop for HandIn {
    fn drop(&mut self) {
        self.begin(false);
    }
}
