//! The fixed certificates in `certs/` (made by `certs/make.sh`) and TLS configurations of them.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

/// Which certificate a server shows.
#[derive(Clone, Copy)]
pub(crate) enum ServerName {
    /// For `localhost`, `127.0.0.1` and `::1`.
    Right,
    /// For `elsewhere.test` only.
    Wrong,
    /// For the right names, in the past.
    Expired,
}

/// The root that signed every certificate here, in PEM.
pub(crate) fn ca() -> &'static [u8] {
    include_bytes!("certs/ca.pem")
}

/// A client's certificate and key, in PEM.
pub(crate) fn client_identity() -> &'static [u8] {
    include_bytes!("certs/client.pem")
}

/// A server's TLS configuration that agrees to one protocol.
pub(super) fn tls_config(
    name: ServerName,
    protocol: &str,
    asks_for_certificate: bool,
) -> Arc<ServerConfig> {
    tls_config_of(rustls::ALL_VERSIONS, name, protocol, asks_for_certificate)
}

/// The same for some versions of TLS only.
pub(super) fn tls_config_of(
    versions: &[&'static SupportedProtocolVersion],
    name: ServerName,
    protocol: &str,
    asks_for_certificate: bool,
) -> Arc<ServerConfig> {
    let pem: &[u8] = match name {
        ServerName::Right => include_bytes!("certs/server.pem"),
        ServerName::Wrong => include_bytes!("certs/wrong-host.pem"),
        ServerName::Expired => include_bytes!("certs/expired.pem"),
    };
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(pem).expect("a key in the PEM file");
    let versions = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("protocol versions of ring");
    let builder = match asks_for_certificate {
        true => versions.with_client_cert_verifier(client_verifier()),
        false => versions.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain.expect("certificates in the PEM file"), key)
        .expect("a certificate that fits its key");
    config.alpn_protocols = vec![protocol.into()];
    Arc::new(config)
}

fn client_verifier() -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(ca()).expect("the test root");
    roots.add(root).expect("a usable test root");
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .expect("a verifier of the test root")
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
