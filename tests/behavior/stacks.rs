//! How much stack a call needs.

use std::thread;

use abide::Driving;

use crate::{clients::builder, support::Server};

/// What [`Driving`] says that it takes, in a build without optimization, is less than this. One that
/// needs more ends the process.
const STACK_BYTES: usize = 200 << 10;

/// The first one makes the connection, on the stack of its caller if that drives.
#[track_caller]
fn check(builder: abide::ClientBuilder, server: &Server) {
    let client = builder.build().unwrap();
    let url = server.url("/");
    let calls = move || {
        for _ in 0..2 {
            assert_eq!(client.get(&url).send().unwrap().text(), "ok");
        }
    };
    thread::Builder::new().stack_size(STACK_BYTES).spawn(calls).unwrap().join().unwrap();
}

#[test]
fn a_get_needs_no_more_stack_than_is_said() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"ok");
    });
    for driving in [Driving::Background, Driving::Lent] {
        check(builder().driving(driving), &server);
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_get_over_tls_needs_no_more_stack_than_is_said() {
    let server = Server::https(|exchange| {
        exchange.reply(200, &[], b"ok");
    });
    for driving in [Driving::Background, Driving::Lent] {
        check(crate::clients::trusting().driving(driving), &server);
    }
}
