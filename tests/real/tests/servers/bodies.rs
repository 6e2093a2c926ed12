//! Bodies small and large, in both directions, are what they were.

use std::{
    fs,
    io::{Read, copy},
};

use abide::{Body, Method};
use abide_real::{ALL, APACHE, NGINX, Target, Uploads, each, path, served};

#[test]
fn every_file_arrives_whole() {
    each(&ALL, |target| {
        let client = target.client();
        for name in ["empty", "1k", "100k", "8m"] {
            let url = target.url(&format!("/{name}"));
            let reply = client.get(&url).send().unwrap();
            assert_eq!((reply.status().as_u16(), reply.version()), (200, target.version));
            assert!(reply.bytes() == &served(name), "{name} is not what it was");
            let mut read = Vec::new();
            client.get(&url).open().unwrap().read_to_end(&mut read).unwrap();
            assert!(read == served(name), "{name} is not what it was when it is read");
        }
        assert_eq!(client.stats().connections_opened(), 1);
    });
}

#[test]
fn a_body_of_unknown_length_arrives_whole() {
    each(&NGINX, |target| {
        let client = target.client();
        for name in ["1k", "8m"] {
            let reply = client.get(target.url(&format!("/chunked/{name}"))).send().unwrap();
            assert_eq!(reply.header("content-length"), None);
            assert!(reply.bytes() == &served(name), "{name} is not what it was");
        }
        assert_eq!(client.stats().connections_opened(), 1);
    });
}

/// One way of giving the same bytes.
type Form = fn(&[u8]) -> Body<'_>;

#[test]
fn whatever_is_sent_in_whatever_form_arrives_whole() {
    let forms: [(&str, Form); 5] = [
        ("bytes", |bytes| Body::from(bytes.to_vec())),
        ("borrowed", |bytes| Body::from(bytes)),
        ("reader", |bytes| Body::reader(bytes)),
        ("sized", |bytes| Body::sized_reader(bytes, bytes.len() as u64)),
        ("factory", |bytes| Body::factory(Some(bytes.len() as u64), move || Ok(bytes))),
    ];
    each(&ALL, |target| {
        let client = target.client();
        for (form, body) in forms {
            for name in ["empty", "1k", "1m"] {
                println!("sending {name} as {form}");
                let bytes = served(name);
                assert!(round_trip(&client, target, form, body(&bytes)) == bytes);
            }
        }
        assert_eq!(client.stats().connections_opened(), 1);
    });
}

#[test]
fn a_file_is_sent_as_it_is() {
    each(&ALL, |target| {
        let body = Body::file(path("www/8m")).unwrap();
        assert!(round_trip(&target.client(), target, "file", body) == served("8m"));
    });
}

#[test]
fn a_slow_reader_is_waited_for_while_others_go_on() {
    each(ALL.iter().filter(|target| target.is_http2()), |target| {
        let client = target.client();
        let mut open = client.get(target.url("/8m")).open().unwrap();
        for _ in 0..20 {
            assert!(client.get(target.url("/100k")).send().unwrap().bytes() == &served("100k"));
        }
        let mut read = Vec::new();
        copy(&mut open, &mut read).unwrap();
        assert!(read == served("8m"));
        assert_eq!(client.stats().connections_opened(), 1);
    });
}

#[test]
fn a_server_that_sends_slowly_is_waited_for() {
    each(NGINX.iter().chain(&APACHE), |target| {
        let reply = target.client().get(target.url("/slowly/100k")).send().unwrap();
        assert!(reply.bytes() == &served("100k"));
    });
}

/// Sends a body and returns what the server then has.
fn round_trip(client: &abide::Client, target: Target, name: &str, body: Body<'_>) -> Vec<u8> {
    match target.uploads {
        Uploads::Echoed => {
            let reply = client.post(target.url("/echo")).body(body).send().unwrap();
            assert_eq!(reply.status().as_u16(), 200);
            reply.bytes().to_vec()
        }
        Uploads::Kept => {
            let driving = std::env::var("ABIDE_TEST_DRIVING").unwrap_or_default();
            let file = format!("{name}-{}-{:?}-{driving}", target.server, target.version);
            let url = target.url(&format!("/uploads/{}", file.replace(['/', '.'], "-")));
            let reply = client.put(&url).body(body).send().unwrap();
            assert!(reply.status().is_success(), "{:?} {}", reply.status(), reply.text());
            let kept = client.get(&url).send().unwrap().bytes().to_vec();
            let reply = client.request(Method::DELETE, &url).send().unwrap();
            assert_eq!((reply.status().as_u16(), reply.bytes().len()), (204, 0));
            kept
        }
    }
}

#[test]
fn what_was_kept_is_what_was_sent_on_the_disk_too() {
    let target = NGINX[1];
    let url = target.url("/uploads/on-disk");
    target.client().put(url).body(served("8m")).send().unwrap().error_for_status().unwrap();
    assert!(fs::read(path("uploads/on-disk")).unwrap() == served("8m"));
}
