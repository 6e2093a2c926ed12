//! Dates as HTTP writes them (RFC 9110 §5.6.7).

/// Seconds since 1970 of a date in one of the three forms; `None` if it is in none of them.
///
/// The case of letters does not matter; everything else does, as it must be read the same by all.
pub(crate) fn parse(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    imf(text).or_else(|| rfc850(text)).or_else(|| asctime(text))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf(text: &str) -> Option<i64> {
    let (weekday, rest) = text.split_once(", ")?;
    let [day, month, year, time, zone] = words(rest)?;
    let is_plain = is_one_of(weekday, &WEEKDAYS.map(|name| &name[..3])) && is_gmt(zone);
    let date = (number(year, 4)?, month_of(month)?, number(day, 2)?);
    seconds(date, time).filter(|_| is_plain)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850(text: &str) -> Option<i64> {
    let (weekday, rest) = text.split_once(", ")?;
    let [date, time, zone] = words(rest)?;
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let year = number(year, 2)?;
    // Two digits: the century in which they are nearest.
    let year = if year < 70 { 2000 + year } else { 1900 + year };
    let is_plain = is_one_of(weekday, &WEEKDAYS) && is_gmt(zone) && parts.next().is_none();
    seconds((year, month_of(month)?, number(day, 2)?), time).filter(|_| is_plain)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &str) -> Option<i64> {
    // A day of one digit has a space in front.
    let padded = text.get(8..9) == Some(" ");
    let text = if padded { text.replacen("  ", " 0", 1) } else { text.to_owned() };
    let [weekday, month, day, time, year] = words(&text)?;
    let is_plain = is_one_of(weekday, &WEEKDAYS.map(|name| &name[..3]));
    seconds((number(year, 4)?, month_of(month)?, number(day, 2)?), time).filter(|_| is_plain)
}

fn words<const N: usize>(text: &str) -> Option<[&str; N]> {
    parts(text, ' ')
}

/// Exactly so many parts.
fn parts<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let mut parts = text.split(separator);
    let found: [Option<&str>; N] = std::array::from_fn(|_| parts.next());
    let are_all = parts.next().is_none() && !found.contains(&None);
    are_all.then(|| found.map(Option::unwrap_or_default))
}

fn seconds((year, month, day): (i64, i64, i64), time: &str) -> Option<i64> {
    let [hour, minute, second] = parts(time, ':')?;
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    let is_real = (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        // A leap second.
        && second <= 60;
    let days = days_since_1970(year, month, day);
    is_real.then_some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Howard Hinnant's `days_from_civil`: years begin in March, so that the leap day is the last.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

fn number(text: &str, digits: usize) -> Option<i64> {
    let is_plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

fn month_of(text: &str) -> Option<i64> {
    let index = MONTHS.iter().position(|month| text.eq_ignore_ascii_case(month))?;
    i64::try_from(index).ok().map(|index| index + 1)
}

fn is_one_of(text: &str, names: &[&str]) -> bool {
    names.iter().any(|name| text.eq_ignore_ascii_case(name))
}

fn is_gmt(zone: &str) -> bool {
    zone.eq_ignore_ascii_case("GMT")
}

pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
pub(super) const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(parse(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn rfc9110_5_6_7_the_three_forms_are_read() {
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777));
        check("Sun Nov  6 08:49:37 1994", Some(784_111_777));
        check("Wed Nov 16 08:49:37 1994", Some(784_975_777));
        check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
        check("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1));
        check("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400));
        check("Thu, 18 Aug 2050 02:01:18 GMT", Some(2_544_400_878));
        check("Thursday, 18-Aug-50 02:01:18 GMT", Some(2_544_400_878));
        check("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799));
    }

    #[test]
    fn rfc9110_5_6_7_the_case_of_letters_does_not_matter() {
        check("THU, 18 AUG 2050 02:01:18 gMT", Some(2_544_400_878));
    }

    #[test]
    fn rfc9111_5_3_other_forms_are_no_dates() {
        for text in [
            "",
            "0",
            "-1",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18 +0000",
            "Thu, 18 Aug 2050 02:01:18",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18-Aug-50 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
            "Thu, 31 Feb 2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 24:01:18 GMT",
            "Thu, 00 Aug 2050 02:01:18 GMT",
            "Thx, 18 Aug 2050 02:01:18 GMT",
            "Thu, 18 Agu 2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02:01:18 GMT ",
            "Thu, +8 Aug 2050 02:01:18 GMT",
            "S\u{fc}n Nov  6 08:49:37 1994",
        ] {
            check(text, None);
        }
    }
}
