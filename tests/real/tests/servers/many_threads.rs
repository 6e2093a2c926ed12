//! One client in many threads.

use abide::{Limits, Method};
use abide_real::{ALL, APACHE, NGHTTPD, NGINX, Target, Uploads, each, in_threads, served};

#[test]
fn many_threads_share_few_connections_and_mix_up_nothing() {
    let files: Vec<_> = ["1k", "100k", "empty"].map(|name| (name, served(name))).into();
    each(&ALL, |target| {
        let limits = Limits::default().places_per_route(8).http2_connections_per_route(2);
        let client = target.builder().limits(limits).build().unwrap();
        in_threads(32, |thread| {
            for round in 0..20 {
                let (name, bytes) = &files[(thread + round) % files.len()];
                let reply = client.get(target.url(&format!("/{name}"))).send().unwrap();
                assert!(reply.bytes() == bytes, "{name} is not what it was");
            }
        });
        let stats = client.stats();
        let most = if target.is_http2() { 2 } else { 8 };
        assert!(stats.connections_opened() <= most, "{stats:?}");
        assert_eq!((stats.active(), stats.queued(), stats.dialing()), (0, 0, 0));
    });
}

#[test]
fn large_bodies_travel_in_both_directions_at_once() {
    let large = served("8m");
    each(&ALL, |target| {
        let client = target.client();
        in_threads(6, |thread| {
            if thread % 2 == 0 {
                assert!(client.get(target.url("/8m")).send().unwrap().bytes() == &large);
                return;
            }
            let (method, path) = match target.uploads {
                Uploads::Kept => (Method::PUT, format!("/uploads/both-{thread}")),
                Uploads::Echoed => (Method::POST, "/echo".into()),
            };
            let reply = client.request(method, target.url(&path)).body(&large).send().unwrap();
            assert!(reply.status().is_success(), "{:?}", reply.status());
            let url = target.url(&path);
            let got = match target.uploads {
                Uploads::Kept => client.get(url).send().unwrap(),
                Uploads::Echoed => reply,
            };
            assert!(got.bytes() == &large);
        });
    });
}

#[test]
fn streams_that_are_used_up_are_waited_for_or_had_on_another_connection() {
    const CONNECTIONS_MAX: usize = 4;
    let targets: [Target; 3] = [
        NGINX[1].at("NGINX_FEW_STREAMS"),
        APACHE[1].at("APACHE_FEW_STREAMS"),
        NGHTTPD.at("NGHTTPD_FEW_STREAMS"),
    ];
    each(&targets, |target| {
        let limits = Limits::default().http2_connections_per_route(CONNECTIONS_MAX);
        let client = target.builder().limits(limits).build().unwrap();
        in_threads(48, |_| {
            for _ in 0..10 {
                let reply = client.get(target.url("/100k")).send().unwrap();
                assert!(reply.bytes() == &served("100k"));
                assert!(client.stats().open() <= CONNECTIONS_MAX);
            }
        });
    });
}

#[test]
fn a_herd_of_threads_makes_one_handshake_with_a_server_that_speaks_http2() {
    each(ALL.iter().filter(|target| target.tls), |target| {
        let client = target.client();
        in_threads(100, |_| {
            assert!(client.get(target.url("/1k")).send().unwrap().bytes() == &served("1k"));
        });
        let opened = client.stats().connections_opened();
        let most = if target.is_http2() { 1 } else { 64 };
        assert!(opened <= most, "{opened} connections");
    });
}

#[test]
fn connections_that_were_opened_before_serve_the_herd() {
    each(&ALL, |target| {
        let client = target.client();
        let warmed = client.warm_up(target.url("/"), 10).unwrap();
        let expected = if target.is_http2() { 1 } else { 10 };
        assert_eq!(warmed.open(), expected, "{warmed:?}");
        in_threads(10, |_| {
            assert!(client.get(target.url("/1k")).send().unwrap().bytes() == &served("1k"));
        });
        assert_eq!(client.stats().connections_opened(), expected as u64);
    });
}
