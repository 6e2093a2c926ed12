//! The credentials of a client: added, replaced and removed at any time, from any thread.

use super::Client;
use crate::{auth_id::AuthId, policy::auth::AuthConfig};

impl Client {
    /// Keeps credentials under a name, in place of those that had it; tells whether there were some.
    ///
    /// Every clone of the client sees them. Calls that have begun go on with what there was.
    ///
    /// ```
    /// use abide::{AuthConfig, AuthOrigins, Client};
    /// let client = Client::new();
    /// let origins = AuthOrigins::only(["https://api.example.org"])?;
    /// client.set_auth("api", AuthConfig::bearer(origins, "token")?);
    /// assert!(client.remove_auth("api"));
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn set_auth(&self, id: impl Into<AuthId>, config: AuthConfig) -> bool {
        self.shared.means.auth().set(id.into(), config)
    }

    /// Forgets credentials; tells whether there were some of this name.
    ///
    /// Connections on which a client certificate was shown are used by nobody any more, and closed
    /// when they have been idle for long enough; [`close_idle`](Self::close_idle) does so at once.
    pub fn remove_auth(&self, id: impl Into<AuthId>) -> bool {
        self.shared.means.auth().remove(&id.into())
    }

    /// The names of the credentials there are, in order.
    #[must_use]
    pub fn auth_ids(&self) -> Vec<AuthId> {
        self.shared.means.auth().ids()
    }
}
