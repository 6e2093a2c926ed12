//! Without the feature `tls` there are no certificates.

/// Never there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TlsIdentity {}
