//! The clients, each behind the same two small traits. `abide.rs` is the one to compare with the
//! others: none may be spared work that another does.

mod abide;
mod curl;
mod isahc;
pub(crate) mod raw_hyper;
mod raw_park;
mod raw_tcp;
mod read_file;
mod reqwest;
mod ureq;

use std::io::Read;

use self::abide::Variant;
use crate::outcome::Outcome;
use crate::payload::{self, Checker};
use crate::scenarios::cancel::Armory;
use crate::spec::{CacheKind, ClientKind, Scenario, Spec};
use crate::task::Task;

/// One client, shared by all threads of a round.
pub(crate) trait Client: Sync {
    /// Made once on each thread, before the clock runs.
    fn caller<'a>(&'a self, task: &'a Task) -> Outcome<Box<dyn Caller + 'a>>;
}

pub(crate) trait Caller {
    /// One request and its whole answer, checked.
    fn call(&mut self) -> Outcome<()>;
}

/// What a client needs to know before it is made.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) threads: usize,
    /// How many connections there may be, where the scenario says so.
    pub(crate) places: Option<usize>,
    /// The certificate to trust, where the task is over TLS.
    pub(crate) ca_pem: Option<Vec<u8>>,
    /// The cache that the scenario is about.
    pub(crate) cache: Option<CacheKind>,
}

impl Setup {
    pub(crate) fn of(spec: &Spec, task: &Task) -> Self {
        let ca_pem = task.is_tls().then(|| spec.ca_pem.clone().into_bytes());
        let places = match spec.scenario {
            Scenario::Bounded => Some(BOUND),
            Scenario::IdleMemory => Some(spec.threads),
            _ => None,
        };
        Self { threads: spec.threads, places, ca_pem, cache: spec.scenario.cache() }
    }
}

/// A fresh client, as an application makes it.
pub(crate) fn client(kind: ClientKind, setup: &Setup) -> Outcome<Box<dyn Client>> {
    Ok(match kind {
        ClientKind::Abide => Box::new(abide::plain(setup)?),
        ClientKind::AbideFeedback => Box::new(abide::with_feedback(setup)?),
        ClientKind::AbideBackground => Box::new(abide::in_background(setup)?),
        ClientKind::Ureq => Box::new(ureq::Ureq::new(setup)?),
        ClientKind::Reqwest => Box::new(reqwest::Reqwest::new(setup)?),
        ClientKind::Isahc => Box::new(isahc::Isahc::new(setup)?),
        ClientKind::Curl => Box::new(curl::Curl::new(setup)),
        ClientKind::RawTcp => Box::new(raw_tcp::RawTcp::new(setup)?),
        ClientKind::RawHyper => Box::new(raw_hyper::RawHyper::new(setup)?),
        ClientKind::RawPark => return Err("raw-park makes no requests".into()),
        ClientKind::AbideUrl => Box::new(abide::with_parsed_url(setup)?),
        ClientKind::AbideUncached => Box::new(abide::without_cache(setup)?),
        ClientKind::ReadFile => Box::new(read_file::ReadFile::default()),
    })
}

/// The calls of this client that another thread can end.
pub(crate) fn armory(kind: ClientKind, spec: &Spec) -> Outcome<Box<dyn Armory>> {
    Ok(match kind {
        ClientKind::Abide => Box::new(abide::Silent::new(spec, Variant::Plain)?),
        ClientKind::AbideFeedback => Box::new(abide::Silent::new(spec, Variant::Feedback)?),
        ClientKind::AbideBackground => Box::new(abide::Silent::new(spec, Variant::Background)?),
        ClientKind::Ureq => Box::new(ureq::Silent::new(spec)?),
        ClientKind::RawTcp => Box::new(raw_tcp::Silent::new(spec)?),
        ClientKind::RawPark => Box::new(raw_park::Parked::default()),
        _ => return Err(format!("{} cannot end a call from outside", kind.name()).into()),
    })
}

/// Why a client has no row of figures in a scenario.
pub(crate) fn obstacle(
    kind: ClientKind,
    scenario: Scenario,
    threads: usize,
) -> Option<&'static str> {
    let is_raw = matches!(kind, ClientKind::RawTcp | ClientKind::RawHyper);
    let is_h2 =
        matches!(scenario, Scenario::H2GetSmall | Scenario::H2Get64k | Scenario::ColdHerdH2);
    match (kind, scenario) {
        (ClientKind::Ureq, _) if is_h2 => Some("speaks HTTP/1.1 only"),
        (_, Scenario::ColdHerdH1 | Scenario::IdleMemory | Scenario::Bounded) if is_raw => {
            Some("has a connection per thread, opened beforehand")
        }
        _ if is_raw && is_h2 => Some("the limits are measured over HTTP/1.1 only"),
        (ClientKind::Ureq | ClientKind::Reqwest | ClientKind::Curl, Scenario::Bounded) => {
            Some("bounds what is kept, not what is open")
        }
        (ClientKind::Curl, Scenario::IdleMemory) => {
            Some("a connection belongs to its handle, and that to its thread")
        }
        (ClientKind::Reqwest, Scenario::Cancel) => {
            Some("nothing ends one blocking call from another thread")
        }
        (ClientKind::Isahc, Scenario::Cancel) => Some(
            "nothing ends one blocking call from another thread, and a dropped future is noticed \
             only when bytes arrive",
        ),
        (ClientKind::Curl, Scenario::Cancel) => {
            Some("libcurl has no function that ends a running easy transfer from another thread")
        }
        (ClientKind::Curl, _) if threads > CURL_HANDLES_MAX => {
            Some("as built by its crate it waits with select(), whose descriptors end at 1023")
        }
        _ => None,
    }
}

/// What has to be known to read a row rightly.
pub(crate) fn note(kind: ClientKind, scenario: Scenario) -> Option<&'static str> {
    match (kind, scenario) {
        (ClientKind::Ureq, Scenario::Cancel) => {
            Some("an agent of its own for every call, shut down as a whole")
        }
        (ClientKind::RawTcp, Scenario::Cancel) => Some("the socket is shut down"),
        (ClientKind::RawHyper, Scenario::Cancel) => Some("tasks, not threads"),
        (ClientKind::RawHyper, Scenario::NewClient) => Some("a new connection, the same runtime"),
        _ => None,
    }
}

/// Whether the client has a row in the scenario at all.
pub(crate) fn takes_part(kind: ClientKind, scenario: Scenario) -> bool {
    match (kind, scenario.cache()) {
        (ClientKind::RawPark, _) => scenario == Scenario::Cancel,
        (ClientKind::AbideUrl, _) => scenario == Scenario::CacheHit,
        (ClientKind::AbideUncached, _) => scenario == Scenario::CacheMiss,
        (ClientKind::ReadFile, cache) => cache == Some(CacheKind::Disk),
        (ClientKind::Abide, _) | (_, None) => true,
        // None of the others has a cache for those who block; `http-cache` is a middleware of the
        // async reqwest.
        (_, Some(_)) => false,
    }
}

/// Reads a long body to its end through the buffer and checks every byte.
fn drain(mut body: impl Read, buffer: &mut [u8]) -> Outcome<()> {
    let mut checker = Checker::default();
    loop {
        match body.read(buffer)? {
            0 => return checker.finish(payload::LARGE_LENGTH),
            count => checker.check(&buffer[..count])?,
        }
    }
}

/// Connections of the scenario `bounded`.
const BOUND: usize = 8;
/// A handle that performs takes five descriptors.
const CURL_HANDLES_MAX: usize = 200;
