//! Without the feature `json` there are no tokens of OAuth 2 to fetch.

use std::sync::Arc;

use http::HeaderValue;

use super::Means;
use crate::{context::CallContext, error::Result, policy::auth::Tokens};

#[expect(clippy::unused_async, reason = "the same API as with the feature")]
pub(super) async fn token(
    _: &CallContext,
    _: &Means,
    tokens: &Arc<Tokens>,
    _: Option<u64>,
) -> Result<(u64, HeaderValue)> {
    match **tokens {}
}
