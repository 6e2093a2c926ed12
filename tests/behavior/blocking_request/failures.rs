//! Calls that get no answer: the code, its cause, and what is said about it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use abide::{Body, Budget, ErrorCode, ErrorKind, Limits, NetworkRequest, Phase, Timeouts};
use socket2::{Domain, Socket, Type};

use super::{Counted, FINE, REFUSED, TIMED_OUT, failed, plain};
use crate::{
    clients::{FixedNames, await_quiet, builder},
    support::{Exchange, Server},
};

#[test]
fn the_codes_have_the_numbers_of_the_original() {
    let codes = [
        ErrorCode::NoError,
        ErrorCode::NetworkError,
        ErrorCode::TimeoutError,
        ErrorCode::ServerExceptionError,
        ErrorCode::BusyError,
    ];
    assert_eq!(codes.map(|code| code as u8), [0, 1, 2, 3, 4]);
    assert_eq!(ErrorCode::default(), ErrorCode::NoError);
}

fn ok(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"ok");
}

fn silent(exchange: &mut Exchange) {
    exchange.await_client_gone();
}

#[test]
fn a_budget_that_runs_out_is_a_timeout_that_names_it() {
    let server = Server::http(silent);
    let request = Counted::new();
    let soon = Duration::from_millis(50);
    for (timeouts, budget) in [
        (Timeouts::default().total(soon), Budget::Total),
        (Timeouts::default().first_byte(soon), Budget::FirstByte),
    ] {
        let hasty = NetworkRequest::new(server.url("/")).timeouts(timeouts);
        request.expect(TIMED_OUT, |request| request.get(&hasty, plain()));
        let error = request.error().unwrap();
        assert_eq!(error.budget(), Some(budget), "{error:?}");
        // The deadline may pass in any phase.
        assert!(budget == Budget::Total || error.phase() == Some(Phase::FirstByte), "{error:?}");
        assert!(request.error_message().contains(&budget.to_string()));
        assert_eq!(request.reply().request_id(), 0);
    }
    server.await_open(0);
}

#[test]
fn the_budgets_of_the_client_hold_unless_the_request_has_its_own() {
    let server = Server::http(|exchange| match exchange.target() {
        "/silent" => silent(exchange),
        _ => ok(exchange),
    });
    let client = builder().timeout(Duration::from_millis(50)).build().unwrap();
    let request = Counted::with(&client);
    request.expect(TIMED_OUT, |request| request.post(server.url("/silent"), "x", plain()));
    let patient = NetworkRequest::new(server.url("/")).timeouts(Timeouts::default());
    request.expect(FINE, |request| request.get(&patient, plain()));
}

/// A port that is taken and where nobody listens.
struct Nobody(Socket);

impl Nobody {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        Self(socket)
    }

    fn addr(&self) -> SocketAddr {
        self.0.local_addr().unwrap().as_socket().unwrap()
    }
}

#[test]
fn a_port_where_nobody_listens_is_a_network_error() {
    let (request, nobody) = (Counted::new(), Nobody::new());
    let addr = nobody.addr();
    request.expect(failed(ErrorKind::Connect), |request| {
        request.get(format!("http://{addr}/"), plain())
    });
    assert!(request.error().unwrap().is_connect());
    let message = request.error_message();
    assert!(message.contains(&addr.to_string()), "{message}");
    assert!(message.contains("refused"), "the cause of the cause is part of it: {message}");
}

#[test]
fn a_name_without_an_address_is_a_network_error() {
    let client = builder().resolver(FixedNames::new([])).build().unwrap();
    let request = Counted::with(&client);
    request
        .expect(failed(ErrorKind::Resolve), |request| request.head("http://nobody.test/", plain()));
    assert!(request.error_message().contains("nobody.test"), "{}", request.error_message());
}

#[test]
fn what_cannot_be_sent_is_a_network_error_that_says_what() {
    let request = Counted::new();
    for (given, shown) in [
        (NetworkRequest::new(""), "empty"),
        (NetworkRequest::new("  "), "empty"),
        (NetworkRequest::new("/relative/path"), "/relative/path"),
        (NetworkRequest::new("http://"), "http://"),
        (NetworkRequest::new("xyz://host/"), "xyz"),
        (NetworkRequest::new("file:///etc/hosts"), "file"),
        (NetworkRequest::new("mailto:somebody@host.test"), "mailto"),
        (NetworkRequest::new("http://host.test/").header("no token", "x"), "header"),
        (NetworkRequest::new("http://host.test/").header("x-lines", "a\nb"), "x-lines"),
    ] {
        request.expect(failed(ErrorKind::InvalidRequest), |request| request.get(&given, plain()));
        let message = request.error_message();
        assert!(message.contains(shown), "{given:?} gave {message:?}");
        request
            .expect(failed(ErrorKind::InvalidRequest), |request| request.put(&given, "body", None));
    }
}

#[test]
fn an_unreadable_answer_is_a_network_error() {
    let request = Counted::new();
    for (answer, kind) in [
        ("no HTTP at all\r\n\r\n", ErrorKind::Protocol),
        ("HTTP/1.1 200 OK\r\nnever-fini", ErrorKind::Protocol),
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ntoo short", ErrorKind::Body),
        ("HTTP/1.1 404 No\r\ncontent-length: 100\r\n\r\ntoo short", ErrorKind::Body),
    ] {
        let server = Server::raw_answer(answer);
        request.expect(failed(kind), |request| request.post(server.url("/"), "body", plain()));
        assert_eq!(request.reply().request_id(), 0, "{answer:?}");
    }
}

#[test]
fn a_limit_that_is_passed_is_a_network_error() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"four");
    });
    let client = builder().limits(Limits::default().body_bytes(3)).build().unwrap();
    let request = Counted::with(&client);
    request.expect(failed(ErrorKind::Limit), |request| request.get(server.url("/"), plain()));
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_that_nobody_trusts_is_a_network_error() {
    let server = Server::https(silent);
    let client = builder().only_root_certificates([]).build().unwrap();
    let request = Counted::with(&client);
    request.expect(failed(ErrorKind::Tls), |request| request.get(server.url("/"), plain()));
    assert!(request.error().unwrap().is_connect());
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_reader_that_fails_is_a_network_error() {
    let server = Server::http(|exchange| assert!(exchange.try_read_body().is_none()));
    let request = Counted::new();
    let short = || Body::sized_reader(&b"short"[..], 100);
    request.expect(failed(ErrorKind::InvalidRequest), |request| {
        request.post(server.url("/"), short(), plain())
    });
    request.expect(failed(ErrorKind::InvalidRequest), |request| {
        request.put(server.url("/"), short(), None)
    });
    server.await_open(0);
}

#[test]
fn credentials_by_id_are_an_error_before_anything_is_sent() {
    let server = Server::http(ok);
    let client = builder().build().unwrap();
    let (request, url) = (Counted::with(&client), server.url("/"));
    request.set_auth_cfg("my-1234");
    assert_eq!(request.auth_cfg().as_deref(), Some("my-1234"));
    let refused = failed(ErrorKind::Auth);
    request.expect(refused, |request| request.get(&url, plain()));
    assert!(request.error_message().contains("my-1234"), "{}", request.error_message());
    request.expect(refused, |request| request.head(&url, plain()));
    request.expect(refused, |request| request.post(&url, "body", plain()));
    request.expect(refused, |request| request.put(&url, "body", None));
    request.expect(refused, |request| request.delete(&url, None));
    assert_eq!((server.connections(), client.stats().exchanges()), (0, 0));
    request.set_auth_cfg("");
    assert_eq!(request.auth_cfg(), None);
    request.expect(FINE, |request| request.get(&url, plain()));
}

#[test]
fn no_message_shows_a_password_or_a_query() {
    let server = Server::http(|exchange| match exchange.target() {
        target if target.starts_with("/silent") => silent(exchange),
        _ => {
            exchange.reply(404, &[], b"no");
        }
    });
    let request = Counted::new();
    let (port, unused) = (server.addr().port(), Nobody::new());
    let nobody = unused.addr().port();
    for (url, ending) in [
        (format!("http://user:secret@127.0.0.1:{port}/a?token=secret#secret"), REFUSED),
        (format!("http://user:secret@127.0.0.1:{port}/silent?token=secret"), TIMED_OUT),
        (format!("http://user:secret@127.0.0.1:{nobody}/?secret"), failed(ErrorKind::Connect)),
        ("xyz://user:secret@host/?secret".to_owned(), failed(ErrorKind::InvalidRequest)),
        ("http://user:secret@host:99999/?secret".to_owned(), failed(ErrorKind::InvalidRequest)),
        ("//user:secret@host/?secret".to_owned(), failed(ErrorKind::InvalidRequest)),
        ("http://user:secret@/?secret".to_owned(), failed(ErrorKind::InvalidRequest)),
        ("data:text/plain,secret?secret".to_owned(), failed(ErrorKind::InvalidRequest)),
    ] {
        let soon = (ending == TIMED_OUT).then_some(Duration::from_millis(30));
        let given = NetworkRequest::new(&url).timeouts(Timeouts::default().total(soon));
        request.expect(ending, |request| request.get(&given, plain()));
        let said = [
            request.error_message(),
            format!("{:?}", request.error()),
            format!("{:?}", request.reply()),
            format!("{:?}", &*request),
        ];
        assert!(!said.concat().contains("secret"), "{url} gave {said:#?}");
    }
    // What is hidden from messages is sent all the same.
    server.await_requests(2);
    for seen in server.seen() {
        assert!(seen.target.contains("token=secret"), "{seen:?}");
        assert_eq!(seen.header("authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
    }
}

#[test]
fn a_request_shown_for_debugging_hides_password_query_and_credentials() {
    let given = NetworkRequest::new("http://user:secret@host.test/path?token=secret")
        .header("authorization", "Bearer secret");
    let shown = format!("{given:?}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn failures_leave_nothing_behind() {
    let server = Server::http(silent);
    let client = builder().timeout(Duration::from_millis(20)).build().unwrap();
    let request = Counted::with(&client);
    for _ in 0..20 {
        request.expect(TIMED_OUT, |request| request.get(server.url("/"), plain()));
    }
    await_quiet(&client);
    server.await_open(0);
}
