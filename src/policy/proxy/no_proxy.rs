//! Lists of hosts that no proxy is used for, as in the variable `no_proxy`.

use std::net::IpAddr;

use crate::origin::Origin;

/// Excluded hosts.
#[derive(Debug, Default)]
pub(super) struct NoProxy {
    entries: Vec<Entry>,
}

#[derive(Debug, PartialEq)]
struct Entry {
    hosts: Hosts,
    /// `None` for all.
    port: Option<u16>,
}

#[derive(Debug, PartialEq)]
enum Hosts {
    All,
    /// This name, in lower case, and all below it.
    Name(Box<str>),
    /// The addresses that share so many first bits with this one.
    Addresses(IpAddr, u32),
}

impl NoProxy {
    pub(super) fn parse<'l>(lists: impl IntoIterator<Item = &'l str>) -> Self {
        let words = lists.into_iter().flat_map(|list| list.split([',', ' ', '\t', '\n', '\r']));
        Self { entries: words.filter_map(Entry::parse).collect() }
    }

    pub(super) fn matches(&self, origin: &Origin) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let address = origin.address();
        let name = origin.host.trim_end_matches('.');
        self.entries.iter().any(|Entry { hosts, port }| {
            let suits = match (hosts, address) {
                (Hosts::All, _) => true,
                (Hosts::Name(suffix), None) => is_below(name, suffix),
                (Hosts::Addresses(network, bits), Some(address)) => {
                    shares_bits(*network, address, *bits)
                }
                _ => false,
            };
            suits && port.is_none_or(|port| port == origin.port)
        })
    }
}

impl Entry {
    /// `None` for what is blank or can match nothing.
    fn parse(word: &str) -> Option<Self> {
        if let Some(hosts) = Hosts::parse(word) {
            return Some(Self { hosts, port: None });
        }
        let (hosts, port) = word.rsplit_once(':')?;
        Some(Self { hosts: Hosts::parse(hosts)?, port: Some(port.parse().ok()?) })
    }
}

impl Hosts {
    fn parse(word: &str) -> Option<Self> {
        if word == "*" {
            return Some(Self::All);
        }
        if let Some(network) = Self::network(word) {
            return Some(network);
        }
        let name = word.strip_prefix("*.").or_else(|| word.strip_prefix('.')).unwrap_or(word);
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_name = !name.is_empty() && !name.contains([':', '/', '*', '[']);
        is_name.then(|| Self::Name(name.to_lowercase().into()))
    }

    fn network(word: &str) -> Option<Self> {
        let (address, bits) = word.split_once('/').map_or((word, None), |(a, b)| (a, Some(b)));
        let inner = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address: IpAddr = inner.unwrap_or(address).parse().ok()?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(bits_max), |bits| bits.parse().ok())?;
        (bits <= bits_max).then_some(Self::Addresses(address, bits))
    }
}

fn is_below(name: &str, suffix: &str) -> bool {
    let Some(at) = name.len().checked_sub(suffix.len()) else { return false };
    let (before, tail) = (&name.as_bytes()[..at], &name.as_bytes()[at..]);
    tail.eq_ignore_ascii_case(suffix.as_bytes()) && before.last().is_none_or(|last| *last == b'.')
}

fn shares_bits(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            (network.to_bits() ^ address.to_bits()) & mask == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            (network.to_bits() ^ address.to_bits()) & mask == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[track_caller]
    fn check(list: &str, url: &str, expected: bool) {
        let origin = Origin::of(&Url::parse(url).expect("a URL")).expect("an origin");
        assert_eq!(NoProxy::parse([list]).matches(&origin), expected, "{url} by {list:?}");
    }

    #[test]
    fn curl_man_page_a_name_excludes_itself_and_what_is_below() {
        for list in ["example.com", ".example.com", "EXAMPLE.com", "example.com.", "*.example.com"]
        {
            check(list, "http://example.com/", true);
            check(list, "https://www.example.com/", true);
            check(list, "http://a.b.Example.Com/", true);
            check(list, "http://example.com./", true);
            check(list, "http://nonexample.com/", false);
            check(list, "http://example.com.evil.test/", false);
            check(list, "http://com/", false);
        }
        check("local.com", "http://local.com.hk/", false);
    }

    #[test]
    fn curl_man_page_an_asterisk_excludes_everything() {
        check("*", "http://example.com/", true);
        check("*", "http://[::1]/", true);
        check("localhost, *", "http://10.0.0.1/", true);
    }

    #[test]
    fn curl_man_page_entries_stand_between_commas_and_blank_ones_are_dropped() {
        check("a.test,b.test", "http://b.test/", true);
        check(" a.test , b.test ,", "http://b.test/", true);
        check("a.test b.test", "http://b.test/", true);
        check(",,a.test", "http://a.test/", true);
        for blank in ["", " ", ",", " , ,\t", ".", "*."] {
            check(blank, "http://a.test/", false);
            check(blank, "http://127.0.0.1/", false);
        }
    }

    #[test]
    fn curl_man_page_addresses_and_networks_are_compared_as_such() {
        check("127.0.0.1", "http://127.0.0.1:8080/", true);
        check("127.0.0.1", "http://127.0.0.11/", false);
        check("0.0.1", "http://127.0.0.1/", false);
        check("192.168.0.0/16", "http://192.168.7.9/", true);
        check("192.168.0.0/16", "http://192.169.0.1/", false);
        check("192.168.0.128/25", "http://192.168.0.127/", false);
        check("192.168.0.128/25", "http://192.168.0.129/", true);
        check("10.1.2.3/8", "http://10.9.9.9/", true);
        check("0.0.0.0/0", "http://8.8.8.8/", true);
        check("0.0.0.0/0", "http://[::1]/", false);
        check("10.0.0.0/33", "http://10.0.0.1/", false);
        check("10.0.0.0/x", "http://10.0.0.1/", false);
        check("10.0.0.0/8", "http://10.example.com/", false);
        check("::1", "http://[::1]/", true);
        check("[::1]", "http://[::1]/", true);
        check("::1", "http://[::2]/", false);
        check("fe80::/10", "http://[febf::1]/", true);
        check("fe80::/10", "http://[fec0::1]/", false);
        check("[2001:db8::]/32", "http://[2001:db8:1::1]/", true);
        check("::/0", "http://[2001:db8::1]/", true);
    }

    #[test]
    fn a_port_excludes_only_itself() {
        check("a.test:8080", "http://a.test:8080/", true);
        check("a.test:8080", "http://b.a.test:8080/", true);
        check("a.test:8080", "http://a.test/", false);
        check("a.test:80", "http://a.test/", true);
        check("a.test:443", "https://a.test/", true);
        check("127.0.0.1:1", "http://127.0.0.1:1/", true);
        check("[::1]:8080", "http://[::1]:8080/", true);
        check("[::1]:8080", "http://[::1]:8081/", false);
        check("*:8080", "http://a.test:8080/", true);
        check("*:8080", "http://a.test:8081/", false);
        check("a.test:x", "http://a.test/", false);
    }
}
