//! Content codings are offered, undone, and no way to fill memory.

use std::io::{self, BufRead, Read, Write};

use abide::{Error, ErrorKind, Feedback, Limits, OpenReply};
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};

use crate::{
    clients::{await_quiet, builder, client},
    support::{Exchange, Server},
    waiting::start,
};

const TEXT: &str = "hello, hello, hello, world";

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A server that always answers with this, whatever was offered.
fn serving(coding: &'static str, body: Vec<u8>) -> Server {
    Server::http(move |exchange| {
        exchange.reply(200, &[("content-encoding", coding), ("etag", "\"1\"")], &body);
    })
}

fn read(mut open: OpenReply) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    match open.read_to_end(&mut content) {
        Ok(_) => Ok(content),
        Err(error) => {
            let again = open.read(&mut [0]).expect_err("after an error there is nothing more");
            assert!(again.get_ref().is_some_and(|error| error.is::<Error>()));
            Err(*error.into_inner().unwrap().downcast::<Error>().unwrap())
        }
    }
}

#[test]
fn codings_are_offered_and_undone() {
    let text = TEXT.as_bytes();
    for (coding, body) in [
        ("gzip", gzip(text)),
        ("x-gzip", gzip(text)),
        ("gzip", [gzip(&text[..9]), gzip(&text[9..])].concat()),
        ("deflate", zlib(text)),
        ("deflate", raw_deflate(text)),
        ("br", BROTLI_TEXT.to_vec()),
        ("zstd", ZSTD_TEXT.to_vec()),
        ("deflate, gzip", gzip(&zlib(text))),
        ("br, identity, gzip", gzip(BROTLI_TEXT)),
        ("gzip", [gzip(text), b"\0\0garbage".to_vec()].concat()),
    ] {
        let length = body.len() as u64;
        let server = serving(coding, body);
        let client = client();
        let reply = client.get(server.url("/")).send().unwrap();
        assert_eq!(reply.text(), TEXT, "{coding}");
        assert_eq!(reply.header("content-encoding"), None);
        assert_eq!(reply.header("content-length"), None);
        assert_eq!(reply.header("etag"), Some("\"1\""));
        assert_eq!(reply.decoded_from(), Some(coding));
        assert_eq!(reply.encoded_length(), Some(length));
        assert_eq!(server.seen()[0].header("accept-encoding"), Some("gzip, deflate, br, zstd"));

        let open = client.get(server.url("/")).open().unwrap();
        assert_eq!((open.content_length(), open.encoded_length()), (None, Some(length)));
        assert_eq!(open.decoded_from(), Some(coding));
        assert_eq!(read(open).unwrap(), text);
        let whole = client.get(server.url("/")).open().unwrap().into_reply().unwrap();
        assert_eq!((whole.text().as_str(), whole.encoded_length()), (TEXT, Some(length)));
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn content_that_is_not_coded_is_as_it_came() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], TEXT.as_bytes());
    });
    let reply = client().get(server.url("/")).send().unwrap();
    assert_eq!((reply.text().as_str(), reply.decoded_from()), (TEXT, None));
    assert_eq!((reply.header("content-length"), reply.encoded_length()), (Some("26"), None));
}

#[test]
fn who_asks_for_codings_himself_gets_what_came() {
    let server = serving("gzip", gzip(TEXT.as_bytes()));
    let plain = client();
    let own = builder().default_header("accept-encoding", "gzip").build().unwrap();
    let off = builder().decoding(false).build().unwrap();
    for (call, sent) in [
        (plain.get(server.url("/")).header("accept-encoding", "gzip;q=0.5"), Some("gzip;q=0.5")),
        (plain.get(server.url("/")).header("range", "bytes=0-"), None),
        (plain.get(server.url("/")).decoding(false), None),
        (own.get(server.url("/")), Some("gzip")),
        (off.get(server.url("/")), None),
    ] {
        let reply = call.send().unwrap();
        assert_eq!(*reply.bytes(), gzip(TEXT.as_bytes()));
        assert_eq!(reply.header("content-encoding"), Some("gzip"));
        assert!(reply.header("content-length").is_some());
        assert_eq!(server.seen().last().unwrap().header("accept-encoding"), sent);
    }
    assert_eq!(off.get(server.url("/")).decoding(true).send().unwrap().text(), TEXT);
}

#[test]
fn an_interceptor_may_have_its_own_mind_about_codings() {
    let server = serving("gzip", gzip(TEXT.as_bytes()));
    let client = client();
    client.intercept_requests(|request| {
        match request.url().path() {
            "/own" => drop(request.headers_mut().insert("accept-encoding", "gzip".parse()?)),
            "/none" => drop(request.headers_mut().remove("accept-encoding")),
            _ => {}
        }
        Ok(())
    });
    for (path, is_decoded) in [("/own", false), ("/none", false), ("/", true)] {
        let reply = client.get(server.url(path)).send().unwrap();
        assert_eq!(reply.decoded_from().is_some(), is_decoded, "{path}");
    }
}

#[test]
fn a_coding_that_is_unknown_leaves_the_reply_as_it_came() {
    for coding in ["compress", "gzip, aws-chunked", "compress, gzip"] {
        let server = serving(coding, b"anything".to_vec());
        let reply = client().get(server.url("/")).send().unwrap();
        assert_eq!(
            (reply.text().as_str(), reply.header("content-encoding")),
            ("anything", Some(coding))
        );
        assert_eq!(reply.decoded_from(), None);
    }
}

#[test]
fn heads_and_replies_without_content_keep_their_fields() {
    let server = Server::http(|exchange: &mut Exchange| {
        let status = exchange.target()[1..].parse::<u16>().unwrap();
        exchange.write(format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            if status == 206 { 0 } else { 99 },
        ));
    });
    let client = client();
    for (call, length) in [
        (client.head(server.url("/200")), "99"),
        (client.get(server.url("/304")), "99"),
        (client.get(server.url("/206")), "0"),
    ] {
        let reply = call.send().unwrap();
        assert_eq!(reply.header("content-encoding"), Some("gzip"));
        assert_eq!((reply.header("content-length"), reply.decoded_from()), (Some(length), None));
    }
}

#[test]
fn no_content_is_content_in_any_coding() {
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, br"] {
        let server = serving(coding, Vec::new());
        let reply = client().get(server.url("/")).send().unwrap();
        assert!(reply.bytes().is_empty());
        assert_eq!(read(client().get(server.url("/")).open().unwrap()).unwrap(), b"");
    }
}

#[test]
fn wrong_and_cut_data_are_decoding_errors() {
    let whole = gzip(TEXT.as_bytes());
    let cut = whole[..whole.len() - 1].to_vec();
    for (coding, body) in [
        ("gzip", b"<html>plain</html>".to_vec()),
        ("gzip", cut.clone()),
        ("deflate", b"<html>plain</html>".to_vec()),
        ("br", BROTLI_TEXT[..9].to_vec()),
        ("zstd", ZSTD_TEXT[..ZSTD_TEXT.len() - 1].to_vec()),
        ("deflate, gzip", gzip(b"not deflated")),
        ("gzip,gzip,gzip,gzip,gzip,gzip", whole),
    ] {
        let server = serving(coding, body);
        let client = client();
        let errors = [
            client.get(server.url("/?hidden")).send().map(drop),
            client.get(server.url("/?hidden")).open().and_then(read).map(drop),
        ];
        for error in errors {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode, "{coding}: {error:?}");
            let text = error.to_string();
            assert!(text.contains(&server.url("/")) && !text.contains("hidden"), "{text}");
        }
        await_quiet(&client);
    }
    let server = Server::http(move |exchange| {
        exchange.begin_reply(200, &[("content-encoding", "gzip"), ("content-length", "999")]);
        exchange.write(&cut);
        exchange.close();
    });
    let error = client().get(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Body, "the connection is to blame: {error:?}");
}

#[test]
fn a_bomb_is_refused_collected_and_streamed() {
    let zeros = vec![0; 33 << 20];
    let small = gzip(&zeros[..32 << 20]);
    let large = gzip(&zeros);
    for (coding, body) in
        [("gzip", large.clone()), ("br", BROTLI_BOMB.to_vec()), ("gzip, gzip", gzip(&large))]
    {
        let server = serving(coding, body);
        let client = client();
        let error = client.get(server.url("/")).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{coding}: {error:?}");
        assert!(error.to_string().contains("decode_ratio"), "{error}");
        let mut open = client.get(server.url("/")).open().unwrap();
        let mut received = 0;
        let error = loop {
            match open.fill_buf() {
                Ok(piece) => {
                    let length = piece.len();
                    assert!((1..=64 << 10).contains(&length), "a piece of {length} bytes");
                    received += length;
                    open.consume(length);
                }
                Err(error) => break error,
            }
        };
        assert!(received <= 32 << 20, "{received}");
        let error = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::Limit);
        await_quiet(&client);
    }
    let server = serving("gzip", small);
    assert_eq!(client().get(server.url("/")).send().unwrap().bytes().len(), 32 << 20);
    let server = serving("gzip", large);
    let trusting = builder().limits(Limits::default().decode_ratio(None)).build().unwrap();
    assert_eq!(trusting.get(server.url("/")).send().unwrap().bytes().len(), 33 << 20);
}

#[test]
fn the_limit_in_memory_is_one_of_decoded_content_too() {
    for (length, is_fine) in [(99, true), (100, true), (101, false)] {
        let server = serving("gzip", gzip(&vec![7; length]));
        let client = builder().limits(Limits::default().body_bytes(100)).build().unwrap();
        let reply = client.get(server.url("/")).send();
        assert_eq!(reply.is_ok(), is_fine, "{length}");
        if let Err(error) = reply {
            assert_eq!(error.kind(), ErrorKind::Limit, "{error:?}");
        }
        assert_eq!(read(client.get(server.url("/")).open().unwrap()).unwrap().len(), length);
    }
}

#[test]
fn what_was_sent_so_far_can_be_read() {
    let server = Server::http(|exchange| {
        exchange
            .begin_reply(200, &[("content-encoding", "gzip"), ("transfer-encoding", "chunked")]);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        for part in ["first", "second"] {
            encoder.write_all(part.as_bytes()).unwrap();
            encoder.flush().unwrap();
            let bytes = std::mem::take(encoder.get_mut());
            exchange.write(format!("{:x}\r\n", bytes.len()));
            exchange.write(bytes);
            exchange.write("\r\n");
            exchange.await_signal(part, 1);
        }
        let bytes = encoder.finish().unwrap();
        exchange.write(format!("{:x}\r\n", bytes.len()));
        exchange.write(bytes);
        exchange.write("\r\n0\r\nx-sum: 1\r\n\r\n");
    });
    let mut open = client().get(server.url("/")).open().unwrap();
    for part in ["first", "second"] {
        let mut read = vec![0; part.len()];
        open.read_exact(&mut read).unwrap();
        assert_eq!(read, part.as_bytes());
        server.signal(part);
    }
    assert_eq!(open.read(&mut [0; 9]).unwrap(), 0);
    assert_eq!(open.trailers().unwrap().get("x-sum").unwrap(), "1");
}

#[test]
fn decoding_ends_when_the_call_is_cancelled() {
    let server = serving("br", BROTLI_BOMB.to_vec());
    let client = builder().limits(Limits::default().decode_ratio(None)).build().unwrap();
    let feedback = Feedback::new();
    let mut open = client.get(server.url("/")).feedback(&feedback).open().unwrap();
    open.read_exact(&mut [0; 100_000]).unwrap();
    feedback.cancel();
    // What was decoded before can be read.
    let rest = io::copy(&mut open, &mut io::sink()).unwrap_err();
    let error = rest.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    assert!(error.is_cancelled(), "{error:?}");
}

#[test]
fn progress_is_that_of_the_wire() {
    let body = gzip(&vec![7; 100_000]);
    let length = body.len() as u64;
    let server = serving("gzip", body);
    let feedback = Feedback::new();
    let reply = client().get(server.url("/")).feedback(&feedback).send().unwrap();
    assert_eq!(reply.bytes().len(), 100_000);
    let progress = feedback.download();
    assert_eq!((progress.bytes(), progress.total()), (length, Some(length)));
}

#[test]
fn many_threads_decode_at_once() {
    let content: Vec<u8> = (0..400_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
    let body = gzip(&content);
    let server = serving("gzip", body);
    let client = client();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (client, url) = (client.clone(), server.url("/"));
            start(move || client.get(url).send().unwrap())
        })
        .collect();
    for call in calls {
        assert!(*call.join().bytes() == content);
    }
}

const BROTLI_TEXT: &[u8] = &[
    0x1b, 0x19, 0x00, 0xf8, 0x8d, 0x94, 0x6e, 0xde, 0x44, 0x09, 0x52, 0x86, 0x96, 0x6c, 0x2c, 0x6f,
    0x35, 0x88, 0x3c, 0x95, 0x00, 0x0a, 0x73, 0x1c, 0x02,
];
const ZSTD_TEXT: &[u8] = &[
    0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x95, 0x00, 0x00, 0x60, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x2c,
    0x20, 0x77, 0x6f, 0x72, 0x6c, 0x64, 0x01, 0x00, 0x92, 0x8b, 0x11, 0xa5, 0x04, 0x0c, 0x01,
];
/// 64 MiB of zeros.
const BROTLI_BOMB: &[u8] = &[
    0xcb, 0xff, 0xff, 0x3f, 0xf8, 0x27, 0x00, 0xe2, 0xb1, 0x40, 0x20, 0xf7, 0xfe, 0x8f, 0xff, 0xff,
    0x7f, 0xf0, 0x4f, 0x00, 0xc4, 0x61, 0x11, 0x80, 0xee, 0xfd, 0x1f, 0xff, 0xff, 0xff, 0xe0, 0x9f,
    0x00, 0x88, 0xc3, 0x02, 0x00, 0xdd, 0xfb, 0x3f, 0xfe, 0xff, 0xff, 0xc1, 0x3f, 0x01, 0x10, 0x87,
    0x05, 0x00, 0xba, 0xf7, 0x7f, 0xfc, 0xff, 0xff, 0x83, 0x7f, 0x02, 0x20, 0x0e, 0x0b, 0x00, 0x74,
    0xef, 0xff, 0xf8, 0xff, 0xff, 0x07, 0xff, 0x04, 0x40, 0x1c, 0x16, 0x00, 0xe8, 0xde, 0xff, 0xf1,
    0xff, 0xff, 0x0f, 0xfe, 0x09, 0x80, 0x38, 0x2c, 0x00, 0xd0, 0xbd, 0xff, 0xcb, 0xff, 0xff, 0x3f,
    0xfc, 0x13, 0x00, 0x71, 0x58, 0x00, 0xa0, 0x7b, 0xff, 0x07,
];
