//! Requests that are answered when enough of them are here, each on a connection of its own.

use tokio::sync::watch;
use tokio::time::timeout;

use crate::control::PATIENCE;

pub(super) struct Gathering {
    here: watch::Sender<u64>,
}

impl Default for Gathering {
    fn default() -> Self {
        Self { here: watch::Sender::new(0) }
    }
}

impl Gathering {
    /// Waits for `count` of them; the next ones wait for as many again.
    pub(super) async fn gather(&self, count: u64) -> bool {
        let mut here = self.here.subscribe();
        let mut number = 0;
        self.here.send_modify(|here| {
            *here += 1;
            number = *here;
        });
        let last = number.div_ceil(count) * count;
        timeout(PATIENCE, here.wait_for(|here| *here >= last)).await.is_ok_and(|all| all.is_ok())
    }
}
