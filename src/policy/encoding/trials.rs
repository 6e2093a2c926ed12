//! Decoding at once and in small pieces, for the tests of each coding.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{Malformed, decoder};

fn undone(coding: &str, encoded: &[u8], step: usize) -> Result<Vec<u8>, Malformed> {
    let mut headers = HeaderMap::new();
    let coding = HeaderValue::try_from(coding).expect("a coding");
    headers.insert(header::CONTENT_ENCODING, coding);
    let chain = decoder(&Method::GET, StatusCode::OK, &headers)?;
    let mut chain = chain.expect("a coding that is known");
    let mut decoded = Vec::new();
    for piece in encoded.chunks(step) {
        chain.feed(Bytes::copy_from_slice(piece));
        while let Some(piece) = chain.next()? {
            decoded.extend_from_slice(&piece);
        }
    }
    chain.check_end().map(|()| decoded)
}

/// Decodes at once and in small pieces.
#[track_caller]
pub(super) fn every_way(coding: &str, encoded: &[u8], expected: &[u8]) {
    for step in [1, 2, 3, 7, usize::MAX] {
        assert_eq!(undone(coding, encoded, step).as_deref(), Ok(expected), "{step} at a time");
    }
}

#[track_caller]
pub(super) fn check_wrong(coding: &str, encoded: &[u8]) {
    for step in [1, 3, usize::MAX] {
        let decoded = undone(coding, encoded, step);
        assert!(decoded.is_err(), "{encoded:?} {step} at a time: {decoded:?}");
    }
}
