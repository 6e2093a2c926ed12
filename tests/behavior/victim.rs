//! A call that is made in order to be cancelled.

use std::time::Instant;

use abide::{Client, Error, Feedback, Phase, RequestBuilder, Result};

use crate::waiting::{AT_ONCE, Running, start};

/// A call on a thread of its own and the feedback that ends it.
pub(crate) struct Victim {
    pub(crate) feedback: Feedback,
    pub(crate) call: Running<Result<()>>,
}

impl Victim {
    pub(crate) fn get(client: &Client, url: String) -> Self {
        Self::start(client, move |client| client.get(url))
    }

    pub(crate) fn start(
        client: &Client,
        make: impl FnOnce(&Client) -> RequestBuilder<'static> + Send + 'static,
    ) -> Self {
        let (client, feedback) = (client.clone(), Feedback::new());
        let given = feedback.clone();
        let call = start(move || make(&client).feedback(given).send().map(drop));
        Self { feedback, call }
    }

    /// Cancels and checks that the call ends at once, in the phase expected.
    #[track_caller]
    pub(crate) fn cancel(self, phase: Phase) {
        let cancelled_at = Instant::now();
        self.feedback.cancel();
        let (answer, ended_at) = self.call.join_timed();
        let error = answer.expect_err("a cancelled call is no success");
        assert_cancelled(&error, phase);
        let took = ended_at.saturating_duration_since(cancelled_at);
        assert!(took < AT_ONCE, "the call took {took:?} to end");
    }
}

#[track_caller]
pub(crate) fn assert_cancelled(error: &Error, phase: Phase) {
    assert!(error.is_cancelled() && !error.is_timeout(), "{error:?}");
    assert_eq!((error.phase(), error.budget()), (Some(phase), None), "{error:?}");
}
