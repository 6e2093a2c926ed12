//! Opening connections: names, TCP, TLS, each within its budget.
//!
//! `connect` below is the order of steps; `dns/` looks names up on threads of its own, `tcp.rs`
//! races the addresses, `tls/` is the only folder that knows rustls.

mod dns;
#[cfg(feature = "hickory")]
mod hickory;
#[cfg(not(feature = "hickory"))]
#[path = "no_hickory.rs"]
mod hickory;
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "nothing is secure then"))]
mod stream;
#[cfg(any(target_os = "android", target_os = "linux"))]
#[path = "linux.rs"]
mod system;
#[cfg(not(any(target_os = "android", target_os = "linux")))]
#[path = "not_linux.rs"]
mod system;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{net::TcpStream, time::timeout};

pub(crate) use self::tls::{OFFERS_ALPN, is_tls_failure};
use self::{dns::Resolver, stream::Stream, tls::Tls};
use super::{
    connection::{Facts, Home},
    pool::Dial,
};
use crate::{
    config::Config,
    error::{Error, ErrorKind, Result},
    host_options::ConnectionOptions,
    limits::Limits,
    origin::Way,
    phase::{Budget, Phase},
    sockets::SocketOptions,
    threads::Crew,
};

/// Opens connections for one client.
#[derive(Debug)]
pub(crate) struct Connector {
    resolver: Arc<Resolver>,
    sockets: SocketOptions,
    tls: Tls,
    limits: Limits,
    options: ConnectionOptions,
}

/// An open connection that has not been spoken on.
pub(super) struct Connected {
    pub(super) stream: Stream,
    pub(super) facts: Facts,
    pub(super) speaks_http2: bool,
}

impl Connector {
    pub(crate) fn new(config: &Config, crew: &Arc<Crew>) -> Self {
        Self {
            resolver: Resolver::new(&config.names, crew),
            sockets: config.sockets.clone(),
            tls: Tls::new(config),
            limits: config.limits,
            options: config.connections.clone(),
        }
    }

    /// Gets ready what a dial needs and what may block: the roots of trust, once.
    pub(crate) fn prepare(&self, way: &Way) -> Result<()> {
        if way.origin.secure { self.tls.prepare(way) } else { Ok(()) }
    }

    /// Has the threads end that look names up.
    pub(crate) fn end(&self) {
        self.resolver.end();
    }

    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) const fn options(&self) -> &ConnectionOptions {
        &self.options
    }

    /// Resolves, connects, and speaks TLS if the route is secure.
    pub(super) async fn connect(&self, dial: &Dial, home: Home) -> Result<Connected> {
        let (origin, timeouts) = (&dial.route().origin, dial.timeouts());
        let mut last = Phase::Queue;
        let mut enter = |phase| {
            dial.watch().advance(last, phase);
            last = phase;
        };
        enter(Phase::Resolve);
        let look_up = self.resolver.look_up(origin);
        let addresses = within(look_up, Phase::Resolve, Budget::Resolve, timeouts.resolve).await?;
        enter(Phase::Connect);
        let tcp = tcp::connect(addresses, &origin.host, &self.sockets, timeouts.connect).await?;
        let (remote_addr, local_addr) = (tcp.peer_addr().ok(), tcp.local_addr().ok());
        let (stream, speaks_http2) = if origin.secure {
            enter(Phase::Tls);
            self.secure(tcp, dial).await?
        } else {
            (Stream::Plain(tcp), self.options.knows_http2(origin))
        };
        let facts = Facts { remote_addr, local_addr, traffic: Arc::default(), home };
        Ok(Connected { stream, facts, speaks_http2 })
    }

    async fn secure(&self, tcp: TcpStream, dial: &Dial) -> Result<(Stream, bool)> {
        let handshake = self.tls.connect(tcp, dial.route());
        within(handshake, Phase::Tls, Budget::Tls, dial.timeouts().tls).await
    }
}

/// Runs one step of a dial within its budget.
async fn within<T>(
    step: impl Future<Output = Result<T>>,
    phase: Phase,
    budget: Budget,
    limit: Option<Duration>,
) -> Result<T> {
    match limit {
        None => step.await,
        Some(limit) => match timeout(limit, step).await {
            Ok(done) => done,
            Err(_) => Err(Error::timed_out(phase, budget, limit)),
        },
    }
}

fn failed(kind: ErrorKind, phase: Phase, message: String) -> Error {
    Error::new(kind, message).in_phase(phase)
}
