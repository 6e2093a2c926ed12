//! Servers that end connections after some requests or some time; no call may notice.

use std::{thread, time::Duration};

use abide_real::{APACHE, NGINX, each, in_threads, served};

#[test]
fn a_server_that_ends_connections_after_a_few_requests_fails_no_call() {
    let targets = [
        NGINX.map(|target| target.at("NGINX_FEW_REQUESTS")),
        APACHE.map(|target| target.at("APACHE_FEW_REQUESTS")),
    ];
    each(targets.as_flattened(), |target| {
        let client = target.client();
        in_threads(24, |_| {
            for _ in 0..40 {
                let reply = client.get(target.url("/1k")).send().unwrap();
                assert!(reply.bytes() == &served("1k"));
            }
        });
        println!("{:?}", client.stats());
    });
}

/// Here the server says before that the connection ends, and how far it got.
#[test]
fn not_even_a_post_fails_when_the_end_is_announced() {
    each(&NGINX.map(|target| target.at("NGINX_FEW_REQUESTS")), |target| {
        let client = target.client();
        in_threads(24, |_| {
            for _ in 0..40 {
                let reply = client.post(target.url("/method")).body("some").send().unwrap();
                assert_eq!(reply.text(), "POST");
            }
        });
        println!("{:?}", client.stats());
    });
}

#[test]
fn a_server_that_ends_idle_connections_just_then_fails_no_call() {
    let targets = [
        NGINX.map(|target| target.at("NGINX_SHORT_IDLE")),
        APACHE.map(|target| target.at("APACHE_SHORT_IDLE")),
    ];
    each(targets.as_flattened(), |target| {
        let client = target.client();
        in_threads(16, |thread_index| {
            for round in 0..25 {
                let reply = client.get(target.url("/1k")).send().unwrap();
                assert!(reply.bytes() == &served("1k"));
                // About when the server loses patience, which is after 50 ms.
                let around = 44 + (thread_index * 5 + round * 3) % 12;
                thread::sleep(Duration::from_millis(around as u64));
            }
        });
        println!("{:?}", client.stats());
    });
}
