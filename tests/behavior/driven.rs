//! Whatever an exchange needs is done at once, whoever has begun it and goes on to something else.

use std::{
    io::{self, Read},
    sync::Arc,
    time::{Duration, Instant},
};

use abide::{Body, Client, Feedback, HostOptions};

use crate::{
    clients::builder,
    support::Server,
    waiting::{Running, start},
};

#[test]
fn a_connection_that_is_handed_on_at_the_end_of_a_streamed_reply() {
    let server = Arc::new(Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "8")]);
        exchange.write("some");
        exchange.await_signal(exchange.target(), 1);
        exchange.write("more");
    }));
    soon(&server, |server, client, path| {
        let callers = [(); 2].map(|()| {
            let (client, server, path) = (client.clone(), Arc::clone(server), path.to_owned());
            start(move || {
                // Who gives feedback is not invited to attend its connection.
                let call = client.get(server.url(&path)).feedback(Feedback::new());
                let (mut reply, mut some) = (call.open().unwrap(), [0; 4]);
                reply.read_exact(&mut some).unwrap();
                server.signal(&path);
                assert_eq!(io::read_to_string(reply).unwrap(), "more");
            })
        });
        callers.into_iter().for_each(Running::join);
    });
}

/// Gives one piece, and the end when the server has that.
struct OnePiece {
    server: Arc<Server>,
    path: String,
    is_given: bool,
}

impl Read for OnePiece {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.is_given, true) {
            self.server.await_signal(&self.path, 1);
            return Ok(0);
        }
        buffer[0] = b'a';
        Ok(1)
    }
}

#[test]
fn a_dial_for_an_upload_whose_reader_blocks() {
    let server = Arc::new(Server::http(|exchange| {
        exchange.read_body_piece(1);
        exchange.signal(exchange.target());
        exchange.read_body();
        exchange.reply(200, &[], b"");
    }));
    soon(&server, |server, client, path| {
        let piece = OnePiece { server: Arc::clone(server), path: path.to_owned(), is_given: false };
        client.post(server.url(path)).body(Body::reader(piece)).send().unwrap();
    });
}

/// Does it with one client after the other, each with one connection, and fails if more than every
/// second had to wait for the steward: a thread that has come once to look after a connection stays.
#[track_caller]
fn soon(server: &Arc<Server>, work: impl Fn(&Arc<Server>, &Client, &str)) {
    let own = HostOptions::default().places(1);
    let started = Instant::now();
    for turn in 0..TURNS {
        let client = builder().host_options(&server.addr().to_string(), own).build().unwrap();
        work(server, &client, &format!("/{turn}"));
    }
    assert!(started.elapsed() < STEWARDS_PATIENCE * TURNS / 2, "{:?}", started.elapsed());
}

const TURNS: u32 = 30;
/// After so much time connections are looked after that everybody has left.
const STEWARDS_PATIENCE: Duration = Duration::from_millis(100);
