//! A certificate made when the server starts, and what both sides of the raw limits need for it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::outcome::Outcome;

pub(super) struct Credentials {
    pub(super) ca_pem: String,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Credentials {
    /// An authority of its own, since some clients refuse a server that is its own authority.
    pub(super) fn generate() -> Outcome<Self> {
        let mut authority = CertificateParams::new([])?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Its name must not be that of the server, or the server looks self-signed to OpenSSL.
        authority.distinguished_name.push(DnType::CommonName, "abide-bench authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        Ok(Self {
            ca_pem: authority.pem(),
            certificate: certificate.der().clone(),
            key: key.serialize_der(),
        })
    }

    /// Speaks this one protocol, so that a client cannot quietly fall back to another.
    pub(super) fn acceptor(&self, protocol: &[u8]) -> Outcome<TlsAcceptor> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)?;
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// For the raw limits, which have no TLS settings of their own.
pub(crate) fn client_config(ca_pem: &[u8]) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
