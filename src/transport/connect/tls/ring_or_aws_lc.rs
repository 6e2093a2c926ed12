//! Who does the cryptography, in a build that has the choice.

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs, ring};

use crate::tls_options::Crypto;

/// How many there are.
pub(super) const COUNT: usize = 2;

/// Each is made once per process.
pub(super) fn of(crypto: Crypto) -> Arc<CryptoProvider> {
    static RING: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    static AWS_LC: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let made = match crypto {
        Crypto::Ring => RING.get_or_init(|| Arc::new(ring::default_provider())),
        Crypto::AwsLc => AWS_LC.get_or_init(|| Arc::new(aws_lc_rs::default_provider())),
    };
    Arc::clone(made)
}
