//! What is known of one connection for as long as it lives.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
};

use http::Version;

use crate::{
    life::Life, proxy::Proxy, tls_version::TlsVersion, traffic::Traffic,
    used_connection::UsedConnection,
};

/// The facts about a connection that replies tell.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) remote_addr: Option<SocketAddr>,
    pub(crate) local_addr: Option<SocketAddr>,
    /// With the peer who answers.
    pub(crate) tls_version: Option<TlsVersion>,
    /// What the connection goes through, or ends at.
    pub(crate) proxy: Option<Proxy>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) home: Home,
}

impl Facts {
    /// What a reply tells of the connection that it came over.
    pub(crate) fn used(&self, protocol: Version, is_reused: bool) -> UsedConnection {
        UsedConnection {
            number: self.traffic.connection(),
            is_reused,
            protocol,
            tls_version: self.tls_version,
            peer_addr: self.remote_addr,
            local_addr: self.local_addr,
        }
    }
}

/// Where a connection lives.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// The number of its lane.
    pub(crate) lane: usize,
    /// Its life; nothing if only the lane may poll it.
    pub(crate) life: Weak<Life>,
}
