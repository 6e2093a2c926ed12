//! A thousand calls cancelled at random moments leave nothing behind.

use std::{thread, time::Duration};

use abide::{Body, Client, Feedback, Limits};

use crate::{
    clients::{await_quiet, builder},
    random::Random,
    support::{Exchange, Server},
    waiting::{eventually, eventually_or},
};

const THREADS: u64 = 8;
const CALLS: u64 = 125;
const PLACES: usize = 5;

#[test]
fn a_thousand_random_cancels_leave_nothing_behind() {
    let paths = &["/at-once", "/never", "/half", "/endless"];
    let most = cancel_a_thousand(paths);
    assert!(most <= PLACES, "{most} connections at once");
}

#[test]
fn a_thousand_random_cancels_of_uploads_leave_nothing_behind() {
    // What the system still sends for a closed socket keeps it open in the eyes of the server, so
    // the bound cannot be seen from there.
    cancel_a_thousand(&["/at-once", "/upload"]);
}

/// Returns how many connections the server saw at once.
pub(crate) fn cancel_a_thousand(paths: &[&str]) -> usize {
    let server = Server::http(answer_somehow);
    let client = builder().limits(Limits::default().places_per_route(PLACES)).build().unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (client, server) = (&client, &server);
            scope.spawn(move || cancel_at_random(client, server, paths, Random::new(thread + 1)));
        }
    });
    await_quiet(&client);
    let seen = || (server.open_connections(), client.stats().open());
    eventually_or(
        "both sides agree on what is open",
        || seen().0 == seen().1,
        || format!("{:?} at the server and the client: {:?}", seen(), client.stats()),
    );
    let reply = client.get(server.url("/at-once")).send().unwrap();
    assert_eq!(reply.text(), "at once");
    client.close_idle();
    server.await_open(0);
    eventually("no place is taken", || client.stats().open() == 0);
    assert_eq!(client.stats().idle(), 0);
    server.max_open()
}

fn answer_somehow(exchange: &mut Exchange) {
    match exchange.target() {
        "/at-once" => drop(exchange.reply(200, &[], b"at once")),
        "/never" => exchange.await_client_gone(),
        "/upload" => {
            if let Some(body) = exchange.try_read_body() {
                exchange.reply(200, &[], body.len().to_string().as_bytes());
            }
        }
        "/half" => {
            exchange.begin_reply(200, &[("content-length", "10")]);
            exchange.write("half!");
            exchange.await_client_gone();
        }
        _ => {
            exchange.begin_reply(200, &[("transfer-encoding", "chunked")]);
            while exchange.write("5\r\nagain\r\n") {}
        }
    }
}

fn cancel_at_random(client: &Client, server: &Server, paths: &[&str], mut random: Random) {
    for _ in 0..CALLS {
        let path = paths[random.below(paths.len())];
        let feedback = Feedback::new();
        let delay = Duration::from_micros(random.below(3000) as u64);
        thread::scope(|scope| {
            let feedback = &feedback;
            scope.spawn(move || {
                thread::sleep(delay);
                feedback.cancel();
            });
            let call = match path {
                "/upload" => client.post(server.url(path)).body(Body::from(vec![1; 300_000])),
                _ => client.get(server.url(path)),
            };
            match call.feedback(feedback).send() {
                Ok(reply) => assert!(matches!(path, "/at-once" | "/upload"), "{reply:?}"),
                Err(error) => assert!(error.is_cancelled(), "{error:?}"),
            }
        });
    }
}
