//! Having a SOCKS proxy connect: SOCKS 4, 4a, and 5 (RFC 1928, RFC 1929).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

use super::{failed, stream::Stream};
use crate::{
    error::{Error, ErrorKind, Result},
    origin::Origin,
    phase::Phase,
    proxy::{Credentials, Protocol, Proxy},
};

/// Whom the proxy is to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Address(SocketAddr),
    /// A name that the proxy looks up.
    Name(Box<str>, u16),
}

impl Target {
    /// The origin as its URL names it.
    pub(super) fn of(origin: &Origin) -> Self {
        match origin.address() {
            Some(address) => Self::Address((address, origin.port).into()),
            None => Self::Name(origin.host.clone(), origin.port),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// How a proxy answered that can be understood.
pub(super) enum Opened {
    Through(Stream),
    /// It cannot reach this target, and may reach another.
    Unreachable(Error),
}

/// Has the proxy connect to the target.
pub(super) async fn open(stream: Stream, proxy: &Proxy, target: &Target) -> Result<Opened> {
    let mut stream = stream;
    let answered = match proxy.protocol() {
        Protocol::Socks4 | Protocol::Socks4a => {
            socks4(&mut stream, proxy.known_as(), target).await?
        }
        _ => socks5(&mut stream, proxy.known_as(), target).await?,
    };
    Ok(match answered {
        Answer::Granted => Opened::Through(stream),
        Answer::Refused { why, is_unreachable } => {
            let error = refused(format!("it does not connect to {target}: {why}"));
            if !is_unreachable {
                return Err(error);
            }
            Opened::Unreachable(error)
        }
    })
}

enum Answer {
    Granted,
    Refused { why: String, is_unreachable: bool },
}

async fn socks4(
    stream: &mut Stream,
    known_as: Option<&Credentials>,
    target: &Target,
) -> Result<Answer> {
    let request = socks4_request(known_as.map_or("", |known| &known.user), target);
    stream.write_all(&request.map_err(refused)?).await.map_err(broken)?;
    let [version, code, ..]: [u8; 8] = read(stream).await?;
    if version != 0 {
        return Err(other_protocol("SOCKS4"));
    }
    Ok(match code {
        90 => Answer::Granted,
        91 => Answer::Refused { why: "rejected or failed".to_owned(), is_unreachable: true },
        92 | 93 => Answer::Refused {
            why: "it cannot verify the user (identd)".to_owned(),
            is_unreachable: false,
        },
        other => Answer::Refused { why: format!("code {other}"), is_unreachable: false },
    })
}

fn socks4_request(user: &str, target: &Target) -> std::result::Result<Vec<u8>, String> {
    let (address, name, port) = match target {
        Target::Address(SocketAddr::V4(address)) => (*address.ip(), None, address.port()),
        Target::Address(SocketAddr::V6(address)) => {
            let ip = address.ip();
            return Err(format!(
                "it cannot be asked for {ip}, since SOCKS4 knows no IPv6; use socks5 or socks5h"
            ));
        }
        // An address that cannot be says that a name follows.
        Target::Name(name, port) => (Ipv4Addr::new(0, 0, 0, 1), Some(name), *port),
    };
    let mut request = vec![4, CONNECT];
    request.extend(port.to_be_bytes());
    request.extend(address.octets());
    request.extend(user.bytes());
    request.push(0);
    if let Some(name) = name {
        request.extend(name.bytes());
        request.push(0);
    }
    Ok(request)
}

async fn socks5(
    stream: &mut Stream,
    known_as: Option<&Credentials>,
    target: &Target,
) -> Result<Answer> {
    let request = socks5_request(target).map_err(refused)?;
    let greeting: &[u8] =
        if known_as.is_some() { &[5, 2, NO_AUTH, PASSWORD] } else { &[5, 1, NO_AUTH] };
    stream.write_all(greeting).await.map_err(broken)?;
    let [version, method] = read(stream).await?;
    match (version, method, known_as) {
        (5, NO_AUTH, _) => {}
        (5, PASSWORD, Some(known_as)) => introduce(stream, known_as).await?,
        (5, ..) => {
            let message = match known_as {
                None => "it wants credentials; give them with `Proxy::credentials` or in its URL",
                Some(_) => "it takes neither a password nor no credentials",
            };
            return Err(refused(message.to_owned()));
        }
        _ => return Err(other_protocol("SOCKS5")),
    }
    stream.write_all(&request).await.map_err(broken)?;
    let [version, code, _, address_type] = read(stream).await?;
    if version != 5 {
        return Err(other_protocol("SOCKS5"));
    }
    if code != 0 {
        let (why, is_unreachable) = socks5_refusal(code);
        return Ok(Answer::Refused { why, is_unreachable });
    }
    // The proxy's own address follows, which nobody needs.
    let length = match address_type {
        ADDRESS_V4 => 4,
        ADDRESS_V6 => 16,
        NAME => usize::from(read::<1>(stream).await?[0]),
        _ => return Err(other_protocol("SOCKS5")),
    };
    let mut rest = vec![0; length + 2];
    stream.read_exact(&mut rest).await.map_err(broken)?;
    Ok(Answer::Granted)
}

/// User name and password (RFC 1929 §2).
async fn introduce(stream: &mut Stream, known_as: &Credentials) -> Result<()> {
    // Room for all of it, so that no copy of a part is left behind.
    let mut message = Zeroizing::new(Vec::with_capacity(513));
    message.push(1);
    for text in [known_as.user.as_bytes(), known_as.password.expose()] {
        // At most 255 bytes: it was checked when the proxy was made.
        message.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        message.extend_from_slice(text);
    }
    stream.write_all(&message).await.map_err(broken)?;
    match read(stream).await? {
        [_, 0] => Ok(()),
        _ => Err(refused("it does not accept the credentials".to_owned())),
    }
}

/// RFC 1928 §4, §5.
fn socks5_request(target: &Target) -> std::result::Result<Vec<u8>, String> {
    let mut request = vec![5, CONNECT, 0];
    let port = match target {
        Target::Address(address) => {
            match address.ip() {
                IpAddr::V4(ip) => {
                    request.push(ADDRESS_V4);
                    request.extend(ip.octets());
                }
                IpAddr::V6(ip) => {
                    request.push(ADDRESS_V6);
                    request.extend(ip.octets());
                }
            }
            address.port()
        }
        Target::Name(name, port) => {
            let length = u8::try_from(name.len());
            let too_long = |_| "it cannot be asked for a name of more than 255 bytes".to_owned();
            request.extend([NAME, length.map_err(too_long)?]);
            request.extend(name.bytes());
            *port
        }
    };
    request.extend(port.to_be_bytes());
    Ok(request)
}

/// Why, and whether another address may do better (RFC 1928 §6).
fn socks5_refusal(code: u8) -> (String, bool) {
    let (why, is_unreachable) = match code {
        1 => ("general failure", true),
        2 => ("not allowed by its rules", false),
        3 => ("network unreachable", true),
        4 => ("host unreachable", true),
        5 => ("connection refused", true),
        6 => ("the way is too long (TTL expired)", true),
        7 => ("it knows no such command", false),
        8 => ("it knows no such kind of address", true),
        other => return (format!("code {other}"), false),
    };
    (why.to_owned(), is_unreachable)
}

async fn read<const N: usize>(stream: &mut Stream) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(broken)?;
    Ok(bytes)
}

#[cold]
fn broken(error: io::Error) -> Error {
    let message = match error.kind() {
        io::ErrorKind::UnexpectedEof => "it closed the connection while it was asked to connect",
        _ => "the connection failed while it was asked to connect",
    };
    refused(message.to_owned()).because(error)
}

#[cold]
fn other_protocol(expected: &str) -> Error {
    refused(format!("what it answered is not {expected}"))
}

#[cold]
fn refused(message: String) -> Error {
    failed(ErrorKind::Proxy, Phase::Connect, message)
}

const CONNECT: u8 = 1;
const NO_AUTH: u8 = 0;
const PASSWORD: u8 = 2;
const ADDRESS_V4: u8 = 1;
const NAME: u8 = 3;
const ADDRESS_V6: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Target {
        Target::Address(text.parse().expect("an address"))
    }

    fn name(text: &str, port: u16) -> Target {
        Target::Name(text.into(), port)
    }

    #[test]
    fn socks4_asks_for_an_address_or_with_4a_for_a_name() {
        let request = socks4_request("fred", &address("66.102.7.99:80"));
        assert_eq!(request.expect("a request"), b"\x04\x01\x00\x50\x42\x66\x07\x63fred\0");
        let request = socks4_request("", &name("a.test", 443));
        assert_eq!(request.expect("a request"), b"\x04\x01\x01\xbb\0\0\0\x01\0a.test\0");
        assert!(socks4_request("", &address("[::1]:80")).expect_err("no IPv6").contains("socks5"));
    }

    #[test]
    fn rfc_1928_section_5_each_kind_of_address_has_its_type() {
        let request = socks5_request(&address("127.0.0.1:8080"));
        assert_eq!(request.expect("a request"), b"\x05\x01\0\x01\x7f\0\0\x01\x1f\x90");
        let request = socks5_request(&address("[::1]:1")).expect("a request");
        assert_eq!(request, b"\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x01");
        let request = socks5_request(&name("a.test", 443));
        assert_eq!(request.expect("a request"), b"\x05\x01\0\x03\x06a.test\x01\xbb");
        assert!(socks5_request(&name(&"a".repeat(255), 1)).is_ok());
        assert!(socks5_request(&name(&"a".repeat(256), 1)).is_err());
    }

    #[test]
    fn rfc_1928_section_6_other_addresses_are_tried_when_one_is_unreachable() {
        assert_eq!(socks5_refusal(4), ("host unreachable".to_owned(), true));
        assert_eq!(socks5_refusal(2), ("not allowed by its rules".to_owned(), false));
        assert_eq!(socks5_refusal(200), ("code 200".to_owned(), false));
    }
}
