//! What a proxy adds to a dial: reaching the proxy, and being connected by it.

use std::net::SocketAddr;

use super::{
    Connector, failed,
    socks::{self, Opened, Target},
    steps::Steps,
    stream::Stream,
    tunnel::Asking,
};
use crate::{
    error::{Error, ErrorKind, Result},
    origin::{Origin, Way},
    phase::Phase,
    proxy::{Protocol, Proxy},
};

impl Connector {
    /// A connection to the proxy itself, secured if it is an `https` proxy.
    pub(super) async fn reach_proxy(&self, proxy: &Proxy, steps: &mut Steps<'_>) -> Result<Stream> {
        let way = Way::to(proxy.origin(), None);
        let reached = async {
            let stream = self.reach(&way.origin, steps).await?;
            if !way.origin.secure {
                return Ok(stream);
            }
            let secured = steps.tls(self.tls_to_proxies.connect(stream, &way)).await?;
            Ok(secured.0)
        };
        reached.await.map_err(|error: Error| error.at_proxy(proxy))
    }

    /// A connection to the origin through the proxy.
    pub(super) async fn through(
        &self,
        proxy: &Proxy,
        origin: &Origin,
        steps: &mut Steps<'_>,
    ) -> Result<Stream> {
        match proxy.protocol() {
            Protocol::Http | Protocol::Https => self.by_connect(proxy, origin, steps).await,
            Protocol::Socks4a | Protocol::Socks5h => {
                self.by_socks(proxy, origin, vec![Target::of(origin)], steps).await
            }
            Protocol::Socks4 | Protocol::Socks5 => {
                let addresses = steps.resolve(self.resolver.look_up(origin)).await?;
                self.by_socks(proxy, origin, targets(proxy, addresses), steps).await
            }
        }
    }

    /// Asks an HTTP proxy for a tunnel, twice if it wants to know who asks (RFC 9110 §9.3.6).
    async fn by_connect(
        &self,
        proxy: &Proxy,
        origin: &Origin,
        steps: &mut Steps<'_>,
    ) -> Result<Stream> {
        let mut asking = Asking::new(proxy, origin, self.user_agent.as_ref(), self.limits);
        loop {
            let stream = self.reach_proxy(proxy, steps).await?;
            let asked = steps.connect(asking.ask(stream)).await;
            if let Some(stream) = asked.map_err(|error| error.at_proxy(proxy))? {
                return Ok(stream);
            }
            // It wants to be asked again and has closed the connection.
        }
    }

    /// Has a SOCKS proxy connect to the first target that it can reach.
    async fn by_socks(
        &self,
        proxy: &Proxy,
        origin: &Origin,
        targets: Vec<Target>,
        steps: &mut Steps<'_>,
    ) -> Result<Stream> {
        let mut last = None;
        for target in targets {
            let stream = self.reach_proxy(proxy, steps).await?;
            let opened = steps.connect(socks::open(stream, proxy, &target)).await;
            match opened.map_err(|error| error.at_proxy(proxy))? {
                Opened::Through(stream) => return Ok(stream),
                Opened::Unreachable(error) => last = Some(error.at_proxy(proxy)),
            }
        }
        Err(last.unwrap_or_else(|| {
            let message = format!("{} has no address that {proxy} can be asked for", origin.host);
            failed(ErrorKind::Resolve, Phase::Resolve, message)
        }))
    }
}

/// Each address costs a connection to the proxy, so not all of very many.
fn targets(proxy: &Proxy, addresses: Vec<SocketAddr>) -> Vec<Target> {
    let knows = |address: &SocketAddr| address.is_ipv4() || proxy.protocol() != Protocol::Socks4;
    let known = addresses.into_iter().filter(knows);
    known.take(ADDRESSES_MAX).map(Target::Address).collect()
}

const ADDRESSES_MAX: usize = 4;
