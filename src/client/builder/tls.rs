//! Options of TLS.

use std::path::Path;

use super::ClientBuilder;
use crate::{
    certificates::{Certificate, Identity, PeerName},
    environment,
    error::{Error, Result},
    tls_options::{Crypto, PublicKeyPin, TlsOptions},
    tls_version::TlsVersion,
};

impl ClientBuilder {
    /// Trusts a root certificate besides the platform's.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses it together with
    /// [`only_root_certificates`](Self::only_root_certificates).
    pub fn add_root_certificate(self, root: Certificate) -> Self {
        self.change(|config| {
            config.tls.extra_roots.push(root);
            without_contradiction(&config.tls)
        })
    }

    /// Trusts these root certificates and no others.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses it together with
    /// [`add_root_certificate`](Self::add_root_certificate).
    pub fn only_root_certificates(self, roots: impl IntoIterator<Item = Certificate>) -> Self {
        self.change(|config| {
            config.tls.only_roots = Some(roots.into_iter().collect());
            without_contradiction(&config.tls)
        })
    }

    /// Shows this certificate to servers that ask for one.
    pub fn identity(mut self, identity: Identity) -> Self {
        if let Some(certificate) = identity.chain.first() {
            self.caching.shown(certificate);
        }
        self.config.tls.identity = Some(identity);
        self
    }

    /// Sets the oldest version of TLS that is spoken; [`TlsVersion::Tls12`] by default.
    ///
    /// A server that knows none as new is an error of kind [`Tls`](crate::ErrorKind::Tls).
    pub fn min_tls_version(mut self, oldest: TlsVersion) -> Self {
        self.config.tls.oldest = oldest;
        self
    }

    /// Sets who does the cryptography; [`Crypto::Ring`] by default.
    pub fn crypto(mut self, crypto: Crypto) -> Self {
        self.config.tls.crypto = crypto;
        self
    }

    /// Asks a host for the certificate of another name, and checks it against that name.
    ///
    /// For servers that are reached by an address or an internal name. The name goes into the
    /// greeting (server name indication, RFC 6066 §3) if it is no address; `Host` and everything
    /// above TLS stay the URL's. The host is written as in a URL, with a port for that port only.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses what is no host and what no certificate can name.
    ///
    /// # Examples
    /// ```
    /// let client = abide::Client::builder().tls_name("10.0.0.7", "api.example").build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn tls_name(self, host: &str, name: &str) -> Self {
        self.change(|config| config.tls.names.set(host, PeerName::parse(name)?))
    }

    /// Leaves the server's name out of the greeting, where everybody on the way can read it.
    ///
    /// Certificates are checked as always. A server with several names may then show the wrong one
    /// or none.
    pub fn without_tls_server_name(mut self) -> Self {
        self.config.tls.hides_names = true;
        self
    }

    /// Accepts a host only with one of these public keys, besides all other checks.
    ///
    /// The key is that of the server's own certificate: what else a server sends proves nothing.
    /// Give the key of the next certificate too, or the day it changes is an outage. Every way to the
    /// host over TLS is checked before a request is sent; another key is an error of kind
    /// [`Tls`](crate::ErrorKind::Tls) that names the host, the key shown and the pins. With
    /// [`danger_accept_invalid_certificates`](Self::danger_accept_invalid_certificates) the pins are
    /// all that is checked, which is enough for a device with a certificate of its own. The host is
    /// written as in a URL, with a port for that port only.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses what is no host, and an empty list.
    ///
    /// # Examples
    /// ```
    /// let now = "sha256//r/mIkG3eEpVdm+u/ko/cwxzOMo1bk4TyHIlByibiA5E=".parse()?;
    /// let next = "sha256//YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=".parse()?;
    /// let client =
    ///     abide::Client::builder().pin_public_keys("api.example", [now, next]).build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn pin_public_keys(self, host: &str, pins: impl IntoIterator<Item = PublicKeyPin>) -> Self {
        let pins: Box<[PublicKeyPin]> = pins.into_iter().collect();
        self.change(|config| {
            if pins.is_empty() {
                return Err(Error::invalid(format!("`pin_public_keys` got no pin for `{host}`")));
            }
            config.tls.pins.set(host, pins)
        })
    }

    /// Appends the secrets of all sessions to a file: whoever has it can read all that was sent.
    ///
    /// For Wireshark and its kind, in the format that they call NSS key log. The file is opened by
    /// the first call to a secure host, which fails if that cannot be done.
    pub fn danger_key_log(mut self, path: impl AsRef<Path>) -> Self {
        self.config.tls.key_log = Some(path.as_ref().into());
        self
    }

    /// As [`danger_key_log`](Self::danger_key_log), to the file that the environment variable
    /// `SSLKEYLOGFILE` names; nothing is written if it is not set.
    ///
    /// It is read here, and nowhere else does abide look at it.
    pub fn danger_key_log_from_env(mut self) -> Self {
        self.config.tls.key_log = environment::key_log_path().map(Into::into);
        self
    }

    /// Accepts any certificate of any server: whoever is on the way can read and change all.
    pub fn danger_accept_invalid_certificates(mut self, accept: bool) -> Self {
        self.config.tls.accept_invalid_certificates = accept;
        self
    }

    /// Accepts certificates of other hosts: whoever has any valid certificate can read all.
    pub fn danger_accept_invalid_host_names(mut self, accept: bool) -> Self {
        self.config.tls.accept_invalid_host_names = accept;
        self
    }
}

fn without_contradiction(options: &TlsOptions) -> Result<()> {
    if options.only_roots.is_none() || options.extra_roots.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(
        "`add_root_certificate` adds to the platform's roots and `only_root_certificates` does \
         without them; use one of them",
    ))
}
