//! Basic credentials (RFC 7617), for servers and for proxies.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    secret::Secret,
};

/// User and password as the value of `Authorization` or `Proxy-Authorization`.
///
/// # Errors
/// Kind `InvalidRequest` for what RFC 7617 §2 forbids: a colon in the user, control characters.
pub(crate) fn basic(user: &[u8], password: &Secret) -> Result<HeaderValue> {
    if user.contains(&b':') {
        return Err(Error::invalid("a user name with a colon cannot be sent as Basic credentials"));
    }
    let password = password.expose();
    if user.iter().chain(password).any(u8::is_ascii_control) {
        return Err(Error::invalid("a user name or password with control characters is not sent"));
    }
    let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
    pair.extend_from_slice(user);
    pair.push(b':');
    pair.extend_from_slice(password);
    let mut text = Zeroizing::new(String::from("Basic "));
    // Room for all of it, so that no copy of a part is left behind.
    text.reserve_exact(pair.len().div_ceil(3) * 4);
    BASE64_STANDARD.encode_string(&*pair, &mut text);
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| Error::invalid("the credentials cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7617_section_2_and_2_1_examples() {
        let check = |user: &str, password: &str, expected: &str| {
            let value = basic(user.as_bytes(), &Secret::new(password)).expect("a value");
            assert_eq!(value, expected);
            assert!(value.is_sensitive());
        };
        check("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        check("test", "123£", "Basic dGVzdDoxMjPCow==");
        check("", "", "Basic Og==");
    }

    #[test]
    fn rfc_7617_section_2_what_cannot_be_told_apart_is_refused() {
        for (user, password) in [("a:b", "c"), ("a\r\nb", "c"), ("a", "b\nc"), ("a\0", "")] {
            let error = basic(user.as_bytes(), &Secret::new(password)).expect_err("refused");
            assert!(!format!("{error} {error:?}").contains(password) || password.len() < 2);
        }
    }
}
