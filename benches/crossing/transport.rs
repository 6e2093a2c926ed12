//! The real mailboxes beside a job that asks for nothing.

#[expect(dead_code, reason = "nothing is closed here")]
#[path = "../../src/transport/mailbox.rs"]
pub(crate) mod mailbox;

use tokio::time::Instant;

use crate::moment::Moment;

pub(crate) mod bridge {
    use tokio::sync::oneshot::Sender;

    /// Asks for nothing but an answer.
    #[derive(Debug)]
    pub(crate) struct Job {
        pub(crate) answer: Sender<()>,
    }
}

pub(crate) mod pool {
    use super::{bridge::Job, mailbox::Mailbox};
    use crate::moment::Moment;

    /// A job that has a connection and is not there yet; dropping it sends it there.
    #[derive(Debug)]
    pub(crate) struct HandIn {
        mailbox: Mailbox,
        job: Option<Box<Job>>,
        made: Moment,
    }

    impl HandIn {
        pub(crate) fn new(mailbox: Mailbox, job: Box<Job>) -> Self {
            Self { mailbox, job: Some(job), made: Moment::now() }
        }

        /// The connection is in use all the time.
        pub(crate) const fn idle_since(&self) -> Moment {
            self.made
        }

        pub(crate) fn inside(mut self) {
            self.job.take().into_iter().for_each(|job| drop(self.mailbox.hand_in(job)));
        }
    }

    impl Drop for HandIn {
        fn drop(&mut self) {
            self.job.take().into_iter().for_each(|job| drop(self.mailbox.send(job)));
        }
    }
}

/// As abide's.
pub(crate) fn instant(moment: Moment) -> Instant {
    Instant::now() + moment.since(Moment::now())
}
