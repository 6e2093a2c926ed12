//! What is stored is what the wire said; codings are undone on the way out.

use abide::Cache;

use super::report;
use crate::support::Server;

/// "hello hello hello hello\n", by gzip.
const HELLO: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 203, 72, 205, 201, 201, 87, 200, 64, 39, 185, 0, 0, 136, 89,
    11, 24, 0, 0, 0,
];

#[test]
fn a_decoded_reply_is_served_from_the_encoded_entry() {
    let server = Server::http(|exchange| {
        let headers = [
            ("cache-control", "max-age=60"),
            ("content-encoding", "gzip"),
            ("vary", "accept-encoding"),
        ];
        exchange.reply(200, &headers, HELLO);
    });
    let client = crate::clients::builder().cache(Cache::memory(1 << 20)).build().unwrap();
    let first = client.get(server.url("/")).send().unwrap();
    let again = client.get(server.url("/")).send().unwrap();
    assert_eq!(first.text(), again.text());
    assert_eq!(again.text(), "hello hello hello hello\n");
    assert!(report(&again).is_hit());
    assert_eq!(again.header("content-encoding"), None);
    let entries = client.cache().unwrap().entries().unwrap();
    assert_eq!(entries[0].body_bytes, HELLO.len() as u64);
    // Who wants no coding has asked another question.
    let plain = client.get(server.url("/")).decoding(false).send().unwrap();
    assert!(!report(&plain).is_hit());
    assert_eq!(server.requests(), 2);
}
