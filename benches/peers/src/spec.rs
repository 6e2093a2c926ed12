//! What one child process is asked to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) scenario: Scenario,
    pub(crate) client: ClientKind,
    pub(crate) threads: usize,
    pub(crate) pace: Pace,
    pub(crate) ports: Ports,
    /// The certificate that the test server's is to be checked against.
    pub(crate) ca_pem: String,
}

/// How long a round takes, and how often the scenarios that count do their thing.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Pace {
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    pub(crate) single_cancels: usize,
    pub(crate) joint_cancels: usize,
}

impl Pace {
    pub(crate) const FULL: Self = Self {
        rounds: 21,
        warm_up: Duration::from_millis(300),
        measured: Duration::from_secs(1),
        single_cancels: 500,
        joint_cancels: 10,
    };
    pub(crate) const QUICK: Self = Self {
        rounds: 5,
        warm_up: Duration::from_millis(100),
        measured: Duration::from_millis(200),
        single_cancels: 100,
        joint_cancels: 3,
    };
}

/// The ports of the test server on the loopback address.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) plain: u16,
    pub(crate) tls: u16,
    pub(crate) h2: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scenario {
    GetSmall,
    Get64k,
    Get1g,
    Post1k,
    TlsGetSmall,
    H2GetSmall,
    H2Get64k,
    Bounded,
    ColdHerdH2,
    ColdHerdH1,
    IdleMemory,
    Cancel,
    NewClient,
    /// What is stored in memory, 1 KiB.
    CacheHit,
    /// What is stored on disk, 1 KiB.
    CacheHitDisk,
    /// What is stored on disk, 1 MiB.
    CacheHitDisk1m,
    /// What is stored each time and never used, 64 KiB.
    CacheMiss,
}

impl Scenario {
    pub(crate) const ALL: [(&str, Self); 17] = [
        ("get-small", Self::GetSmall),
        ("get-64k", Self::Get64k),
        ("get-1g", Self::Get1g),
        ("post-1k", Self::Post1k),
        ("tls-get-small", Self::TlsGetSmall),
        ("h2-get-small", Self::H2GetSmall),
        ("h2-get-64k", Self::H2Get64k),
        ("bounded", Self::Bounded),
        ("cold-herd-h2", Self::ColdHerdH2),
        ("cold-herd-h1", Self::ColdHerdH1),
        ("idle-memory", Self::IdleMemory),
        ("cancel", Self::Cancel),
        ("new-client", Self::NewClient),
        ("cache-hit", Self::CacheHit),
        ("cache-hit-disk", Self::CacheHitDisk),
        ("cache-hit-disk-1m", Self::CacheHitDisk1m),
        ("cache-miss", Self::CacheMiss),
    ];

    pub(crate) fn name(self) -> &'static str {
        name_in(&Self::ALL, self)
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        value_in(&Self::ALL, name)
    }

    pub(crate) fn usual_threads(self) -> &'static [usize] {
        match self {
            Self::GetSmall => &[1, 2, 4, 8, 16, 64, 256],
            Self::Get64k | Self::Post1k | Self::TlsGetSmall => &[1, 16, 64],
            Self::H2GetSmall | Self::H2Get64k => &[1, 16, 64, 256],
            Self::Bounded => &[64],
            Self::ColdHerdH2 | Self::ColdHerdH1 => &[100],
            Self::IdleMemory => &[1000],
            Self::Cancel => &[1, 64, 256],
            Self::CacheHit => &[1, 64],
            Self::Get1g
            | Self::NewClient
            | Self::CacheHitDisk
            | Self::CacheHitDisk1m
            | Self::CacheMiss => &[1],
        }
    }

    /// Whether the scenario is about a cache, and about one on disk.
    pub(crate) fn cache(self) -> Option<CacheKind> {
        match self {
            Self::CacheHit | Self::CacheMiss => Some(CacheKind::Memory),
            Self::CacheHitDisk | Self::CacheHitDisk1m => Some(CacheKind::Disk),
            _ => None,
        }
    }

    /// Whether the scenario is about one thread, whatever number was asked for.
    pub(crate) fn is_for_one_thread(self) -> bool {
        matches!(self, Self::Get1g | Self::NewClient)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheKind {
    Memory,
    Disk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ClientKind {
    Abide,
    AbideFeedback,
    AbideBackground,
    Ureq,
    Reqwest,
    Isahc,
    Curl,
    RawTcp,
    RawHyper,
    RawPark,
    /// With a URL that was parsed beforehand.
    AbideUrl,
    /// Without the cache that the scenario is about.
    AbideUncached,
    /// What a cache on disk cannot be quicker than.
    ReadFile,
}

impl ClientKind {
    pub(crate) const ALL: [(&str, Self); 13] = [
        ("abide", Self::Abide),
        ("abide+feedback", Self::AbideFeedback),
        ("abide+background", Self::AbideBackground),
        ("ureq", Self::Ureq),
        ("reqwest", Self::Reqwest),
        ("isahc", Self::Isahc),
        ("curl", Self::Curl),
        ("raw-tcp", Self::RawTcp),
        ("raw-hyper", Self::RawHyper),
        ("raw-park", Self::RawPark),
        ("abide+url", Self::AbideUrl),
        ("abide+uncached", Self::AbideUncached),
        ("read-file", Self::ReadFile),
    ];

    pub(crate) fn name(self) -> &'static str {
        name_in(&Self::ALL, self)
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        value_in(&Self::ALL, name)
    }
}

fn name_in<T: PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    table.iter().find(|row| row.1 == value).map_or("", |row| row.0)
}

fn value_in<T: Copy>(table: &[(&'static str, T)], name: &str) -> Option<T> {
    table.iter().find(|row| row.0 == name).map(|row| row.1)
}
