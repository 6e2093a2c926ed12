//! What a client is told about credentials.

use super::ClientBuilder;
use crate::{auth_id::AuthId, policy::auth::AuthConfig};

impl ClientBuilder {
    /// Keeps credentials under a name from the beginning; see
    /// [`Client::set_auth`](crate::Client::set_auth).
    pub fn auth(self, id: impl Into<AuthId>, config: AuthConfig) -> Self {
        self.auth.set(id.into(), config);
        self
    }
}
