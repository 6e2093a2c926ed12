//! A range is what was asked for, or the call ends.

use abide::ErrorKind;

use crate::{
    clients::{await_quiet, client},
    support::{Exchange, Server},
    waiting::AT_ONCE,
};

/// Knows ranges under `/part` only; elsewhere its whole content never ends.
fn script(exchange: &mut Exchange) {
    match exchange.target() {
        "/part" => {
            exchange.reply(206, &[("content-range", "bytes 0-3/99")], b"part");
        }
        "/from" => drop(exchange.reply(302, &[("location", "/whole")], b"")),
        "/missing" => drop(exchange.reply(404, &[], b"missing")),
        _ if exchange.request().method == "HEAD" => drop(exchange.reply(200, &[], b"whole")),
        _ => {
            exchange.begin_reply(200, &[("transfer-encoding", "chunked")]);
            exchange.write("5\r\nwhole\r\n");
            exchange.await_client_gone();
        }
    }
}

#[test]
fn a_whole_answer_to_a_range_ends_at_once_if_only_a_part_will_do() {
    let server = Server::http(script);
    let client = client();
    let ask =
        |path: &str| client.get(server.url(path)).header("range", "bytes=0-3").only_partial(true);
    assert_eq!(ask("/part").send().unwrap().text(), "part");
    assert_eq!(ask("/missing").send().unwrap().text(), "missing");
    for path in ["/whole", "/from"] {
        let began = std::time::Instant::now();
        let errors = [ask(path).send().map(drop), ask(path).open().map(drop)];
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        for error in errors {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Status, "{error:?}");
            assert!(error.to_string().contains("range"), "{error}");
        }
    }
    await_quiet(&client);
    // At most the one that carried the redirect, if it was not free in time for the next hop.
    let left = client.stats().open();
    assert!(left <= 1, "{left} connections are left");
    server.await_open(left);
}

#[test]
fn without_a_range_and_for_a_head_the_whole_is_fine() {
    let server = Server::http(script);
    let client = client();
    let open = client.get(server.url("/whole")).only_partial(true).open().unwrap();
    assert_eq!(open.status(), 200);
    let head = client.head(server.url("/whole")).header("range", "bytes=0-3").only_partial(true);
    assert_eq!(head.send().unwrap().status(), 200);
    let open = client.get(server.url("/whole")).header("range", "bytes=0-3").open().unwrap();
    assert_eq!(open.status(), 200, "a server may ignore a range");
}
