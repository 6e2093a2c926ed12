//! One request and the answer it must get.

use crate::control;
use crate::outcome::Outcome;
use crate::payload;
use crate::spec::{Ports, Scenario, Spec};

pub(crate) struct Task {
    pub(crate) url: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The whole body in memory, equal to these bytes.
    Get(&'static [u8]),
    /// The fixed body sent, the small answer received.
    Post,
    /// The long body, read piece by piece.
    Stream,
}

impl Task {
    pub(crate) fn of(spec: &Spec) -> Self {
        match spec.scenario {
            Scenario::GetSmall | Scenario::Bounded | Scenario::NewClient => Self::small(spec.ports),
            Scenario::Get64k => {
                Self::new("http", spec.ports.plain, "/64k", Kind::Get(payload::medium()))
            }
            Scenario::Get1g => Self::new("http", spec.ports.plain, "/1g", Kind::Stream),
            Scenario::Post1k => Self::new("http", spec.ports.plain, "/post", Kind::Post),
            Scenario::TlsGetSmall | Scenario::ColdHerdH1 => {
                Self::new("https", spec.ports.tls, "/small", Kind::Get(payload::SMALL))
            }
            Scenario::H2GetSmall | Scenario::ColdHerdH2 => {
                Self::new("https", spec.ports.h2, "/small", Kind::Get(payload::SMALL))
            }
            Scenario::H2Get64k => {
                Self::new("https", spec.ports.h2, "/64k", Kind::Get(payload::medium()))
            }
            Scenario::IdleMemory => {
                let path = format!("{}{}", control::GATHER, spec.threads);
                Self::new("http", spec.ports.plain, &path, Kind::Get(payload::SMALL))
            }
            Scenario::CacheHit | Scenario::CacheHitDisk => {
                Self::new("http", spec.ports.plain, "/fresh-1k", Kind::Get(payload::posted()))
            }
            Scenario::CacheHitDisk1m => {
                Self::new("http", spec.ports.plain, "/fresh-1m", Kind::Get(payload::mebibyte()))
            }
            Scenario::CacheMiss => {
                Self::new("http", spec.ports.plain, "/stale-64k", Kind::Get(payload::medium()))
            }
            Scenario::Cancel => {
                Self::new("http", spec.ports.plain, "/silent", Kind::Get(payload::SMALL))
            }
        }
    }

    pub(crate) fn small(ports: Ports) -> Self {
        Self::new("http", ports.plain, "/small", Kind::Get(payload::SMALL))
    }

    fn new(scheme: &str, port: u16, path: &str, kind: Kind) -> Self {
        Self { url: format!("{scheme}://127.0.0.1:{port}{path}"), kind }
    }

    /// The bytes of a buffered answer.
    pub(crate) fn check_body(&self, body: &[u8]) -> Outcome<()> {
        let expected = match self.kind {
            Kind::Get(expected) => expected,
            Kind::Post | Kind::Stream => payload::SMALL,
        };
        if body != expected {
            return Err(format!("{} wrong bytes from {}", body.len(), self.url).into());
        }
        Ok(())
    }

    pub(crate) fn check_status(&self, status: u16) -> Outcome<()> {
        if status != 200 {
            return Err(format!("status {status} from {}", self.url).into());
        }
        Ok(())
    }

    /// Whether the certificate of the test server is to be checked.
    pub(crate) fn is_tls(&self) -> bool {
        self.url.starts_with("https:")
    }
}

/// Sent by every client as far as it lets itself be told.
pub(crate) const USER_AGENT: &str = "abide-bench";
pub(crate) const ACCEPT: &str = "*/*";
pub(crate) const POSTED_TYPE: &str = "application/octet-stream";
/// The reader's buffer where a body is streamed.
pub(crate) const PIECE_LENGTH: usize = 64 * 1024;
