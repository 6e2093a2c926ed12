//! Reading a `Set-Cookie`, and refusing what must not be kept.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cookie_store::{Cookie as Parsed, CookieDomain, CookieError};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::cookies::{Cookie, SameSite};

/// Why a cookie is not kept; shows nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unreadable,
    ControlCharacters,
    TooLarge,
    OtherDomain,
    PublicSuffix,
    NotSecure,
    Prefix,
    /// It would stand in for one that was set over https.
    HidesSecure,
}

/// Reads the cookie that a reply of `url` sets.
pub(crate) fn read(text: &str, url: &Url, now: SystemTime) -> Result<Cookie, Refusal> {
    if text.chars().any(|character| character.is_control() && character != '\t') {
        return Err(Refusal::ControlCharacters);
    }
    let parsed = Parsed::parse(text, url).map_err(|error| match error {
        CookieError::DomainMismatch => Refusal::OtherDomain,
        _ => Refusal::Unreadable,
    })?;
    let is_root = parsed.path.is_from_path_attr() && parsed.path() == Some("/");
    let (domain, host_only) = domain(&parsed, url)?;
    let cookie = Cookie {
        name: parsed.name().to_owned(),
        value: Zeroizing::new(parsed.value().to_owned()),
        domain,
        host_only,
        path: String::from(&parsed.path),
        secure: parsed.secure() == Some(true),
        http_only: parsed.http_only() == Some(true),
        same_site: same_site(&parsed),
        expires: expires(&parsed, now),
        number: 0,
    };
    if cookie.secure && url.scheme() != "https" {
        return Err(Refusal::NotSecure);
    }
    let is_bound = parsed.domain().is_none() && is_root;
    check(&cookie, is_bound)?;
    Ok(cookie)
}

/// What holds for every cookie, wherever it comes from; `is_bound` if it has the path `/` and no
/// domain said.
pub(super) fn check(cookie: &Cookie, is_bound: bool) -> Result<(), Refusal> {
    let Cookie { name, value, domain, path, .. } = cookie;
    let texts = [name, &**value, domain, path];
    if texts.iter().any(|text| text.chars().any(char::is_control)) {
        return Err(Refusal::ControlCharacters);
    }
    let is_large = name.len() + value.len() > COOKIE_BYTES_MAX;
    if is_large || domain.len() > ATTRIBUTE_BYTES_MAX || path.len() > ATTRIBUTE_BYTES_MAX {
        return Err(Refusal::TooLarge);
    }
    if !cookie.host_only && is_public_suffix(domain) {
        return Err(Refusal::PublicSuffix);
    }
    // RFC 6265bis §4.1.3; without regard to case, as servers may not look either.
    let has_prefix = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let is_refused = (has_prefix("__Secure-") && !cookie.secure)
        || (has_prefix("__Host-") && !(cookie.secure && cookie.host_only && is_bound));
    if is_refused { Err(Refusal::Prefix) } else { Ok(()) }
}

/// The domain, and whether it is the host alone (RFC 6265bis §5.7, steps 9 and 10).
fn domain(parsed: &Parsed<'_>, url: &Url) -> Result<(String, bool), Refusal> {
    let host = url.host_str().ok_or(Refusal::OtherDomain)?;
    match &parsed.domain {
        CookieDomain::HostOnly(host) => Ok((host.clone(), true)),
        // An address has nothing below it, and neither has a host that is itself a public suffix.
        CookieDomain::Suffix(domain) if domain == host => {
            let is_alone = !matches!(url.host(), Some(Host::Domain(_))) || is_public_suffix(domain);
            Ok((domain.clone(), is_alone))
        }
        CookieDomain::Suffix(domain) if is_public_suffix(domain) => Err(Refusal::PublicSuffix),
        CookieDomain::Suffix(domain) => Ok((domain.clone(), false)),
        CookieDomain::NotPresent | CookieDomain::Empty => Ok((host.to_owned(), true)),
    }
}

/// Whether anybody can have a name below this one; a suffix that nobody has listed counts, because
/// it is a single word.
fn is_public_suffix(domain: &str) -> bool {
    psl::suffix_str(domain) == Some(domain)
}

/// The registrable domain of a host, which shares no cookies with another; or the host, if it has
/// none.
pub(super) fn site(host: &str) -> &str {
    let is_address = host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    if is_address { host } else { psl::domain_str(host).unwrap_or(host) }
}

fn same_site(parsed: &Parsed<'_>) -> Option<SameSite> {
    // Its type is one of a crate that is not named here; its text is the attribute's.
    match parsed.same_site()?.to_string().as_str() {
        "Strict" => Some(SameSite::Strict),
        "Lax" => Some(SameSite::Lax),
        _ => Some(SameSite::None),
    }
}

/// `Max-Age` goes before `Expires` (RFC 6265 §5.3), and neither beyond 400 days (6265bis §5.6).
fn expires(parsed: &Parsed<'_>, now: SystemTime) -> Option<SystemTime> {
    let at = match (parsed.max_age(), parsed.expires_datetime()) {
        (Some(age), _) => match u64::try_from(age.whole_seconds()) {
            Ok(seconds @ 1..) => now + Duration::from_secs(seconds).min(LIFE_MAX),
            _ => UNIX_EPOCH,
        },
        (None, Some(date)) => {
            let seconds = u64::try_from(date.unix_timestamp()).unwrap_or(0);
            UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(now + LIFE_MAX)
        }
        (None, None) => return None,
    };
    Some(at.min(now + LIFE_MAX))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "it is no `name=value` with attributes",
            Self::ControlCharacters => "there are control characters in it",
            Self::TooLarge => "it is larger than 4096 bytes",
            Self::OtherDomain => "its domain is not one of the host's",
            Self::PublicSuffix => "its domain is one that anybody can have a part of",
            Self::NotSecure => "it is `Secure`, and not set over https",
            Self::Prefix => {
                "it has not the attributes that its prefix `__Host-` or `__Secure-` says"
            }
            Self::HidesSecure => "it would hide one that was set over https",
        })
    }
}

/// Name and value (6265bis §5.6).
const COOKIE_BYTES_MAX: usize = 4096;
const ATTRIBUTE_BYTES_MAX: usize = 1024;
const LIFE_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
