//! A scripted server on loopback that can misbehave at a named point.
//!
//! A test gives a handler and gets a [`Server`]; the handler is called for every request, on a
//! thread of its connection, with an [`Exchange`] that can answer, stall, cut, reset or wait for a
//! signal of the test. Nothing here sleeps in order to synchronise: both sides wait for counters
//! and named signals in the [`ledger`], for [`PATIENCE`] at most, and say what they waited for.
//! Dropping the server ends every connection and thread, and fails the test if a handler panicked.
//!
//! Read `server.rs` first, then `exchange.rs`; `http2.rs` and `stream_exchange.rs` are the same for
//! HTTP/2, and `hand.rs` plays HTTP/2 frame by frame.

mod body;
mod certificates;
mod exchange;
mod frames;
pub(crate) mod hand;
mod http2;
mod ledger;
mod listener;
mod request;
mod server;
mod socks;
mod spans;
mod special;
mod stream_exchange;
mod system;
mod wire;

pub(crate) use certificates::{ServerName, ca, client_identity};
pub(crate) use exchange::Exchange;
pub(crate) use ledger::PATIENCE;
pub(crate) use listener::{assert_untold, forbid};
pub(crate) use request::Request;
pub(crate) use server::Server;
pub(crate) use socks::Socks;
pub(crate) use spans::Spans;
pub(crate) use special::BlackHole;
pub(crate) use stream_exchange::StreamExchange;
pub(crate) use system::keep_alive_due;
