//! A reused connection that dies is replaced where that is safe, and only there.

use abide::{Body, Client, ErrorKind, Feedback, Reply, RequestBuilder, Result};

use crate::{
    clients::{await_quiet, await_stats, client},
    support::{Exchange, Server},
};

/// How a server ends a connection on the second request.
#[derive(Clone, Copy, Debug)]
enum Death {
    Close,
    Reset,
    HalfAHead,
}

/// Serves one request per connection and dies on the next, without an answer.
fn dying(death: Death) -> Server {
    Server::http(move |exchange: &mut Exchange| {
        exchange.try_read_body();
        if exchange.request_index() == 0 {
            exchange.reply(200, &[], b"ok");
            return;
        }
        match death {
            Death::Close => exchange.close(),
            Death::Reset => exchange.reset(),
            Death::HalfAHead => {
                exchange.write("HTTP/1.1 20");
                exchange.close();
            }
        }
    })
}

/// The answer to a call on a connection that dies, and how many requests the server read.
fn on_a_dying_connection(
    death: Death,
    make: impl FnOnce(&Client, String) -> RequestBuilder<'static>,
) -> (Result<Reply>, usize) {
    let server = dying(death);
    let client = client();
    assert_eq!(client.get(server.url("/first")).send().unwrap().text(), "ok");
    await_stats(&client, "the connection is idle", |stats| stats.idle() == 1);
    let answer = make(&client, server.url("/second")).send();
    await_quiet(&client);
    (answer, server.requests())
}

#[test]
fn an_idempotent_call_is_sent_again_on_a_fresh_connection() {
    for death in [Death::Close, Death::Reset] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            let (answer, requests) = on_a_dying_connection(death, |client, url| {
                client.request(method.parse().unwrap(), url).body("again")
            });
            let reply = answer.unwrap_or_else(|error| panic!("{method} {death:?}: {error:?}"));
            assert_eq!((reply.status().as_u16(), reply.attempts()), (200, 2), "{method}");
            assert!(!reply.reused_connection());
            assert_eq!(requests, 3, "{method} {death:?}");
        }
    }
}

#[test]
fn a_post_is_never_sent_twice() {
    for death in [Death::Close, Death::Reset] {
        for method in ["POST", "PATCH"] {
            let (answer, requests) = on_a_dying_connection(death, |client, url| {
                client.request(method.parse().unwrap(), url).body("once")
            });
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{method} {death:?}: {error:?}");
            assert_eq!(requests, 2, "{method} {death:?}");
        }
    }
}

#[test]
fn a_post_with_an_idempotency_key_is_sent_again() {
    let (answer, requests) = on_a_dying_connection(Death::Close, |client, url| {
        client.post(url).header("idempotency-key", "42").body("again")
    });
    assert_eq!((answer.unwrap().attempts(), requests), (2, 3));
}

#[test]
fn a_body_that_cannot_be_read_again_is_not_sent_again() {
    let (answer, requests) = on_a_dying_connection(Death::Close, |client, url| {
        client.put(url).body(Body::sized_reader(&b"once"[..], 4))
    });
    assert_eq!((answer.unwrap_err().kind(), requests), (ErrorKind::Protocol, 2));
}

#[test]
fn a_factory_makes_the_body_again() {
    let (answer, requests) = on_a_dying_connection(Death::Close, |client, url| {
        client.put(url).body(Body::factory(Some(5), || Ok(&b"again"[..])))
    });
    assert_eq!((answer.unwrap().attempts(), requests), (2, 3));
}

#[test]
fn what_is_sent_again_is_not_counted_again() {
    let feedback = Feedback::new();
    let given = feedback.clone();
    let (answer, requests) = on_a_dying_connection(Death::Close, |client, url| {
        client.put(url).body(vec![7; 500_000]).feedback(given)
    });
    assert_eq!((answer.unwrap().attempts(), requests), (2, 3));
    let progress = feedback.upload();
    assert_eq!((progress.bytes(), progress.total()), (500_000, Some(500_000)));
}

#[test]
fn a_call_whose_reply_has_begun_is_not_sent_again() {
    let (answer, requests) = on_a_dying_connection(Death::HalfAHead, |client, url| client.get(url));
    assert_eq!((answer.unwrap_err().kind(), requests), (ErrorKind::Protocol, 2));
}

#[test]
fn a_fresh_connection_that_dies_is_not_replaced() {
    for kind in ["/close", "/reset"] {
        let server = Server::http(|exchange| match exchange.target() {
            "/close" => exchange.close(),
            _ => exchange.reset(),
        });
        let client = client();
        let error = client.get(server.url(kind)).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{kind}: {error:?}");
        assert_eq!((server.connections(), server.requests()), (1, 1), "{kind}");
    }
}

#[test]
fn a_connection_the_server_has_closed_is_never_used_again() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], b"ok");
        exchange.close();
    });
    let client = client();
    for count in 1..=10 {
        client.get(server.url("/")).send().unwrap();
        server.await_open(0);
        await_stats(&client, "the connection was given up", |stats| stats.open() == 0);
        let reply = client.post(server.url("/")).body("once").send().unwrap();
        assert!(!reply.reused_connection());
        server.await_open(0);
        await_stats(&client, "the connection was given up", |stats| stats.open() == 0);
        assert_eq!((server.connections(), server.requests()), (2 * count, 2 * count));
    }
}

#[test]
fn a_server_that_announces_the_end_is_taken_at_its_word() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[("connection", "close")], b"ok");
        exchange.signal("replied");
        exchange.await_client_gone();
    });
    let client = client();
    for count in 1..=5 {
        let reply = client.post(server.url("/")).body("once").send().unwrap();
        assert!(!reply.reused_connection());
        server.await_signal("replied", count);
    }
    server.await_open(0);
    assert_eq!((server.connections(), server.requests()), (5, 5));
}

#[test]
fn many_dead_connections_in_a_row_end_with_an_answer() {
    let server = Server::http(|exchange| match exchange.connection() {
        0..8 if exchange.request_index() == 0 => {
            exchange.signal("in");
            exchange.await_signal("go", 1);
            exchange.reply(200, &[], b"ok");
        }
        0..8 => exchange.close(),
        _ => drop(exchange.reply(200, &[], b"fresh")),
    });
    let client = client();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (client, url) = (client.clone(), server.url("/"));
            crate::waiting::start(move || client.get(url).send().unwrap())
        })
        .collect();
    server.await_signal("in", 8);
    server.signal("go");
    calls.into_iter().for_each(|call| drop(call.join()));
    await_stats(&client, "all connections are idle", |stats| stats.idle() == 8);
    let reply = client.get(server.url("/")).send().unwrap();
    assert_eq!((reply.text().as_str(), reply.attempts()), ("fresh", 2));
}
