//! What the user says about sockets.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use crate::per_host::PerHost;

/// When the system asks a silent peer whether it is still there (TCP keep-alive, RFC 9293 §3.8.4).
///
/// | | default |
/// |---|---|
/// | `idle` | 30 s of silence until the first question |
/// | `interval` | 10 s between questions |
/// | `count` | 3 questions without an answer end the connection |
///
/// So a peer that has vanished without a word is noticed within a minute, also by a call whose own
/// budgets are off, and what forgets silent connections on the way (NAT, firewalls) does not. While
/// something that was sent is not acknowledged, the system sends that again instead of asking, for a
/// quarter of an hour as a rule;
/// [`tcp_user_timeout`](crate::ClientBuilder::tcp_user_timeout) bounds it. The system does it by
/// itself; the process is not woken.
///
/// ```
/// use std::time::Duration;
/// let keep_alive = abide::KeepAlive::default().idle(Duration::from_secs(120));
/// let client = abide::Client::builder().keep_alive(keep_alive).build()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    pub(crate) idle: Duration,
    pub(crate) interval: Duration,
    pub(crate) count: u32,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), interval: Duration::from_secs(10), count: 3 }
    }
}

impl KeepAlive {
    /// Sets the silence before the first question; whole seconds, at least one.
    #[must_use]
    pub fn idle(mut self, time: Duration) -> Self {
        self.idle = in_seconds(time);
        self
    }

    /// Sets the time between two questions; whole seconds, at least one.
    #[must_use]
    pub fn interval(mut self, time: Duration) -> Self {
        self.interval = in_seconds(time);
        self
    }

    /// Sets how many questions without an answer end the connection; 1 to 100.
    #[must_use]
    pub fn count(mut self, count: u32) -> Self {
        self.count = count.clamp(1, 100);
        self
    }
}

/// What systems take: whole seconds up to 32767.
fn in_seconds(time: Duration) -> Duration {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    Duration::from_secs(seconds.clamp(1, 32_767))
}

/// What every socket of a client gets.
#[derive(Clone, Debug)]
pub(crate) struct SocketOptions {
    pub(crate) local_v4: Option<Ipv4Addr>,
    pub(crate) local_v6: Option<Ipv6Addr>,
    pub(crate) interface: Option<Box<str>>,
    pub(crate) keep_alive: Option<KeepAlive>,
    pub(crate) user_timeout: Option<Duration>,
    /// Hosts that listen at a path.
    pub(crate) unix: PerHost<Arc<Path>>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            local_v4: None,
            local_v6: None,
            interface: None,
            keep_alive: Some(KeepAlive::default()),
            user_timeout: None,
            unix: PerHost::default(),
        }
    }
}

impl SocketOptions {
    /// The local address for connections to `peer`.
    pub(crate) fn local_for(&self, peer: IpAddr) -> Local {
        let local: Option<IpAddr> = match peer {
            IpAddr::V4(_) => self.local_v4.map(Into::into),
            IpAddr::V6(_) => self.local_v6.map(Into::into),
        };
        match local {
            Some(local) => Local::This(local),
            None if self.local_v4.is_none() && self.local_v6.is_none() => Local::Any,
            None => Local::Missing,
        }
    }
}

/// Which local address a connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Local {
    /// What the system chooses.
    Any,
    This(IpAddr),
    /// Only one of the other family was given, so the peer is out of bounds.
    Missing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_address_of_one_family_puts_the_other_out_of_bounds() {
        let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        let check = |local_v4, local_v6, to_v4, to_v6| {
            let options = SocketOptions { local_v4, local_v6, ..SocketOptions::default() };
            assert_eq!(options.local_for(v4.into()), to_v4);
            assert_eq!(options.local_for(v6.into()), to_v6);
        };
        check(None, None, Local::Any, Local::Any);
        check(Some(v4), None, Local::This(v4.into()), Local::Missing);
        check(None, Some(v6), Local::Missing, Local::This(v6.into()));
        check(Some(v4), Some(v6), Local::This(v4.into()), Local::This(v6.into()));
    }

    #[test]
    fn times_of_keep_alive_are_whole_seconds_that_every_system_takes() {
        let idle = |time| KeepAlive::default().idle(time).idle.as_secs();
        assert_eq!(idle(Duration::ZERO), 1);
        assert_eq!(idle(Duration::from_millis(1500)), 2);
        assert_eq!(idle(Duration::MAX), 32_767);
    }
}
