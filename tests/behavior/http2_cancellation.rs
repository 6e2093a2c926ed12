//! Cancelling over HTTP/2 ends a stream, and the connection goes on.

use std::{
    io::{self, Read as _},
    thread,
    time::Duration,
};

use abide::{Body, Client, Error, ErrorKind, Feedback, Phase};
use h2::{Reason, server::Builder};

use crate::{
    clients::{GatedNames, await_quiet, await_stats, trusting},
    http2::{client, echo, get, stall},
    random::Random,
    support::{Server, StreamExchange},
    victim::Victim,
    waiting::{eventually, eventually_or, start},
};

#[test]
fn a_cancelled_call_resets_its_stream_and_no_other() {
    let server = Server::http2(|exchange| async move {
        match exchange.target() {
            "/stall" => stall(exchange).await,
            _ => echo(exchange).await,
        }
    });
    let client = client();
    let victim = Victim::get(&client, server.url("/stall"));
    let other = get(&client, server.url("/stall"));
    server.await_signal("waiting", 2);
    victim.cancel(Phase::FirstByte);
    server.await_resets(1);
    server.await_signal("gone", 1);
    assert_eq!(server.resets()[0].reason, u32::from(Reason::CANCEL));
    client.post(server.url("/")).body("on").send().unwrap();
    assert_eq!((server.connections(), server.resets().len()), (1, 1));
    drop(server);
    assert!(other.join().is_err());
}

#[test]
fn a_cancel_in_the_middle_of_a_body_resets_the_stream() {
    let server = Server::http2(|mut exchange| async move {
        exchange.begin_reply(200, &[]);
        exchange.write("some of it").await;
        stall(exchange).await;
    });
    let client = client();
    let victim = Victim::get(&client, server.url("/"));
    eventually("some of the body is there", || victim.feedback.download().bytes() == 10);
    victim.cancel(Phase::Body);
    server.await_resets(1);

    let feedback = Feedback::new();
    let mut reply = client.get(server.url("/")).feedback(&feedback).open().unwrap();
    reply.read_exact(&mut [0; 10]).unwrap();
    let reading = start(move || reply.read(&mut [0]));
    feedback.cancel();
    assert!(reading.join().is_err());
    server.await_resets(2);
    assert_eq!(server.open_connections(), 1);
    await_quiet(&client);
}

#[test]
fn a_cancel_in_the_middle_of_an_upload_resets_the_stream() {
    let server = Server::http2(stall);
    let client = client();
    let url = server.url("/");
    let victim =
        Victim::start(&client, |client| client.post(url).body(Body::reader(io::repeat(7))));
    server.await_signal("waiting", 1);
    victim.cancel(Phase::Send);
    server.await_resets(1);
    assert_eq!(server.open_connections(), 1);
    await_quiet(&client);
}

#[test]
fn a_reply_dropped_half_read_resets_its_stream() {
    let server = Server::http2(|mut exchange| async move {
        exchange.begin_reply(200, &[]);
        while exchange.write(vec![0; 10_000]).await {}
    });
    let client = client();
    for count in 1..=3 {
        let mut reply = client.get(server.url("/")).open().unwrap();
        reply.read_exact(&mut [0; 100]).unwrap();
        drop(reply);
        server.await_resets(count);
    }
    assert_eq!(server.connections(), 1);
    await_quiet(&client);
}

#[test]
fn cancelling_the_call_that_dials_harms_none_of_those_who_wait_for_it() {
    let server = Server::http2(echo);
    let names = GatedNames::default();
    let client = trusting().resolver(names.resolver()).build().unwrap();
    let first = Victim::get(&client, server.url_at("localhost", "/"));
    names.await_asked(1);
    let others: Vec<_> = (0..5).map(|_| get(&client, server.url_at("localhost", "/"))).collect();
    await_stats(&client, "all calls are queued", |stats| stats.queued() == 6);
    first.cancel(Phase::Resolve);
    names.open();
    for other in others {
        assert_eq!(other.join().unwrap().status(), 200);
    }
    assert_eq!((server.connections(), server.requests()), (1, 5));
    await_quiet(&client);
}

#[test]
fn many_random_cancels_leave_the_connection_whole() {
    let mut settings = Builder::new();
    settings.max_pending_accept_reset_streams(1000);
    let server = Server::http2_of(settings, answer_somehow);
    let client = client();
    for answer in cancel_many(&client, &server) {
        assert!(answer.is_none_or(|error| error.is_cancelled()));
    }
    check_nothing_is_left(&client, &server);
}

#[test]
fn a_server_that_is_fed_up_with_cancels_leaves_nothing_behind() {
    let mut settings = Builder::new();
    settings.max_pending_accept_reset_streams(2);
    let server = Server::http2_of(settings, answer_somehow);
    let client = client();
    for error in cancel_many(&client, &server).into_iter().flatten() {
        let is_named =
            matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Protocol | ErrorKind::Body);
        assert!(is_named, "{error:?}");
    }
    check_nothing_is_left(&client, &server);
}

/// The errors of 400 calls on 8 threads, each cancelled at some moment.
fn cancel_many(client: &Client, server: &Server) -> Vec<Option<Error>> {
    let cancel_some = &|thread: u64| {
        let mut random = Random::new(thread + 1);
        (0..50).map(|_| cancel_one(client, server, &mut random)).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|thread| scope.spawn(move || cancel_some(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[track_caller]
fn check_nothing_is_left(client: &Client, server: &Server) {
    await_quiet(client);
    let seen = || (server.open_connections(), client.stats().open(), client.stats().idle());
    eventually_or(
        "both sides agree on what is open",
        || seen().0 == seen().1 && seen().1 == seen().2,
        || format!("{:?} open at the server, at the client, and idle", seen()),
    );
    assert_eq!(client.get(server.url("/")).send().unwrap().status(), 200);
    client.close_idle();
    server.await_open(0);
    await_stats(client, "no place is taken", |stats| stats.open() == 0);
}

async fn answer_somehow(mut exchange: StreamExchange) {
    match exchange.target() {
        "/never" => exchange.await_reset().await,
        "/half" => {
            exchange.begin_reply(200, &[]);
            exchange.write("half").await;
            exchange.await_reset().await;
        }
        "/endless" => {
            exchange.begin_reply(200, &[]);
            while exchange.write(vec![0; 10_000]).await {}
        }
        _ => echo(exchange).await,
    }
}

fn cancel_one(client: &Client, server: &Server, random: &mut Random) -> Option<Error> {
    let path = ["/", "/never", "/half", "/endless"][random.below(4)];
    let feedback = Feedback::new();
    let delay = Duration::from_micros(random.below(3000) as u64);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(delay);
            feedback.cancel();
        });
        let call = client.post(server.url(path)).body(vec![1; 100_000]);
        match call.feedback(&feedback).send() {
            Ok(reply) => {
                assert_eq!((path, reply.bytes().len()), ("/", 100_000));
                None
            }
            Err(error) => Some(error),
        }
    })
}
