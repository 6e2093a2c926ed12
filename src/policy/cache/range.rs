//! Parts of a stored reply (RFC 9110 §14).

use std::ops::Range;

use http::{HeaderMap, header::RANGE};

/// What of a body a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Whole,
    Part(Range<u64>),
    /// More than one part, none that there is, or a unit that is not known here.
    AskServer,
}

/// Reads `Range` for a body of `length` bytes.
pub(crate) fn wanted(request: &HeaderMap, length: u64) -> Wanted {
    let mut values = request.get_all(RANGE).into_iter();
    let Some(value) = values.next() else { return Wanted::Whole };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let part = text.and_then(|text| {
        let (unit, range) = text.split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        unit.trim().eq_ignore_ascii_case("bytes").then(|| part(first, last, length))?
    });
    part.filter(|part| !part.is_empty()).map_or(Wanted::AskServer, Wanted::Part)
}

fn part(first: &str, last: &str, length: u64) -> Option<Range<u64>> {
    if first.is_empty() {
        return Some(length.saturating_sub(number(last)?)..length);
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    (first <= last).then(|| first.min(length)..last.saturating_add(1).min(length))
}

fn number(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, expected: Wanted) {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, range.parse().expect("a value"));
        assert_eq!(wanted(&headers, 11), expected, "{range}");
    }

    #[test]
    fn rfc9110_14_1_2_one_part_is_found() {
        check("bytes=0-1", Wanted::Part(0..2));
        check("Bytes=0-0", Wanted::Part(0..1));
        check("bytes=1-", Wanted::Part(1..11));
        check("bytes=-1", Wanted::Part(10..11));
        check("bytes=-99", Wanted::Part(0..11));
        check("bytes=5-99", Wanted::Part(5..11));
        check("bytes=10-99999999999999999999999", Wanted::Part(10..11));
        assert_eq!(wanted(&HeaderMap::new(), 11), Wanted::Whole);
    }

    #[test]
    fn rfc9110_14_2_anything_else_is_for_the_server() {
        for range in [
            "bytes=11-",
            "bytes=-0",
            "bytes=2-1",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "0-1",
            "bytes=+1-2",
        ] {
            check(range, Wanted::AskServer);
        }
    }
}
