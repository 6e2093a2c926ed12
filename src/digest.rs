//! Digest credentials (RFC 7616), for servers and for proxies.
//!
//! Answers to challenges are computed here and nothing is decided: who may be answered, and how
//! often, is known where the challenge came from.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU32, Ordering},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_auth::{ChallengeRef, parser::ChallengeParser};
use zeroize::Zeroizing;

use crate::{
    error::{Error, ErrorKind, Result},
    secret::Secret,
};

/// What answers one challenge, for as many requests as the server takes its nonce.
///
/// Shared by threads: each answer has a count of its own.
#[derive(Debug)]
pub(crate) struct Session {
    challenge: Challenge,
    /// As the answers name the user, quoted already.
    username: String,
    /// Kept for all answers, because with `-sess` the first one is part of the key (§3.4.2).
    client_nonce: String,
    /// `H(A1)`, which is worth as much as the password within this realm.
    key: Secret,
    count: AtomicU32,
}

impl Session {
    /// Makes ready to answer the strongest of the challenges in the fields `name`; `None` if
    /// there is none that can be answered.
    ///
    /// # Errors
    /// Kind `Auth` for a user or password with control characters.
    pub(crate) fn answering(
        headers: &HeaderMap,
        name: HeaderName,
        user: &str,
        password: &Secret,
    ) -> Result<Option<Self>> {
        let mut strongest: Option<Challenge> = None;
        for challenge in headers.get_all(name).iter().flat_map(challenges_of) {
            // The first of equals, because servers list by preference (§3.7).
            if strongest.as_ref().is_none_or(|best| best.algorithm.hash < challenge.algorithm.hash)
            {
                strongest = Some(challenge);
            }
        }
        strongest.map(|challenge| Self::new(challenge, user, password, random()?)).transpose()
    }

    fn new(
        challenge: Challenge,
        user: &str,
        password: &Secret,
        client_nonce: String,
    ) -> Result<Self> {
        if user.as_bytes().iter().chain(password.expose()).any(u8::is_ascii_control) {
            let message = "a user name or password with control characters is not sent";
            return Err(Error::new(ErrorKind::Auth, message));
        }
        let Algorithm { hash, is_session } = challenge.algorithm;
        let mut key =
            hash.of(&[user.as_bytes(), b":", challenge.realm.as_bytes(), b":", password.expose()]);
        if is_session {
            let (nonce, client_nonce) = (challenge.nonce.as_bytes(), client_nonce.as_bytes());
            key = hash.of(&[key.as_bytes(), b":", nonce, b":", client_nonce]);
        }
        Ok(Self {
            username: username(&challenge, user),
            key: Secret::from_bytes(key.as_bytes().to_vec()),
            challenge,
            client_nonce,
            count: AtomicU32::new(0),
        })
    }

    /// Whether the server said that only the nonce was too old, not that the password is wrong.
    pub(crate) const fn is_stale(&self) -> bool {
        self.challenge.stale
    }

    /// The value of `Authorization` or `Proxy-Authorization` for one request.
    ///
    /// `target` is what the request line says: path and query, or host and port for `CONNECT`.
    ///
    /// # Errors
    /// Kind `Auth` if the server's words cannot be sent back to it.
    pub(crate) fn answer(&self, method: &Method, target: &str) -> Result<HeaderValue> {
        let count = self.count.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let Challenge { realm, nonce, opaque, algorithm, algorithm_name, has_qop, .. } =
            &self.challenge;
        let hash = algorithm.hash;
        let request = hash.of(&[method.as_str().as_bytes(), b":", target.as_bytes()]);
        let count = format!("{count:08x}");
        let middle = if *has_qop {
            format!("{nonce}:{count}:{}:auth", self.client_nonce)
        } else {
            nonce.clone()
        };
        let parts = [self.key.expose(), b":", middle.as_bytes(), b":", request.as_bytes()];
        let response = hash.of(&parts);

        let mut text = format!("Digest {}, realm={}", self.username, quoted(realm));
        let mut add = |name: &str, value: &str| {
            let _ = write!(text, ", {name}={value}");
        };
        add("nonce", &quoted(nonce));
        add("uri", &quoted(target));
        if let Some(name) = algorithm_name {
            add("algorithm", name);
        }
        if *has_qop {
            add("qop", "auth");
            add("nc", &count);
        }
        if *has_qop || algorithm.is_session {
            add("cnonce", &quoted(&self.client_nonce));
        }
        add("response", &quoted(&response));
        if let Some(opaque) = opaque {
            add("opaque", &quoted(opaque));
        }
        if self.challenge.hashes_user {
            add("userhash", "true");
        }
        let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
            Error::new(ErrorKind::Auth, "the server's challenge cannot be answered in a header")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The session that goes on with the nonce of `Authentication-Info` or its twin of proxies
    /// (§3.5), if the reply names one.
    pub(crate) fn renewed(&self, headers: &HeaderMap, name: HeaderName) -> Option<Self> {
        let text = headers.get(name)?.to_str().ok()?;
        // The field has the parameters of a challenge, without a scheme in front.
        let with_scheme = format!("Digest {text}");
        let nonce = ChallengeParser::new(&with_scheme)
            .find_map(|challenge| parameter(&challenge.ok()?, "nextnonce"))?;
        let challenge = Challenge { nonce, stale: false, ..self.challenge.clone() };
        Some(Self {
            challenge,
            username: self.username.clone(),
            client_nonce: self.client_nonce.clone(),
            key: self.key.clone(),
            count: AtomicU32::new(0),
        })
    }
}

/// A challenge that can be answered (§3.3).
#[derive(Clone, Debug)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// As the server wrote it; answers say it again.
    algorithm_name: Option<String>,
    /// Without it the server is one of RFC 2069.
    has_qop: bool,
    hashes_user: bool,
    is_utf8: bool,
    stale: bool,
}

impl Challenge {
    fn read(challenge: &ChallengeRef<'_>) -> Option<Self> {
        let get = |name| parameter(challenge, name);
        let is = |name, expected: &str| {
            get(name).is_some_and(|value| value.eq_ignore_ascii_case(expected))
        };
        let qop = get("qop");
        let offers_auth = |offers: &String| {
            offers.split(',').any(|offer| offer.trim().eq_ignore_ascii_case("auth"))
        };
        if qop.as_ref().is_some_and(|offers| !offers_auth(offers)) {
            return None;
        }
        let algorithm_name = get("algorithm");
        Some(Self {
            realm: get("realm")?,
            nonce: get("nonce")?,
            opaque: get("opaque"),
            algorithm: Algorithm::named(algorithm_name.as_deref().unwrap_or("MD5"))?,
            algorithm_name,
            has_qop: qop.is_some(),
            hashes_user: is("userhash", "true"),
            is_utf8: is("charset", "utf-8"),
            stale: is("stale", "true"),
        })
    }
}

/// The challenges of one field that can be answered; what comes behind nonsense is not read.
fn challenges_of(value: &HeaderValue) -> Vec<Challenge> {
    let Ok(text) = value.to_str() else { return Vec::new() };
    ChallengeParser::new(text)
        .map_while(Result::ok)
        .filter(|challenge| challenge.scheme.eq_ignore_ascii_case("Digest"))
        .filter_map(|challenge| Challenge::read(&challenge))
        .collect()
}

fn parameter(challenge: &ChallengeRef<'_>, name: &str) -> Option<String> {
    let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(found.1.to_unescaped())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Algorithm {
    hash: Hash,
    is_session: bool,
}

/// The weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
    Sha512Of256,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_uppercase();
        let (hash, is_session) = match name.strip_suffix("-SESS") {
            Some(hash) => (hash, true),
            None => (name.as_str(), false),
        };
        let hash = match hash {
            "MD5" => Hash::Md5,
            "SHA-256" => Hash::Sha256,
            "SHA-512-256" => Hash::Sha512Of256,
            _ => return None,
        };
        Some(Self { hash, is_session })
    }
}

impl Hash {
    /// The hash of the parts put together, in hexadecimal.
    fn of(self, parts: &[&[u8]]) -> Zeroizing<String> {
        match self {
            Self::Md5 => hashed::<md5::Md5>(parts),
            Self::Sha256 => hashed::<sha2::Sha256>(parts),
            Self::Sha512Of256 => hashed::<sha2::Sha512_256>(parts),
        }
    }
}

fn hashed<H: sha2::Digest>(parts: &[&[u8]]) -> Zeroizing<String> {
    let mut hash = H::new();
    parts.iter().for_each(|part| hash.update(part));
    Zeroizing::new(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| {
        let _ = write!(text, "{byte:02x}");
    });
    text
}

fn random() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::getrandom(&mut bytes).map_err(|e| {
        Error::new(ErrorKind::Internal, "the system gives no random numbers").because(e)
    })?;
    Ok(hex(&bytes))
}

/// The parameter that names the user (§3.4, §3.4.4).
fn username(challenge: &Challenge, user: &str) -> String {
    if challenge.hashes_user {
        let parts = [user.as_bytes(), b":", challenge.realm.as_bytes()];
        return format!("username={}", quoted(&challenge.algorithm.hash.of(&parts)));
    }
    if !user.is_ascii() && challenge.is_utf8 {
        let encoded =
            percent_encoding::utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC);
        return format!("username*=UTF-8''{encoded}");
    }
    format!("username={}", quoted(user))
}

/// A quoted string (RFC 9110 §5.6.4), so that nothing inside of it can end it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
