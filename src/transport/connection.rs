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

/// The connection of a reply.
#[derive(Debug)]
pub(crate) struct CameOver {
    pub(crate) facts: Arc<Facts>,
    pub(crate) protocol: Version,
    pub(crate) is_reused: bool,
}

impl CameOver {
    /// What the reply tells of it.
    pub(crate) fn connection(&self) -> UsedConnection {
        let facts = &self.facts;
        UsedConnection {
            number: facts.traffic.connection(),
            is_reused: self.is_reused,
            protocol: self.protocol,
            tls_version: facts.tls_version,
            peer_addr: facts.remote_addr,
            local_addr: facts.local_addr,
        }
    }

    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.facts.proxy.as_ref()
    }

    pub(crate) fn home(&self) -> &Home {
        &self.facts.home
    }
}

/// Where a connection lives.
#[derive(Debug)]
pub(crate) struct Home {
    /// The number of its lane.
    pub(crate) lane: usize,
    /// Its life; nothing if only the lane may poll it.
    pub(crate) life: Weak<Life>,
}
