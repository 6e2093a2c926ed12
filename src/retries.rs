//! Whether calls are tried again, how often, and after how long.

use std::{sync::Arc, time::Duration};

use http::StatusCode;

use crate::error::ErrorKind;

/// Which failures of a call are worth another attempt; none by default.
///
/// (A kept connection that turns out to be dead is replaced in any case; see
/// [the chapter on connections](crate#connections).)
///
/// Tried again are requests whose connection could not be made, broke, was cut or timed out, and
/// those answered 429, 502, 503 or 504; not those whose certificate, data or limits were wrong, nor
/// those that waited too long for a connection of this client. Only idempotent methods (and
/// requests with an `Idempotency-Key`) are repeated, unless the request never left, and only with
/// a body that can be sent again. What a reply opened by
/// [`open`](crate::RequestBuilder::open) does later is not covered.
///
/// Before each attempt the call waits: a random time up to `first_delay`, up to twice that before
/// the next, and so on up to `longest_delay`, or as long as `Retry-After` says (RFC 9110 §10.2.3).
/// It holds no connection meanwhile, [`Feedback::cancel`](crate::Feedback::cancel) ends the wait,
/// and a wait that would end past the deadline of the call is not begun. All calls of a client
/// share a [`RetryBudget`].
///
/// When it is not tried again, the call ends with the last error or reply;
/// [`Reply::attempts`](crate::Reply::attempts) tells how often it was tried.
///
/// ```
/// use abide::RetryPolicy;
/// use std::time::Duration;
/// let patient = RetryPolicy::up_to(5).longest_delay(Duration::from_secs(30));
/// let client = abide::Client::builder().retries(RetryPolicy::up_to(3)).build()?;
/// let call = client.get("http://localhost:8080/").retries(patient);
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    pub(crate) attempts: u32,
    /// `None` for those of the documentation.
    pub(crate) statuses: Option<Arc<[StatusCode]>>,
    /// `None` for those of the documentation.
    pub(crate) errors: Option<Arc<[ErrorKind]>>,
    pub(crate) first_delay: Duration,
    pub(crate) longest_delay: Duration,
    pub(crate) retry_after_max: Duration,
    pub(crate) any_method: bool,
}

impl RetryPolicy {
    /// Tries up to so often, the first time included.
    #[must_use]
    pub const fn up_to(attempts: u32) -> Self {
        Self {
            attempts,
            statuses: None,
            errors: None,
            first_delay: Duration::from_millis(200),
            longest_delay: Duration::from_secs(10),
            retry_after_max: Duration::from_secs(60),
            any_method: false,
        }
    }

    /// Tries once.
    #[must_use]
    pub const fn none() -> Self {
        Self::up_to(1)
    }

    /// Sets which statuses are tried again, in place of 429, 502, 503 and 504.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.statuses = Some(statuses.into_iter().collect());
        self
    }

    /// Sets which errors are tried again, in place of [`Resolve`](ErrorKind::Resolve),
    /// [`Connect`](ErrorKind::Connect), [`Protocol`](ErrorKind::Protocol),
    /// [`Body`](ErrorKind::Body) and [`TimedOut`](ErrorKind::TimedOut).
    ///
    /// They are those of an exchange: [`Proxy`](ErrorKind::Proxy) and [`Tls`](ErrorKind::Tls) can be
    /// among them, whereas redirects, credentials and decoding fail for good. So do calls that are
    /// cancelled, reach their deadline, or wait too long for a connection of this client.
    #[must_use]
    pub fn errors(mut self, kinds: impl IntoIterator<Item = ErrorKind>) -> Self {
        self.errors = Some(kinds.into_iter().collect());
        self
    }

    /// Sets the longest wait before the second attempt; 200 ms by default.
    #[must_use]
    pub const fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// Sets the longest wait before any attempt; 10 s by default.
    #[must_use]
    pub const fn longest_delay(mut self, delay: Duration) -> Self {
        self.longest_delay = delay;
        self
    }

    /// Sets how long a `Retry-After` is obeyed; one that asks for more makes its reply the answer.
    /// 60 s by default.
    #[must_use]
    pub const fn retry_after_max(mut self, delay: Duration) -> Self {
        self.retry_after_max = delay;
        self
    }

    /// Repeats requests that are not idempotent too: a server may then act upon one twice.
    #[must_use]
    pub const fn any_method(mut self, any: bool) -> Self {
        self.any_method = any;
        self
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.attempts > 1
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::none()
    }
}

/// How many attempts beyond the first all calls of a client may make together.
///
/// When a service is down, retries of all its clients make it worse. So each costs a token, of which
/// there are `burst` at first and at most; each call with a policy adds a part of one, and each
/// second too. Without a token calls end with what they have.
///
/// ```
/// let budget = abide::RetryBudget::default().burst(50).percent_of_calls(10);
/// let client = abide::Client::builder().retry_budget(budget).build()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    pub(crate) burst: u32,
    pub(crate) percent_of_calls: u32,
    pub(crate) per_second: u32,
}

impl RetryBudget {
    /// Sets how many retries can be made at once; 20 by default.
    #[must_use]
    pub const fn burst(mut self, retries: u32) -> Self {
        self.burst = retries;
        self
    }

    /// Sets how many retries a hundred calls earn; 20 by default.
    #[must_use]
    pub const fn percent_of_calls(mut self, percent: u32) -> Self {
        self.percent_of_calls = percent;
        self
    }

    /// Sets how many retries a second earns, calls or none; 1 by default.
    #[must_use]
    pub const fn per_second(mut self, retries: u32) -> Self {
        self.per_second = retries;
        self
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { burst: 20, percent_of_calls: 20, per_second: 1 }
    }
}

/// What a client says about its attempts.
#[derive(Clone, Debug)]
pub(crate) struct RetryOptions {
    pub(crate) policy: RetryPolicy,
    pub(crate) budget: Option<RetryBudget>,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { policy: RetryPolicy::none(), budget: Some(RetryBudget::default()) }
    }
}
