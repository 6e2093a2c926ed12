//! Stands in for HTTP/2 in a build without it; ALPN then never offers it.

use tokio::io::{AsyncRead, AsyncWrite};

use super::Setup;
use crate::{
    error::{Error, ErrorKind},
    transport::{pool::Dial, watched::Watched},
    wheel::Work,
};

/// Whether routes may turn out to speak HTTP/2.
pub(crate) const SUPPORTED: bool = false;

/// Refuses: nobody asked the server for HTTP/2.
#[expect(clippy::unused_async, reason = "the same API as with the feature")]
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    io: Watched<S>,
    dial: Dial,
    _: Setup,
    _: Work,
) {
    drop(io);
    dial.fail(Error::new(ErrorKind::Protocol, "this build of abide does not speak HTTP/2"));
}
