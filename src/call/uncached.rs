//! In place of the cache, when abide is built without: everything goes to the network.

use super::{Means, attempts, hop::Hop, hops::HopReply};
use crate::{
    body::Content, caching::CacheMode, context::CallContext, error::Result, runtime::Want,
};

/// What a client knows of its cache: nothing.
#[derive(Debug, Default)]
pub(crate) struct Caching(());

impl Caching {
    pub(crate) const fn of_the_process() -> Self {
        Self(())
    }

    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "nothing is shown without TLS"))]
    pub(crate) const fn shown(&self, _certificate: &[u8]) {}

    pub(super) const fn abandon(&self) {}
}

/// Has a hop answered by attempts.
///
/// The mode has no say: what it asks of others is in the header fields already.
pub(super) async fn run(
    cx: &CallContext,
    means: &Means,
    _mode: Option<CacheMode>,
    (hop, content): (&Hop<'_>, &mut Content<'_>),
    want: Want,
) -> Result<HopReply> {
    attempts::run(cx, means, hop, content, want).await
}
