//! Which fields of a request select among replies (RFC 9111 §4.1).

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE, VARY},
};

use super::directives::split_unquoted;

/// What a reply depends on besides its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Vary {
    /// On these fields, sorted and each once; often none.
    On(Vec<HeaderName>),
    /// On something that no request tells.
    OnEverything,
}

impl Vary {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut names = Vec::new();
        for value in headers.get_all(VARY) {
            for name in value.as_bytes().split(|&byte| byte == b',') {
                let name = name.trim_ascii();
                if name.is_empty() {
                    continue;
                }
                match HeaderName::from_bytes(name) {
                    // What cannot be read might be anything.
                    Err(_) => return Self::OnEverything,
                    Ok(name) if name == "*" => return Self::OnEverything,
                    Ok(name) => names.push(name),
                }
            }
        }
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        Self::On(names)
    }
}

/// The fields of a request as they will be sent.
pub(crate) trait Fields {
    /// The values of a field.
    fn each(&self, name: &HeaderName, each: &mut dyn FnMut(&HeaderValue));

    /// The names of the fields that tell users apart.
    fn each_secret(&self, each: &mut dyn FnMut(&HeaderName));
}

/// Feeds `to` with everything that selects among replies that vary on `names`: equal bytes for
/// requests that get the same reply, different ones for others.
pub(crate) fn feed(names: &[HeaderName], request: &dyn Fields, to: &mut dyn FnMut(&[u8])) {
    for name in names {
        to(name.as_str().as_bytes());
        to(b":");
        request.each(name, &mut |value| {
            if is_taken_literally(name, value) {
                to(value.as_bytes());
                to(b"\n");
                return;
            }
            // Lists are equal whatever the space in them, and on how many lines they are.
            for element in split_unquoted(value.as_bytes()) {
                match is_whatever_its_case(name) {
                    true => to(&element.trim_ascii().to_ascii_lowercase()),
                    false => to(element.trim_ascii()),
                }
                to(b",");
            }
        });
        to(b"\0");
    }
}

/// Languages, codings and character sets are the same in capitals.
fn is_whatever_its_case(name: &HeaderName) -> bool {
    [ACCEPT_LANGUAGE, ACCEPT_ENCODING, ACCEPT_CHARSET].contains(name)
}

/// What tells users apart is never taken for equal because it looks alike.
fn is_taken_literally(name: &HeaderName, value: &HeaderValue) -> bool {
    *name == AUTHORIZATION || *name == COOKIE || value.is_sensitive()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Fields for HeaderMap {
        fn each(&self, name: &HeaderName, each: &mut dyn FnMut(&HeaderValue)) {
            self.get_all(name).into_iter().for_each(each);
        }

        fn each_secret(&self, _: &mut dyn FnMut(&HeaderName)) {}
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    fn selects(vary: &str, request: &[(&'static str, &str)]) -> Vec<u8> {
        let Vary::On(names) = Vary::of(&headers(&[("vary", vary)])) else { return Vec::new() };
        let mut fed = Vec::new();
        feed(&names, &headers(request), &mut |bytes| fed.extend_from_slice(bytes));
        fed
    }

    #[track_caller]
    fn same(vary: &str, one: &[(&'static str, &str)], other: &[(&'static str, &str)]) {
        assert_eq!(selects(vary, one), selects(vary, other), "{vary}: {one:?} {other:?}");
    }

    #[track_caller]
    fn different(vary: &str, one: &[(&'static str, &str)], other: &[(&'static str, &str)]) {
        assert_ne!(selects(vary, one), selects(vary, other), "{vary}: {one:?} {other:?}");
    }

    #[test]
    fn rfc9110_12_5_5_names_are_read_whatever_their_case_and_order() {
        let on = |lines: &[(&'static str, &str)]| Vary::of(&headers(lines));
        let two = Vary::On(vec![HeaderName::from_static("bar"), HeaderName::from_static("foo")]);
        assert_eq!(on(&[("vary", "Foo, Bar")]), two);
        assert_eq!(on(&[("vary", "bar"), ("vary", " ,FOO,bar")]), two);
        assert_eq!(on(&[]), Vary::On(Vec::new()));
        assert_eq!(on(&[("vary", ""), ("vary", "*")]), Vary::OnEverything);
        assert_eq!(on(&[("vary", "foo bar")]), Vary::OnEverything);
    }

    #[test]
    fn rfc9111_4_1_the_named_fields_select() {
        same("Foo", &[("foo", "1"), ("other", "2")], &[("foo", "1"), ("other", "3")]);
        different("Foo", &[("foo", "1")], &[("foo", "2")]);
        different("Foo", &[("foo", "1")], &[]);
        different("Foo, Bar", &[("foo", "1"), ("bar", "2")], &[("foo", "1")]);
        same("Foo, Bar, Baz", &[("foo", "1"), ("baz", "2")], &[("baz", "2"), ("foo", "1")]);
        different("a, b", &[("a", "1"), ("b", "")], &[("a", ""), ("b", "1")]);
    }

    #[test]
    fn rfc9111_4_1_space_and_lines_of_a_list_do_not_matter() {
        same("Foo", &[("foo", "1,2")], &[("foo", " 1, 2 ")]);
        same("Foo", &[("foo", "1, 2")], &[("foo", "1"), ("foo", "2")]);
        different("Foo", &[("foo", "\"1, 2\"")], &[("foo", "\"1,2\"")]);
        different("Foo", &[("foo", "1 2")], &[("foo", "12")]);
    }

    #[test]
    fn rfc9111_4_1_case_does_not_matter_where_its_field_says_so() {
        let lang = |value| [("accept-language", value)];
        same("Accept-Language", &lang("en, de"), &lang("eN, De"));
        same("Accept-Language", &lang("en, de"), &lang(" en ,   de"));
        same("Accept-Encoding", &[("accept-encoding", "GZIP")], &[("accept-encoding", "gzip")]);
        // Those who ask for German first do not want the English reply.
        different("Accept-Language", &lang("en, de"), &lang("de, en"));
        different("Foo", &[("foo", "a")], &[("foo", "A")]);
    }

    #[test]
    fn rfc9111_3_5_what_tells_users_apart_is_taken_literally() {
        different("Authorization", &[("authorization", "A b,c")], &[("authorization", "A b, c")]);
        different("Cookie", &[("cookie", "a=1,2")], &[("cookie", "a=1, 2")]);
    }
}
