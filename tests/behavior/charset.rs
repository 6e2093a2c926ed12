//! Text in encodings other than UTF-8.

use crate::{clients::client, support::Server};

#[test]
fn text_is_decoded_by_mark_then_header_then_meta() {
    let meta = b"<html><meta charset=\"windows-1251\">\xc4\xe0".as_slice();
    let cases: [(&str, &[u8], &str); 6] = [
        ("text/plain; charset=iso-8859-1", b"gr\xfcn", "grün"),
        ("text/plain; charset=\"windows-1252\"", b"\x80", "€"),
        ("text/plain; charset=iso-8859-1", b"\xef\xbb\xbfgr\xc3\xbcn", "grün"),
        ("text/plain", b"\xff\xfeg\0r\0", "gr"),
        ("text/html", meta, "<html><meta charset=\"windows-1251\">Да"),
        ("text/plain; charset=nonsense", b"gr\xc3\xbcn", "grün"),
    ];
    let server = Server::http(move |exchange| {
        let index: usize = exchange.target()[1..].parse().unwrap();
        exchange.reply(200, &[("content-type", cases[index].0)], cases[index].1);
    });
    for (index, (content_type, _, expected)) in cases.into_iter().enumerate() {
        let reply = client().get(server.url(&format!("/{index}"))).send().unwrap();
        assert_eq!(reply.text(), expected, "{content_type}");
    }
}
