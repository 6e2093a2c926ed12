//! Certificates and keys that the user gives, checked when they are given.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};

use crate::error::{Error, Result};

/// A certificate to trust.
#[derive(Clone)]
pub struct Certificate(pub(crate) CertificateDer<'static>);

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if there is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        CertificateDer::from_pem_slice(pem)
            .map(Self)
            .map_err(|e| Error::invalid("the text holds no PEM certificate").because(e))
    }

    /// Reads all certificates of a PEM text, a bundle for example.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if there is none or one is broken.
    pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>> {
        let all = CertificateDer::pem_slice_iter(pem)
            .map(|certificate| certificate.map(Self))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| Error::invalid("the text is no PEM bundle").because(e))?;
        if all.is_empty() {
            return Err(Error::invalid("the text holds no PEM certificate"));
        }
        Ok(all)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} bytes)", self.0.len())
    }
}

/// A name or an address that a certificate can have.
#[derive(Clone, Debug)]
pub(crate) struct PeerName(pub(crate) ServerName<'static>);

impl PeerName {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        ServerName::try_from(text.to_owned())
            .map(Self)
            .map_err(|e| Error::invalid("no certificate can have the name given").because(e))
    }
}

/// A client certificate with its chain and private key.
pub struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads certificates (the client's own first) and one private key from a PEM text.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if either is missing; whether the
    /// key fits the certificate is found out at the first call.
    pub fn from_pem(chain_and_key: &[u8]) -> Result<Self> {
        let chain = Certificate::all_from_pem(chain_and_key)?;
        let key = PrivateKeyDer::from_pem_slice(chain_and_key)
            .map_err(|e| Error::invalid("the text holds no PEM private key").because(e))?;
        Ok(Self { chain: chain.into_iter().map(|certificate| certificate.0).collect(), key })
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates, key not shown)", self.chain.len())
    }
}

/// An identity that routes can be told apart by: it is the same as its clones and as no other.
#[derive(Clone, Debug)]
pub(crate) struct TlsIdentity(pub(crate) Arc<Identity>);

impl TlsIdentity {
    /// The certificate itself, without its chain.
    #[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "only a cache looks at it"))]
    pub(crate) fn certificate(&self) -> &[u8] {
        self.0.chain.first().map_or(&[], |certificate| certificate)
    }

    pub(crate) fn new(identity: Identity) -> Self {
        Self(Arc::new(identity))
    }
}

impl PartialEq for TlsIdentity {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for TlsIdentity {}

impl Hash for TlsIdentity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
