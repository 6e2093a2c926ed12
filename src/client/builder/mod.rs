//! Building a client; each file beside this one has the options of one topic.

mod auth;
#[cfg(feature = "cache")]
mod cache;
mod connections;
#[cfg(feature = "cookies")]
mod cookies;
mod decoding;
#[cfg(feature = "hickory")]
mod hickory;
mod interceptors;
mod names;
mod proxies;
mod redirects;
mod retries;
mod sockets;
#[cfg(feature = "tls")]
mod tls;
mod view;

use std::{fmt, time::Duration};

use http::{HeaderName, HeaderValue, header};

use super::Client;
use crate::{
    call::Caching,
    config::{Config, Driving},
    error::{Error, Result},
    limits::{Limits, Timeouts},
    policy::auth::Registry,
    redirects::is_always_secret,
};

/// The options of a [`Client`]; every one has a default.
///
/// ```
/// use std::time::Duration;
/// let client = abide::Client::builder()
///     .user_agent("surveyor/2.1")
///     .timeout(Duration::from_secs(30))
///     .limits(abide::Limits::default().places_per_route(8))
///     .build()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder {
    config: Config,
    auth: Registry,
    caching: Caching,
    error: Option<Error>,
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        let (auth, caching) = (Registry::default(), Caching::default());
        Self { config: Config::default(), auth, caching, error: None }
    }

    /// Sets all time budgets of calls that do not bring their own; replaces an earlier `timeout`.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.config.timeouts = timeouts;
        self
    }

    /// Sets the deadline of a whole call, body included; there is none by default.
    pub fn timeout(mut self, total: Duration) -> Self {
        self.config.timeouts.total = Some(total);
        self
    }

    /// Sets the limits in number and size.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Sets `User-Agent`; `abide/` and the version by default.
    pub fn user_agent(self, name: &str) -> Self {
        self.default_header(header::USER_AGENT, name)
    }

    /// Sets a header field that each request has unless it brings its own.
    pub fn default_header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: Into<http::Error>,
        V: TryInto<HeaderValue>,
        V::Error: Into<http::Error>,
    {
        match checked(name, value) {
            Ok((name, mut value)) => {
                if is_always_secret(&name) {
                    value.set_sensitive(true);
                }
                self.config.default_headers.insert(name, value);
            }
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
        self
    }

    /// Changes the options; the first error is what `build` reports.
    fn change(mut self, change: impl FnOnce(&mut Config) -> Result<()>) -> Self {
        if let Err(error) = change(&mut self.config) {
            self.error.get_or_insert(error);
        }
        self
    }

    /// Sets who runs the event loops.
    pub fn driving(mut self, driving: Driving) -> Self {
        self.config.driving = driving;
        self
    }

    /// Speaks HTTP/1.1 even to servers that know HTTP/2.
    pub fn http1_only(mut self) -> Self {
        self.config.http1_only = true;
        self
    }

    /// Makes the client; no thread is started and no file is read before the first call.
    ///
    /// # Errors
    /// Kind [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for options that cannot be used
    /// or that contradict each other.
    pub fn build(mut self) -> Result<Client> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.config.redirects.mark_secrets(&mut self.config.default_headers);
        Ok(Client::with(self.config, self.auth, self.caching))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the default headers: credentials may be among them.
        f.debug_struct("ClientBuilder")
            .field("timeouts", &self.config.timeouts)
            .field("limits", &self.config.limits)
            .field("driving", &self.config.driving)
            .finish_non_exhaustive()
    }
}

fn checked<N, V>(name: N, value: V) -> Result<(HeaderName, HeaderValue)>
where
    N: TryInto<HeaderName>,
    N::Error: Into<http::Error>,
    V: TryInto<HeaderValue>,
    V::Error: Into<http::Error>,
{
    let name = name
        .try_into()
        .map_err(|e| Error::invalid("a default header's name is not a token").because(e.into()))?;
    let value = value.try_into().map_err(|e| {
        Error::invalid(format!("the value of the default header `{name}` cannot be sent"))
            .because(e.into())
    })?;
    Ok((name, value))
}
