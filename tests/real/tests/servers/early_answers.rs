//! Servers that refuse an upload before they have all of it.

use std::{
    io::{self, Read},
    thread,
    time::{Duration, Instant},
};

use abide::{Body, StatusCode};
use abide_real::{APACHE, NGINX, each, served};

#[test]
fn a_refusal_during_a_large_upload_is_seen_every_time() {
    let large = served("8m");
    each(NGINX.iter().chain(&APACHE), |target| {
        let client = target.client();
        for _ in 0..20 {
            let url = target.url("/limited/large");
            for body in [Body::from(&large), Body::reader(&large[..])] {
                let reply = client.put(&url).body(body).send().unwrap();
                assert_eq!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
                assert!(reply.text().contains("Too Large"), "{}", reply.text());
            }
        }
        assert!(client.get(target.url("/1k")).send().unwrap().bytes() == &served("1k"));
    });
}

#[test]
fn a_refusal_during_a_slow_upload_comes_before_its_end() {
    each(NGINX.iter().chain(&APACHE), |target| {
        let client = target.client();
        let began = Instant::now();
        let body = Body::sized_reader(Trickle, 100_000_000);
        let reply = client.put(target.url("/limited/slow")).body(body).send().unwrap();
        assert_eq!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    });
}

/// A thousand bytes each five milliseconds, for ever.
struct Trickle;

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        thread::sleep(Duration::from_millis(5));
        let length = buffer.len().min(1000);
        buffer[..length].fill(b'x');
        Ok(length)
    }
}
