//! JSON in both directions.

use abide::ErrorKind;
use serde_json::{Value, json};

use crate::{clients::client, support::Server};

#[test]
fn json_goes_out_and_comes_back() {
    let server = Server::http(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[("content-type", "application/json")], &body);
    });
    let value = json!({"name": "é", "list": [1, 2.5, null]});
    let reply = client().post(server.url("/")).json(&value).send().unwrap();
    assert_eq!(reply.json::<Value>().unwrap(), value);
    assert_eq!(server.seen()[0].header("content-type"), Some("application/json"));
}

#[test]
fn what_is_not_json_is_a_decoding_error_and_stays_readable() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"<html>");
    });
    let reply = client().get(server.url("/")).send().unwrap();
    let error = reply.json::<Value>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(reply.text(), "<html>");
}
