//! A cable that loses packets and takes its time: slower, but nothing fails.

use std::time::{Duration, Instant};

use abide::{Client, Limits};
use abide_real::{in_threads, served};

use crate::cable::{Cable, FAR, knowing};

fn clients() -> [Client; 2] {
    let builder = || knowing(&[FAR]).limits(Limits::default().places_per_route(8));
    [builder().http1_only().build().unwrap(), builder().build().unwrap()]
}

#[test]
fn with_loss_and_delay_everything_arrives_whole_in_both_directions() {
    let cable = Cable::mine();
    cable.is_bad(Duration::from_millis(10), 0.02);
    for client in clients() {
        in_threads(12, |thread| {
            for round in 0..4 {
                let url = format!("https://server.test/uploads/lossy-{thread}");
                let bytes = served(if round == 0 { "1k" } else { "100k" });
                let reply = client.put(&url).body(&bytes).send().unwrap();
                assert!(reply.status().is_success());
                assert!(client.get(&url).send().unwrap().bytes() == &bytes);
            }
        });
        let reply = client.get("https://server.test/8m").send().unwrap();
        assert!(reply.bytes() == &served("8m"));
        assert!(client.stats().connections_opened() <= 8, "{:?}", client.stats());
    }
}

#[test]
fn the_times_of_a_call_show_the_way() {
    let cable = Cable::mine();
    let way = Duration::from_millis(60);
    cable.is_bad(way, 0.0);
    let both_ways = way * 2;
    for client in clients() {
        let reply = client.get("https://server.test/1k").send().unwrap();
        let times = reply.timings();
        let connected = times.connected().unwrap() - times.queued();
        let tls = times.tls_done().unwrap() - times.connected().unwrap();
        let answer = times.first_byte().unwrap() - times.tls_done().unwrap();
        for (name, took) in [("connect", connected), ("tls", tls), ("answer", answer)] {
            assert!(took >= both_ways && took < both_ways * 4, "{name} {took:?}: {times:?}");
        }
        let again = client.get("https://server.test/1k").send().unwrap();
        let took = again.timings().last_byte().unwrap();
        assert!(took >= both_ways && took < both_ways * 3, "{took:?}");
    }
}

/// Over HTTP/2 many calls travel together.
#[test]
fn a_long_way_is_gone_once_for_many_calls_at_a_time() {
    let cable = Cable::mine();
    let way = Duration::from_millis(50);
    let [_, client] = clients();
    client.get("https://server.test/1k").send().unwrap();
    cable.is_bad(way, 0.0);
    let began = Instant::now();
    in_threads(32, |_| {
        assert!(client.get("https://server.test/1k").send().unwrap().bytes() == &served("1k"));
    });
    assert!(began.elapsed() < way * 12, "{:?}", began.elapsed());
    assert_eq!(client.stats().connections_opened(), 1);
}
