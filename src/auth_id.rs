//! The names of credentials, and which of them a call is to use.

use std::{fmt, sync::Arc};

/// The name under which a client keeps credentials; not a secret.
///
/// ```
/// let id = abide::AuthId::from("tiles");
/// assert_eq!(id.as_str(), "tiles");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuthId(Arc<str>);

impl AuthId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for AuthId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for AuthId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&String> for AuthId {
    fn from(name: &String) -> Self {
        name.as_str().into()
    }
}

impl From<&Self> for AuthId {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

impl fmt::Display for AuthId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AuthId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthId({:?})", self.0)
    }
}

/// Which of the client's credentials a call uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum AuthChoice {
    /// Those that ask to be used wherever they are allowed.
    #[default]
    Automatic,
    Named(AuthId),
    None,
}
