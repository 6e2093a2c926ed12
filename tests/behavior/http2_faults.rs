//! HTTP/2 servers that reset, go away, freeze or die.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use abide::{Body, Budget, ErrorKind, Limits, Phase, Timeouts};
use h2::Reason;

use crate::{
    clients::{await_quiet, await_stats, trusting},
    http2::{client, echo, get, stall},
    support::Server,
    waiting::{AT_ONCE, eventually, start},
};

#[test]
fn a_refused_stream_is_sent_again_even_for_a_post() {
    let refused = Arc::new(AtomicBool::new(false));
    let server = Server::http2(move |mut exchange| {
        let is_first = !refused.swap(true, Ordering::Relaxed);
        async move {
            match is_first {
                true => exchange.reset(Reason::REFUSED_STREAM),
                false => echo(exchange).await,
            }
        }
    });
    let reply = client().post(server.url("/")).body("hello").send().unwrap();
    assert_eq!((reply.text().as_str(), reply.attempts()), ("hello", 2));
}

#[test]
fn a_reset_stream_is_the_error_of_its_call_only() {
    let server = Server::http2(|mut exchange| async move {
        match exchange.target() {
            "/reset" => exchange.reset(Reason::INTERNAL_ERROR),
            "/half" => {
                exchange.begin_reply(200, &[("content-length", "10")]);
                exchange.write("half").await;
                exchange.reset(Reason::INTERNAL_ERROR);
            }
            _ => echo(exchange).await,
        }
    });
    let client = client();
    let error = client.post(server.url("/reset")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    let error = client.get(server.url("/half")).send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Body | ErrorKind::Protocol), "{error:?}");
    client.get(server.url("/")).send().unwrap();
    assert_eq!(server.connections(), 1);
}

/// The connection lives: who asks again over it would be answered the same.
#[test]
fn a_request_whose_stream_is_reset_is_not_sent_again() {
    let server = Server::http2(|mut exchange| async move {
        match exchange.target() {
            "/reset" => exchange.reset(Reason::INTERNAL_ERROR),
            _ => echo(exchange).await,
        }
    });
    let client = client();
    client.get(server.url("/")).send().unwrap();
    let error = client.get(server.url("/reset")).send().unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Protocol, Some(Phase::FirstByte)));
    assert!(error.to_string().contains("ended the stream instead of answering"), "{error}");
    assert_eq!((server.requests(), server.connections()), (2, 1));
}

#[test]
fn a_short_body_is_an_error() {
    let server = Server::http2(|mut exchange| async move {
        exchange.begin_reply(200, &[("content-length", "10")]);
        exchange.write("short").await;
        exchange.finish();
    });
    let error = client().get(server.url("/")).send().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Body | ErrorKind::Protocol), "{error:?}");
}

#[test]
fn a_connection_that_says_go_away_gets_no_new_calls() {
    let server = Server::http2(|mut exchange| async move {
        match exchange.target() {
            "/last" => {
                exchange.go_away();
                exchange.await_signal("go", 1).await;
                exchange.reply(200, &[], "finished").await;
            }
            _ => echo(exchange).await,
        }
    });
    let client = client();
    let last = get(&client, server.url("/last"));
    server.await_requests(1);
    eventually("a call goes elsewhere", || {
        client.get(server.url("/")).send().unwrap();
        server.connections() == 2
    });
    server.signal("go");
    assert_eq!(last.join().unwrap().text(), "finished");
    server.await_open(1);
}

#[test]
fn rfc_9110_section_9_2_2_a_kept_connection_that_dies_costs_no_idempotent_call() {
    let server = Server::http2(|exchange| async move {
        match exchange.request_index() {
            0 => echo(exchange).await,
            _ => exchange.close_connection(),
        }
    });
    let client = client();
    for attempts in [1, 2, 2] {
        assert_eq!(client.get(server.url("/")).send().unwrap().attempts(), attempts);
    }
    let error = client.post(server.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    assert_eq!(server.requests(), 6);
}

#[test]
fn a_connection_that_dies_ends_its_calls_and_is_replaced() {
    let server = Server::http2(|exchange| async move {
        match exchange.target() {
            "/close" => exchange.close_connection(),
            "/abort" => exchange.abort_connection(Reason::ENHANCE_YOUR_CALM),
            "/stall" => stall(exchange).await,
            _ => echo(exchange).await,
        }
    });
    for death in ["/close", "/abort"] {
        let client = client();
        client.get(server.url("/")).send().unwrap();
        let waiting = server.signalled("waiting");
        let url = server.url("/stall");
        let held = start({
            let client = client.clone();
            move || client.post(url).send()
        });
        server.await_signal("waiting", waiting + 1);
        let error = client.post(server.url(death)).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{death}: {error:?}");
        assert_eq!(held.join().unwrap_err().kind(), ErrorKind::Protocol);
        client.get(server.url("/")).send().unwrap();
        await_quiet(&client);
    }
}

#[test]
fn a_connection_that_dies_under_uploads_gives_its_place_back() {
    let server = Server::http2(|mut exchange| async move {
        if exchange.target() == "/kill" {
            return exchange.close_connection();
        }
        exchange.signal("uploading");
        exchange.try_read_body().await;
    });
    let client = client();
    for round in 1..=20 {
        let uploads: Vec<_> = (0..4)
            .map(|_| {
                let (client, url) = (client.clone(), server.url("/"));
                start(move || client.post(url).body(Body::reader(io::repeat(7))).send())
            })
            .collect();
        server.await_signal("uploading", 4 * round);
        assert!(client.post(server.url("/kill")).send().is_err());
        for upload in uploads {
            assert_eq!(upload.join().unwrap_err().kind(), ErrorKind::Protocol);
        }
        server.await_open(0);
        await_stats(&client, "the place is free", |stats| stats.open() == 0);
    }
}

#[test]
fn a_connection_whose_only_call_timed_out_does_not_hold_up_others_when_it_is_the_last() {
    let server = Server::http2(|mut exchange| async move {
        match exchange.target() {
            "/silent" => exchange.await_reset().await,
            _ => echo(exchange).await,
        }
    });
    let limits = Limits::default().http2_connections_per_route(1);
    let client = trusting().limits(limits).build().unwrap();
    client.get(server.url("/")).send().unwrap();
    let budget = Duration::from_millis(50);
    let error = client.get(server.url("/silent")).timeout(budget).send().unwrap_err();
    assert!(error.is_timeout());
    // Nothing is waited for there that could show that the server lives.
    client.get(server.url("/")).timeout(AT_ONCE).send().unwrap();
    assert!(client.stats().open() == 1);
}

#[test]
fn a_frozen_connection_ends_in_a_budget() {
    let server = Server::http2(|exchange| async move {
        match exchange.target() {
            "/freeze" => exchange.freeze_connection(),
            _ => echo(exchange).await,
        }
    });
    let timeouts = Timeouts::none().first_byte(Duration::from_millis(100));
    let client = trusting().timeouts(timeouts).build().unwrap();
    let error = client.get(server.url("/freeze")).send().unwrap_err();
    assert_eq!((error.phase(), error.budget()), (Some(Phase::FirstByte), Some(Budget::FirstByte)));
    let reply = client.post(server.url("/")).body("elsewhere").send().unwrap();
    assert_eq!((reply.text().as_str(), server.connections()), ("elsewhere", 2));
}

#[test]
fn an_early_answer_ends_the_upload() {
    let server = Server::http2(|mut exchange| async move {
        exchange.reply(413, &[], "too large").await;
    });
    let client = client();
    for _ in 0..50 {
        let body = Body::reader(io::repeat(7));
        let reply = client.post(server.url("/")).body(body).send().unwrap();
        assert_eq!((reply.status().as_u16(), reply.text().as_str()), (413, "too large"));
    }
    assert_eq!(server.connections(), 1);
    await_quiet(&client);
}
