//! Interceptors that a client begins with.

use super::ClientBuilder;
use crate::interceptors::{Hook, IncomingReply, InterceptorError, InterceptorId, OutgoingRequest};

impl ClientBuilder {
    /// Adds an interceptor of requests; see
    /// [`Client::intercept_requests`](crate::Client::intercept_requests).
    pub fn intercept_requests(
        self,
        see: impl Fn(&mut OutgoingRequest<'_>) -> Result<(), InterceptorError> + Send + Sync + 'static,
    ) -> Self {
        self.config.interceptors.add(InterceptorId::next(), Hook::on_request(see));
        self
    }

    /// Adds an interceptor of replies; see
    /// [`Client::intercept_replies`](crate::Client::intercept_replies).
    pub fn intercept_replies(
        self,
        see: impl Fn(&mut IncomingReply<'_>) -> Result<(), InterceptorError> + Send + Sync + 'static,
    ) -> Self {
        self.config.interceptors.add(InterceptorId::next(), Hook::on_reply(see));
        self
    }
}
