//! How names become addresses.

use std::{
    fmt, io,
    net::{IpAddr, ToSocketAddrs as _},
};

/// Looks up the addresses of a host name.
///
/// Runs on the client's resolver threads (16, and a few more while some are stuck), so it may block; a look-up that takes
/// longer than the `resolve` budget is given up by the calls that wait for it.
pub trait Resolve: Send + Sync + 'static {
    /// Looks up `host`, a name without port; addresses come in order of preference.
    ///
    /// # Errors
    /// Whatever went wrong; it becomes the source of an error of kind
    /// [`Resolve`](crate::ErrorKind::Resolve). An empty list is an error too.
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver, `getaddrinfo`.
#[derive(Clone, Copy)]
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

impl fmt::Debug for dyn Resolve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolve")
    }
}
