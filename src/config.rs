//! The options of a client as plain data.

use http::HeaderMap;

use crate::{
    cookies::CookieJar,
    host_options::ConnectionOptions,
    interceptors::Interceptors,
    limits::{Limits, Timeouts},
    proxy_config::ProxyConfig,
    redirects::RedirectOptions,
    resolve::NameOptions,
    retries::RetryOptions,
    sockets::SocketOptions,
    view::ViewOptions,
};

/// Everything a client can be told; made by the builder, read by the rooms below.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) timeouts: Timeouts,
    pub(crate) limits: Limits,
    pub(crate) default_headers: HeaderMap,
    pub(crate) connections: ConnectionOptions,
    pub(crate) driving: Driving,
    pub(crate) names: NameOptions,
    pub(crate) sockets: SocketOptions,
    pub(crate) proxies: ProxyConfig,
    pub(crate) redirects: RedirectOptions,
    pub(crate) cookies: Option<CookieJar>,
    pub(crate) interceptors: Interceptors,
    pub(crate) view: ViewOptions,
    pub(crate) http1_only: bool,
    #[cfg(feature = "tls")]
    pub(crate) tls: crate::tls_options::TlsOptions,
    pub(crate) retries: RetryOptions,
    /// Whether content codings are offered and undone.
    pub(crate) decodes: bool,
}

/// Who runs the event loops that tell of bytes, and who moves them.
///
/// Nothing that a call promises depends on it. With [`Lent`](Self::Lent) a thread that waits for an
/// answer over HTTP/1.1 reads and writes its connection itself, and runs the event loop of that
/// connection if nobody else does: there is no switch of threads then, and many callers spread over
/// the cores. In return a call may do a little of others' I/O while it waits, on its own stack (no
/// code of yours: readers, listeners and decoding run when the loop was let go). On 64-bit Linux a GET
/// took 56 KiB of stack over plain HTTP and 80 KiB over TLS, its thread's own needs included, and 160
/// and 192 KiB in a build without optimization. Inside somebody else's async runtime a thread leaves
/// the event loop to a background thread. HTTP/2 connections, which many calls share, are always left
/// to one. Background threads are there while they are needed and end with the connections that they
/// look after: a client that calls one host from one thread has one of them, an idle one without
/// connections none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Driving {
    /// A background thread of the client's own, and more of them only for HTTP/2 that uses it up; callers
    /// only wait.
    Background,
    /// Callers, while they wait for their own answers; background threads when nobody waits.
    #[default]
    Lent,
    /// As [`Lent`](Self::Lent), but whether a thread lends itself is left to chance, time after time:
    /// for the tests of this crate.
    #[doc(hidden)]
    AtRandom,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            default_headers: default_headers(),
            connections: ConnectionOptions::default(),
            driving: Driving::default(),
            names: NameOptions::default(),
            sockets: SocketOptions::default(),
            proxies: ProxyConfig::from_environment(),
            redirects: RedirectOptions::default(),
            cookies: None,
            interceptors: Interceptors::default(),
            view: ViewOptions::default(),
            http1_only: false,
            #[cfg(feature = "tls")]
            tls: crate::tls_options::TlsOptions::default(),
            retries: RetryOptions::default(),
            decodes: true,
        }
    }
}

fn default_headers() -> HeaderMap {
    use http::header::{ACCEPT, HeaderValue, USER_AGENT};
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers
        .insert(USER_AGENT, HeaderValue::from_static(concat!("abide/", env!("CARGO_PKG_VERSION"))));
    headers
}
