//! TLS by rustls: the only folder that knows it.
//!
//! The provider is named wherever one is needed, because a host program may link both of rustls'
//! and then has no default; and none is ever installed as the process' default, because that is
//! the host's to do.

mod danger;
mod key_log;
mod pins;
#[cfg(not(feature = "aws-lc-rs"))]
#[path = "ring_only.rs"]
mod provider;
#[cfg(feature = "aws-lc-rs")]
#[path = "ring_or_aws_lc.rs"]
mod provider;
mod trust;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::{
    ClientConfig, Error as TlsError, KeyLog, NoKeyLog, ProtocolVersion, SupportedProtocolVersion,
    client::{Resumption, danger::ServerCertVerifier},
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsConnector;

use super::{failed, read_ahead::ReadAhead, stream::Stream};
use crate::{
    certificates::{Identity, TlsIdentity},
    config::Config,
    error::{Error, ErrorKind, Result},
    files,
    origin::{Origin, Way},
    phase::Phase,
    tls_options::TlsOptions,
    tls_version::TlsVersion,
    transport::wire::http2,
};

pub(crate) type TlsStream = tokio_rustls::client::TlsStream<ReadAhead<Stream>>;

/// What is below a secured stream.
pub(super) fn below(stream: &TlsStream) -> &Stream {
    stream.get_ref().0.below()
}

/// Which version is spoken.
pub(super) fn version(stream: &TlsStream) -> Option<TlsVersion> {
    match stream.get_ref().1.protocol_version()? {
        ProtocolVersion::TLSv1_2 => Some(TlsVersion::Tls12),
        ProtocolVersion::TLSv1_3 => Some(TlsVersion::Tls13),
        _ => None,
    }
}

/// Whether the protocol above TLS is negotiated.
pub(crate) const OFFERS_ALPN: bool = true;

/// Whether TLS itself failed, also after the handshake: a refused client certificate for example.
pub(crate) fn is_tls_failure(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<TlsError>())
}

/// TLS as one client speaks it.
#[derive(Debug)]
pub(crate) struct Tls {
    options: TlsOptions,
    offers_http2: bool,
    /// Made at the first call that needs it, by that call's thread.
    made: OnceLock<Made>,
    /// Held while the configuration is made, so that it is made once.
    making: Mutex<()>,
    /// Those that show another identity, the latest last; held while one is looked up or made.
    others: Mutex<Vec<(TlsIdentity, Arc<ClientConfig>)>>,
}

#[derive(Debug)]
struct Made {
    common: Common,
    /// Shows the client's own certificate, or none.
    config: Arc<ClientConfig>,
}

impl Tls {
    pub(super) fn new(config: &Config) -> Self {
        Self::with(config.tls.clone(), http2::SUPPORTED && !config.http1_only)
    }

    /// The same trust, but the client's certificate is for origins, and HTTP/1.1 is spoken.
    pub(super) fn for_proxies(config: &Config) -> Self {
        Self::with(TlsOptions { identity: None, ..config.tls.clone() }, false)
    }

    fn with(options: TlsOptions, offers_http2: bool) -> Self {
        let (made, making, others) = (OnceLock::new(), Mutex::new(()), Mutex::default());
        Self { options, offers_http2, made, making, others }
    }

    pub(super) fn prepare(&self, way: &Way) -> Result<()> {
        self.config(way).map(drop)
    }

    pub(super) async fn connect(&self, stream: Stream, way: &Way) -> Result<(Stream, bool)> {
        let origin = &way.origin;
        let connector = TlsConnector::from(self.config(way)?);
        let secured = connector.connect(self.name_of(origin)?, ReadAhead::new(stream)).await;
        let mut stream = secured.map_err(|e| handshake_failed(e, &origin.host))?;
        let session = stream.get_ref().1;
        if let Some(pins) = self.options.pins.get(origin) {
            let provider = connector.config().crypto_provider();
            pins::check(session, &origin.host, pins, provider)?;
        }
        let speaks_http2 = session.alpn_protocol() == Some(b"h2");
        if speaks_http2 {
            stream.get_mut().0.keep_space();
        }
        Ok((Stream::Secure(Box::new(stream)), speaks_http2))
    }

    /// The name that the greeting asks for and the certificate must have.
    fn name_of(&self, origin: &Origin) -> Result<ServerName<'static>> {
        if let Some(name) = self.options.names.get(origin) {
            return Ok(name.0.clone());
        }
        let name = origin.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        ServerName::try_from(name).map_err(|e| {
            let message = format!("the host {} cannot have a certificate", origin.host);
            failed(ErrorKind::InvalidRequest, Phase::Tls, message).because(e)
        })
    }

    fn config(&self, way: &Way) -> Result<Arc<ClientConfig>> {
        let made = self.made()?;
        let Some(identity) = &way.identity else { return Ok(Arc::clone(&made.config)) };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, config)) = others.iter().find(|(known, _)| known == identity) {
            return Ok(Arc::clone(config));
        }
        let config = made.common.config(&self.options, Some(&identity.0), self.offers_http2)?;
        let config = Arc::new(config);
        if others.len() >= OTHERS_MAX {
            others.remove(0);
        }
        others.push((identity.clone(), Arc::clone(&config)));
        Ok(config)
    }

    fn made(&self) -> Result<&Made> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let common = Common::of(&self.options)?;
        let identity = self.options.identity.as_ref();
        let config = Arc::new(common.config(&self.options, identity, self.offers_http2)?);
        Ok(self.made.get_or_init(|| Made { common, config }))
    }
}

/// What all configurations of a client share, whatever certificate they show.
///
/// rustls resumes a session only with the verifier and the certificate that it was begun with.
#[derive(Debug)]
struct Common {
    verifier: Arc<dyn ServerCertVerifier>,
    sessions: Resumption,
    key_log: Arc<dyn KeyLog>,
}

impl Common {
    fn of(options: &TlsOptions) -> Result<Self> {
        let key_log: Arc<dyn KeyLog> = match &options.key_log {
            None => Arc::new(NoKeyLog),
            Some(path) => Arc::new(key_log::ToFile::new(files::append(path).map_err(|e| {
                let message = format!("the key log {} cannot be opened", path.display());
                failed(ErrorKind::InvalidRequest, Phase::Tls, message).because(e)
            })?)),
        };
        let sessions = Resumption::in_memory_sessions(SESSIONS_MAX);
        Ok(Self { verifier: trust::verifier(options)?, sessions, key_log })
    }

    fn config(
        &self,
        options: &TlsOptions,
        identity: Option<&Identity>,
        offers_http2: bool,
    ) -> Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider::of(options.crypto))
            .with_protocol_versions(since(options.oldest))
            .map_err(|e| unusable("no version of TLS can be spoken", e))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&self.verifier));
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|e| unusable("the client certificate and its key cannot be used", e))?,
        };
        config.resumption = self.sessions.clone();
        config.key_log = Arc::clone(&self.key_log);
        config.enable_sni = !options.hides_names;
        config.alpn_protocols = offers_http2.then(|| b"h2".to_vec()).into_iter().collect();
        config.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(config)
    }
}

fn since(oldest: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static FROM_1_2: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
    static FROM_1_3: &[&SupportedProtocolVersion] = &[&TLS13];
    match oldest {
        TlsVersion::Tls12 => FROM_1_2,
        TlsVersion::Tls13 => FROM_1_3,
    }
}

/// A connection that was cut before TLS could say anything is no failure of TLS.
#[cold]
fn handshake_failed(error: std::io::Error, host: &str) -> Error {
    let (kind, what) = match is_tls_failure(&error) {
        true => (ErrorKind::Tls, "failed"),
        false => (ErrorKind::Connect, "was cut off"),
    };
    failed(kind, Phase::Tls, format!("the TLS handshake with {host} {what}")).because(error)
}

#[cold]
fn unusable(message: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    failed(ErrorKind::Tls, Phase::Tls, message.to_owned()).because(error)
}

/// Identities beyond that are made ready again when they are needed.
const OTHERS_MAX: usize = 64;
/// As many as rustls keeps by default.
const SESSIONS_MAX: usize = 256;
