//! Credentials go to whom they are for, and nowhere else.

mod attacks;
mod by_id;
#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "digest")]
mod digest;
mod sources;
#[cfg(feature = "json")]
mod tokens;

use std::time::Duration;

use abide::{AuthConfig, AuthOrigins, Client, Feedback, Reply, Result};

use crate::{
    support::{Exchange, Server},
    waiting::{Running, start},
};

pub(super) fn ok(exchange: &mut Exchange) {
    exchange.try_read_body();
    exchange.reply(200, &[], b"ok");
}

/// The origin of a server, as credentials are bound to it.
pub(super) fn only(server: &Server) -> AuthOrigins {
    AuthOrigins::only([server.url("")]).unwrap()
}

pub(super) fn bearer(server: &Server, token: &str) -> AuthConfig {
    AuthConfig::bearer(only(server), token).unwrap()
}

/// The `Authorization` of each request that a server has seen.
pub(super) fn authorizations(server: &Server) -> Vec<Option<String>> {
    let seen = server.seen();
    seen.iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
}

/// Makes a call with these credentials on a thread of its own.
pub(super) fn start_get(
    client: &Client,
    url: String,
    id: &'static str,
    feedback: &Feedback,
) -> Running<Result<Reply>> {
    let (client, feedback) = (client.clone(), feedback.clone());
    start(move || {
        let call = client.get(url).auth(id).timeout(Duration::from_secs(30));
        call.feedback(&feedback).send()
    })
}
