//! What must not be seen: wiped when it is dropped, and never shown.

use std::fmt;

use zeroize::Zeroizing;

/// A password, token or key.
///
/// What is made of it for the wire, a header field for example, is beyond its reach.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the text over, so that no copy of it stays behind here.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self::from_bytes(text.into().into_bytes())
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}
