//! Options of sockets.

use std::{net::IpAddr, path::Path, time::Duration};

use super::ClientBuilder;
use crate::{
    environment::{LINUX_SOCKETS, UNIX_SOCKETS},
    error::{Error, Result},
    sockets::KeepAlive,
};

impl ClientBuilder {
    /// Reaches a host by the Unix socket at this path, for example that of a container engine.
    ///
    /// The host need not exist: nothing is looked up, and no proxy is asked. It is written as in a
    /// URL, with a port for that port only; everything above the connection is as for other hosts,
    /// TLS and HTTP/2 by `https` included. A redirect to the host goes there too, whoever sent it. A
    /// path where nobody listens is an error of kind [`Connect`](crate::ErrorKind::Connect). A second
    /// call for the same host replaces the first.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses what is no host, and all of it where there are no such
    /// sockets.
    ///
    /// # Examples
    /// ```no_run
    /// let client =
    ///     abide::Client::builder().unix_socket("docker", "/var/run/docker.sock").build()?;
    /// println!("{}", client.get("http://docker/containers/json").send()?.text());
    /// # Ok::<(), abide::Error>(())
    /// ```
    pub fn unix_socket(self, host: &str, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().into();
        self.change(|config| {
            config.sockets.unix.set(host, path)?;
            known("unix_socket", UNIX_SOCKETS)
        })
    }

    /// Connects from this address; the system chooses one by default.
    ///
    /// Called once with an IPv4 and once with an IPv6 address it sets both. With only one of them,
    /// addresses of the other family are not called; an error of kind
    /// [`Connect`](crate::ErrorKind::Connect) says so if there are no others. An address that this
    /// machine does not have is such an error too. Unix sockets have none.
    pub fn local_address(mut self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.config.sockets.local_v4 = Some(address),
            IpAddr::V6(address) => self.config.sockets.local_v6 = Some(address),
        }
        self
    }

    /// Connects through this network interface (`eth1`) only, whatever the routing table says.
    ///
    /// Linux and Android (`SO_BINDTODEVICE`). An interface that does not exist is an error of kind
    /// [`Connect`](crate::ErrorKind::Connect).
    ///
    /// # Errors
    /// [`build`](Self::build) refuses it on other systems.
    pub fn interface(self, name: &str) -> Self {
        let name = name.into();
        self.change(|config| {
            config.sockets.interface = Some(name);
            known("interface", LINUX_SOCKETS)
        })
    }

    /// Sets TCP keep-alive; on by default, see [`KeepAlive`]; `None` switches it off.
    pub fn keep_alive(mut self, keep_alive: impl Into<Option<KeepAlive>>) -> Self {
        self.config.sockets.keep_alive = keep_alive.into();
        self
    }

    /// Sets how long sent bytes may stay unacknowledged before the system ends the connection.
    ///
    /// Linux and Android (`TCP_USER_TIMEOUT`, RFC 5482); in milliseconds. By default the system
    /// decides, on Linux about 15 minutes; the `idle` budget of a call usually ends it earlier.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses it on other systems.
    pub fn tcp_user_timeout(self, limit: Duration) -> Self {
        self.change(|config| {
            config.sockets.user_timeout = Some(limit);
            known("tcp_user_timeout", LINUX_SOCKETS)
        })
    }
}

fn known(option: &str, is_known: bool) -> Result<()> {
    if is_known {
        return Ok(());
    }
    Err(Error::invalid(format!("this system does not know the option `{option}`; Linux does")))
}
