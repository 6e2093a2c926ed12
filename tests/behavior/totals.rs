//! The bound of all routes together.

use std::thread;

use abide::{Feedback, Limits};

use crate::{
    bounds::{get, wait_for_target},
    clients::{FixedNames, await_quiet, await_stats, builder},
    random::Random,
    support::Server,
};

#[test]
fn many_threads_and_hosts_get_their_own_replies() {
    let servers = [(); 4].map(|()| {
        Server::http(|exchange| {
            let target = exchange.target().to_owned();
            exchange.reply(200, &[], target.as_bytes());
        })
    });
    let limits = Limits::default().places_per_route(3).places_total(7);
    let client = builder().limits(limits).build().unwrap();
    thread::scope(|scope| {
        for thread in 0..16 {
            let (client, servers) = (&client, &servers);
            scope.spawn(move || {
                for call in 0..25 {
                    let server = &servers[(thread + call) % servers.len()];
                    let path = format!("/{thread}/{call}");
                    assert_eq!(client.get(server.url(&path)).send().unwrap().text(), path);
                }
            });
        }
    });
    assert!(servers.iter().all(|server| server.max_open() <= 3));
    await_quiet(&client);
}

/// Four routes lead to one server, which so counts the connections of all of them.
#[test]
fn routes_together_never_have_more_connections_than_the_total() {
    let server = Server::http(|exchange| match exchange.target() {
        "/held" => wait_for_target(exchange),
        "/reset" => exchange.reset(),
        "/close" => {
            exchange.reply(200, &[], b"");
            exchange.close();
        }
        _ => drop(exchange.reply(200, &[], b"")),
    });
    let limits = Limits::default().places_per_route(3).places_total(7);
    let client = builder().resolver(FixedNames::loopback()).limits(limits).build().unwrap();
    let url = |host: usize, path| server.url_at(&format!("{}.test", host % 4), path);
    thread::scope(|scope| {
        for thread in 0..16 {
            let (client, url) = (&client, &url);
            scope.spawn(move || {
                let mut random = Random::new(thread + 1);
                for _ in 0..50 {
                    let path = ["/", "/", "/reset", "/close"][random.below(4)];
                    let feedback = Feedback::new();
                    if random.below(3) == 0 {
                        let canceller = feedback.clone();
                        feedback.on_download(move |_| canceller.cancel());
                    }
                    drop(client.get(url(random.below(4), path)).feedback(&feedback).send());
                }
            });
        }
    });
    await_quiet(&client);
    // All are there, and none was lost.
    let calls: Vec<_> = (0..12).map(|host| get(&client, url(host, "/held"))).collect();
    server.await_signal("in", 7);
    await_stats(&client, "the others wait", |stats| stats.queued() == 5);
    assert_eq!((server.signalled("in"), server.max_open()), (7, 7));
    server.signal("/held");
    calls.into_iter().for_each(|call| drop(call.join()));
    assert_eq!(server.max_open(), 7);
}
