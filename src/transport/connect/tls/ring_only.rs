//! Who does the cryptography, in a build that knows ring only.

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, ring};

use crate::tls_options::Crypto;

/// How many there are.
pub(super) const COUNT: usize = 1;

/// Each is made once per process.
pub(super) fn of(crypto: Crypto) -> Arc<CryptoProvider> {
    static RING: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    match crypto {
        Crypto::Ring => Arc::clone(RING.get_or_init(|| Arc::new(ring::default_provider()))),
    }
}
