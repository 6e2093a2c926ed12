//! What the user says for some hosts only.

use std::net::Ipv6Addr;

use url::Host;

use crate::{
    error::{Error, Result},
    origin::{self, Origin},
};

/// Values for hosts, each for one port or for all of them.
#[derive(Clone, Debug)]
pub(crate) struct PerHost<T>(Vec<(HostPort, T)>);

/// A host as origins have it, and a port or any.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HostPort {
    host: Box<str>,
    port: Option<u16>,
}

impl<T> Default for PerHost<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> PerHost<T> {
    /// Sets the value of a host, written as in a URL, perhaps with a port; replaces an earlier one.
    pub(crate) fn set(&mut self, host: &str, value: T) -> Result<()> {
        let host = HostPort::parse(host)?;
        self.0.retain(|(known, _)| *known != host);
        self.0.push((host, value));
        Ok(())
    }

    /// The value for an origin: the one for its port if there is one, else the one for its host.
    pub(crate) fn get(&self, origin: &Origin) -> Option<&T> {
        let at = |port: Option<u16>| {
            let is_meant = |known: &HostPort| known.port == port && known.host == origin.host;
            self.0.iter().find(|(known, _)| is_meant(known)).map(|(_, value)| value)
        };
        if self.0.is_empty() { None } else { at(Some(origin.port)).or_else(|| at(None)) }
    }
}

impl HostPort {
    fn parse(text: &str) -> Result<Self> {
        let is_bare_v6 = text.parse::<Ipv6Addr>().is_ok();
        let (host, port) = match text.rsplit_once(':') {
            _ if is_bare_v6 => (format!("[{text}]"), None),
            Some((host, port)) if host.ends_with(']') || !host.contains(':') => {
                (host.to_owned(), Some(port))
            }
            _ => (text.to_owned(), None),
        };
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return Err(unusable(text)),
        };
        let host = Host::parse(&host).map_err(|e| unusable(text).because(e))?;
        Ok(Self { host: host.to_string().into(), port })
    }
}

#[cold]
fn unusable(text: &str) -> Error {
    let shown = origin::redacted_text(text);
    Error::invalid(format!("`{shown}` is neither a host nor a host and a port (`host:443`)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, host: &str, port: Option<u16>) {
        let expected = HostPort { host: host.into(), port };
        assert_eq!(HostPort::parse(text).expect("a host"), expected);
    }

    #[test]
    fn a_host_is_written_as_in_a_url_perhaps_with_a_port() {
        check("Example.ORG", "example.org", None);
        check("example.org:8443", "example.org", Some(8443));
        check("bücher.example", "xn--bcher-kva.example", None);
        check("127.0.0.1:80", "127.0.0.1", Some(80));
        check("::1", "[::1]", None);
        check("[::1]", "[::1]", None);
        check("[::1]:80", "[::1]", Some(80));
        for wrong in ["", ":80", "host:", "host:0", "host:99999", "a b", "http://host", "host/"] {
            assert!(HostPort::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_for_the_port_comes_before_one_for_the_host() {
        let mut values = PerHost::default();
        values.set("host", 1).expect("a host");
        values.set("HOST:8443", 2).expect("a host");
        values.set("host", 3).expect("a host");
        let at = |host: &str, port| Origin { secure: true, host: host.into(), port };
        assert_eq!(values.get(&at("host", 8443)), Some(&2));
        assert_eq!(values.get(&at("host", 443)), Some(&3));
        assert_eq!(values.get(&at("other", 443)), None);
    }
}
