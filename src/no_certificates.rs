//! Without the feature `tls` there are no certificates.

/// Never there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TlsIdentity {}

impl TlsIdentity {
    #[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "only a cache looks at it"))]
    pub(crate) const fn certificate(&self) -> &[u8] {
        match *self {}
    }
}
