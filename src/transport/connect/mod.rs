//! Opening connections: names, TCP or Unix sockets, proxies, TLS, each within its budget.
//!
//! `connect` below is the order of steps, `proxied.rs` what a proxy adds to it (`tunnel.rs` asks an
//! HTTP proxy, `socks.rs` another), and `steps.rs` holds the budgets; `dns/` looks names up on
//! threads of its own, `tcp.rs` races the addresses, `tls/` is the only folder that knows rustls.

mod dns;
#[cfg(feature = "hickory")]
mod hickory;
#[cfg(not(feature = "hickory"))]
#[path = "no_hickory.rs"]
mod hickory;
#[cfg(unix)]
#[path = "unix.rs"]
mod local;
#[cfg(not(unix))]
#[path = "no_unix.rs"]
mod local;
mod proxied;
#[cfg(feature = "tls")]
mod read_ahead;
mod socks;
mod steps;
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
mod tunnel;

use std::{path::Path, sync::Arc};

use http::{HeaderValue, header};

pub(crate) use self::tls::{OFFERS_ALPN, is_tls_failure};
use self::{dns::Resolver, steps::Steps, stream::Stream, tls::Tls};
use super::{
    connection::{Facts, Home},
    pool::Dial,
};
use crate::{
    config::Config,
    error::{Error, ErrorKind, Result},
    host_options::ConnectionOptions,
    limits::Limits,
    origin::{Origin, Via, Way},
    phase::Phase,
    sockets::SocketOptions,
    threads::Crew,
    traffic::Traffic,
};

/// Opens connections for one client.
#[derive(Debug)]
pub(crate) struct Connector {
    resolver: Arc<Resolver>,
    sockets: SocketOptions,
    tls: Tls,
    tls_to_proxies: Tls,
    /// What proxies are told about the client.
    user_agent: Option<HeaderValue>,
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
            tls_to_proxies: Tls::for_proxies(config),
            user_agent: config.default_headers.get(header::USER_AGENT).cloned(),
            limits: config.limits,
            options: config.connections.clone(),
        }
    }

    /// Gets ready what a dial needs and what may block: the roots of trust, once.
    pub(crate) fn prepare(&self, way: &Way) -> Result<()> {
        if let Some(proxy) = way.proxy().filter(|proxy| proxy.origin().secure) {
            self.tls_to_proxies
                .prepare(&Way::to(proxy.origin(), None))
                .map_err(|error| error.at_proxy(proxy))?;
        }
        if way.negotiates() { self.tls.prepare(way) } else { Ok(()) }
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

    /// Resolves, connects, has a proxy connect, and speaks TLS if the origin is secure.
    pub(super) async fn connect(&self, dial: &Dial, home: Home) -> Result<Connected> {
        let way = &**dial.route();
        let mut steps = Steps::new(dial);
        let stream = match &way.via {
            Via::Nothing => self.reach(&way.origin, &mut steps).await?,
            Via::UnixSocket(path) => steps.connect(reach_locally(path, &way.origin)).await?,
            Via::Forwarder(proxy) => self.reach_proxy(proxy, &mut steps).await?,
            Via::Tunnel(proxy) => self.through(proxy, &way.origin, &mut steps).await?,
        };
        let tcp = stream.tcp();
        let remote_addr = tcp.and_then(|tcp| tcp.peer_addr().ok());
        let mut facts = Facts {
            remote_addr,
            local_addr: tcp.and_then(|tcp| tcp.local_addr().ok()),
            proxy: way.proxy().cloned(),
            tls_version: stream.tls_version(),
            traffic: Arc::new(Traffic::of_next_connection(remote_addr)),
            home,
        };
        if !way.negotiates() {
            let speaks_http2 = self.options.knows_http2(way);
            return Ok(Connected { stream, facts, speaks_http2 });
        }
        let (stream, speaks_http2) = steps.tls(self.tls.connect(stream, way)).await?;
        facts.tls_version = stream.tls_version();
        Ok(Connected { stream, facts, speaks_http2 })
    }

    /// Opens a TCP connection.
    async fn reach(&self, origin: &Origin, steps: &mut Steps<'_>) -> Result<Stream> {
        let addresses = steps.resolve(self.resolver.look_up(origin)).await?;
        let connect = |limit| tcp::connect(addresses, &origin.host, &self.sockets, limit);
        steps.connect_within(connect).await.map(Stream::Plain)
    }
}

/// Opens a connection to a Unix socket.
async fn reach_locally(path: &Path, origin: &Origin) -> Result<Stream> {
    local::connect(path).await.map(Stream::Local).map_err(|error| {
        let (host, path) = (&origin.host, path.display());
        let message = format!("{host} did not accept a connection at the Unix socket {path}");
        failed(ErrorKind::Connect, Phase::Connect, message).because(error)
    })
}

fn failed(kind: ErrorKind, phase: Phase, message: String) -> Error {
    Error::new(kind, message).in_phase(phase)
}
