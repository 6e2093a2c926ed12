//! Content codings: which ones are offered, what a reply says it is in, and undoing them.
//!
//! Each coding is a decoder that takes bytes and gives bytes, bounded in both; `chain.rs` puts them
//! behind each other. Nothing is decoded here that was not offered: who asks for a coding himself
//! wants the reply as it comes.

mod chain;

#[cfg(feature = "brotli")]
#[path = "brotli/enabled.rs"]
mod brotli;
#[cfg(not(feature = "brotli"))]
#[path = "brotli/disabled.rs"]
mod brotli;
#[cfg(feature = "gzip")]
#[path = "gzip/enabled.rs"]
mod gzip;
#[cfg(not(feature = "gzip"))]
#[path = "gzip/disabled.rs"]
mod gzip;
#[cfg(feature = "zstd")]
#[path = "zstd/enabled.rs"]
mod zstd;
#[cfg(not(feature = "zstd"))]
#[path = "zstd/disabled.rs"]
mod zstd;

#[cfg(all(test, any(feature = "gzip", feature = "brotli", feature = "zstd")))]
mod trials;

use std::{fmt, sync::LazyLock};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

pub(crate) use self::chain::Chain;

/// What `Accept-Encoding` says (RFC 9110 §12.5.3); `None` if no coding can be undone.
pub(crate) fn offer() -> Option<&'static HeaderValue> {
    static OFFER: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
        let names = [gzip::OFFERED, brotli::OFFERED, zstd::OFFERED].concat();
        HeaderValue::try_from(names.join(", ")).ok().filter(|offer| !offer.is_empty())
    });
    OFFER.as_ref()
}

/// Whether a request with these fields can be offered codings: not if it has its own mind about
/// them, nor if it wants a range, which would be one of the coded content (RFC 9110 §14.2).
pub(crate) fn may_offer(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::ACCEPT_ENCODING) && !headers.contains_key(header::RANGE)
}

/// What undoes the codings of a reply; `None` if there is nothing to undo, or one is unknown.
pub(crate) fn decoder(
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<Chain>, Malformed> {
    // These have no content, or a part of it (RFC 9110 §6.4.1, §15.3.7).
    let is_partial = status == StatusCode::PARTIAL_CONTENT;
    if *method == Method::HEAD || is_partial || matches!(status.as_u16(), 204 | 205 | 304) {
        return Ok(None);
    }
    let mut decoders: Vec<Box<dyn Decode>> = Vec::new();
    for coding in codings(headers) {
        if decoders.len() == CODINGS_MAX {
            return Err(Malformed::new("content-encoding", "names too many codings"));
        }
        let Some(decoder) = decoder_of(&coding) else { return Ok(None) };
        decoders.push(decoder);
    }
    // The last one named was applied last (RFC 9110 §8.4).
    decoders.reverse();
    Ok((!decoders.is_empty()).then(|| Chain::new(decoders)))
}

/// The names in `Content-Encoding`, in the order that they were applied in.
fn codings(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let names = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let names = names.map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty() && name != "identity")
}

fn decoder_of(name: &str) -> Option<Box<dyn Decode>> {
    gzip::decoder(name).or_else(|| brotli::decoder(name)).or_else(|| zstd::decoder(name))
}

/// Undoes one coding.
pub(crate) trait Decode: Send {
    /// Takes from `input` and writes to `output` as much as it can; it takes all of `input` if it
    /// does not fill `output`.
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Moved, Malformed>;

    /// Whether the coded content may end here; an error says what is wrong with that.
    fn check_end(&self) -> Result<(), Malformed>;
}

/// How much was taken and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) read: usize,
    pub(crate) written: usize,
}

/// Data that are not what they are said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    coding: &'static str,
    why: &'static str,
}

impl Malformed {
    const fn new(coding: &'static str, why: &'static str) -> Self {
        Self { coding, why }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.coding, self.why)
    }
}

/// Whether more was decoded than was ever worth sending: a bomb rather than content.
pub(crate) fn is_bomb(encoded: u64, decoded: u64, ratio_max: Option<u32>) -> bool {
    ratio_max.is_some_and(|max| {
        decoded > UNSUSPECTED_BYTES && decoded > encoded.saturating_mul(u64::from(max))
    })
}

/// More than anybody stacks on purpose; curl has the same limit.
const CODINGS_MAX: usize = 5;
/// Up to here content may be as repetitive as it likes.
const UNSUSPECTED_BYTES: u64 = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        pairs.collect()
    }

    #[track_caller]
    fn check_decoded(
        method: Method,
        status: u16,
        fields: &[(&'static str, &'static str)],
        is_decoded: bool,
    ) {
        let status = StatusCode::from_u16(status).expect("a status");
        let decoder = decoder(&method, status, &headers(fields));
        assert_eq!(decoder.expect("few codings").is_some(), is_decoded, "{status} {fields:?}");
    }

    #[test]
    fn only_whole_content_in_known_codings_is_decoded() {
        let known = offer().is_some_and(|offer| offer.as_bytes().starts_with(b"gzip"));
        let gzip = &[("content-encoding", "gzip")];
        check_decoded(Method::GET, 200, gzip, known);
        check_decoded(Method::POST, 404, gzip, known);
        check_decoded(Method::HEAD, 200, gzip, false);
        for status in [204, 205, 206, 304] {
            check_decoded(Method::GET, status, gzip, false);
        }
        check_decoded(Method::GET, 200, &[], false);
        check_decoded(Method::GET, 200, &[("content-encoding", "identity")], false);
        check_decoded(Method::GET, 200, &[("content-encoding", "")], false);
        check_decoded(Method::GET, 200, &[("content-encoding", "compress")], false);
        check_decoded(Method::GET, 200, &[("content-encoding", "gzip, aws-chunked")], false);
        check_decoded(Method::GET, 200, &[("content-encoding", " GZip , identity")], known);
    }

    #[test]
    fn codings_are_listed_over_lines_in_the_order_they_were_applied_in() {
        let mut fields = headers(&[("content-encoding", "a, B")]);
        fields.append(header::CONTENT_ENCODING, HeaderValue::from_static("c,,identity"));
        assert_eq!(codings(&fields).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn rfc_9110_section_14_2_a_range_is_asked_of_the_plain_content() {
        assert!(may_offer(&headers(&[("accept", "*/*")])));
        assert!(!may_offer(&headers(&[("range", "bytes=0-")])));
        assert!(!may_offer(&headers(&[("accept-encoding", "br")])));
    }

    #[test]
    fn a_bomb_is_large_and_far_larger_than_what_was_sent() {
        let mib = 1 << 20;
        for (encoded, decoded, ratio_max, expected) in [
            (1, 32 * mib, Some(200), false),
            (1, 32 * mib + 1, Some(200), true),
            (mib, 200 * mib, Some(200), false),
            (mib, 200 * mib + 1, Some(200), true),
            (1, u64::MAX, None, false),
            (u64::MAX, u64::MAX, Some(200), false),
        ] {
            assert_eq!(is_bomb(encoded, decoded, ratio_max), expected, "{decoded} of {encoded}");
        }
    }
}
