//! Proxies: what goes through which, what they are told, and what is said when they fail.

mod authentication;
mod choice;
mod faults;
mod forwarding;
mod socks;
#[cfg(feature = "tls")]
mod tunnel_faults;
#[cfg(feature = "tls")]
mod tunnels;

use abide::{Client, Proxy};

use crate::{
    clients::builder,
    support::{Exchange, Server},
};

/// A client that uses this proxy for everything.
fn through(url: impl AsRef<str>) -> Client {
    builder().proxy(proxy(url)).build().unwrap()
}

fn proxy(url: impl AsRef<str>) -> Proxy {
    Proxy::new(url).unwrap()
}

fn ok(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"ok");
}

/// An HTTP proxy that does what it is asked.
fn obliging(exchange: &mut Exchange) {
    match exchange.request().method.as_str() {
        "CONNECT" => exchange.tunnel(),
        _ => exchange.forward(),
    }
}

/// The URL of a proxy with credentials.
fn url_as(server: &Server, user_info: &str) -> String {
    server.url("").replace("://", &format!("://{user_info}@"))
}

const JOE: &str = "Basic am9lOnNlY3JldA==";
