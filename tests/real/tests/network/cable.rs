//! The cable between the two namespaces, and the firewall at its far end.

use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, SocketAddr},
    os::unix::net::UnixStream,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use abide::ClientBuilder;
use abide_real::{builder, told};

/// The server.
pub(crate) const FAR: &str = "10.77.0.2";
/// The same by IPv6.
pub(crate) const FAR_V6: &str = "fd77::2";
/// What is sent there is dropped.
pub(crate) const SILENT: &str = "10.77.0.3";
/// The same by IPv6.
pub(crate) const SILENT_V6: &str = "fd77::3";
/// Answers with a reset.
pub(crate) const RESETTING: &str = "10.77.0.4";
/// Answers that it is prohibited.
pub(crate) const PROHIBITED: &str = "10.77.0.5";

/// The way there and back when nothing is wrong.
pub(crate) const QUICK: Duration = Duration::from_millis(500);

/// The cable, for one test at a time; whole again when this is dropped.
pub(crate) struct Cable(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Cable {
    pub(crate) fn mine() -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        let cable = Self(ONE.lock().unwrap_or_else(PoisonError::into_inner));
        cable.heal();
        cable
    }

    pub(crate) fn cut(&self) {
        tell("cut=1");
    }

    pub(crate) fn heal(&self) {
        tell("");
    }

    /// Has each packet travel for `delay` and that part of them lost, in both directions.
    pub(crate) fn is_bad(&self, delay: Duration, loss: f64) {
        tell(&format!("delay={} loss={loss}", delay.as_secs_f64()));
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.heal();
    }
}

/// Returns when it holds.
fn tell(state: &str) {
    let mut cable = UnixStream::connect(told("CABLE")).unwrap();
    writeln!(cable, "{state}").unwrap();
    let mut answer = String::new();
    BufReader::new(cable).read_line(&mut answer).unwrap();
    assert_eq!(answer, "ok\n", "the cable refused `{state}`");
}

/// A rule of the far end's firewall, which holds as long as this lives.
pub(crate) struct Rule(Vec<String>);

impl Rule {
    /// Loses every packet that comes from this connection, and tells nobody.
    pub(crate) fn drop_from(near: SocketAddr) -> Self {
        let port = near.port().to_string();
        Self::set(["-p", "tcp", "--sport", &port, "-j", "DROP"])
    }

    /// Answers every packet that comes from this connection with a reset.
    pub(crate) fn reset_from(near: SocketAddr) -> Self {
        let port = near.port().to_string();
        Self::set(["-p", "tcp", "--sport", &port, "-j", "REJECT", "--reject-with", "tcp-reset"])
    }

    fn set<const N: usize>(rule: [&str; N]) -> Self {
        let rule = Self(rule.map(str::to_owned).into());
        rule.change("-I");
        rule
    }

    fn change(&self, how: &str) {
        let far = told("FAR");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &far, "iptables", how, "INPUT"]).args(&self.0);
        assert!(command.status().unwrap().success(), "{command:?}");
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        self.change("-D");
    }
}

/// A client that takes `server.test` for these addresses, each at the port of the URL.
pub(crate) fn knowing(addresses: &[&str]) -> ClientBuilder {
    let addresses = addresses.iter().map(|address| {
        let address: IpAddr = address.parse().unwrap();
        SocketAddr::new(address, 0)
    });
    builder().resolve_to("server.test", addresses)
}
