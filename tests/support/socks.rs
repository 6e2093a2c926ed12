//! A SOCKS proxy: version 4, 4a or 5, whichever is spoken to it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::sync::{Arc, Mutex};

use super::server::Server;
use super::wire::Wire;

/// A SOCKS proxy on loopback for which every name is this machine.
///
/// It lives, and fails its test, as a [`Server`] does.
pub(crate) struct Socks {
    server: Server,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// One wish to be connected.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) version: u8,
    /// `host:port` as it was sent: a name, or an address that the client has looked up.
    pub(crate) target: String,
    /// With version 4 the password is empty.
    pub(crate) user: Option<(String, String)>,
}

impl Socks {
    /// Connects everybody.
    pub(crate) fn open() -> Self {
        Self::new(None, |_| 0)
    }

    /// Connects who knows these.
    pub(crate) fn with_password(user: &str, password: &str) -> Self {
        Self::new(Some((user.to_owned(), password.to_owned())), |_| 0)
    }

    /// Answers with the code that `code` gives for a target; those but 0 are refusals (of version
    /// 5; with version 4 each is a plain rejection).
    pub(crate) fn answering(code: impl Fn(&str) -> u8 + Send + Sync + 'static) -> Self {
        Self::new(None, code)
    }

    fn new(
        password: Option<(String, String)>,
        code: impl Fn(&str) -> u8 + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let on_books = Arc::clone(&asked);
        let server = Server::serving("socks5h", move |socket, _, _| {
            let Some(wish) = wish(&socket, password.as_ref()) else { return };
            on_books.lock().expect("the books").push(wish.clone());
            let port = wish.target.rsplit_once(':').expect("a port").1;
            let upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, port.parse().expect("a port")));
            let code = match (code(&wish.target), &upstream) {
                (0, Err(_)) => 5,
                (code, _) => code,
            };
            let told = match wish.version {
                4 => (&*socket).write_all(&[0, if code == 0 { 90 } else { 91 }, 0, 0, 0, 0, 0, 0]),
                _ => (&*socket).write_all(&[5, code, 0, 1, 127, 0, 0, 1, 0, 0]),
            };
            if let (Ok(()), 0, Ok(upstream)) = (told, code, upstream) {
                Wire::plain(socket).relay(&upstream);
            }
        });
        Self { server, asked }
    }

    /// The URL of the proxy, in one of the schemes of SOCKS.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.server.addr())
    }

    /// The same with credentials.
    pub(crate) fn url_as(&self, scheme: &str, user: &str, password: &str) -> String {
        format!("{scheme}://{user}:{password}@{}", self.server.addr())
    }

    /// Who wanted what.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("the books").clone()
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }
}

/// Speaks up to the wish; `None` if the client has gone or was turned away.
fn wish(socket: &TcpStream, password: Option<&(String, String)>) -> Option<Asked> {
    match read::<1>(socket)? {
        [4] => wish4(socket),
        [5] => wish5(socket, password),
        [version] => panic!("version {version} of SOCKS"),
    }
}

fn wish4(socket: &TcpStream) -> Option<Asked> {
    let [command, high, low, a, b, c, d] = read(socket)?;
    assert_eq!(command, 1, "to connect");
    let user = until_zero(socket)?;
    let host = match [a, b, c, d] {
        [0, 0, 0, last] if last > 0 => until_zero(socket)?,
        address => Ipv4Addr::from(address).to_string(),
    };
    let target = format!("{host}:{}", u16::from_be_bytes([high, low]));
    let user = Some((user, String::new())).filter(|(user, _)| !user.is_empty());
    Some(Asked { version: 4, target, user })
}

fn wish5(mut socket: &TcpStream, password: Option<&(String, String)>) -> Option<Asked> {
    let [count] = read(socket)?;
    let methods = read_vec(socket, count.into())?;
    let wanted = if password.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        socket.write_all(&[5, 0xff]).ok()?;
        return None;
    }
    socket.write_all(&[5, wanted]).ok()?;
    let mut user = None;
    if password.is_some() {
        assert_eq!(read(socket)?, [1], "the version of RFC 1929");
        let given = (text(socket)?, text(socket)?);
        let is_right = Some(&given) == password;
        socket.write_all(&[1, if is_right { 0 } else { 1 }]).ok()?;
        if !is_right {
            return None;
        }
        user = Some(given);
    }
    let [version, command, zero, kind] = read(socket)?;
    assert_eq!([version, command, zero], [5, 1, 0], "version 5, to connect");
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(socket)?).to_string(),
        4 => format!("[{}]", Ipv6Addr::from(read::<16>(socket)?)),
        3 => text(socket)?,
        kind => panic!("address type {kind}"),
    };
    let port = u16::from_be_bytes(read(socket)?);
    Some(Asked { version: 5, target: format!("{host}:{port}"), user })
}

fn text(socket: &TcpStream) -> Option<String> {
    let [length] = read(socket)?;
    String::from_utf8(read_vec(socket, length.into())?).ok()
}

fn until_zero(socket: &TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        match read(socket)? {
            [0] => return String::from_utf8(bytes).ok(),
            [byte] => bytes.push(byte),
        }
    }
}

fn read<const N: usize>(mut socket: &TcpStream) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    socket.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn read_vec(mut socket: &TcpStream, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    socket.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
