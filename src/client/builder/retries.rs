//! Whether a client's calls are tried again.

use super::ClientBuilder;
use crate::retries::{RetryBudget, RetryPolicy};

impl ClientBuilder {
    /// Sets which failures of calls are tried again that bring no policy of their own; none by
    /// default.
    pub fn retries(mut self, policy: RetryPolicy) -> Self {
        self.config.retries.policy = policy;
        self
    }

    /// Sets how many retries all calls may make together; `None` for any number.
    pub fn retry_budget(mut self, budget: impl Into<Option<RetryBudget>>) -> Self {
        self.config.retries.budget = budget.into();
        self
    }
}
