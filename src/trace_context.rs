//! Which trace a request belongs to, as W3C Trace Context writes it.

use std::{collections::HashSet, fmt, sync::Arc};

use http::{HeaderValue, Method};
use url::Url;

use crate::origin;

/// The values of `traceparent` and `tracestate` (W3C Trace Context), valid by its rules.
///
/// ```
/// use abide::TraceContext;
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let context = TraceContext::parse(parent).expect("a valid one").with_state("vendor=t61rcWkgMzE");
/// assert_eq!(context.traceparent(), parent);
/// assert_eq!(context.tracestate(), Some("vendor=t61rcWkgMzE"));
/// assert_eq!(TraceContext::parse("00-0-0-01"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub(crate) parent: HeaderValue,
    pub(crate) state: Option<HeaderValue>,
}

impl TraceContext {
    /// Takes a value of `traceparent`, version 00 (§3.2); `None` if it is not valid.
    #[must_use]
    pub fn parse(traceparent: &str) -> Option<Self> {
        let fields: Vec<&str> = traceparent.split('-').collect();
        let [version, trace, parent, flags] = fields[..] else { return None };
        let is_valid = version == "00" && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
        let parent = HeaderValue::from_str(traceparent).ok().filter(|_| is_valid)?;
        Some(Self { parent, state: None })
    }

    /// Adds a value of `tracestate` (§3.3); one that is not valid or is empty is left out.
    #[must_use]
    pub fn with_state(self, tracestate: &str) -> Self {
        let state = tracestate.trim_matches([' ', '\t']);
        let state = Some(state).filter(|state| !state.is_empty() && is_state(state));
        Self { state: state.and_then(|state| HeaderValue::from_str(state).ok()), ..self }
    }

    /// The value of `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> &str {
        self.parent.to_str().unwrap_or_default()
    }

    /// The value of `tracestate`, if there is one.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_ref()?.to_str().ok()
    }
}

/// A request that is about to be sent, as the source of its trace context sees it; see
/// [`ClientBuilder::trace_context`](crate::ClientBuilder::trace_context).
#[derive(Clone, Copy)]
pub struct TracedRequest<'r> {
    pub(crate) request_id: u64,
    pub(crate) method: &'r Method,
    pub(crate) url: &'r Url,
    pub(crate) attempt: u32,
    pub(crate) has_left_origin: bool,
}

impl TracedRequest<'_> {
    /// The number that the reply of the call will have too.
    #[must_use]
    pub const fn request_id(&self) -> u64 {
        self.request_id
    }

    /// The method of the hop.
    #[must_use]
    pub const fn method(&self) -> &Method {
        self.method
    }

    /// The URL of the hop.
    #[must_use]
    pub const fn url(&self) -> &Url {
        self.url
    }

    /// Which attempt of the hop it is, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether the call has left the origin that it began with, by a redirect or an interceptor.
    #[must_use]
    pub const fn has_left_origin(&self) -> bool {
        self.has_left_origin
    }
}

impl fmt::Debug for TracedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedRequest")
            .field("request_id", &self.request_id)
            .field("method", &self.method)
            .field("url", &format_args!("{}", origin::redacted(self.url)))
            .field("attempt", &self.attempt)
            .field("has_left_origin", &self.has_left_origin)
            .finish()
    }
}

/// Tells of which trace a request is a part.
pub(crate) type TraceSource = Arc<dyn Fn(&TracedRequest<'_>) -> Option<TraceContext> + Send + Sync>;

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether it is one of the identifiers, of which none is zero.
fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}

fn is_state(text: &str) -> bool {
    let mut keys = HashSet::new();
    let members = text.split(',').map(|member| member.trim_matches([' ', '\t']));
    // An empty one between two commas is no mistake.
    let mut members = members.filter(|member| !member.is_empty());
    let are_valid = members.all(|member| {
        member
            .split_once('=')
            .is_some_and(|(key, value)| is_key(key) && is_value(value) && keys.insert(key))
    });
    are_valid && keys.len() <= STATE_MEMBERS_MAX
}

fn is_key(key: &str) -> bool {
    let is_word = |word: &str, length_max: usize| {
        (1..=length_max).contains(&word.len())
            && word
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'))
    };
    let begins_with_a_letter =
        |word: &str| word.starts_with(|first: char| first.is_ascii_lowercase());
    match key.split_once('@') {
        None => is_word(key, 256) && begins_with_a_letter(key),
        Some((tenant, system)) => {
            is_word(tenant, 241)
                && tenant.starts_with(|first: char| first.is_ascii_alphanumeric())
                && is_word(system, 14)
                && begins_with_a_letter(system)
        }
    }
}

fn is_value(value: &str) -> bool {
    // Spaces at the end are gone already, since they cannot be told from those around a member.
    (1..=256).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b",=".contains(&byte))
}

const STATE_MEMBERS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[track_caller]
    fn check(parent: &str, is_valid: bool) {
        assert_eq!(TraceContext::parse(parent).is_some(), is_valid, "{parent}");
    }

    #[track_caller]
    fn check_state(state: &str, kept: Option<&str>) {
        let context = TraceContext::parse(PARENT).expect("a valid one").with_state(state);
        assert_eq!(context.tracestate(), kept, "{state}");
    }

    #[test]
    fn a_traceparent_has_the_form_of_trace_context_3_2() {
        check(PARENT, true);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff", true);
        check("", false);
        check("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", false);
        check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false);
        check("00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", false);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", false);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", false);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", false);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01", false);
        check(" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
    }

    #[test]
    fn a_tracestate_has_the_form_of_trace_context_3_3() {
        check_state("a=1", Some("a=1"));
        check_state(
            " rojo=00f067aa0ba902b7 ,, congo=t61 rcWk ",
            Some("rojo=00f067aa0ba902b7 ,, congo=t61 rcWk"),
        );
        check_state("fw529a3039@dt=FfQ:~", Some("fw529a3039@dt=FfQ:~"));
        check_state("0tenant@sys=1", Some("0tenant@sys=1"));
        check_state("a_-*/=1", Some("a_-*/=1"));
        check_state("", None);
        check_state("a", None);
        check_state("a=", None);
        check_state("=1", None);
        check_state("A=1", None);
        check_state("1a=1", None);
        check_state("a=1=2", None);
        check_state("a=1,a=2", None);
        check_state("a=\u{e9}", None);
        check_state("a=1\r\nx: y", None);
        check_state("a@=1", None);
        check_state("a@0b=1", None);
        check_state(&format!("{}=1", "k".repeat(257)), None);
        check_state(&format!("k={}", "v".repeat(257)), None);
        let members = |count| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        check_state(&members(32), Some(&members(32)));
        check_state(&members(33), None);
    }
}
