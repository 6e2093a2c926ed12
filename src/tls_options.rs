//! What the user says about TLS.

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::{
    certificates::{Certificate, Identity, PeerName},
    error::{Error, Result},
    per_host::PerHost,
    tls_version::TlsVersion,
};

/// Everything a client can be told about TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsOptions {
    pub(crate) extra_roots: Vec<Certificate>,
    pub(crate) only_roots: Option<Vec<Certificate>>,
    pub(crate) identity: Option<Identity>,
    pub(crate) accept_invalid_certificates: bool,
    pub(crate) accept_invalid_host_names: bool,
    pub(crate) oldest: TlsVersion,
    pub(crate) crypto: Crypto,
    /// Whether the name stays out of the greeting, which everybody on the way can read.
    pub(crate) hides_names: bool,
    /// By which name a host is asked for and checked, if not by its own.
    pub(crate) names: PerHost<PeerName>,
    pub(crate) pins: PerHost<Box<[PublicKeyPin]>>,
    pub(crate) key_log: Option<Arc<Path>>,
}

/// Who does the cryptography of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Crypto {
    /// The crate `ring`.
    #[default]
    Ring,
    /// The crate `aws-lc-rs`: post-quantum key exchange (X25519MLKEM768) among others.
    #[cfg(feature = "aws-lc-rs")]
    AwsLc,
}

/// The SHA-256 of a server's public key, as `curl --pinnedpubkey` has it.
///
/// It is taken over the key's SubjectPublicKeyInfo (RFC 7469 §2.4), so a certificate that is renewed
/// with the same key keeps it. Written `sha256//` and base64; one slash is read too.
///
/// ```text
/// openssl x509 -in server.pem -noout -pubkey | openssl pkey -pubin -outform der \
///     | openssl dgst -sha256 -binary | base64
/// ```
///
/// ```
/// let pin: abide::PublicKeyPin = "sha256//r/mIkG3eEpVdm+u/ko/cwxzOMo1bk4TyHIlByibiA5E=".parse()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKeyPin([u8; 32]);

impl PublicKeyPin {
    /// The pin with these 32 bytes.
    #[must_use]
    pub const fn from_sha256(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl FromStr for PublicKeyPin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("a pin is `sha256//` and 32 bytes in base64");
        let digest = text.strip_prefix("sha256//").or_else(|| text.strip_prefix("sha256/"));
        let digest = BASE64_STANDARD.decode(digest.ok_or_else(wrong)?);
        let digest = digest.map_err(|e| wrong().because(e))?;
        Ok(Self(digest.try_into().map_err(|_| wrong())?))
    }
}

impl fmt::Display for PublicKeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256//{}", BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_reads_what_it_writes() {
        let pin = PublicKeyPin::from_sha256([7; 32]);
        assert_eq!(pin.to_string().parse::<PublicKeyPin>().expect("a pin"), pin);
        let with_one_slash = pin.to_string().replace("//", "/");
        assert_eq!(with_one_slash.parse::<PublicKeyPin>().expect("a pin"), pin);
        for wrong in ["", "sha256//", "sha256//AAAA", "sha256//%", "sha1//AAAA", "AAAA"] {
            assert!(wrong.parse::<PublicKeyPin>().is_err(), "{wrong}");
        }
    }
}
