//! Cookies as a file: the format of Netscape's `cookies.txt`, which curl and others read and write.
//!
//! One line each, with tabs between: domain (with a dot in front if hosts below it get the cookie),
//! `TRUE` in that case, path, `TRUE` if secure, expiry in Unix seconds (0 for the session), name,
//! value. `#HttpOnly_` in front of the domain is an attribute, any other `#` a comment.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use zeroize::Zeroizing;

use super::admission::check;
use crate::cookies::{Cookie, Cookies};

/// Writes the cookies that outlive the session, and with `all` the others too.
pub(crate) fn print(cookies: &Cookies, all: bool, now: SystemTime) -> Zeroizing<String> {
    let cookies = cookies.all(now);
    let size = |c: &&Cookie| c.domain.len() + c.path.len() + c.name.len() + c.value.len();
    let bytes_max = HEAD.len() + cookies.iter().map(|c| size(c) + LINE_EXTRA_MAX).sum::<usize>();
    // All at once, so that no copy of a part is left behind.
    let mut text = Zeroizing::new(String::with_capacity(bytes_max));
    text.push_str(HEAD);
    for cookie in cookies.into_iter().filter(|cookie| all || cookie.expires.is_some()) {
        let Cookie { name, value, domain, host_only, path, secure, http_only, .. } = cookie;
        let (prefix, dot) =
            (if *http_only { HTTP_ONLY } else { "" }, if *host_only { "" } else { "." });
        let (below, secure) = (word(!host_only), word(*secure));
        let expires = cookie.expires.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let expires = expires.map_or(0, |since| since.as_secs());
        let _ = writeln!(
            text,
            "{prefix}{dot}{domain}\t{below}\t{path}\t{secure}\t{expires}\t{name}\t{}",
            **value
        );
    }
    text
}

/// Reads what `print` or another program has written; the error is the number of the first line
/// that cannot be read.
pub(crate) fn parse(text: &str, now: SystemTime) -> Result<Cookies, usize> {
    let mut cookies = Cookies::default();
    if !text.is_empty() && !text.ends_with('\n') {
        // Who writes a file ends its last line; this one was cut.
        return Err(text.lines().count());
    }
    for (index, line) in text.lines().enumerate() {
        let is_comment = line.starts_with('#') && !line.starts_with(HTTP_ONLY);
        if line.is_empty() || is_comment {
            continue;
        }
        let cookie = cookie(line).ok_or(index + 1)?;
        cookies.keep(cookie, now);
    }
    Ok(cookies)
}

fn cookie(line: &str) -> Option<Cookie> {
    let (http_only, line) = match line.strip_prefix(HTTP_ONLY) {
        Some(line) => (true, line),
        None => (false, line),
    };
    let mut fields = line.splitn(7, '\t');
    let mut next = || fields.next();
    let (domain, below, path, secure) = (next()?, flag(next()?)?, next()?, flag(next()?)?);
    let (expires, name, value) = (next()?.parse::<u64>().ok()?, next()?, next()?);
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    let is_host = !domain.is_empty() && !domain.contains(|c: char| c.is_whitespace() || c == '/');
    if !is_host || !path.starts_with('/') || name.is_empty() {
        return None;
    }
    let expires = match expires {
        0 => None,
        seconds => Some(UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?),
    };
    let cookie = Cookie {
        name: name.to_owned(),
        value: Zeroizing::new(value.to_owned()),
        domain: domain.to_ascii_lowercase(),
        host_only: !below,
        path: path.to_owned(),
        secure,
        http_only,
        same_site: None,
        expires,
        number: 0,
    };
    check(&cookie, cookie.host_only && path == "/").ok()?;
    Some(cookie)
}

const fn word(is: bool) -> &'static str {
    if is { "TRUE" } else { "FALSE" }
}

fn flag(word: &str) -> Option<bool> {
    match word {
        "TRUE" => Some(true),
        "FALSE" => Some(false),
        _ => None,
    }
}

const HEAD: &str = "# Netscape HTTP Cookie File\n";
const HTTP_ONLY: &str = "#HttpOnly_";
/// Prefix, tabs, words and a number.
const LINE_EXTRA_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    const NOW: SystemTime = UNIX_EPOCH;

    fn jar() -> Cookies {
        let mut jar = Cookies::default();
        for text in [
            "host=1; Max-Age=60",
            "below=2; Domain=b.test; Path=/x; Secure; HttpOnly; Max-Age=60",
            "empty=; Max-Age=60",
            "odd=\"a b\"=c; Max-Age=60",
            "session=3",
        ] {
            let url = Url::parse("https://a.b.test/").expect("a URL");
            jar.set(text, &url, NOW).expect("kept");
        }
        jar
    }

    #[test]
    fn what_is_written_is_what_curl_writes() {
        let expected = "# Netscape HTTP Cookie File\n\
            a.b.test\tFALSE\t/\tFALSE\t60\thost\t1\n\
            #HttpOnly_.b.test\tTRUE\t/x\tTRUE\t60\tbelow\t2\n\
            a.b.test\tFALSE\t/\tFALSE\t60\tempty\t\n\
            a.b.test\tFALSE\t/\tFALSE\t60\todd\t\"a b\"=c\n";
        assert_eq!(*print(&jar(), false, NOW), expected);
        let with_session = format!("{expected}a.b.test\tFALSE\t/\tFALSE\t0\tsession\t3\n");
        assert_eq!(*print(&jar(), true, NOW), with_session);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = print(&jar(), true, NOW);
        let read = parse(&text, NOW).unwrap_or_else(|line| panic!("line {line}"));
        assert_eq!(*print(&read, true, NOW), *text);
        assert_eq!(read.count, 5);
    }

    #[test]
    fn comments_empty_lines_and_what_has_expired_are_left_out() {
        let text = "# a\n\n#\na.test\tFALSE\t/\tFALSE\t5\tn\tv\n";
        let late = NOW + Duration::from_secs(5);
        assert_eq!(parse(text, late).map(|cookies| cookies.count), Ok(0));
        assert_eq!(parse(text, NOW).map(|cookies| cookies.count), Ok(1));
        assert_eq!(parse("", NOW).map(|cookies| cookies.count), Ok(0));
    }

    #[test]
    fn a_broken_line_is_named() {
        let good = "a.test\tFALSE\t/\tFALSE\t0\tn\tv\n";
        for bad in [
            "nonsense",
            "a.test\tFALSE\t/\tFALSE\t0\tn",
            "a.test\tFALSE\t/\tFALSE\tsoon\tn\tv",
            "a.test\tFALSE\t/\tFALSE\t-1\tn\tv",
            "a.test\tMAYBE\t/\tFALSE\t0\tn\tv",
            "a.test\tFALSE\tx\tFALSE\t0\tn\tv",
            "\tFALSE\t/\tFALSE\t0\tn\tv",
            "a.test\tFALSE\t/\tFALSE\t0\t\tv",
            "a.test\tFALSE\t/\tFALSE\t0\tn\tv\tw",
            "a.test\tFALSE\t/\tFALSE\t18446744073709551615\tn\tv",
            // What no server could have set.
            ".co.uk\tTRUE\t/\tFALSE\t0\tn\tv",
            "a.test\tFALSE\t/\tFALSE\t0\t__Host-n\tv",
        ] {
            let text = format!("{good}{bad}\n{good}");
            assert_eq!(parse(&text, NOW).map(|cookies| cookies.count), Err(2), "{bad}");
        }
        let cut = format!("{good}{}", &good[..good.len() - 1]);
        assert_eq!(parse(&cut, NOW).map(|cookies| cookies.count), Err(2));
    }
}
