//! Looking names up by hickory.

use std::net::SocketAddr;

use super::ClientBuilder;
use crate::{error::Error, resolve::NameSource};

impl ClientBuilder {
    /// Looks names up by hickory, at the name servers that the system is set to.
    ///
    /// It reads the system's settings (`/etc/resolv.conf`, search domains and `/etc/hosts` included)
    /// at the first look-up and then asks the servers itself, over UDP and TCP. Unlike the system's
    /// resolver it is not stuck when a server does not answer, and remembers answers for as long as
    /// they say; [`name_cache`](Self::name_cache) comes on top. What else a system knows (mDNS, NIS)
    /// it does not. IPv6 addresses come first. Replaces [`resolver`](Self::resolver).
    pub fn hickory(mut self) -> Self {
        self.config.names.source = NameSource::Hickory { servers: Box::default() };
        self
    }

    /// Looks names up by hickory, at these name servers, the first that answers.
    ///
    /// Otherwise as [`hickory`](Self::hickory); `/etc/hosts` is still read, search domains are not.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses an empty list.
    ///
    /// # Examples
    /// ```
    /// use std::net::{Ipv4Addr, SocketAddr};
    /// let server = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 53), 53));
    /// let client = abide::Client::builder().name_servers([server]).build()?;
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn name_servers(self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        let servers: Box<[SocketAddr]> = servers.into_iter().collect();
        self.change(|config| {
            if servers.is_empty() {
                return Err(Error::invalid("`name_servers` got no server"));
            }
            config.names.source = NameSource::Hickory { servers };
            Ok(())
        })
    }
}
