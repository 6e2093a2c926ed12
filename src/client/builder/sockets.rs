//! Options of sockets.

use std::{net::IpAddr, time::Duration};

use super::ClientBuilder;
use crate::{
    environment::LINUX_SOCKETS,
    error::{Error, Result},
    sockets::KeepAlive,
};

impl ClientBuilder {
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
            only_where("interface")
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
            only_where("tcp_user_timeout")
        })
    }
}

fn only_where(option: &str) -> Result<()> {
    if LINUX_SOCKETS {
        return Ok(());
    }
    Err(Error::invalid(format!("this system does not know the option `{option}`; Linux does")))
}
