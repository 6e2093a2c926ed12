//! A blocking HTTP client with pooled connections and calls that any thread can abort.
//!
//! ```no_run
//! use abide::{Client, Feedback};
//! use std::time::Duration;
//!
//! let client = Client::new();
//! let feedback = Feedback::new();
//! let canceller = feedback.clone();
//! std::thread::spawn(move || {
//!     std::thread::sleep(Duration::from_secs(2));
//!     canceller.cancel();
//! });
//! match client.get("http://localhost:8080/tiles/7/66/42").feedback(&feedback).send() {
//!     Ok(reply) => println!("{}: {} bytes", reply.status(), reply.bytes().len()),
//!     Err(error) if error.is_cancelled() => println!("no longer needed"),
//!     Err(error) => return Err(error),
//! }
//! # Ok::<(), abide::Error>(())
//! ```
//!
//! # Threads and blocking
//!
//! A call blocks the thread that makes it and nothing else. Connections belong to the [`Client`]
//! and are shared by all threads; the waiting callers move the bytes, and background threads with
//! tokio runtimes that never show do it when nobody waits (see [`Driving`]). Decoding, readers and
//! listeners of yours run on the calling thread. A call may be made from anywhere: inside an async runtime's thread (it blocks
//! that thread, as any blocking code does), inside `Drop`, inside a listener or reader of another
//! call. The first call starts what is needed; dropping the last clone of a client ends it without
//! waiting, and [`Client::shutdown`] ends it in order and joins every thread. After `fork`, make a
//! new client in the child.
//!
//! # Cancelling and time
//!
//! [`Feedback::cancel`] ends a call at once, wherever it is: in the queue, looking up the name,
//! connecting, sending, waiting, receiving. The exchange is then really over: the connection is
//! closed or the HTTP/2 stream reset. [`Timeouts`] has a budget for each of these phases and a
//! deadline for the whole call; an error names the [`Phase`] and the [`Budget`].
//!
//! # Connections
//!
//! HTTP/1.1 and, over TLS by ALPN or in plain text by prior knowledge, HTTP/2. The number of
//! connections is bounded per route and in total ([`Limits`], [`HostOptions`]), and so is how many
//! are opened at once; calls beyond that wait in a fair queue, the interactive ones first
//! ([`Priority`]). [`Client::warm_up`] opens connections before they are needed. A kept connection that turns out to
//! be dead before a reply began is replaced and the request sent again, if that is safe: it was
//! never sent, or its method is idempotent (or it has an `Idempotency-Key`) and its body can be
//! repeated. A `POST` is never applied twice unless you allow it, by that header or by
//! [`RetryPolicy::any_method`]. Other failures are tried again if a [`RetryPolicy`] says so, within the
//! deadline of the call. [`Client::stats`] shows the connections and the queue of each
//! route, and what they have carried.
//!
//! # Redirects
//!
//! Up to ten are followed ([`RedirectPolicy`]), and [`Reply::history`] tells of them. Credentials,
//! cookies and headers marked secret stay with the origin they were given for, however often and
//! wherever the call is sent on.
//!
//! # Credentials
//!
//! A client keeps [`AuthConfig`]s under an [`AuthId`] ([`Client::set_auth`]); calls name it
//! ([`RequestBuilder::auth`]), or the config is used [automatically](AuthConfig::automatic). Each is
//! bound to [`AuthOrigins`] and goes nowhere else, whatever redirects and challenges say. There are
//! Basic, Bearer, keys in headers or the query, Digest (feature `digest`), client certificates,
//! OAuth 2 (feature `json`), and whatever a [`CredentialSource`] makes. What cannot be applied is an
//! error of kind [`Auth`](ErrorKind::Auth) before anything is sent. User information in a URL is
//! sent as Basic credentials to its origin.
//!
//! # Content codings
//!
//! Replies are asked for in gzip, deflate, brotli and zstd and decoded on the calling thread, piece
//! by piece, within [`Limits`]; [`ClientBuilder::decoding`] says when not.
//!
//! # Cookies
//!
//! There are none unless a [`CookieJar`] is given to a client ([`ClientBuilder::cookies`]) or to a
//! call ([`RequestBuilder::cookies`]). A jar is shared by threads and clients, and kept as a file.
//!
//! # Proxies
//!
//! HTTP and HTTPS proxies, SOCKS 4, 4a, 5 and 5h, from the environment by default, as curl reads it.
//! [`ProxyConfig`] has the rules of a client, [`RequestBuilder::proxy`] and
//! [`RequestBuilder::no_proxy`] are for one call. A proxy gets its credentials and nobody else
//! does; [`Error::is_proxy`] tells when it was the proxy that failed.
//!
//! # Interceptors
//!
//! Code that sees each hop before it goes out and when its answer begins, may change it and may
//! answer in place of the network: [`Client::intercept_requests`], [`Client::intercept_replies`].
//!
//! # Errors
//!
//! One [`Error`], with an [`ErrorKind`] fixed when it is made. A status of 400 and above is a
//! reply; [`Reply::error_for_status`] makes it an error. Errors show URLs without user information
//! and query, and never a secret.
//!
//! # Caching
//!
//! Off until [`ClientBuilder::cache`] gives a client a [`Cache`]: in memory, in a folder, or in a
//! store of one's own. It is a private cache by the rules of RFC 9111: what is fresh costs no
//! request and crosses no thread, what is stale is validated, methods that change things invalidate,
//! and an answer to one user never reaches another. [`CacheMode`] says what a call asks of it,
//! [`Reply::cache`] what became of that, [`Client::cache`] lets one look into it. Calls that miss the
//! same at once make one request. A store that fails never makes a call fail.
//!
//! # Features
//!
//! | feature | default | what |
//! |---|---|---|
//! | `tls` | yes | `https`, by rustls with the platform's roots |
//! | `http2` | yes | HTTP/2 where a server offers it |
//! | `gzip`, `brotli`, `zstd` | yes | replies in these content codings; `gzip` has deflate too |
//! | `charset` | yes | [`Reply::text`] in encodings other than UTF-8 |
//! | `json` | yes | `RequestBuilder::json`, `Reply::json`, [`OAuth2`] |
//! | `cookies` | yes | [`CookieJar`], with the list of public suffixes |
//! | `digest` | no | `AuthConfig::digest`, and Digest for proxies |
//! | `cache` | yes | [`Cache`]: replies kept in memory, or in a store of one's own |
//! | `disk-cache` | yes | [`Cache::disk`]: replies kept in a folder |
//! | `aws-lc-rs` | no | the choice of aws-lc-rs for the cryptography of TLS (`Crypto::AwsLc`) |
//! | `hickory` | no | `ClientBuilder::hickory` and `name_servers`: look-ups that do not go through the system |
//!
//! # Seeing what happens
//!
//! [`Reply::timings`] tells when the parts of a call happened and over which connection it went,
//! [`Client::stats`] what connections and queues there are and what calls have come to,
//! [`ClientBuilder::observer`] has an [`Observer`] hear of every step of every call;
//! [`guide::seeing`] has examples.
//!
//! # Logging
//!
//! Spans and events of `tracing`, of level `debug` (what the user should change is a `warn`, and an
//! event loop that fails an `error`). The spans have the target `abide` and are entered on the thread that calls: `call` (until its body was
//! read), in it `hop`, in it `attempt`, in it `exchange`, which is what OpenTelemetry calls a client's
//! span, `otel.kind` and all. Fields have the names of its conventions: `http.request.method`,
//! `url.full`, `server.address`, `server.port`, `http.response.status_code`, `error.type` (a status,
//! or the [`ErrorKind`] as in `timed_out`), and of an exchange also `http.request.resend_count`,
//! `network.protocol.version`, `network.peer.address` and `network.peer.port`. Events tell of
//! decisions such as connecting, answering, trying again. A subscriber that does not want `call` is
//! told of no other span. URLs are shown without user information
//! and query, headers only if [`ClientBuilder::log_headers`] names them, secrets and bodies never.
//! Without a subscriber it costs nothing. [`ClientBuilder::trace_context`] has requests say of which
//! trace they are a part (W3C Trace Context).
//!
//! # Stability
//!
//! Until 1.0 a minor version may change the API; the changelog says how. The public API names
//! `std`, `http`, `bytes`, `url`, serde's traits, and `tokio_util`'s `CancellationToken` in one
//! `From`. The oldest supported Rust is 1.88.

mod answer_head;
mod auth_id;
mod basic;
mod body;
#[cfg_attr(
    not(any(feature = "cache", test)),
    expect(dead_code, reason = "without a cache there is nothing to report")
)]
mod caching;
#[cfg_attr(not(feature = "tls"), path = "no_certificates.rs")]
mod certificates;
#[cfg(feature = "charset")]
mod charset;
#[cfg(not(feature = "charset"))]
#[path = "charset_utf8.rs"]
mod charset;
mod config;
mod content_disposition;
mod context;
#[cfg_attr(not(feature = "cookies"), path = "cookies_off.rs")]
mod cookies;
#[cfg(feature = "digest")]
mod digest;
#[cfg(not(feature = "digest"))]
#[path = "digest_off.rs"]
mod digest;
mod doorstep;
mod environment;
mod error;
mod error_kind;
mod feedback;
mod files;
mod history;
mod host_options;
mod interceptors;
mod life;
mod lifecycle;
mod limits;
#[cfg_attr(
    not(any(feature = "http2", test)),
    expect(dead_code, reason = "only HTTP/2 is measured")
)]
mod load;
mod memory;
mod moment;
mod observed;
mod observer;
mod origin;
mod per_host;
mod phase;
mod post;
mod priority;
mod proxy;
mod proxy_auth;
mod proxy_config;
mod redirects;
mod reply;
mod reply_headers;
mod reporter;
mod request;
mod resolve;
mod retries;
mod secret;
mod sockets;
mod stats;
mod steward;
mod sync;
mod threads;
mod timings;
#[cfg(feature = "tls")]
mod tls_options;
mod tls_version;
mod trace_context;
mod traffic;
mod trail;
mod trailers;
mod used_connection;
mod view;
mod watch;
mod wheel;
mod whole;

pub mod guide;

#[cfg(feature = "cache")]
mod cache;
mod call;
mod client;
mod policy;
mod runtime;
mod transport;

pub use bytes::Bytes;
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
pub use url::Url;

#[cfg(feature = "cache")]
pub use crate::cache::{
    Cache, CacheBody, CacheEntry, CacheHead, CacheKey, CacheReader, CacheStatistics, CacheStore,
    CacheUsage, CacheWriter, CachedReply, Clock,
};
#[cfg(feature = "cookies")]
pub use crate::cookies::{Cookie, CookieJar, SameSite};
#[cfg(feature = "json")]
pub use crate::policy::auth::OAuth2;
pub use crate::{
    auth_id::AuthId,
    body::Body,
    caching::{CacheMode, CacheOutcome, CacheReport, Forwarded, NotStored},
    client::{
        BlockingRequest, CallOptions, Client, ClientBuilder, ErrorCode, IntoUrl, NetworkRequest,
        OpenReply, RequestBuilder, client, get, post,
    },
    config::Driving,
    error::{Error, ErrorKind, Result},
    feedback::{Feedback, Progress},
    history::PastHop,
    host_options::HostOptions,
    interceptors::{IncomingReply, InterceptorError, InterceptorId, OutgoingRequest},
    lifecycle::Shutdown,
    limits::{Limits, Timeouts},
    observer::{CallEvent, Happening, Observer},
    phase::{Budget, Phase},
    policy::auth::{AuthConfig, AuthOrigins, AuthRequest, CredentialSource, Credentials},
    priority::Priority,
    proxy::Proxy,
    proxy_config::ProxyConfig,
    redirects::{Redirect, RedirectAction, RedirectPolicy},
    reply::Reply,
    resolve::{NameCache, Resolve},
    retries::{RetryBudget, RetryPolicy},
    runtime::Warmed,
    sockets::KeepAlive,
    stats::{RouteStats, Stats},
    timings::Timings,
    tls_version::TlsVersion,
    trace_context::{TraceContext, TracedRequest},
    used_connection::UsedConnection,
};
#[cfg(feature = "tls")]
pub use crate::{
    certificates::{Certificate, Identity},
    tls_options::{Crypto, PublicKeyPin},
};
