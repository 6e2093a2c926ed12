//! What an authorization server says (RFC 6749 §5).

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::super::config::bearer;
use crate::secret::Secret;

/// A token as the server gave it out.
pub(super) struct Granted {
    /// The value of `Authorization`.
    pub(super) authorization: HeaderValue,
    pub(super) lives: Option<Duration>,
    pub(super) refresh_token: Option<Secret>,
}

/// Reads the answer of a token endpoint; what went wrong is told without any of `secrets`.
pub(super) fn read<'s>(
    status: StatusCode,
    body: &[u8],
    secrets: impl Iterator<Item = &'s Secret>,
) -> Result<Granted, String> {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    if status != StatusCode::OK {
        return Err(refusal(status, answer.as_ref(), secrets));
    }
    let Some(Value::Object(mut answer)) = answer else {
        return Err("it answered 200 with something that is no JSON object".to_owned());
    };
    if let Some(Value::String(kind)) = answer.get("token_type")
        && !kind.eq_ignore_ascii_case("bearer")
    {
        let kind = printable(kind, secrets);
        return Err(format!("its tokens are of the type `{kind}`, and only `Bearer` is known"));
    }
    let Some(Value::String(token)) = answer.remove("access_token") else {
        return Err("its answer has no `access_token`".to_owned());
    };
    let authorization = bearer(&Secret::new(token))
        .map_err(|_| "its token cannot be sent in a header".to_owned())?;
    let refresh_token = match answer.remove("refresh_token") {
        Some(Value::String(token)) if !token.is_empty() => Some(Secret::new(token)),
        _ => None,
    };
    Ok(Granted { authorization, lives: answer.get("expires_in").and_then(seconds), refresh_token })
}

/// A number by the RFC, and a string of some servers.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// The words of an error answer (RFC 6749 §5.2).
fn refusal<'s>(
    status: StatusCode,
    answer: Option<&Value>,
    secrets: impl Iterator<Item = &'s Secret>,
) -> String {
    let secrets: Vec<&Secret> = secrets.collect();
    let word = |name| {
        let word = answer?.get(name)?.as_str()?;
        Some(printable(word, secrets.iter().copied()))
    };
    let mut text = format!("it answered {}", status.as_u16());
    if let Some(error) = word("error") {
        text.push_str(&format!(": {error}"));
    }
    if let Some(description) = word("error_description") {
        text.push_str(&format!(" ({description})"));
    }
    text
}

/// A server's words without what it was told in confidence, of one line and bounded.
fn printable<'s>(text: &str, secrets: impl Iterator<Item = &'s Secret>) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        let Ok(secret) = std::str::from_utf8(secret.expose()) else { continue };
        if !secret.is_empty() {
            text = text.replace(secret, "...");
        }
    }
    text.chars().filter(|character| !character.is_control()).take(WORDS_MAX).collect()
}

const WORDS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(status: u16, body: &str) -> Result<Granted, String> {
        let secrets = [Secret::new("hunter2"), Secret::new("")];
        read(StatusCode::from_u16(status).expect("a status"), body.as_bytes(), secrets.iter())
    }

    #[track_caller]
    fn check(body: &str, authorization: &str, lives: Option<u64>, refresh: Option<&str>) {
        let granted = read_text(200, body).unwrap_or_else(|why| panic!("{body}: {why}"));
        assert_eq!(granted.authorization, authorization);
        assert!(granted.authorization.is_sensitive());
        assert_eq!(granted.lives, lives.map(Duration::from_secs));
        assert_eq!(granted.refresh_token.as_ref().map(Secret::expose), refresh.map(str::as_bytes));
    }

    #[test]
    fn rfc_6749_section_5_1_tokens() {
        let body = r#"{"access_token":"2Yotn","token_type":"Bearer","expires_in":3600,
            "refresh_token":"tGzv3","example_parameter":{"a":[1]}}"#;
        check(body, "Bearer 2Yotn", Some(3600), Some("tGzv3"));
        check(r#"{"access_token":"t","token_type":"bearer"}"#, "Bearer t", None, None);
        check(r#"{"access_token":"t","expires_in":"60"}"#, "Bearer t", Some(60), None);
        check(r#"{"access_token":"t","expires_in":-1}"#, "Bearer t", None, None);
        check(r#"{"access_token":"t","refresh_token":""}"#, "Bearer t", None, None);
    }

    #[track_caller]
    fn refused(status: u16, body: &str, expected: &str) {
        let why = read_text(status, body).err().expect("refused");
        assert_eq!(why, expected);
    }

    #[test]
    fn rfc_6749_section_5_2_errors_are_told_in_the_servers_words() {
        refused(
            400,
            r#"{"error":"invalid_scope","error_description":"no such scope"}"#,
            "it answered 400: invalid_scope (no such scope)",
        );
        refused(401, r#"{"error":"invalid_client"}"#, "it answered 401: invalid_client");
        refused(503, "<html>", "it answered 503");
    }

    #[test]
    fn the_servers_words_show_no_secret_and_stay_on_one_line() {
        refused(
            400,
            r#"{"error":"a\r\nb","error_description":"secret hunter2 is wrong"}"#,
            "it answered 400: ab (secret ... is wrong)",
        );
        let long = format!(r#"{{"error":"{}"}}"#, "x".repeat(5000));
        assert!(read_text(400, &long).err().expect("refused").len() < 250);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        refused(200, "token", "it answered 200 with something that is no JSON object");
        refused(200, "{}", "its answer has no `access_token`");
        refused(200, r#"{"access_token":7}"#, "its answer has no `access_token`");
        refused(
            200,
            r#"{"access_token":"t","token_type":"mac"}"#,
            "its tokens are of the type `mac`, and only `Bearer` is known",
        );
        for token in ["", "a b", r"a\r\nx-evil: 1", "é"] {
            let body = format!(r#"{{"access_token":"{token}"}}"#);
            refused(200, &body, "its token cannot be sent in a header");
        }
    }
}
