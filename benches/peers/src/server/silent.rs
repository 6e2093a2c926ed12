//! The calls that never get an answer: how many came, and how many are still there.

use tokio::sync::watch;
use tokio::time::timeout;

use crate::control::PATIENCE;

pub(super) struct Silent {
    calls: watch::Sender<Calls>,
}

#[derive(Clone, Copy, Default)]
struct Calls {
    arrived: u64,
    open: u64,
}

/// One of them; gone when dropped.
pub(super) struct Call<'a>(&'a Silent);

impl Default for Silent {
    fn default() -> Self {
        Self { calls: watch::Sender::new(Calls::default()) }
    }
}

impl Silent {
    pub(super) fn begin(&self) -> Call<'_> {
        self.calls.send_modify(|calls| {
            calls.arrived += 1;
            calls.open += 1;
        });
        Call(self)
    }

    pub(super) fn forget_arrivals(&self) {
        self.calls.send_modify(|calls| calls.arrived = 0);
    }

    pub(super) async fn arrived(&self, count: u64) -> bool {
        self.becomes(|calls| calls.arrived >= count).await
    }

    pub(super) async fn gone(&self) -> bool {
        self.becomes(|calls| calls.open == 0).await
    }

    async fn becomes(&self, condition: impl Fn(&Calls) -> bool) -> bool {
        let mut calls = self.calls.subscribe();
        let wait = calls.wait_for(|calls| condition(calls));
        timeout(PATIENCE, wait).await.is_ok_and(|found| found.is_ok())
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.calls.send_modify(|calls| calls.open -= 1);
    }
}
