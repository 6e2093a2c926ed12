//! What is known of one connection for as long as it lives.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
};

use crate::{life::Life, proxy::Proxy, traffic::Traffic};

/// The facts about a connection that replies tell.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) remote_addr: Option<SocketAddr>,
    pub(crate) local_addr: Option<SocketAddr>,
    /// What the connection goes through, or ends at.
    pub(crate) proxy: Option<Proxy>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) home: Home,
}

/// Where a connection lives.
#[derive(Debug)]
pub(crate) struct Home {
    /// The number of its lane.
    pub(crate) lane: usize,
    /// Its life; nothing if only the lane may poll it.
    pub(crate) life: Weak<Life>,
}
