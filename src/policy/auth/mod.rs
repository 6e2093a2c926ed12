//! Credentials: their kinds, the origins that may see them, and the registry that names them.
//!
//! Nothing here sends anything; `call/credentials.rs` asks what to send and says what was answered.
//! Secrets are taken out of their wrapping only where a header or a body is made of them.

mod choice;
mod config;
#[cfg_attr(not(feature = "digest"), path = "no_digest.rs")]
mod digest;
#[cfg_attr(not(feature = "json"), path = "no_oauth2.rs")]
mod oauth2;
mod origins;
mod registry;
mod source;

#[cfg(feature = "json")]
pub use self::oauth2::OAuth2;
#[cfg(feature = "json")]
pub(crate) use self::oauth2::{Failure, Lead, Token, TokenRequest, Turn};
pub(crate) use self::{
    choice::{Choice, Wanted, choose},
    config::Kind,
    oauth2::Tokens,
    registry::Registry,
};
pub use self::{
    config::AuthConfig,
    origins::AuthOrigins,
    source::{AuthRequest, CredentialSource, Credentials},
};
