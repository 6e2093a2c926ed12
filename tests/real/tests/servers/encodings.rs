//! Content codings, as the servers make them.

use std::io::Read;

use abide::{ErrorKind, Limits, header};
use abide_real::{APACHE, CADDY, NGINX, Target, client, each, http, in_threads, served};
use serde_json::Value;

/// Who sends what coding below which path.
fn coded() -> impl Iterator<Item = (Target, &'static str, &'static str)> {
    let gzip = NGINX.iter().chain(&APACHE).chain(&CADDY).map(|target| (*target, "/gzip", "gzip"));
    let brotli = APACHE.iter().map(|target| (*target, "/brotli", "br"));
    let zstd = CADDY.iter().map(|target| (*target, "/zstd", "zstd"));
    gzip.chain(brotli).chain(zstd)
}

fn for_each_coding(test: impl Fn(Target, &str, &str)) {
    for (target, folder, coding) in coded() {
        each(&[target], |target| {
            println!("in {coding}");
            test(target, folder, coding);
        });
    }
}

#[test]
fn every_coding_is_undone_whole_and_in_pieces() {
    let text = served("text.txt");
    for_each_coding(|target, folder, coding| {
        let client = target.client();
        let url = target.url(&format!("{folder}/text.txt"));
        for _ in 0..3 {
            let reply = client.get(&url).send().unwrap();
            assert_eq!((reply.status().as_u16(), reply.decoded_from()), (200, Some(coding)));
            assert!(reply.bytes() == &text);
            assert_eq!(reply.header("content-encoding"), None);
            assert_eq!(reply.header("content-length"), None);

            let mut open = client.get(&url).open().unwrap();
            assert_eq!(open.decoded_from(), Some(coding));
            let mut read = Vec::new();
            let mut piece = [0; 777];
            loop {
                match open.read(&mut piece).unwrap() {
                    0 => break,
                    length => read.extend_from_slice(&piece[..length]),
                }
            }
            assert!(read == text);
        }
        assert_eq!(client.stats().connections_opened(), 1);
    });
}

#[test]
fn who_does_not_want_it_decoded_gets_it_as_it_came() {
    for_each_coding(|target, folder, coding| {
        let client = target.client();
        let url = target.url(&format!("{folder}/text.txt"));
        let plain = client.get(&url).decoding(false).send().unwrap();
        assert!(plain.bytes() == &served("text.txt"));
        assert_eq!(plain.header("content-encoding"), None);
        let call = client.get(&url).decoding(false).header(header::ACCEPT_ENCODING, coding);
        let coded = call.send().unwrap();
        assert_eq!((coded.header("content-encoding"), coded.decoded_from()), (Some(coding), None));
        assert!(coded.bytes().len() < served("text.txt").len() / 4);
    });
}

#[test]
fn what_has_no_content_needs_no_decoding() {
    for_each_coding(|target, folder, _| {
        let client = target.client();
        let url = target.url(&format!("{folder}/text.txt"));
        assert!(client.head(&url).send().unwrap().bytes().is_empty());
        let first = client.get(&url).send().unwrap();
        if let Some(tag) = first.header("etag") {
            let reply = client.get(&url).header(header::IF_NONE_MATCH, tag).send().unwrap();
            let is_same = reply.status().as_u16() == 304 && reply.bytes().is_empty();
            // Not every server finds its own tag again once it has coded the content.
            assert!(is_same || reply.bytes() == first.bytes(), "{:?}", reply.status());
        }
        let empty = client.get(target.url(&format!("{folder}/empty"))).send().unwrap();
        assert!(empty.bytes().is_empty());
        assert_eq!(client.stats().connections_opened(), 1);
    });
}

#[test]
fn a_part_is_a_part_of_the_file_and_not_of_its_coded_form() {
    for_each_coding(|target, folder, _| {
        let url = target.url(&format!("{folder}/text.txt"));
        let call = target.client().get(url).header(header::RANGE, "bytes=1000-1999");
        let reply = call.send().unwrap();
        let expected = if reply.status().as_u16() == 206 { 1000..2000 } else { 0..178_893 };
        assert!(reply.bytes() == &served("text.txt")[expected], "{:?}", reply.status());
    });
}

#[test]
fn a_bomb_is_an_error_before_it_goes_off() {
    for_each_coding(|target, folder, _| {
        let limits = Limits::default().decode_ratio(100);
        let client = target.builder().limits(limits).build().unwrap();
        let url = target.url(&format!("{folder}/zeros.txt"));
        let error = client.get(&url).send().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Limit | ErrorKind::Decode), "{error:?}");
        let mut open = client.get(&url).open().unwrap();
        assert!(std::io::copy(&mut open, &mut std::io::sink()).is_err());
    });
}

#[test]
fn many_threads_decode_at_a_time() {
    let text = served("text.txt");
    for_each_coding(|target, folder, _| {
        let client = target.client();
        let url = target.url(&format!("{folder}/text.txt"));
        in_threads(8, |_| {
            for _ in 0..5 {
                assert!(client.get(&url).send().unwrap().bytes() == &text);
            }
        });
    });
}

#[test]
fn httpbin_sees_what_is_offered_and_its_codings_are_undone() {
    let client = client();
    for (path, coding) in [("gzip", "gzip"), ("deflate", "deflate"), ("brotli", "br")] {
        let reply = client.get(http("HTTPBIN", &format!("/{path}"))).send().unwrap();
        assert_eq!(reply.decoded_from(), Some(coding));
        let seen: Value = reply.json().unwrap();
        let offered = seen["headers"]["Accept-Encoding"].as_str().unwrap();
        for coding in ["gzip", "deflate", "br", "zstd"] {
            assert!(offered.split(", ").any(|offer| offer.starts_with(coding)), "{offered}");
        }
    }
}
