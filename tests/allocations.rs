//! What a plain GET on a kept connection allocates, and that options that it does not use cost it
//! nothing.

#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use abide::{
    AuthConfig, AuthOrigins, Client, ClientBuilder, Driving, HostOptions, Proxy, ProxyConfig,
    RedirectAction, RedirectPolicy, RetryPolicy, Timeouts,
};

/// The lane is driven by the thread that calls, so that all that a call allocates is counted.
fn builder() -> ClientBuilder {
    Client::builder().driving(Driving::Lent).no_proxy()
}

/// Answers everything that has a head and no content.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap())));
    format!("http://{address}/")
}

fn answer(mut stream: TcpStream) {
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        head.extend_from_slice(&piece[..length]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            let reply =
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-type: text/plain\r\n\r\nhello";
            stream.write_all(reply).unwrap();
        }
    }
}

/// Whether one call allocates no more than it may, when everything is warm.
#[track_caller]
fn check(option: &str, builder: ClientBuilder, url: &str) {
    let client = builder.build().unwrap();
    let call = || assert_eq!(client.get(url).send().unwrap().bytes().len(), 5);
    (0..20).for_each(|_| call());
    let round = || {
        let counted = allocation_counter::measure(|| (0..CALLS).for_each(|_| call()));
        (counted.count_total / CALLS, counted.bytes_total / CALLS)
    };
    // In a round when the machine is busy, a call may have to wait in another way.
    let (count, bytes) = (0..ROUNDS).map(|_| round()).min().unwrap();
    assert!(
        count <= COUNT_MAX && bytes <= BYTES_MAX,
        "with {option}: {count} allocations of {bytes} bytes"
    );
}

const ROUNDS: u32 = 5;
const CALLS: u64 = 50;
/// What a call takes; one more needs a reason.
const COUNT_MAX: u64 = 14;
const BYTES_MAX: u64 = 12 << 10;

#[test]
fn a_get_on_a_kept_connection_allocates_little() {
    check("defaults", builder(), &server());
}

#[test]
fn options_that_a_call_does_not_use_cost_it_nothing() {
    let url = server();
    let check = |option: &str, builder| check(option, builder, &url);
    let proxy = Proxy::new("http://proxy.test:3128").unwrap();
    let elsewhere = AuthOrigins::only(["https://other.test/"]).unwrap();
    let credentials = AuthConfig::bearer(elsewhere, "token").unwrap();
    check("retries", builder().retries(RetryPolicy::up_to(3)));
    check("redirects", builder().redirects(RedirectPolicy::custom(|_| RedirectAction::Follow)));
    check("credentials that are not asked for", builder().auth("id", credentials));
    check("a proxy for https", builder().proxy(ProxyConfig::none().https(proxy)));
    check("a deadline", builder().timeouts(Timeouts::default().total(Duration::from_secs(60))));
    check("no decoding", builder().decoding(false));
    check("another host", builder().host_options("other.test", HostOptions::default()));
    check("headers for nobody's spans", builder().log_headers(["server", "user-agent"]));
    check("a trace that is not told", builder().trace_context(|_| None));
    check("names of secrets", builder().secret_headers(["x-api-key", "x-token"]));
    check("another name", builder().resolve_to("other.test", [([127, 0, 0, 1], 1).into()]));
}

/// With a thread in the background, so that what is done there is not counted here.
#[cfg(feature = "gzip")]
#[test]
fn codings_are_undone_on_the_thread_that_calls() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![7; PLAIN_BYTES]).unwrap();
    let body = encoder.finish().unwrap();
    assert!(body.len() < PLAIN_BYTES / 100);
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ";
    let reply = [format!("{head}{}\r\n\r\n", body.len()).as_bytes(), &body].concat();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        while let Ok(1..) = stream.read(&mut [0; 1024]) {
            stream.write_all(&reply).unwrap();
        }
    });
    let client = builder().driving(Driving::Background).build().unwrap();
    let bytes_on_caller = |decodes: bool| {
        let call = || {
            let reply = client.get(&url).decoding(decodes).send().unwrap();
            assert_eq!(reply.bytes().len() >= PLAIN_BYTES, decodes);
        };
        call();
        allocation_counter::measure(call).bytes_total
    };
    assert!(bytes_on_caller(false) < PLAIN_BYTES as u64 / 10);
    assert!(bytes_on_caller(true) >= PLAIN_BYTES as u64);
}

#[cfg(feature = "gzip")]
const PLAIN_BYTES: usize = 1 << 20;

#[test]
fn a_streamed_body_takes_little_memory_however_fast_it_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {STREAM_BYTES}\r\n\r\n");
        while let Ok(1..) = stream.read(&mut [0; 1024]) {
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&vec![7; STREAM_BYTES]).unwrap();
        }
    });
    let client = builder().build().unwrap();
    let read = || {
        let mut body = client.get(&url).open().unwrap();
        assert_eq!(std::io::copy(&mut body, &mut std::io::sink()).unwrap(), STREAM_BYTES as u64);
    };
    read();
    let peak = allocation_counter::measure(read).bytes_max;
    assert!(peak <= 512 << 10, "{peak} bytes");
}

const STREAM_BYTES: usize = 16 << 20;

#[test]
fn a_large_body_is_put_together_in_little_more_memory_than_it_takes() {
    let chunk = [b"10000\r\n".as_slice(), &[7; 64 << 10], b"\r\n"].concat();
    let chunked = [chunk.repeat(LARGE_BYTES >> 16).as_slice(), b"0\r\n\r\n"].concat();
    // Whoever does not know how much will come takes twice as much each time.
    for (length, framed, taken) in [
        (format!("content-length: {LARGE_BYTES}"), vec![7; LARGE_BYTES], 1),
        ("transfer-encoding: chunked".to_owned(), chunked, 3),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let head = format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n");
        thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            while let Ok(1..) = stream.read(&mut [0; 1024]) {
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(&framed).unwrap();
            }
        });
        let client = builder().build().unwrap();
        let receive = || assert_eq!(client.get(&url).send().unwrap().bytes().len(), LARGE_BYTES);
        receive();
        let round = || allocation_counter::measure(receive);
        let counted = (0..ROUNDS).map(|_| round().bytes_total).min().unwrap();
        let bytes_max = (taken * LARGE_BYTES + (3 << 19)) as u64;
        assert!(counted <= bytes_max, "{length}: {counted} bytes");
    }
}

const LARGE_BYTES: usize = 15 << 20;

/// Nobody is asked, so that the server may answer once only.
#[cfg(feature = "cache")]
#[test]
fn a_hit_in_memory_allocates_nearly_nothing_and_copies_no_body() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
        let head =
            "HTTP/1.1 200 OK\r\ncache-control: max-age=3600\r\ncontent-length: 65536\r\n\r\n";
        stream.write_all(&[head.as_bytes(), &[7; 65536]].concat()).unwrap();
        stream
    });
    let client = builder().cache(abide::Cache::memory(1 << 20)).build().unwrap();
    client.get(&url).send().unwrap();
    let _stream = server.join().unwrap();
    let first = client.get(&url).send().unwrap();
    let hit = || {
        let reply = client.get(&url).send().unwrap();
        assert_eq!(reply.bytes().as_ptr(), first.bytes().as_ptr());
    };
    let round = || {
        let counted = allocation_counter::measure(|| (0..CALLS).for_each(|_| hit()));
        (counted.count_total / CALLS, counted.bytes_total / CALLS)
    };
    let (count, bytes) = (0..ROUNDS).map(|_| round()).min().unwrap();
    assert!(count <= 5 && bytes <= 2 << 10, "a hit makes {count} allocations of {bytes} bytes");
}

#[cfg(feature = "cookies")]
#[test]
fn a_jar_without_a_cookie_for_the_server_costs_nothing() {
    let jar = abide::CookieJar::new();
    jar.set("http://other.test/", "name=value").unwrap();
    check("a jar", builder().cookies(jar), &server());
}
