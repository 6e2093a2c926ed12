//! The only room that knows hyper: exchanges on connections.
//!
//! `exchange.rs` is the file to read first; `http1.rs` and `http2.rs` say who moves the connection
//! while an exchange runs.

mod body;
mod classify;
mod exchange;
#[cfg(feature = "http2")]
mod h2_errors;
#[cfg(not(feature = "http2"))]
#[path = "no_h2_errors.rs"]
mod h2_errors;
#[cfg(feature = "http2")]
mod hands;
pub(super) mod http1;
#[cfg(feature = "http2")]
pub(super) mod http2;
#[cfg(not(feature = "http2"))]
#[path = "no_http2.rs"]
pub(super) mod http2;
mod receive;
#[cfg(feature = "http2")]
mod sentry;

use std::sync::Arc;

use super::connection::Facts;
use crate::{
    host_options::{Lifespan, Pings},
    limits::Limits,
    wheel::Wheel,
};

/// What a connection is told when it begins.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) facts: Arc<Facts>,
    pub(super) limits: Limits,
    pub(super) lifespan: Lifespan,
    #[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "only HTTP/2 has it"))]
    pub(super) pings: Pings,
    /// Whether a proxy is asked, which needs to be told of whom (RFC 9112 §3.2.2).
    pub(super) absolute_form: bool,
    /// The wheel of the lane that the connection is on.
    pub(super) wheel: Arc<Wheel>,
}
