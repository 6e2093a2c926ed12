//! What abide promises, through its public API, against a scripted server on loopback.
//!
//! One module per promise. Nothing sleeps in order to synchronise: the server signals, and times
//! are asserted from one side only.

#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

mod alone;
mod bad_input;
mod blocking_request;
mod bodies;
mod bounds;
#[cfg(feature = "cache")]
mod cache;
mod calls;
mod cancellation;
#[cfg(feature = "charset")]
mod charset;
mod clients;
mod connection_life;
#[cfg(feature = "cookies")]
mod cookies;
mod credentials;
mod driven;
mod early_answers;
#[cfg(all(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod encodings;
mod feedback;
mod from_anywhere;
#[cfg(feature = "hickory")]
mod hickory;
#[cfg(all(feature = "tls", feature = "http2"))]
mod http2;
#[cfg(feature = "http2")]
mod http2_by_hand;
#[cfg(all(feature = "tls", feature = "http2"))]
mod http2_cancellation;
#[cfg(all(feature = "tls", feature = "http2"))]
mod http2_faults;
#[cfg(feature = "http2")]
mod http2_floods;
#[cfg(all(feature = "tls", feature = "http2"))]
mod http2_hops;
#[cfg(feature = "http2")]
mod http2_housekeeping;
#[cfg(all(feature = "tls", feature = "http2"))]
mod http2_spread;
#[cfg(feature = "http2")]
mod http2_windows;
mod injection;
mod interceptors;
#[cfg(feature = "json")]
mod json;
mod limits;
mod many_cancels;
mod names;
mod observers;
mod pool;
mod priorities;
mod proxies;
mod random;
mod ranges;
mod redirects;
mod replies;
mod retries;
mod shutdown;
mod sockets;
mod spans;
mod stacks;
mod stale_connections;
mod stats;
mod streaming;
#[cfg_attr(
    not(all(feature = "tls", feature = "http2")),
    expect(
        dead_code,
        unused_imports,
        reason = "some servers are only of use to a client that can speak to them"
    )
)]
#[path = "../support/mod.rs"]
mod support;
mod threads;
mod timeouts;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_options;
mod totals;
mod trace_context;
mod truncation;
#[cfg(unix)]
mod unix_sockets;
mod victim;
mod waiting;
mod warm_up;
