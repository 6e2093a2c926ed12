//! Proxies that do not open the tunnel that they are asked for.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use abide::{Budget, Client, Error, ErrorKind, Phase, Timeouts};

use super::{proxy, through};
use crate::{
    clients::{await_quiet, builder, trusting},
    support::{Exchange, Server},
    timeouts::{self, Stall, check_all},
    victim::Victim,
};

const URL: &str = "https://a.test/?q=hidden";

#[track_caller]
fn fails(server: &Server, because: &str) -> Error {
    let client = through(super::url_as(server, "joe:secret"));
    let error = client.get(URL).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Proxy, Some(Phase::Connect)));
    assert_eq!(error.proxy(), Some(server.url("").as_str()));
    assert!(error.is_proxy() && error.is_connect() && !error.is_timeout(), "{error:?}");
    let text = format!("GET https://a.test/: at the proxy {}: ", server.url(""));
    assert!(error.to_string().starts_with(&text), "{error}");
    assert!(error.to_string().contains(because), "{error}");
    for secret in ["hidden", "secret", "am9l"] {
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
    await_quiet(&client);
    assert_eq!(client.stats().open(), 0);
    server.await_open(0);
    error
}

#[test]
fn a_refusal_says_with_which_status() {
    for status in [301, 400, 403, 404, 502, 503_u16] {
        let server = Server::http(move |exchange| {
            exchange.reply(status, &[("location", "http://elsewhere.test/")], b"go away");
        });
        let error = fails(&server, &format!("answered {status} "));
        assert_eq!(error.proxy_status().unwrap(), status);
        assert_eq!((error.status(), server.requests()), (None, 1));
    }
}

#[test]
fn a_large_refusal_is_not_read() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(503, &[]);
        while exchange.write([7; 64 << 10]) {}
    });
    assert_eq!(fails(&server, "503").proxy_status().unwrap(), 503);
}

#[test]
fn garbage_is_an_error_that_says_so() {
    let not_http = "it answered is not HTTP";
    for answer in
        ["what?\r\n\r\n", "HTTP/9 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nbad header\r\n\r\n"]
    {
        assert_eq!(fails(&Server::raw_answer(answer), not_http).proxy_status(), None);
    }
    assert_eq!(fails(&Server::raw_answer("\x15\x03\x01\0\x02\x02\x46"), not_http).status(), None);
}

#[test]
fn a_proxy_that_hangs_up_is_an_error_that_says_so() {
    fails(&Server::raw_answer(""), "closed the connection");
    fails(&Server::raw_answer("HTTP/1.1 200 OK\r\nsome: "), "closed the connection");
}

#[test]
fn a_proxy_that_goes_on_talking_is_not_believed() {
    let server = Server::raw_answer("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    fails(&server, "more than its answer");
}

#[test]
fn a_head_without_end_is_refused() {
    let server = Server::raw(|mut socket| {
        drop(socket.read(&mut [0; 4096]));
        drop(socket.write_all(b"HTTP/1.1 200 OK\r\n"));
        while socket.write_all(&b"some: header\r\n".repeat(1000)).is_ok() {}
    });
    fails(&server, "too large");
}

#[test]
fn a_head_that_drips_runs_out_of_time() {
    let server = Server::raw(|mut socket| {
        drop(socket.read(&mut [0; 4096]));
        drop(socket.write_all(b"HTTP/1.1 200 OK\r\n"));
        let pause = Some(Duration::from_millis(5));
        socket.set_read_timeout(pause).unwrap();
        while socket.write_all(b"a").is_ok() && !is_gone(socket) {}
    });
    let timeouts = Timeouts::default().connect(Duration::from_millis(150));
    let client = builder().proxy(proxy(server.url(""))).timeouts(timeouts).build().unwrap();
    let error = client.get(URL).send().unwrap_err();
    assert_eq!((error.budget(), error.phase()), (Some(Budget::Connect), Some(Phase::Connect)));
    assert!(error.is_proxy() && error.is_timeout() && error.is_connect(), "{error:?}");
    server.await_open(0);
}

/// Reads for as long as the socket's time-out; whether the other end has gone.
fn is_gone(mut socket: &TcpStream) -> bool {
    match socket.read(&mut [0; 1024]) {
        Ok(length) => length == 0,
        Err(error) => {
            !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
        }
    }
}

#[test]
fn a_call_that_waits_for_a_tunnel_ends() {
    let server = Server::http(|exchange| {
        exchange.signal("asked");
        exchange.await_client_gone();
    });
    let timeouts = Timeouts::default().connect(Duration::from_secs(1));
    let client = builder().proxy(proxy(server.url(""))).timeouts(timeouts).build().unwrap();
    let victim = Victim::get(&client, URL.to_owned());
    server.await_signal("asked", 1);
    victim.cancel(Phase::Connect);
    server.await_open(0);
    await_quiet(&client);
}

#[test]
fn budgets_end_each_step_of_the_way_through() {
    check_all(&(before_the_tunnel, Phase::Connect, Budget::Connect));
    check_all(&(in_the_handshake_with_the_proxy, Phase::Tls, Budget::Tls));
    check_all(&(in_the_handshake_inside, Phase::Tls, Budget::Tls));
}

fn get(client: &Client) -> Error {
    client.get(URL).send().unwrap_err()
}

fn before_the_tunnel(timeouts: Timeouts) -> Stall {
    let server = Server::http(Exchange::await_client_gone);
    let client = builder().proxy(proxy(server.url(""))).timeouts(timeouts).build().unwrap();
    timeouts::with_scenery(client, server, get)
}

fn in_the_handshake_with_the_proxy(timeouts: Timeouts) -> Stall {
    let server = Server::tls_stalled();
    let client = trusting().proxy(proxy(server.url(""))).timeouts(timeouts).build().unwrap();
    timeouts::with_scenery(client, server, get)
}

fn in_the_handshake_inside(timeouts: Timeouts) -> Stall {
    let (server, origin) = (Server::http(super::obliging), Server::tls_stalled());
    let url = origin.url("/");
    let client = builder().proxy(proxy(server.url(""))).timeouts(timeouts).build().unwrap();
    timeouts::with_scenery(client, (server, origin), move |client| {
        client.get(&url).send().unwrap_err()
    })
}
