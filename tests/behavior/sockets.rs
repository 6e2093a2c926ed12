//! What can be said about sockets: where they come from, and when silence is the end.

use std::{
    error::Error as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use abide::{ClientBuilder, ErrorKind, KeepAlive, Timeouts};

use crate::{
    clients::builder,
    support::{Exchange, Server, keep_alive_due},
};

fn ok(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"ok");
}

#[test]
fn a_connection_comes_from_the_local_address_that_was_set() {
    let own = IpAddr::from([127, 0, 0, 5]);
    let seen = Arc::new(Mutex::new(None));
    let told = Arc::clone(&seen);
    let server = Server::raw(move |socket| {
        *told.lock().unwrap() = socket.peer_addr().ok();
        use std::io::{Read as _, Write as _};
        let mut socket = socket;
        let _ = socket.read(&mut [0; 4096]);
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    let client = builder().local_address(own).build().unwrap();
    let reply = match client.get(server.url("/")).send() {
        Ok(reply) => reply,
        // Not every system has all of 127.0.0.0/8.
        Err(_) if cfg!(not(target_os = "linux")) => return,
        Err(error) => panic!("{error:?}"),
    };
    assert_eq!(reply.local_addr().map(|addr| addr.ip()), Some(own));
    assert_eq!(*seen.lock().unwrap(), reply.local_addr());
}

#[test]
fn a_local_address_that_is_not_here_is_an_error_that_names_it() {
    let server = Server::http(ok);
    let elsewhere = IpAddr::from([203, 0, 113, 7]);
    let error = failure(builder().local_address(elsewhere), &server);
    assert!(error.contains("203.0.113.7"), "{error}");
}

#[test]
fn with_a_local_address_of_one_family_the_other_is_not_called() {
    let server = Server::http(ok);
    let only_v6 = || builder().local_address(Ipv6Addr::LOCALHOST.into());
    let error = failure(only_v6(), &server);
    assert!(error.contains("no local address of its family"), "{error}");
    let both = only_v6().local_address(Ipv4Addr::LOCALHOST.into()).build().unwrap();
    assert!(both.get(server.url("/")).send().is_ok());
}

#[test]
fn keep_alive_is_on_as_set_or_off() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let server = Server::http(ok);
    let due = |client: ClientBuilder| {
        let client = client.build().unwrap();
        let reply = client.get(server.url("/")).send().unwrap();
        keep_alive_due(reply.local_addr().unwrap())
    };
    let seconds = Duration::from_secs;
    let by_default = due(builder()).unwrap();
    assert!(by_default > seconds(20) && by_default <= seconds(31), "{by_default:?}");
    let later = due(builder().keep_alive(KeepAlive::default().idle(seconds(500)))).unwrap();
    assert!(later > seconds(450) && later <= seconds(501), "{later:?}");
    assert_eq!(due(builder().keep_alive(None)), None);
}

#[test]
fn bytes_that_nobody_takes_end_the_connection_after_the_user_timeout() {
    let limit = Duration::from_millis(200);
    let client = builder().timeouts(Timeouts::none()).tcp_user_timeout(limit).build();
    if cfg!(not(target_os = "linux")) {
        assert_eq!(client.unwrap_err().kind(), ErrorKind::InvalidRequest);
        return;
    }
    let server = Server::http(|exchange| exchange.await_signal("over", 1));
    let error = client.unwrap().post(server.url("/")).body(vec![0; 32 << 20]).send().unwrap_err();
    server.signal("over");
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
}

#[test]
fn an_interface_is_used_or_named_in_the_error() {
    let server = Server::http(ok);
    let through = |name: &str| builder().interface(name).build();
    if cfg!(not(target_os = "linux")) {
        let error = through("lo").unwrap_err();
        assert!(error.to_string().contains("interface"), "{error}");
        return;
    }
    assert!(through("lo").unwrap().get(server.url("/")).send().is_ok());
    let error = failure(builder().interface("nowhere0"), &server);
    assert!(error.contains("nowhere0"), "{error}");
}

/// What a call by such a client says of why it cannot connect, the source included.
#[track_caller]
fn failure(client: ClientBuilder, server: &Server) -> String {
    let error = client.build().unwrap().get(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    let because = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error}: {because}")
}
