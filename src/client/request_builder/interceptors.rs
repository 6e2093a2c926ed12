//! Interceptors of one call.

use super::RequestBuilder;
use crate::interceptors::{Hook, IncomingReply, InterceptorError, OutgoingRequest};

impl RequestBuilder<'_> {
    /// Adds an interceptor of this call's requests, behind the client's; see
    /// [`Client::intercept_requests`](crate::Client::intercept_requests).
    pub fn intercept_requests(
        self,
        see: impl Fn(&mut OutgoingRequest<'_>) -> Result<(), InterceptorError> + Send + Sync + 'static,
    ) -> Self {
        self.intercept(Hook::on_request(see))
    }

    /// Adds an interceptor of this call's replies, behind the client's; see
    /// [`Client::intercept_replies`](crate::Client::intercept_replies).
    pub fn intercept_replies(
        self,
        see: impl Fn(&mut IncomingReply<'_>) -> Result<(), InterceptorError> + Send + Sync + 'static,
    ) -> Self {
        self.intercept(Hook::on_reply(see))
    }

    fn intercept(self, hook: Hook) -> Self {
        self.change(|request| {
            request.interceptors.push(hook);
            Ok(())
        })
    }
}
