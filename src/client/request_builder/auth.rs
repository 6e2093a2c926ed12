//! What a request is told about credentials.

use super::RequestBuilder;
use crate::auth_id::{AuthChoice, AuthId};

impl RequestBuilder<'_> {
    /// Uses the client's credentials of this name, and no others.
    ///
    /// They go to the origins that their [`AuthConfig`](crate::AuthConfig) allows. If the URL's is
    /// none of them, if there are none of this name, or if they cannot be had, the call fails with
    /// kind [`Auth`](crate::ErrorKind::Auth) before anything is sent. A redirect to another origin
    /// is followed without them, and they are not used again in that call. They take the place of
    /// user information in the URL.
    pub fn auth(self, id: impl Into<AuthId>) -> Self {
        self.change(|request| {
            request.auth = AuthChoice::Named(id.into());
            Ok(())
        })
    }

    /// Uses no credentials of the client, [automatic](crate::AuthConfig::automatic) ones neither.
    pub fn no_auth(self) -> Self {
        self.change(|request| {
            request.auth = AuthChoice::None;
            Ok(())
        })
    }
}
