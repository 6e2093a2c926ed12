//! Stands in for TLS in a build without it.

use super::stream::Stream;
use crate::{
    config::Config,
    error::{Error, Result},
    origin::Way,
    tls_version::TlsVersion,
};

pub(crate) type TlsStream = Box<Stream>;

/// What is below a secured stream.
pub(super) const fn below(stream: &TlsStream) -> &Stream {
    stream
}

/// Which version is spoken.
pub(super) const fn version(_: &TlsStream) -> Option<TlsVersion> {
    None
}

/// Whether the protocol above TLS is negotiated.
pub(crate) const OFFERS_ALPN: bool = false;

/// Whether TLS itself failed.
pub(crate) const fn is_tls_failure(_: &std::io::Error) -> bool {
    false
}

#[derive(Debug)]
pub(crate) struct Tls;

impl Tls {
    pub(super) const fn new(_: &Config) -> Self {
        Self
    }

    pub(super) const fn for_proxies(_: &Config) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "the same API as with the feature")]
    pub(super) fn prepare(&self, _: &Way) -> Result<()> {
        Err(unsupported())
    }

    #[expect(clippy::unused_async, reason = "the same API as with the feature")]
    pub(super) async fn connect(&self, _: Stream, _: &Way) -> Result<(Stream, bool)> {
        Err(unsupported())
    }
}

fn unsupported() -> Error {
    Error::invalid("this build of abide does not speak https; enable its feature `tls`")
}
