//! The real lanes, with connections that answer every job at once, and the real wait for an answer.

#[path = "../../src/runtime/alarm.rs"]
mod alarm;
#[path = "../../src/runtime/attendance.rs"]
mod attendance;
#[expect(dead_code, reason = "nothing is ended here")]
#[path = "../../src/runtime/lane.rs"]
mod lane;
#[expect(dead_code, reason = "nothing is dialed here")]
#[path = "../../src/runtime/lend.rs"]
mod lend;
#[path = "../../src/runtime/parker.rs"]
mod parker;
#[expect(clippy::needless_pass_by_ref_mut, reason = "this reporter has nothing to tell")]
#[cfg_attr(
    any(feature = "cache", feature = "json"),
    expect(dead_code, reason = "no call waits for another here")
)]
#[path = "../../src/runtime/wait.rs"]
mod wait;

use std::{future::poll_fn, pin::pin, sync::mpsc};

use tokio::sync::oneshot;

use self::{
    lane::Lane,
    lend::{Lending, Plan},
    wait::wait,
};
use crate::{
    context::CallContext,
    error::{Error, Result},
    post::Post,
    reporter::Reporter,
    steward::Tended,
    sync::{Arc, Weak},
    threads::Crew,
    transport::{bridge::Job, mailbox::Mailbox, pool::HandIn},
};

/// A connection on a lane.
pub(crate) struct Connection {
    lane: Arc<Lane>,
    mailbox: Mailbox,
    lends: bool,
}

/// Who brings jobs and answers across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The caller, which moves the connection along itself.
    Attended,
    /// The caller, which drives the lane that does so.
    Driven,
    /// The lane's keeper.
    Kept,
}

impl Connection {
    /// One on each of so many lanes, or all of them on one that its keeper drives.
    pub(crate) fn open(way: Way, connections: usize) -> Result<Vec<Self>> {
        let lanes = if way == Way::Kept { 1 } else { connections };
        // Nothing is left alone here, so nobody looks whether it is.
        let (crew, steward) = (Arc::new(Crew), Arc::new(Post::new(|| Ok(()))));
        let lending = if way == Way::Kept { Lending::Never } else { Lending::Always };
        let lanes = (0..lanes).map(|number| Lane::make(number, lending, &crew, &steward));
        let lanes = lanes.collect::<Result<Vec<_>>>()?;
        lanes.iter().cycle().take(connections).map(|lane| Self::open_on(lane, way)).collect()
    }

    fn open_on(lane: &Arc<Lane>, way: Way) -> Result<Self> {
        let (sender, opened) = mpsc::channel();
        lane.spawn(lane.connection()?, |wheel, (on_lane, dial), life| {
            let life = if way == Way::Attended { life } else { Weak::new() };
            let (mailbox, jobs) = Mailbox::open(&wheel, life);
            drop((dial, sender.send(mailbox)));
            async move {
                let _counted = on_lane;
                while let Some((job, work)) = poll_fn(|cx| jobs.poll_next(cx)).await {
                    // As on the wire: who has the answer finds nothing left to do.
                    drop(work);
                    let _ = job.answer.send(());
                }
            }
        });
        let mailbox = opened.recv().map_err(|_| Error)?;
        Ok(Self { lane: Arc::clone(lane), mailbox, lends: way != Way::Kept })
    }

    /// Hands a job over and waits for its answer.
    pub(crate) fn cross(&self, cx: &CallContext) -> Result<()> {
        wait(cx, &mut Reporter, pin!(self.call()))
    }

    async fn call(&self) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Job { answer });
        if self.lends && lend::may_attend() && self.mailbox.is_for_callers() {
            lend::plan(Plan {
                lane: Arc::clone(&self.lane),
                life: self.mailbox.life(),
                hand_in: Some(HandIn::new(self.mailbox.clone(), job)),
                job: None,
            });
        } else {
            self.mailbox.send(job).map_err(|_| Error)?;
        }
        let answered = answered.await;
        attendance::leave();
        answered.map_err(|_| Error)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.lane.wheel().stop();
    }
}
