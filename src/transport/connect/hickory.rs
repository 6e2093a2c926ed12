//! Names looked up by hickory, which asks name servers itself.
//!
//! It needs an event loop, and gets one that nobody drives but the resolver threads, while they wait
//! for its answers: no thread more, and no lane has to do with names. Its own tasks get on whenever
//! a name is looked up.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use hickory_resolver::{
    TokioResolver,
    config::{
        ConnectionConfig, NameServerConfig, ProtocolConfig, ResolverConfig, ResolverOpts,
        ServerOrderingStrategy,
    },
    net::runtime::TokioRuntimeProvider,
};
use tokio::runtime::{Builder, Runtime};

use crate::resolve::{NameSource, Resolve};

/// Who looks names up.
pub(super) fn resolver(source: &NameSource) -> Arc<dyn Resolve> {
    match source {
        NameSource::Given(resolver) => Arc::clone(resolver),
        NameSource::Hickory { servers } => {
            Arc::new(Hickory { servers: servers.clone(), engine: Mutex::new(None) })
        }
    }
}

struct Hickory {
    /// Empty for those of the system.
    servers: Box<[SocketAddr]>,
    /// Held while it is looked for or, at the first look-up, made.
    engine: Mutex<Option<Arc<Engine>>>,
}

struct Engine {
    resolver: TokioResolver,
    /// `None` only while it is dropped. Several threads drive it in turns.
    runtime: Option<Runtime>,
}

impl Resolve for Hickory {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let engine = self.engine()?;
        let Some(runtime) = &engine.runtime else { return Ok(Vec::new()) };
        match runtime.block_on(engine.resolver.lookup_ip(host)) {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_no_records_found() => {
                Err(io::Error::new(io::ErrorKind::NotFound, error))
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

impl Hickory {
    fn engine(&self) -> io::Result<Arc<Engine>> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = engine.as_ref() {
            return Ok(Arc::clone(engine));
        }
        let made = Arc::new(Engine::new(&self.servers)?);
        Ok(Arc::clone(engine.insert(made)))
    }
}

impl Engine {
    fn new(servers: &[SocketAddr]) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio().map_err(io::Error::other)?
        } else {
            let servers = servers.iter().map(|server| at(*server)).collect();
            let mut options = ResolverOpts::default();
            // In the order given, as the system does with its own.
            options.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
            let config = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
                .with_options(options)
        };
        let resolver = builder.build().map_err(io::Error::other)?;
        Ok(Self { resolver, runtime: Some(runtime) })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // On whatever thread: never waits.
            runtime.shutdown_background();
        }
    }
}

fn at(server: SocketAddr) -> NameServerConfig {
    let by = |protocol| {
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = server.port();
        connection
    };
    let connections = vec![by(ProtocolConfig::Udp), by(ProtocolConfig::Tcp)];
    NameServerConfig::new(server.ip(), true, connections)
}
