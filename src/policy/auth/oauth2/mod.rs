//! Tokens of OAuth 2 (RFC 6749): asked for, read, kept until they run out.
//!
//! `grant.rs` is what users say and what is asked of the authorization server, `answer.rs` what it
//! says, `tokens.rs` who of many callers asks. The call itself is made by `call/tokens.rs`.

mod answer;
mod grant;
mod tokens;

pub use self::grant::OAuth2;
pub(crate) use self::{
    grant::TokenRequest,
    tokens::{Failure, Lead, Token, Tokens, Turn},
};
