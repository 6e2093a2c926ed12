//! Text without the feature `charset`: every body is taken for UTF-8.
//!
//! The twin of `charset.rs`, which knows the other encodings.

/// The body as UTF-8, without its byte order mark; wrong bytes become U+FFFD.
pub(crate) fn decode(_content_type: Option<&str>, body: &[u8]) -> String {
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    String::from_utf8_lossy(text).into_owned()
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

#[cfg(test)]
mod tests {
    use super::decode;

    #[track_caller]
    fn check(content_type: Option<&str>, body: &[u8], expected: &str) {
        assert_eq!(decode(content_type, body), expected);
    }

    #[test]
    fn every_body_is_utf_8() {
        check(None, b"", "");
        check(None, "žluťoučký".as_bytes(), "žluťoučký");
        check(Some("text/plain; charset=utf-8"), "é".as_bytes(), "é");
        check(Some("text/plain; charset=latin1"), "é".as_bytes(), "é");
        check(Some("text/plain; charset=latin1"), b"caf\xe9", "caf\u{fffd}");
    }

    #[test]
    fn a_mark_is_not_text() {
        check(None, b"\xef\xbb\xbfhi", "hi");
        check(None, b"\xef\xbb\xbf\xef\xbb\xbfhi", "\u{feff}hi");
        check(None, b"\xef\xbb", "\u{fffd}");
    }
}
