//! What a child asks the test server about the silent calls, over a connection of its own.
//!
//! The server answers when the state asked for is there, so that waiting costs nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::outcome::Outcome;
use crate::spec::Ports;

pub(crate) struct Control {
    stream: TcpStream,
}

/// The paths, as the server knows them; the first is followed by a number.
pub(crate) const ARRIVED: &str = "/control/arrived/";
pub(crate) const FORGET: &str = "/control/forget";
pub(crate) const GONE: &str = "/control/gone";
/// Not for the control: answered when as many requests are here as the number that follows.
pub(crate) const GATHER: &str = "/gather/";
/// How long the server waits before it answers that it is not so.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

impl Control {
    pub(crate) fn connect(ports: Ports) -> Outcome<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, ports.plain))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE * 2))?;
        Ok(Self { stream })
    }

    /// Starts the counting of arrivals anew.
    pub(crate) fn forget_arrivals(&mut self) -> Outcome<()> {
        self.ask(FORGET, "the server did not forget")
    }

    pub(crate) fn wait_for_arrivals(&mut self, count: u64) -> Outcome<()> {
        let path = format!("{ARRIVED}{count}");
        self.ask(&path, "not all calls arrived at the server")
    }

    pub(crate) fn wait_until_gone(&mut self) -> Outcome<()> {
        self.ask(GONE, "the server did not see every cancelled connection close")
    }

    fn ask(&mut self, path: &str, otherwise: &str) -> Outcome<()> {
        self.stream
            .write_all(format!("GET {path} HTTP/1.1\r\nhost: control\r\n\r\n").as_bytes())?;
        // The answers are shorter than a packet and come one by one.
        let mut answer = [0; 512];
        let count = self.stream.read(&mut answer)?;
        if answer[..count].starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err(otherwise.into()) }
    }
}
