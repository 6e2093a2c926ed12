//! Which characters the bytes of a body stand for.
//!
//! Four sources, the first that names a known encoding wins:
//! 1. a byte order mark,
//! 2. the `charset` parameter of `Content-Type`,
//! 3. what the document says about itself in its first 1024 bytes (`<meta>`, `<?xml ?>`), if it may
//!    be a document of that kind,
//! 4. UTF-8.
//!
//! The mark comes before the header because the [decode algorithm] of the Encoding standard has it
//! so: a mark is part of the text itself, while servers attach one charset to whole directories.
//! Bytes that are wrong in the chosen encoding become U+FFFD; decoding never fails.
//!
//! [decode algorithm]: https://encoding.spec.whatwg.org/#decode

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// The body as text, in the encoding that it or its `Content-Type` names.
pub(crate) fn decode(content_type: Option<&str>, body: &[u8]) -> String {
    let (encoding, mark_bytes) =
        Encoding::for_bom(body).unwrap_or_else(|| (named_encoding(content_type, body), 0));
    let (text, _) = encoding.decode_without_bom_handling(&body[mark_bytes..]);
    text.into_owned()
}

fn named_encoding(content_type: Option<&str>, body: &[u8]) -> &'static Encoding {
    let content_type = content_type.unwrap_or_default();
    let head = &body[..body.len().min(PRESCAN_BYTES_MAX)];
    charset_parameter(content_type)
        .and_then(|label| known(label.as_bytes()))
        .or_else(|| match Markup::of(content_type) {
            Markup::None => None,
            Markup::Xml => declared_in_xml(head),
            Markup::Html => declared_in_xml(head).or_else(|| Prescan { rest: head }.encoding()),
        })
        .unwrap_or(UTF_8)
}

/// Labels of the "replacement" encoding count as unknown: it would turn the whole body into one
/// U+FFFD, which protects browsers from script injection and helps no caller of ours.
fn known(label: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label)
}

/// The value of `charset`, quoted or not; of several the first.
fn charset_parameter(content_type: &str) -> Option<&str> {
    let mut rest = content_type;
    while let Some(semicolon) = find_unquoted_semicolon(rest) {
        rest = &rest[semicolon + 1..];
        let end = find_unquoted_semicolon(rest).unwrap_or(rest.len());
        let Some((name, value)) = rest[..end].split_once('=') else {
            continue;
        };
        if name.trim().eq_ignore_ascii_case("charset") {
            return Some(value.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\''));
        }
    }
    None
}

fn find_unquoted_semicolon(text: &str) -> Option<usize> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match byte {
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
        byte == b';' && !is_quoted
    })
}

/// The way, if any, in which a body of this type can name its own encoding.
enum Markup {
    /// HTML, or a body whose type nobody told.
    Html,
    Xml,
    None,
}

impl Markup {
    fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default();
        match essence.trim().to_ascii_lowercase().as_str() {
            "" | "text/html" | "application/xhtml+xml" | "unknown/unknown" => Self::Html,
            "text/xml" | "application/xml" => Self::Xml,
            other if other.ends_with("+xml") => Self::Xml,
            _ => Self::None,
        }
    }
}

/// What `<?xml version="1.0" encoding="..."?>` at the very start says.
fn declared_in_xml(head: &[u8]) -> Option<&'static Encoding> {
    let declaration = head.strip_prefix(b"<?xml")?;
    let end = declaration.iter().position(|&byte| byte == b'>')?;
    let declaration = &declaration[..end];
    let value = &declaration[find_ignoring_case(declaration, b"encoding")? + 8..];
    in_document(value_after_equals(value)?)
}

/// An encoding that was read out of the document as if it were ASCII, so it cannot be UTF-16.
fn in_document(label: &[u8]) -> Option<&'static Encoding> {
    let encoding = known(label)?;
    Some(if encoding == UTF_16LE || encoding == UTF_16BE {
        UTF_8
    } else if encoding == X_USER_DEFINED {
        WINDOWS_1252
    } else {
        encoding
    })
}

/// The [prescan] of the HTML standard: looks for a `<meta>` that names an encoding, and is not
/// fooled by one inside a comment or inside an attribute of another tag.
///
/// [prescan]: https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding
struct Prescan<'a> {
    rest: &'a [u8],
}

impl<'a> Prescan<'a> {
    fn encoding(mut self) -> Option<&'static Encoding> {
        loop {
            let tag = self.rest.iter().position(|&byte| byte == b'<')?;
            self.rest = &self.rest[tag..];
            if self.rest.starts_with(b"<!--") {
                // The two dashes that open a comment may also close it: `<!-->`.
                self.rest = &self.rest[2..];
                self.skip_past(b"-->")?;
            } else if let Some(after) = self.after_meta_name() {
                self.rest = after;
                if let Some(encoding) = self.meta_encoding() {
                    return Some(encoding);
                }
            } else {
                self.skip_tag()?;
            }
        }
    }

    fn after_meta_name(&self) -> Option<&'a [u8]> {
        let (name, after) = self.rest.split_at_checked(b"<meta".len())?;
        let ends_the_name = |&byte: &u8| byte == b'/' || byte.is_ascii_whitespace();
        (name.eq_ignore_ascii_case(b"<meta") && after.first().is_some_and(ends_the_name))
            .then_some(after)
    }

    fn meta_encoding(&mut self) -> Option<&'static Encoding> {
        let (mut charset, mut content, mut is_content_type) = (None, None, false);
        while let Some((name, value)) = self.attribute() {
            if name.eq_ignore_ascii_case(b"charset") {
                charset = charset.or(Some(value));
            } else if name.eq_ignore_ascii_case(b"content") {
                content = content.or_else(|| charset_in_content(value));
            } else if name.eq_ignore_ascii_case(b"http-equiv") {
                is_content_type |= value.eq_ignore_ascii_case(b"content-type");
            }
        }
        // A tag that the 1024 bytes cut off may have had a longer label: `iso-8859-1[5]`.
        self.rest.first()?;
        charset.or_else(|| content.filter(|_| is_content_type)).and_then(in_document)
    }

    fn skip_tag(&mut self) -> Option<()> {
        match self.rest.get(1)? {
            b'!' | b'?' => self.skip_past(b">"),
            b'/' | b'a'..=b'z' | b'A'..=b'Z' => {
                let name_end = |&byte: &u8| byte == b'>' || byte.is_ascii_whitespace();
                self.rest = &self.rest[self.rest.iter().position(name_end)?..];
                while self.attribute().is_some() {}
                Some(())
            }
            _ => {
                self.rest = &self.rest[1..];
                Some(())
            }
        }
    }

    fn skip_past(&mut self, end: &[u8]) -> Option<()> {
        let at = self.rest.windows(end.len()).position(|part| part == end)?;
        self.rest = &self.rest[at + end.len()..];
        Some(())
    }

    /// The next attribute of a tag, with an empty value where it has none; `None` at the tag's end.
    fn attribute(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        self.skip_while(|byte| byte == b'/' || byte.is_ascii_whitespace());
        if *self.rest.first()? == b'>' {
            return None;
        }
        let name = self
            .take_while(|byte| !matches!(byte, b'=' | b'>' | b'/') && !byte.is_ascii_whitespace());
        self.skip_while(|byte| byte.is_ascii_whitespace());
        let Some(value) = self.rest.strip_prefix(b"=") else {
            return Some((name, b""));
        };
        self.rest = value;
        self.skip_while(|byte| byte.is_ascii_whitespace());
        let value = match *self.rest.first()? {
            quote @ (b'"' | b'\'') => {
                self.rest = &self.rest[1..];
                let value = self.take_while(|byte| byte != quote);
                self.rest = self.rest.get(1..)?;
                value
            }
            _ => self.take_while(|byte| byte != b'>' && !byte.is_ascii_whitespace()),
        };
        Some((name, value))
    }

    fn skip_while(&mut self, is_skipped: impl Fn(u8) -> bool) {
        self.take_while(is_skipped);
    }

    fn take_while(&mut self, is_taken: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| !is_taken(byte));
        let (taken, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }
}

/// The charset in `text/html; charset=...`, the content of a `<meta http-equiv>`.
fn charset_in_content(mut content: &[u8]) -> Option<&[u8]> {
    loop {
        content = &content[find_ignoring_case(content, b"charset")? + b"charset".len()..];
        if let Some(value) = value_after_equals(content) {
            return Some(value);
        }
    }
}

/// The quoted or bare word in ` = "word"`.
fn value_after_equals(text: &[u8]) -> Option<&[u8]> {
    let value = text.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    match *value.first()? {
        quote @ (b'"' | b'\'') => {
            let value = &value[1..];
            Some(&value[..value.iter().position(|&byte| byte == quote)?])
        }
        _ => value.split(|&byte| byte == b';' || byte.is_ascii_whitespace()).next(),
    }
}

fn find_ignoring_case(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|part| part.eq_ignore_ascii_case(word))
}

/// How far into a document its `<meta>` is looked for; browsers agree on this number.
const PRESCAN_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::decode;

    #[track_caller]
    fn check(content_type: &str, body: &[u8], expected: &str) {
        let content_type = (!content_type.is_empty()).then_some(content_type);
        assert_eq!(decode(content_type, body), expected);
    }

    /// Checks a document of ASCII, to which "é" in ISO-8859-1 is appended.
    #[track_caller]
    fn check_document(content_type: &str, document: &str, expected_last: char) {
        let body = [document.as_bytes(), b"\xe9"].concat();
        let text = decode((!content_type.is_empty()).then_some(content_type), &body);
        assert_eq!(text.chars().next_back(), Some(expected_last), "{document}");
    }

    const LATIN: char = 'é';
    const CYRILLIC: char = 'щ';
    const WRONG: char = '\u{fffd}';

    #[test]
    fn utf_8_is_what_remains() {
        check("", b"", "");
        check("", b"plain", "plain");
        check("", "žluťoučký".as_bytes(), "žluťoučký");
        check("text/plain", "žluťoučký".as_bytes(), "žluťoučký");
        check("application/json", "\"é\"".as_bytes(), "\"é\"");
        check("text/plain", b"caf\xe9", "caf\u{fffd}");
        check("garbage ; ; = ;;", "é".as_bytes(), "é");
    }

    #[test]
    fn the_header_names_the_encoding() {
        check("text/plain; charset=iso-8859-1", b"caf\xe9", "café");
        check("text/plain;charset=\"windows-1251\"", b"\xf9", "щ");
        check("text/plain; charset='latin1'", b"\xe9", "é");
        check("text/plain; CharSet = KOI8-R ", b"\xdd", "щ");
        check("text/plain; charset=utf-8", "é".as_bytes(), "é");
        check("text/plain; charset=shift_jis", b"\x93\xfa\x96\x7b", "日本");
        check("text/plain; charset=utf-16le", b"h\0i\0", "hi");
        check("text/plain; charset=utf-16be", b"\0h\0i", "hi");
    }

    #[test]
    fn the_parameter_is_found_among_others() {
        check("a/b; x=1; charset=latin1; charset=koi8-r", b"\xe9", "é");
        check("a/b; x=\"; charset=koi8-r\"; charset=latin1", b"\xe9", "é");
        check("a/b; x=\"\\\"; charset=koi8-r\"; charset=latin1", b"\xe9", "é");
        check("a/b; not-charset=latin1", b"\xe9", "\u{fffd}");
        check("; charset=latin1", b"\xe9", "é");
    }

    #[test]
    fn an_unknown_label_is_as_good_as_none() {
        check("text/plain; charset=klingon", "é".as_bytes(), "é");
        check("text/plain; charset=", "é".as_bytes(), "é");
        check("text/plain; charset=hz-gb-2312", b"abc", "abc");
        check_document("text/html; charset=klingon", "<meta charset=latin1>", LATIN);
    }

    #[test]
    fn a_mark_wins_over_the_header_and_is_not_text() {
        check("", b"\xef\xbb\xbfhi", "hi");
        check("", b"\xff\xfeh\0i\0", "hi");
        check("", b"\xfe\xff\0h\0i", "hi");
        check("text/plain; charset=latin1", b"\xef\xbb\xbf\xc3\xa9", "é");
        check("text/plain; charset=utf-8", b"\xff\xfe\xe9\0", "é");
        check("text/plain; charset=utf-16be", b"\xff\xfeh\0", "h");
        check("text/html", b"\xef\xbb\xbf<meta charset=latin1>\xc3\xa9", "<meta charset=latin1>é");
        check("text/plain; charset=utf-16le", b"\xff\xfeh\0\xff", "h\u{fffd}");
    }

    #[test]
    fn a_meta_tag_names_the_encoding() {
        for document in [
            "<meta charset=latin1>",
            "<META CHARSET=\"latin1\">",
            "<meta charset='latin1'/>",
            "<meta/charset=latin1>",
            "<meta\tname=x\n charset = latin1 >",
            "<!doctype html><html lang=en><head><meta charset=iso-8859-1>",
            "<meta name=viewport content=x><meta charset=latin1>",
            "<meta charset=klingon><meta charset=latin1>",
            "<meta charset=latin1 charset=koi8-r>",
            "<!-- <meta charset=koi8-r> --><meta charset=latin1>",
            "<!--><meta charset=latin1>",
            "<a title='<meta charset=koi8-r>'><meta charset=latin1>",
            "</p title=\"<meta charset=koi8-r>\"><meta charset=latin1>",
            "1 < 2 <meta charset=latin1>",
            "<metadata charset=koi8-r><meta charset=latin1>",
            "<? charset=koi8-r ?><meta charset=latin1>",
            "<meta charset=x-user-defined>",
        ] {
            check_document("", document, LATIN);
            check_document("text/html", document, LATIN);
            check_document("Text/HTML ; x=y", document, LATIN);
        }
    }

    #[test]
    fn a_meta_tag_speaks_for_a_header() {
        for document in [
            "<meta http-equiv=content-type content='text/html; charset=koi8-r'>",
            "<meta content=\"text/html;charset=koi8-r\" http-equiv=\"Content-Type\">",
            "<meta http-equiv=content-type content='text/html; charset = \"koi8-r\"'>",
            "<meta http-equiv=content-type content='charset; charset=koi8-r; x'>",
        ] {
            let text = decode(None, &[document.as_bytes(), b"\xdd"].concat());
            assert_eq!(text.chars().next_back(), Some(CYRILLIC), "{document}");
        }
    }

    #[test]
    fn what_only_looks_like_a_meta_tag_names_nothing() {
        for document in [
            "<meta charset>",
            "<meta charset=>",
            "<meta name=charset content=latin1>",
            "<meta content='text/html; charset=latin1'>",
            "<meta http-equiv=refresh content='text/html; charset=latin1'>",
            "<meta http-equiv=content-type content='text/html'>",
            "<!-- <meta charset=latin1> -->",
            "<!-- <meta charset=latin1>",
            "<meta charset=utf-16>",
            "<meta charset='latin1",
            "<meta charset",
            "<meta",
            "<",
            "<a",
        ] {
            check_document("text/html", document, WRONG);
        }
    }

    #[test]
    fn a_document_is_searched_only_so_far() {
        let padded = |spaces: usize| " ".repeat(spaces) + "<meta charset=latin1>";
        check_document("", &padded(1024 - 21), LATIN);
        check_document("", &padded(1024 - 20), WRONG);
    }

    #[test]
    fn only_a_document_speaks_about_itself() {
        check_document("text/plain", "<meta charset=latin1>", WRONG);
        check_document("application/json", "<meta charset=latin1>", WRONG);
        check_document("text/html; charset=utf-8", "<meta charset=latin1>", WRONG);
        check_document("application/xhtml+xml", "<meta charset=latin1 />", LATIN);
    }

    #[test]
    fn an_xml_declaration_names_the_encoding() {
        let declaration = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><x/>";
        check_document("text/xml", declaration, LATIN);
        check_document("application/vnd.ogc.wms_xml+xml", declaration, LATIN);
        check_document("", declaration, LATIN);
        check_document("text/xml", "<?xml encoding='latin1' ?>", LATIN);
        check_document("text/xml", "<?xml version='1.0'?>", WRONG);
        check_document("text/xml", "<?xml encoding='utf-16'?>", WRONG);
        check_document("text/xml", "<?xml encoding='latin1", WRONG);
        check_document("text/xml", " <?xml encoding='latin1'?>", WRONG);
        check_document("text/xml", "<meta charset=latin1>", WRONG);
        check_document("text/plain", declaration, WRONG);
    }
}
