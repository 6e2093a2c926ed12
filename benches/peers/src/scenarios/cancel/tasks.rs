//! The limit without threads: hyper's requests as tasks, ended by dropping them.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::board::{Board, Return};
use super::{InFlight, Places};
use crate::clients::raw_hyper::{Connection, runtime};
use crate::outcome::Outcome;
use crate::spec::Spec;
use crate::task::Task;

pub(super) struct Tasks {
    runtime: Runtime,
    task: Arc<Task>,
    board: Board,
    cancels: Vec<Option<oneshot::Sender<()>>>,
    in_flight: InFlight,
}

impl Tasks {
    pub(super) fn new(spec: &Spec, board: Board) -> Outcome<Self> {
        Ok(Self {
            runtime: runtime()?,
            task: Arc::new(Task::of(spec)),
            board,
            cancels: (0..spec.threads).map(|_| None).collect(),
            in_flight: InFlight::at_server(spec)?,
        })
    }
}

impl Places for Tasks {
    fn start(&mut self, place: usize) -> Outcome<()> {
        let (cancel, cancelled) = oneshot::channel();
        self.cancels[place] = Some(cancel);
        let (task, board) = (self.task.clone(), self.board.clone());
        self.runtime.spawn(async move {
            let outcome = tokio::select! {
                _ = cancelled => Ok(()),
                ended = hang(&task) => ended,
            };
            board.post(place, Return { at: Instant::now(), outcome });
        });
        Ok(())
    }

    fn cancel(&mut self, place: usize) {
        // Dropping the sender is the signal.
        self.cancels[place] = None;
    }

    fn cancel_all(&mut self) {
        self.cancels.iter_mut().for_each(|cancel| *cancel = None);
    }

    fn in_flight(&mut self) -> &mut InFlight {
        &mut self.in_flight
    }
}

async fn hang(task: &Task) -> Outcome<()> {
    Connection::open(&None, task).await?.call(task).await?;
    Err("the silent server answered".into())
}
