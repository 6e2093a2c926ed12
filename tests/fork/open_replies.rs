//! Replies that are half-read when the process forks.

use std::io::{self, Read};

use abide::{Error, OpenReply};

use super::{
    assert_forked, client,
    processes::in_child,
    support::{Exchange, Server},
};

static PIECE: [u8; 100_000] = [7; 100_000];

/// Sends a piece, and another when the children have ended.
fn in_halves(exchange: &mut Exchange) {
    let status = exchange.target()[1..].parse().unwrap();
    let length = (2 * PIECE.len()).to_string();
    exchange.begin_reply(status, &[("content-length", &length)]);
    exchange.write(PIECE);
    exchange.await_signal("children ended", 1);
    exchange.write(PIECE);
}

pub(crate) fn a_half_read_reply_fails_in_the_child_and_goes_on_in_the_parent() {
    let server = Server::http(in_halves);
    let client = client();
    let mut held = ["/200", "/404"].map(|target| {
        let mut open = client.get(server.url(target)).open().unwrap();
        open.read_exact(&mut [0; 1000]).unwrap();
        Some(open)
    });
    let [found, missing] = &mut held;
    in_child(|| assert_unreadable(found.as_mut().unwrap()));
    in_child(|| assert_forked(|| found.take().unwrap().into_reply()));
    in_child(|| assert_forked(|| missing.take().unwrap().error_for_status()));
    in_child(|| {
        let open = found.take().unwrap();
        assert_eq!((open.status().as_u16(), open.content_length()), (200, Some(200_000)));
        drop((open, missing.take()));
    });
    server.signal("children ended");
    for open in held.into_iter().flatten() {
        let reply = open.into_reply().unwrap();
        assert!(reply.bytes().iter().all(|byte| *byte == 7));
        assert_eq!(reply.bytes().len(), 2 * PIECE.len() - 1000);
    }
    assert!(client.get(server.url("/200")).send().unwrap().reused_connection());
    assert_eq!(server.connections(), 2);
}

/// Reads what is in memory already, and then no more.
#[track_caller]
fn assert_unreadable(open: &mut OpenReply) {
    let mut taken = Vec::new();
    assert_forked(|| open.read_to_end(&mut taken).map_err(into_ours));
    assert!(taken.len() < PIECE.len());
    assert_forked(|| open.read_to_end(&mut taken).map_err(into_ours));
}

fn into_ours(error: io::Error) -> Error {
    error.downcast().unwrap()
}

pub(crate) fn a_reply_ends_at_once_in_the_child_while_its_body_arrives() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[]);
        while exchange.write(&PIECE[..2000]) {}
        exchange.close();
    });
    let client = client();
    let mut held = Some(client.get(server.url("/")).open().unwrap());
    for fork in 0..FORKS {
        // More of it arrives while the process forks, so that locks are held now and then.
        held.as_mut().unwrap().read_exact(&mut PIECE.clone()).unwrap();
        in_child(|| {
            let open = held.take().unwrap();
            match fork % 4 {
                0 => drop(open),
                _ => assert_forked(|| open.into_reply()),
            }
        });
    }
    held.as_mut().unwrap().read_exact(&mut PIECE.clone()).unwrap();
    drop(held);
    server.await_open(0);
}

const FORKS: usize = 200;
