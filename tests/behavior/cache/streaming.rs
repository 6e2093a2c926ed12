//! Replies that are stored while they are read, and read while they are stored.

use std::io::Read;

use abide::{Cache, NotStored};

use super::{Lab, assert_hit, report};
use crate::support::Server;

const FRESH: (&str, &str) = ("cache-control", "max-age=3600");

#[test]
fn a_streamed_reply_is_stored_when_it_was_read_to_the_end() {
    let lab = Lab::new();
    let body = "0123456789".repeat(1000);
    lab.will_answer(200, &[FRESH], &body);
    let mut open = lab.request(&[]).open().unwrap();
    assert!(!open.cache().unwrap().is_stored());
    let mut text = String::new();
    open.read_to_string(&mut text).unwrap();
    assert!(open.cache().unwrap().is_stored());
    assert_eq!(text, body);
    assert_hit(&lab.get(), &body);
    let mut open = lab.request(&[]).open().unwrap();
    assert!(open.cache().unwrap().is_hit());
    text.clear();
    open.read_to_string(&mut text).unwrap();
    assert_eq!((text, lab.requests()), (body, 1));
}

#[test]
fn a_streamed_reply_that_becomes_a_whole_one_is_stored() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "one");
    let reply = lab.request(&[]).open().unwrap().into_reply().unwrap();
    assert!(report(&reply).is_stored());
    assert_hit(&lab.get(), "one");
}

#[test]
fn a_reply_that_was_left_is_not_stored() {
    let lab = Lab::new();
    let body = "0123456789".repeat(100_000);
    let lab_large = Lab::with(Cache::memory(64 << 20), |builder| builder);
    for lab in [lab, lab_large] {
        lab.will_answer(200, &[FRESH], &body);
        let mut open = lab.request(&[]).open().unwrap();
        open.read_exact(&mut [0; 100]).unwrap();
        drop(open);
        lab.will_answer(200, &[FRESH], "two");
        assert_eq!(lab.get().text(), "two");
    }
}

#[test]
fn a_reply_that_was_cut_is_not_stored() {
    for chunked in [true, false] {
        let server = Server::http(move |exchange| {
            match chunked {
                true => exchange.begin_reply(200, &[FRESH, ("transfer-encoding", "chunked")]),
                false => exchange.begin_reply(200, &[FRESH, ("content-length", "20")]),
            };
            exchange.write("5\r\nabcde\r\n");
            exchange.close();
        });
        let client = crate::clients::builder().cache(Cache::memory(1 << 20)).build().unwrap();
        client.get(server.url("/")).send().unwrap_err();
        let mut open = client.get(server.url("/")).open().unwrap();
        open.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(open.cache().unwrap().not_stored(), Some(NotStored::Incomplete));
        assert_eq!(client.cache().unwrap().usage().unwrap().entries, 0);
    }
}

#[test]
fn a_cancelled_reply_is_not_stored() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[FRESH, ("content-length", "10")]);
        exchange.write("abc");
        exchange.signal("begun");
        exchange.await_client_gone();
    });
    let client = crate::clients::builder().cache(Cache::memory(1 << 20)).build().unwrap();
    let feedback = abide::Feedback::new();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| client.get(server.url("/")).feedback(&feedback).send());
        server.await_signal("begun", 1);
        feedback.cancel();
        assert!(call.join().unwrap().unwrap_err().is_cancelled());
    });
    assert_eq!(client.cache().unwrap().usage().unwrap().entries, 0);
}

#[test]
fn a_body_without_length_ends_where_its_connection_ends() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[FRESH]);
        exchange.write("all of it");
        exchange.close();
    });
    let client = crate::clients::builder().cache(Cache::memory(1 << 20)).build().unwrap();
    for _ in 0..2 {
        assert_eq!(client.get(server.url("/")).send().unwrap().text(), "all of it");
    }
    assert_eq!(server.requests(), 1);
}
