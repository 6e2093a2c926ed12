//! The date of replies that came without one.

use http::{HeaderMap, HeaderValue, header::DATE};

use super::lifetime::Now;
use crate::policy::date::{MONTHS, WEEKDAYS};

/// Adds when a reply was received, if it does not say when it was made (RFC 9110 §6.6.1).
pub(crate) fn note_received(headers: &mut HeaderMap, received: Now) {
    if !headers.contains_key(DATE)
        && let Ok(date) = HeaderValue::from_bytes(&written(received.wall.div_euclid(1000)))
    {
        headers.insert(DATE, date);
    }
}

/// A number of seconds since 1970 as a date (RFC 9110 §5.6.7); there are years up to 9999 only.
fn written(seconds: i64) -> [u8; 29] {
    let seconds = seconds.clamp(0, LAST);
    let (days, time) = (seconds / DAY, seconds % DAY);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    let (year, month, day) = civil(days);
    let mut text = *b"ddd, 00 mmm 0000 00:00:00 GMT";
    text[..3].copy_from_slice(&WEEKDAYS[(days + 4).rem_euclid(7) as usize].as_bytes()[..3]);
    text[8..11].copy_from_slice(MONTHS[(month - 1).rem_euclid(12) as usize].as_bytes());
    let numbers = [(5, day), (12, year / 100), (14, year % 100)];
    for (at, number) in numbers.into_iter().chain([(17, hour), (20, minute), (23, second)]) {
        text[at] += (number / 10) as u8;
        text[at + 1] += (number % 10) as u8;
    }
    text
}

/// Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day is the last.
const fn civil(days_since_1970: i64) -> (i64, i64, i64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

const DAY: i64 = 24 * 60 * 60;
/// The end of the year 9999.
const LAST: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::date;

    #[test]
    fn rfc9110_5_6_7_what_is_written_is_read() {
        assert_eq!(written(784_111_777), *b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(written(951_782_400), *b"Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(written(-1), *b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(written(i64::MAX), *b"Fri, 31 Dec 9999 23:59:59 GMT");
        for seconds in (0..LAST).step_by(12_345_678) {
            assert_eq!(date::parse(&written(seconds)), Some(seconds));
        }
    }

    #[test]
    fn rfc9110_6_6_1_a_reply_without_a_date_gets_that_of_its_coming() {
        let received = Now { wall: 784_111_777_900, steady: 0 };
        let mut headers = HeaderMap::new();
        note_received(&mut headers, received);
        assert_eq!(headers[DATE], "Sun, 06 Nov 1994 08:49:37 GMT");
        headers.insert(DATE, HeaderValue::from_static("foo"));
        note_received(&mut headers, received);
        assert_eq!(headers[DATE], "foo");
    }
}
