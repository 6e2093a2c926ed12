//! Parts of what is stored.

use abide::{Forwarded, Method, NotStored};

use super::{Lab, assert_asked, assert_confirmed, report};

const FRESH: (&str, &str) = ("cache-control", "max-age=3600");
const TAG: (&str, &str) = ("etag", "\"abc\"");

#[test]
fn rfc9111_3_4_a_stored_whole_serves_a_part() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH, TAG], "01234567890").get();
    for (range, body, place) in [
        ("bytes=0-1", "01", "bytes 0-1/11"),
        ("bytes=1-", "1234567890", "bytes 1-10/11"),
        ("bytes=-1", "0", "bytes 10-10/11"),
        ("bytes=5-99", "567890", "bytes 5-10/11"),
    ] {
        let reply = lab.get_with(&[("range", range)]);
        assert_eq!((reply.status().as_u16(), reply.text().as_str()), (206, body), "{range}");
        assert_eq!(reply.header("content-range"), Some(place));
        assert_eq!(reply.header("content-length"), Some(&*body.len().to_string()));
        assert!(report(&reply).is_hit());
    }
    let same = [("range", "bytes=0-1"), ("if-range", "\"abc\"")];
    assert_eq!(lab.get_with(&same).text(), "01");
    let other = [("range", "bytes=0-1"), ("if-range", "\"other\"")];
    let whole = lab.get_with(&other);
    assert_eq!((whole.status().as_u16(), whole.text().as_str()), (200, "01234567890"));
    assert_eq!(lab.requests(), 1);
    let head = lab.request_to(Method::HEAD, "/", &[("range", "bytes=0-1")]).send().unwrap();
    assert_eq!(head.status(), 200);
}

#[test]
fn rfc9110_14_2_other_ranges_go_to_the_server() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH, TAG], "01234567890").get();
    for range in ["bytes=0-1,3-4", "bytes=11-", "lines=1-2"] {
        lab.will_answer(416, &[], "");
        let reply = lab.get_with(&[("range", range)]);
        assert_eq!(reply.status(), 416, "{range}");
        let seen = lab.server.seen().pop().unwrap();
        assert_eq!((seen.header("range"), seen.header("if-none-match")), (Some(range), None));
    }
    assert!(report(&lab.get()).is_hit());
}

#[test]
fn a_part_passes_through_and_is_not_stored() {
    let lab = Lab::new();
    lab.will_answer(206, &[FRESH, ("content-range", "bytes 0-1/4")], "01");
    let reply = lab.get_with(&[("range", "bytes=0-1")]);
    assert_asked(&reply, Forwarded::UriMiss, "01");
    assert_eq!(report(&reply).not_stored(), Some(NotStored::Status));
    lab.will_answer(200, &[FRESH], "0123");
    assert_asked(&lab.get(), Forwarded::UriMiss, "0123");
}

#[test]
fn a_stale_whole_is_confirmed_before_a_part_of_it_is_served() {
    let lab = Lab::new();
    lab.will_answer(200, &[("cache-control", "max-age=1"), TAG], "0123").get();
    lab.after(2).will_answer(304, &[FRESH], "");
    let reply = lab.get_with(&[("range", "bytes=1-2")]);
    assert_confirmed(&reply, "12");
    assert_eq!(reply.status(), 206);
    let seen = lab.server.seen().pop().unwrap();
    assert_eq!(seen.header("if-none-match"), Some("\"abc\""));
}

#[test]
fn a_whole_that_answers_a_range_is_stored() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "0123");
    assert_eq!(lab.get_with(&[("range", "bytes=1-2")]).status(), 200);
    let reply = lab.get_with(&[("range", "bytes=1-2")]);
    assert_eq!((reply.status().as_u16(), reply.text().as_str()), (206, "12"));
}
