//! Whether a server has one of the public keys that the user pinned.

use rustls::{
    ClientConnection, SupportedCipherSuite,
    crypto::{CryptoProvider, hash::HashAlgorithm},
    server::ParsedCertificate,
};

use super::failed;
use crate::{
    error::{Error, ErrorKind, Result},
    phase::Phase,
    tls_options::PublicKeyPin,
};

/// Fails unless the server's own certificate has one of these keys.
///
/// The certificates above it do not count: they need not be those that its trust comes from.
pub(super) fn check(
    session: &ClientConnection,
    host: &str,
    pins: &[PublicKeyPin],
    provider: &CryptoProvider,
) -> Result<()> {
    let shown = shown_by(session, provider);
    if shown.is_some_and(|shown| pins.contains(&shown)) {
        return Ok(());
    }
    Err(not_pinned(host, shown, pins))
}

fn shown_by(session: &ClientConnection, provider: &CryptoProvider) -> Option<PublicKeyPin> {
    let own = session.peer_certificates()?.first()?;
    let key = ParsedCertificate::try_from(own).ok()?.subject_public_key_info();
    let digest = provider.cipher_suites.iter().find_map(|suite| {
        let hash = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider,
            SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider,
        };
        (hash.algorithm() == HashAlgorithm::SHA256).then(|| hash.hash(&key))
    })?;
    Some(PublicKeyPin::from_sha256(digest.as_ref().try_into().ok()?))
}

#[cold]
fn not_pinned(host: &str, shown: Option<PublicKeyPin>, pins: &[PublicKeyPin]) -> Error {
    let shown = shown.map_or_else(|| "none that can be read".to_owned(), |pin| pin.to_string());
    let pins = pins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let message =
        format!("the public key of {host} is not one of those pinned: it is {shown}, not {pins}");
    failed(ErrorKind::Tls, Phase::Tls, message)
}
