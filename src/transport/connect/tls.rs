//! TLS by rustls: the only file that knows it.
//!
//! The provider is named wherever one is needed, because a host program may link both of rustls'
//! and then has no default; and none is ever installed as the process' default, because that is
//! the host's to do.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{failed, stream::Stream};
use crate::{
    config::TlsOptions,
    error::{Error, ErrorKind, Result},
    origin::Origin,
    phase::Phase,
    transport::wire::http2,
};

pub(crate) type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// The socket below a secured stream.
pub(super) fn tcp(stream: &TlsStream) -> &TcpStream {
    stream.get_ref().0
}

/// Whether the protocol above TLS is negotiated.
pub(crate) const OFFERS_ALPN: bool = true;

/// Whether TLS itself failed, also after the handshake: a refused client certificate for example.
pub(crate) fn is_tls_failure(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<TlsError>())
}

/// The TLS identity of one client; sessions are resumed across all of its connections.
#[derive(Debug)]
pub(crate) struct Tls {
    options: TlsOptions,
    /// Made at the first call that needs it, by that call's thread.
    config: OnceLock<Arc<ClientConfig>>,
    /// Held while the configuration is made, so that it is made once.
    making: Mutex<()>,
}

impl Tls {
    pub(super) fn new(options: &TlsOptions) -> Self {
        Self { options: options.clone(), config: OnceLock::new(), making: Mutex::new(()) }
    }

    pub(super) fn prepare(&self) -> Result<()> {
        self.config().map(drop)
    }

    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        origin: &Origin,
    ) -> Result<(Stream, bool)> {
        let name = origin.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|e| {
            let message = format!("the host {} cannot have a certificate", origin.host);
            failed(ErrorKind::InvalidRequest, Phase::Tls, message).because(e)
        })?;
        let connector = TlsConnector::from(self.config()?);
        let secured = connector.connect(name, stream).await;
        let stream = secured.map_err(|e| {
            let message = format!("the TLS handshake with {} failed", origin.host);
            failed(ErrorKind::Tls, Phase::Tls, message).because(e)
        })?;
        let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Stream::Secure(Box::new(stream)), speaks_http2))
    }

    fn config(&self) -> Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = self.config.get() {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(make(&self.options)?);
        Ok(Arc::clone(self.config.get_or_init(|| config)))
    }
}

fn make(options: &TlsOptions) -> Result<ClientConfig> {
    let TlsOptions {
        http1_only,
        extra_roots,
        only_roots,
        identity,
        accept_invalid_certificates,
        accept_invalid_host_names,
    } = options;
    let mut verifier: Arc<dyn ServerCertVerifier> = match only_roots {
        _ if *accept_invalid_certificates => Arc::new(Anyone(provider())),
        Some(roots) => of_roots(roots.iter().map(|root| root.0.clone()))?,
        None if extra_roots.is_empty() => of_platform()?,
        None => of_platform_and(extra_roots.iter().map(|root| root.0.clone()))?,
    };
    if *accept_invalid_host_names {
        verifier = Arc::new(AnyName(verifier));
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable("no version of TLS can be spoken", e))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(|e| unusable("the client certificate and its key cannot be used", e))?,
    };
    let offers_http2 = http2::SUPPORTED && !http1_only;
    config.alpn_protocols = offers_http2.then(|| b"h2".to_vec()).into_iter().collect();
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())))
}

/// The platform's roots, loaded once per process.
fn of_platform() -> Result<Arc<dyn ServerCertVerifier>> {
    static VERIFIER: OnceLock<Arc<rustls_platform_verifier::Verifier>> = OnceLock::new();
    if let Some(verifier) = VERIFIER.get() {
        return Ok(Arc::clone(verifier) as _);
    }
    let verifier = rustls_platform_verifier::Verifier::new(provider()).map_err(no_roots)?;
    Ok(Arc::clone(VERIFIER.get_or_init(|| Arc::new(verifier))) as _)
}

fn of_platform_and(
    extra: impl Iterator<Item = CertificateDer<'static>>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider());
    Ok(Arc::new(verifier.map_err(no_roots)?))
}

fn of_roots(
    roots: impl Iterator<Item = CertificateDer<'static>>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root).map_err(|e| unusable("a root certificate cannot be used", e))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider());
    let verifier = verifier.build().map_err(|e| unusable("the roots cannot be used", e))?;
    Ok(verifier)
}

#[cold]
fn no_roots(error: TlsError) -> Error {
    unusable(
        "the platform's root certificates cannot be loaded (install them, or give roots with \
         `ClientBuilder::only_root_certificates`)",
        error,
    )
}

#[cold]
fn unusable(message: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    failed(ErrorKind::Tls, Phase::Tls, message.to_owned()).because(error)
}

/// Accepts any certificate; signatures are still checked, so the peer has the key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Checks everything but the name.
#[derive(Debug)]
struct AnyName(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match self.0.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
