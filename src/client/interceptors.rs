//! Adding interceptors to a client that is there already, and removing them.

use super::Client;
use crate::interceptors::{Hook, IncomingReply, InterceptorError, InterceptorId, OutgoingRequest};

impl Client {
    /// Adds an interceptor that sees each hop of each call before it goes out.
    ///
    /// It may change header fields and URL, and answer in place of the network. Interceptors run on
    /// the thread that makes the call, in the order they were added, before credentials and cookies
    /// are added; they may make calls of their own. An error or a panic in one is the call's error,
    /// of kind [`Interceptor`](crate::ErrorKind::Interceptor). Calls that have begun go on with
    /// what there was when they began.
    ///
    /// ```
    /// let client = abide::Client::new();
    /// let id = client.intercept_requests(|request| {
    ///     let number = request.request_id();
    ///     request.headers_mut().insert("x-request-id", number.into());
    ///     Ok(())
    /// });
    /// assert!(client.remove_interceptor(id));
    /// ```
    pub fn intercept_requests(
        &self,
        see: impl Fn(&mut OutgoingRequest<'_>) -> Result<(), InterceptorError> + Send + Sync + 'static,
    ) -> InterceptorId {
        self.add_interceptor(Hook::on_request(see))
    }

    /// Adds an interceptor that sees the head of each hop's answer, redirects included.
    ///
    /// It may change header fields; see [`intercept_requests`](Self::intercept_requests) for the
    /// rest.
    pub fn intercept_replies(
        &self,
        see: impl Fn(&mut IncomingReply<'_>) -> Result<(), InterceptorError> + Send + Sync + 'static,
    ) -> InterceptorId {
        self.add_interceptor(Hook::on_reply(see))
    }

    /// Removes an interceptor, and tells whether it was there.
    pub fn remove_interceptor(&self, id: InterceptorId) -> bool {
        // In a child process the lock may be held by a thread that does not exist.
        self.is_usable_here() && self.shared.means.config().interceptors.remove(id)
    }

    fn add_interceptor(&self, hook: Hook) -> InterceptorId {
        let id = InterceptorId::next();
        if self.is_usable_here() {
            self.shared.means.config().interceptors.add(id, hook);
        }
        id
    }
}
