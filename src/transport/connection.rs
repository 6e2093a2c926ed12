//! What is known of one connection for as long as it lives.

use std::{net::SocketAddr, sync::Arc};

use crate::traffic::Traffic;

/// The facts about a connection that replies tell.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) remote_addr: Option<SocketAddr>,
    pub(crate) local_addr: Option<SocketAddr>,
    pub(crate) traffic: Arc<Traffic>,
    /// The number of the lane that it is on.
    pub(crate) lane: usize,
}
