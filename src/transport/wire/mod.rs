//! The only room that knows hyper: exchanges on connections.
//!
//! `exchange.rs` is the file to read first; `http1.rs` and `http2.rs` say who moves the connection
//! while an exchange runs.

mod body;
mod classify;
mod exchange;
pub(super) mod http1;
#[cfg(feature = "http2")]
pub(super) mod http2;
#[cfg(not(feature = "http2"))]
#[path = "no_http2.rs"]
pub(super) mod http2;
mod receive;

use std::{sync::Arc, time::Duration};

use super::connection::Facts;
use crate::{limits::Limits, wheel::Wheel};

/// What a connection is told when it begins.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) facts: Arc<Facts>,
    pub(super) limits: Limits,
    pub(super) idle_timeout: Option<Duration>,
    /// The wheel of the lane that the connection is on.
    pub(super) wheel: Arc<Wheel>,
}
