//! Servers that answer at once, or after about two milliseconds if they are told to be slow.

use std::{thread, time::Duration};

use crate::support::{Exchange, Server};

pub(crate) fn http1() -> Server {
    Server::http(|exchange: &mut Exchange| {
        let target = exchange.target().to_owned();
        if exchange.try_read_body().is_none() {
            return;
        }
        // Who has been cancelled meanwhile hears nothing.
        match target.as_str() {
            "/large" => drop(exchange.reply(200, &[], LARGE)),
            "/moved" => drop(exchange.reply(302, &[("location", "/small")], b"")),
            "/slow" => {
                thread::sleep(SLOW);
                exchange.reply(200, &[], b"slow");
            }
            "/close" => {
                exchange.reply(200, &[("connection", "close")], b"close");
                exchange.close();
            }
            _ => drop(exchange.reply(200, &[], b"small")),
        }
    })
}

pub(crate) fn http2() -> Server {
    Server::http2(|mut exchange| async move {
        let target = exchange.target().to_owned();
        if exchange.try_read_body().await.is_none() {
            return;
        }
        match target.as_str() {
            "/large" => drop(exchange.reply(200, &[], LARGE).await),
            "/moved" => drop(exchange.reply(302, &[("location", "/small")], &b""[..]).await),
            "/slow" => {
                // The server has no timers; others come first for a while.
                for _ in 0..SLOW_TURNS {
                    tokio::task::yield_now().await;
                }
                exchange.reply(200, &[], &b"slow"[..]).await;
            }
            "/close" => {
                exchange.reply(200, &[], &b"close"[..]).await;
                exchange.go_away();
            }
            _ => drop(exchange.reply(200, &[], &b"small"[..]).await),
        }
    })
}

const SLOW: Duration = Duration::from_millis(2);
const SLOW_TURNS: usize = 1_000;
const LARGE: &[u8] = &[b'l'; 300_000];
