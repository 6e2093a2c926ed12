//! Who is trusted.

use std::sync::{Arc, OnceLock};

use rustls::{
    Error as TlsError, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::CryptoProvider,
};
use rustls_platform_verifier::Verifier;

use super::{
    danger::{AnyName, Anyone},
    provider, unusable,
};
use crate::{
    certificates::Certificate,
    error::{Error, Result},
    tls_options::{Crypto, TlsOptions},
};

/// What checks the certificates of servers as the options say.
pub(super) fn verifier(options: &TlsOptions) -> Result<Arc<dyn ServerCertVerifier>> {
    let provider = || provider::of(options.crypto);
    let verifier: Arc<dyn ServerCertVerifier> = match &options.only_roots {
        _ if options.accept_invalid_certificates => Arc::new(Anyone(provider())),
        Some(roots) => of_roots(roots, provider())?,
        None if options.extra_roots.is_empty() => of_platform(options.crypto)?,
        None => of_platform_and(&options.extra_roots, provider())?,
    };
    Ok(match options.accept_invalid_host_names {
        true => Arc::new(AnyName(verifier)),
        false => verifier,
    })
}

/// The platform's roots, loaded once per process and provider.
fn of_platform(crypto: Crypto) -> Result<Arc<dyn ServerCertVerifier>> {
    static VERIFIERS: [OnceLock<Arc<Verifier>>; provider::COUNT] =
        [const { OnceLock::new() }; provider::COUNT];
    let loaded = &VERIFIERS[crypto as usize];
    if let Some(verifier) = loaded.get() {
        return Ok(Arc::clone(verifier) as _);
    }
    let verifier = Verifier::new(provider::of(crypto)).map_err(no_roots)?;
    Ok(Arc::clone(loaded.get_or_init(|| Arc::new(verifier))) as _)
}

fn of_platform_and(
    extra: &[Certificate],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let extra = extra.iter().map(|root| root.0.clone());
    let verifier = Verifier::new_with_extra_roots(extra, provider);
    Ok(Arc::new(verifier.map_err(no_roots)?))
}

fn of_roots(
    roots: &[Certificate],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.0.clone()).map_err(|e| unusable("a root certificate cannot be used", e))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider);
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
