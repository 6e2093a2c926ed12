//! The clients of the tests, and resolvers they are given.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Condvar, Mutex},
};

use abide::{Client, ClientBuilder, Driving, Resolve, Stats};

use crate::waiting::{eventually, eventually_or};

/// Where every test begins: the defaults, but the way of driving that the environment names, so
/// that the whole suite runs in each of them and in one that changes all the time, and no proxy that the environment may name.
pub(crate) fn builder() -> ClientBuilder {
    let driving = match std::env::var("ABIDE_TEST_DRIVING").as_deref() {
        Err(_) => Driving::default(),
        Ok("background") => Driving::Background,
        Ok("lent") => Driving::Lent,
        Ok("random") => Driving::AtRandom,
        Ok(other) => {
            panic!("ABIDE_TEST_DRIVING is `{other}`, not `background`, `lent` or `random`")
        }
    };
    Client::builder().driving(driving).no_proxy()
}

pub(crate) fn client() -> Client {
    builder().build().expect("a client with default settings")
}

/// A client that trusts the test root and nobody else.
#[cfg(feature = "tls")]
pub(crate) fn trusting() -> ClientBuilder {
    let root = abide::Certificate::from_pem(crate::support::ca()).expect("the test root");
    builder().only_root_certificates([root])
}

#[track_caller]
pub(crate) fn await_stats(client: &Client, what: &str, holds: impl Fn(&Stats) -> bool) {
    eventually_or(what, || holds(&client.stats()), || format!("{:?}", client.stats()));
}

/// Waits until no call of `client` is running, waiting or dialing.
#[track_caller]
pub(crate) fn await_quiet(client: &Client) {
    await_stats(client, "no work is left behind", |stats| {
        (stats.active(), stats.queued(), stats.dialing()) == (0, 0, 0)
    });
}

/// Names that are looked up until this value is opened, or dropped.
///
/// Opened, it gives loopback for every name; dropped before, it gives an error.
#[derive(Default)]
pub(crate) struct GatedNames(Arc<Desk>);

/// Names that nobody means to open.
pub(crate) type HangingNames = GatedNames;

#[derive(Default)]
struct Desk {
    state: Mutex<DeskState>,
    changed: Condvar,
}

#[derive(Default)]
struct DeskState {
    asked: usize,
    is_open: bool,
    is_over: bool,
}

impl GatedNames {
    pub(crate) fn resolver(&self) -> impl Resolve + use<> {
        GatedResolver(Arc::clone(&self.0))
    }

    /// How many look-ups began.
    pub(crate) fn asked(&self) -> usize {
        self.0.state.lock().expect("the desk").asked
    }

    #[track_caller]
    pub(crate) fn await_asked(&self, count: usize) {
        eventually("a name is being looked up", || self.asked() >= count);
    }

    pub(crate) fn open(&self) {
        self.0.state.lock().expect("the desk").is_open = true;
        self.0.changed.notify_all();
    }
}

impl Drop for GatedNames {
    fn drop(&mut self) {
        self.0.state.lock().expect("the desk").is_over = true;
        self.0.changed.notify_all();
    }
}

struct GatedResolver(Arc<Desk>);

impl Resolve for GatedResolver {
    fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        let mut state = self.0.state.lock().expect("the desk");
        state.asked += 1;
        while !state.is_open && !state.is_over {
            state = self.0.changed.wait(state).expect("the desk");
        }
        match state.is_open {
            true => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
            false => Err(io::Error::other("the names are gone")),
        }
    }
}

/// A resolver that gives the same addresses for every name and counts how often it was asked.
#[derive(Clone)]
pub(crate) struct FixedNames {
    addresses: Vec<IpAddr>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FixedNames {
    pub(crate) fn new(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { addresses: addresses.into_iter().collect(), asked: Arc::default() }
    }

    pub(crate) fn loopback() -> Self {
        Self::new([IpAddr::from(Ipv4Addr::LOCALHOST)])
    }

    pub(crate) fn has_any(&self) -> bool {
        !self.addresses.is_empty()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the names").clone()
    }
}

impl Resolve for FixedNames {
    fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().expect("the names").push(host.to_owned());
        match self.addresses.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
            false => Ok(self.addresses.clone()),
        }
    }
}
