//! The file name that a server suggests in `Content-Disposition` (RFC 6266, RFC 8187).
//!
//! A suggestion of a stranger: what comes out of here is one plain name that can be joined to a
//! folder on every system without leaving it, hiding in it or meaning something else than a file.

use std::borrow::Cow;

/// The suggested name, made safe; `None` when there is none or nothing safe is left of it.
///
/// `filename*` wins over `filename`, as RFC 6266 section 4.3 wants, unless it cannot be decoded.
/// Other parameters, the numbered pieces of RFC 2231 (`filename*0`) among them, mean nothing here.
pub(crate) fn file_name(header: &[u8]) -> Option<String> {
    let mut plain = None;
    let mut extended = None;
    let mut rest = header;
    while let Some(parameter) = next_parameter(&mut rest) {
        if parameter.name.eq_ignore_ascii_case(b"filename*") {
            extended = extended.or_else(|| safe_name(&decode_extended(&parameter.value)?));
        } else if parameter.name.eq_ignore_ascii_case(b"filename") {
            plain = plain.or_else(|| safe_name(&utf_8_or_latin_1(&parameter.value)));
        }
    }
    extended.or(plain)
}

struct Parameter<'a> {
    name: &'a [u8],
    value: Cow<'a, [u8]>,
}

/// Takes the next `name=value` off the front; words without a value, such as the disposition's
/// type, are passed over.
fn next_parameter<'a>(rest: &mut &'a [u8]) -> Option<Parameter<'a>> {
    loop {
        let end = rest.iter().position(|byte| b";=".contains(byte))?;
        let name = rest[..end].trim_ascii();
        let is_named = rest[end] == b'=';
        *rest = rest[end + 1..].trim_ascii_start();
        if is_named {
            let value = match rest.strip_prefix(b"\"") {
                Some(quoted) => Cow::Owned(take_quoted(quoted, rest)),
                None => Cow::Borrowed(take_bare(rest)),
            };
            return Some(Parameter { name, value });
        }
    }
}

/// A quoted string without its quotes and escapes; one that never ends goes up to the end.
fn take_quoted<'a>(quoted: &'a [u8], rest: &mut &'a [u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => value.extend(bytes.next()),
            _ => value.push(byte),
        }
    }
    *rest = bytes.as_slice();
    take_bare(rest);
    value
}

/// Everything up to the next semicolon: a token, and also the names with spaces in them that
/// servers forget to quote.
fn take_bare<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.iter().position(|&byte| byte == b';');
    let (value, after) = rest.split_at(end.unwrap_or(rest.len()));
    *rest = after.get(1..).unwrap_or_default();
    value.trim_ascii()
}

/// `charset'language'percent-encoded` of RFC 8187; `None` for other charsets and broken codes,
/// where the plain parameter is the better guess.
fn decode_extended(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |&byte| byte == b'\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = percent_decode(encoded)?;
    if charset.eq_ignore_ascii_case(b"utf-8") {
        String::from_utf8(bytes).ok()
    } else if charset.eq_ignore_ascii_case(b"iso-8859-1") {
        Some(latin_1(&bytes))
    } else {
        None
    }
}

fn percent_decode(encoded: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter();
    while let Some(&byte) = bytes.next() {
        if byte == b'%' {
            let code = digit(bytes.next()?)? * 16 + digit(bytes.next()?)?;
            decoded.push(u8::try_from(code).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

/// RFC 9110 says that only ASCII is portable here; what servers send besides is one of these two.
fn utf_8_or_latin_1(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => latin_1(bytes),
    }
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// What is left of a name when all that could do harm on any system is gone; the same on each, so
/// that a program tested on one cannot be surprised on another.
///
/// Leading dots go, as in browsers: a stranger must not be able to suggest `.bashrc`, and a file
/// that was downloaded should be seen. Trailing dots and spaces go because Windows drops them
/// silently; a colon, which names a drive or a stream there, becomes an underscore.
fn safe_name(suggested: &str) -> Option<String> {
    let visible: String = suggested
        .chars()
        .filter(|&c| !is_deceptive(c))
        .map(|c| if c == ':' { '_' } else { c })
        .collect();
    let last_component = visible.rsplit(['/', '\\']).next()?;
    let name = last_component
        .trim_start_matches(|c: char| c == '.' || c.is_whitespace())
        .trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    let mut name = if is_device(name) { format!("_{name}") } else { name.to_owned() };
    shorten(&mut name);
    (!name.is_empty()).then_some(name)
}

/// Control characters, and those that turn the direction of writing, so that `exe.gpj` is read
/// where `jpg.exe` was sent.
fn is_deceptive(c: char) -> bool {
    let turns_direction = matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns_direction
}

/// Whether Windows would open a device instead of a file, whatever the extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let is_numbered = |prefix: &str| {
        stem.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            && matches!(stem.as_bytes()[prefix.len()..], [b'0'..=b'9'])
    };
    ["con", "prn", "aux", "nul"].iter().any(|device| stem.eq_ignore_ascii_case(device))
        || is_numbered("com")
        || is_numbered("lpt")
}

/// Cuts the stem so that the whole fits, keeping the extension, which says how to open the file.
fn shorten(name: &mut String) {
    if name.len() <= NAME_BYTES_MAX {
        return;
    }
    let extension = match name.rfind('.') {
        Some(dot) if name.len() - dot <= EXTENSION_BYTES_MAX => name.split_off(dot),
        _ => String::new(),
    };
    let stem_bytes_max = NAME_BYTES_MAX - extension.len();
    let cut = (0..=stem_bytes_max).rfind(|&at| name.is_char_boundary(at));
    name.truncate(cut.unwrap_or_default());
    name.truncate(name.trim_end_matches(['.', ' ']).len());
    name.push_str(&extension);
}

/// The longest name that the usual file systems take.
const NAME_BYTES_MAX: usize = 255;

/// What is longer than this, dot included, is no extension but a name with a dot in it.
const EXTENSION_BYTES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::{NAME_BYTES_MAX, file_name};

    #[track_caller]
    fn check<'a>(header: impl AsRef<[u8]>, expected: impl Into<Option<&'a str>>) {
        assert_eq!(file_name(header.as_ref()).as_deref(), expected.into());
    }

    /// Checks what becomes of a decoded name, whatever bytes it has.
    #[track_caller]
    fn check_name<'a>(name: &str, expected: impl Into<Option<&'a str>>) {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        check(format!("attachment; filename*=UTF-8''{encoded}"), expected);
    }

    #[test]
    fn no_name_is_none() {
        check("", None);
        check("attachment", None);
        check("inline;", None);
        check("attachment; filename", None);
        check("attachment; filename=", None);
        check("attachment; filename=\"\"", None);
        check("attachment; name=\"x.txt\"", None);
        check("attachment; foo=\"filename=x.txt\"", None);
        check("attachment; size=\"; filename=x.txt\"", None);
        check(";;;===;;\"\"=\"", None);
    }

    #[test]
    fn a_token_is_a_name() {
        check("attachment; filename=foo.html", "foo.html");
        check("inline; filename=foo.html", "foo.html");
        check("ATTACHMENT;FILENAME=foo.html;x=y", "foo.html");
        check("attachment ; filename = foo.html ;", "foo.html");
        check("filename=foo.html", "foo.html");
        check("attachment; filename=foo bar.html", "foo bar.html");
        check("attachment; filename='foo.html'", "'foo.html'");
        check("attachment; filename=foo%20bar.html", "foo%20bar.html");
    }

    #[test]
    fn a_quoted_string_is_a_name() {
        check("attachment; filename=\"foo.html\"", "foo.html");
        check("attachment; filename=\"a; b=c.html\"; x=y", "a; b=c.html");
        check(r#"attachment; filename="\"quoted\".html""#, "\"quoted\".html");
        check(r#"attachment; filename="f\oo.html""#, "foo.html");
        check("attachment; filename=\"foo.html", "foo.html");
        check("attachment; filename=\"foo\\", "foo");
        check("attachment; filename=\"foo.html\" junk; x=y", "foo.html");
        check("attachment; filename=\"plain 50%.txt\"", "plain 50%.txt");
    }

    #[test]
    fn of_two_the_first_counts() {
        check("attachment; filename=a.txt; filename=b.txt", "a.txt");
        check("attachment; filename=\"\"; filename=b.txt", "b.txt");
    }

    #[test]
    fn bytes_beyond_ascii_are_utf_8_or_latin_1() {
        check("attachment; filename=\"naïve €.txt\"", "naïve €.txt");
        check(b"attachment; filename=\"na\xefve.txt\"", "naïve.txt");
    }

    #[test]
    fn the_extended_name_is_decoded() {
        check("attachment; filename*=UTF-8''foo-%c3%a4-%E2%82%AC.html", "foo-ä-€.html");
        check("attachment; filename*=utf-8'en'a%20b.txt", "a b.txt");
        check("attachment; filename*=iso-8859-1''na%EFve.txt", "naïve.txt");
        check("attachment; filename*=\"UTF-8''a%20b.txt\"", "a b.txt");
        check("attachment; FileName* = UTF-8''a.txt", "a.txt");
        check("attachment; filename*=UTF-8''it's.txt", "it's.txt");
    }

    #[test]
    fn the_extended_name_wins_wherever_it_stands() {
        check("attachment; filename=\"EURO.txt\"; filename*=UTF-8''%E2%82%AC.txt", "€.txt");
        check("attachment; filename*=UTF-8''%E2%82%AC.txt; filename=\"EURO.txt\"", "€.txt");
    }

    #[test]
    fn an_extended_name_that_cannot_be_read_gives_way() {
        check("attachment; filename*=UTF-8''%zz.txt; filename=a.txt", "a.txt");
        check("attachment; filename*=UTF-8''%4; filename=a.txt", "a.txt");
        check("attachment; filename*=UTF-8''%ff.txt; filename=a.txt", "a.txt");
        check("attachment; filename*=UTF-8'%e4.txt; filename=a.txt", "a.txt");
        check("attachment; filename*=klingon''x.txt; filename=a.txt", "a.txt");
        check("attachment; filename*=x.txt; filename=a.txt", "a.txt");
        check("attachment; filename*=UTF-8''..; filename=a.txt", "a.txt");
        check("attachment; filename*=UTF-8''%ff.txt", None);
    }

    #[test]
    fn numbered_pieces_mean_nothing() {
        check("attachment; filename*0=\"foo.\"; filename*1=\"html\"", None);
        check("attachment; filename*0*=UTF-8''a; filename=b.txt", "b.txt");
    }

    #[test]
    fn only_the_last_component_is_kept() {
        check_name("/etc/passwd", "passwd");
        check_name("../../x.txt", "x.txt");
        check_name("C:\\temp\\x.txt", "x.txt");
        check_name("\\\\server\\share\\x.txt", "x.txt");
        check_name("a/b\\c/d", "d");
        check_name("C:x.txt", "C_x.txt");
        check_name("x.txt:stream", "x.txt_stream");
        check(r#"attachment; filename="..\\..\\x.txt""#, "x.txt");
        check("attachment; filename=../../x.txt", "x.txt");
    }

    #[test]
    fn a_name_that_is_no_file_is_none() {
        for name in
            [".", "..", "...", "/", "\\", "a/", "a/..", "a\\.", " ", "\0", ". .", "\u{202e}"]
        {
            check_name(name, None);
        }
    }

    #[test]
    fn a_name_is_visible_and_reads_as_it_is() {
        check_name(".bashrc", "bashrc");
        check_name("..hidden.txt", "hidden.txt");
        check_name("x.txt...", "x.txt");
        check_name("  x y.txt \t", "x y.txt");
        check_name("a\0b\r\nc\u{7f}\u{85}.txt", "abc.txt");
        check_name(".\0./x\0.txt", "x.txt");
        check_name(".\0.", None);
        check_name("\u{202e}gpj.exe", "gpj.exe");
    }

    #[test]
    fn a_device_is_not_opened() {
        check_name("nul", "_nul");
        check_name("CON.txt", "_CON.txt");
        check_name("com1.tar.gz", "_com1.tar.gz");
        check_name("LPT9", "_LPT9");
        check_name("com.txt", "com.txt");
        check_name("com10.txt", "com10.txt");
        check_name("console.txt", "console.txt");
        check_name("cöm1", "cöm1");
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_its_extension() {
        let long = |stem_bytes: usize| "x".repeat(stem_bytes) + ".txt";
        check_name(&long(251), &*long(251));
        check_name(&long(252), &*long(251));
        check_name(&long(9999), &*long(251));
        check_name(&("é".repeat(200) + ".txt"), &*("é".repeat(125) + ".txt"));
        check_name(&"x".repeat(300), &*"x".repeat(255));
        check_name(&("x.".to_owned() + &"y".repeat(300)), &*("x.".to_owned() + &"y".repeat(253)));
        check_name(
            &("nul.".to_owned() + &"y".repeat(300)),
            &*("_nul.".to_owned() + &"y".repeat(250)),
        );
        check_name(&("x".repeat(254) + " yyy"), &*"x".repeat(254));
        assert_eq!(long(251).len(), NAME_BYTES_MAX);
    }
}
