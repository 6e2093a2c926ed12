//! Replies without a body, parts of one, and what comes after one.

use abide::{StatusCode, Version, header};
use abide_real::{ALL, APACHE, NGINX, client, each, https, served};

#[test]
fn head_and_what_has_no_body_leave_the_connection_usable() {
    each(&ALL, |target| {
        let client = target.client();
        for round in 0..3 {
            let head = client.head(target.url("/8m")).send().unwrap();
            assert_eq!((head.status(), head.version()), (StatusCode::OK, target.version));
            assert_eq!(head.header("content-length"), Some("8000000"), "{:?}", head.headers());
            assert!(head.bytes().is_empty());
            assert_eq!(head.reused_connection(), round > 0);
            let whole = client.get(target.url("/1k")).send().unwrap();
            assert_eq!(whole.bytes(), &served("1k"));
        }
        assert_eq!(client.stats().connections_opened(), 1);
    });
}

#[test]
fn no_content_has_no_content() {
    each(NGINX.iter().chain(&APACHE), |target| {
        let client = target.client();
        for _ in 0..3 {
            let reply = client.get(target.url("/no-content")).send().unwrap();
            assert_eq!((reply.status().as_u16(), reply.bytes().len()), (204, 0));
        }
        assert_eq!(client.stats().connections_opened(), 1);
    });
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    each(NGINX.iter().chain(&APACHE), |target| {
        let client = target.client();
        let first = client.get(target.url("/100k")).send().unwrap();
        for (condition, mark) in [("if-none-match", "etag"), ("if-modified-since", "last-modified")]
        {
            let mark = first.header(mark).unwrap();
            let reply = client.get(target.url("/100k")).header(condition, mark).send().unwrap();
            assert_eq!((reply.status().as_u16(), reply.bytes().len()), (304, 0), "{condition}");
        }
        assert_eq!(client.stats().connections_opened(), 1);
    });
}

#[test]
fn parts_of_a_file_are_what_was_asked_for() {
    let whole = served("100k");
    each(NGINX.iter().chain(&APACHE), |target| {
        let client = target.client();
        for (range, expected) in [
            ("bytes=0-0", &whole[..1]),
            ("bytes=500-1499", &whole[500..1500]),
            ("bytes=99990-", &whole[99_990..]),
            ("bytes=-7", &whole[99_993..]),
        ] {
            let reply = client.get(target.url("/100k")).header(header::RANGE, range).send();
            let reply = reply.unwrap();
            assert_eq!(reply.status().as_u16(), 206, "{range}");
            assert_eq!(reply.bytes(), expected, "{range}");
        }
        let beyond = client.get(target.url("/100k")).header(header::RANGE, "bytes=100000-");
        assert_eq!(beyond.send().unwrap().status().as_u16(), 416);
        assert_eq!(client.stats().connections_opened(), 1);
    });
}

#[test]
fn trailers_come_after_the_body() {
    let client = client();
    for _ in 0..3 {
        let reply = client.get(https("NGHTTPD", "/100k")).send().unwrap();
        assert_eq!(reply.version(), Version::HTTP_2);
        assert_eq!(reply.bytes(), &served("100k"));
        assert_eq!(reply.trailers().get("checked").unwrap(), "yes");

        let mut open = client.get(https("NGHTTPD", "/100k")).open().unwrap();
        assert!(open.trailers().is_none());
        std::io::copy(&mut open, &mut std::io::sink()).unwrap();
        assert_eq!(open.trailers().unwrap().get("checked").unwrap(), "yes");
    }
}

#[test]
fn an_error_of_the_server_is_a_reply_with_its_body() {
    each(&ALL, |target| {
        let client = target.client();
        let reply = client.get(target.url("/nowhere?at=all")).send().unwrap();
        assert_eq!(reply.status(), StatusCode::NOT_FOUND);
        // Caddy has no text for it.
        assert!(reply.text().contains("Not Found") || target.server == "CADDY", "{}", reply.text());
        let error = reply.error_for_status().unwrap_err();
        assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
        assert_eq!(client.get(target.url("/1k")).send().unwrap().bytes(), &served("1k"));
    });
}

#[test]
fn a_connection_closed_without_an_answer_is_an_error() {
    each(&NGINX, |target| {
        let client = target.client();
        let error = client.get(target.url("/cut")).send().unwrap_err();
        assert_eq!(error.kind(), abide::ErrorKind::Protocol, "{error:?}");
        assert_eq!(client.get(target.url("/1k")).send().unwrap().bytes(), &served("1k"));
    });
}

#[test]
fn the_times_of_a_call_are_in_order() {
    each(&ALL, |target| {
        let client = target.client();
        let first = client.get(target.url("/100k")).send().unwrap();
        let times = first.timings();
        let (connected, sent) = (times.connected().unwrap(), times.sent().unwrap());
        let (head, end) = (times.first_byte().unwrap(), times.last_byte().unwrap());
        assert!(times.queued() <= connected && connected <= sent, "{times:?}");
        assert!(sent <= head && head <= end, "{times:?}");
        assert_eq!(times.tls_done().is_some(), target.tls);
        let again = client.get(target.url("/100k")).send().unwrap();
        assert_eq!(again.timings().connected(), None);
    });
}
