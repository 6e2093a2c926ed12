//! Whether one request is tried again.

use super::RequestBuilder;
use crate::retries::RetryPolicy;

impl RequestBuilder<'_> {
    /// Sets which failures are tried again; the client's policy by default.
    pub fn retries(self, policy: RetryPolicy) -> Self {
        self.change(|request| {
            request.retries = Some(Box::new(policy));
            Ok(())
        })
    }
}
