//! What changes a resource makes its stored replies forgotten.

use abide::{Forwarded, Method, NotStored};

use super::{Lab, assert_asked, assert_hit, report};

const FRESH: (&str, &str) = ("cache-control", "max-age=100000");

fn call(lab: &Lab, method: &str, path: &str) -> abide::Reply {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    lab.request_to(method, path, &[]).body("abc").send().unwrap()
}

#[test]
fn rfc9111_4_4_a_method_that_may_change_things_invalidates_if_it_succeeds() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"] {
        for (status, survives) in
            [(200, false), (204, false), (303, false), (404, true), (500, true)]
        {
            let lab = Lab::with(abide::Cache::memory(1 << 20), |builder| {
                builder.redirects(abide::RedirectPolicy::none())
            });
            lab.will_answer(200, &[FRESH], "one").get();
            lab.will_answer(status, &[], "");
            assert_eq!(report(&call(&lab, method, "/")).forwarded(), Some(Forwarded::Method));
            if survives {
                assert_hit(&lab.get(), "one");
            } else {
                lab.will_answer(200, &[FRESH], "two");
                assert_asked(&lab.get(), Forwarded::UriMiss, "two");
            }
        }
    }
}

#[test]
fn rfc9111_4_4_safe_methods_change_nothing() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "one").get();
    for method in ["OPTIONS", "PROPFIND", "SEARCH"] {
        lab.will_answer(200, &[], "");
        call(&lab, method, "/");
    }
    assert_hit(&lab.get(), "one");
}

#[test]
fn rfc9111_4_4_places_that_the_answer_names_are_forgotten_too() {
    for name in ["location", "content-location"] {
        for method in ["POST", "PUT", "DELETE", "M-SEARCH"] {
            let lab = Lab::new();
            let get = || lab.request_to(Method::GET, "/a/target?x", &[]).send().unwrap();
            lab.will_answer(200, &[FRESH], "one");
            get();
            lab.will_answer(201, &[(name, "target?x")], "");
            call(&lab, method, "/a/b");
            lab.will_answer(200, &[FRESH], "two");
            assert_asked(&get(), Forwarded::UriMiss, "two");
        }
    }
}

#[test]
fn rfc9111_4_4_nobody_speaks_for_another_origin() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "one").get();
    let other = Lab::with(lab.client.cache().unwrap().clone(), |builder| builder);
    other.will_answer(200, &[("location", &lab.server.url("/"))], "");
    call(&other, "POST", "/");
    assert_hit(&lab.get(), "one");
}

#[test]
fn rfc9111_4_4_all_replies_that_vary_are_forgotten() {
    let lab = Lab::new();
    for value in ["1", "2"] {
        lab.will_answer(200, &[FRESH, ("vary", "foo")], value).get_with(&[("foo", value)]);
    }
    assert_hit(&lab.get_with(&[("foo", "1")]), "1");
    lab.will_answer(204, &[], "");
    call(&lab, "PUT", "/");
    for value in ["1", "2"] {
        lab.will_answer(200, &[FRESH, ("vary", "foo")], "new");
        let reply = lab.get_with(&[("foo", value)]);
        assert_eq!(reply.text(), "new", "{value}");
    }
}

#[test]
fn a_change_that_was_perhaps_made_counts_as_one() {
    let lab = Lab::new();
    lab.will_answer(200, &[FRESH], "one").get();
    // The connection is cut before an answer.
    lab.request_to(Method::POST, "/", &[]).body("abc").send().unwrap_err();
    lab.will_answer(200, &[FRESH], "two");
    assert_asked(&lab.get(), Forwarded::UriMiss, "two");
}

#[test]
fn rfc9110_9_3_3_a_post_may_bring_what_later_gets_want() {
    let lab = Lab::new();
    let url = lab.server.url("/");
    lab.will_answer(200, &[FRESH, ("content-location", &url)], "posted");
    assert!(report(&call(&lab, "POST", "/")).is_stored());
    assert_hit(&lab.get(), "posted");
    lab.will_answer(200, &[FRESH, ("content-location", "/other")], "posted");
    assert_eq!(report(&call(&lab, "POST", "/")).not_stored(), Some(NotStored::Method));
}

#[test]
fn what_was_asked_before_a_change_is_not_stored_after_it() {
    use crate::support::Server;
    let server = Server::http(|exchange| match exchange.request().method.as_str() {
        "GET" => {
            exchange.signal("asked");
            exchange.await_signal("changed", 1);
            exchange.reply(200, &[FRESH], b"old");
        }
        _ => drop(exchange.reply(204, &[], b"")),
    });
    let client = crate::clients::builder().cache(abide::Cache::memory(1 << 20)).build().unwrap();
    std::thread::scope(|scope| {
        let get = scope.spawn(|| client.get(server.url("/")).send().unwrap());
        server.await_signal("asked", 1);
        client.put(server.url("/")).body("new").send().unwrap();
        server.signal("changed");
        let reply = get.join().unwrap();
        assert_eq!(reply.text(), "old");
        assert_eq!(report(&reply).not_stored(), Some(NotStored::Overtaken));
    });
}
