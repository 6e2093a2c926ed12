//! Makes warm GETs of a URL, one after the other, for one who counts their system calls.
//!
//! Before each of them and after the last it asks for a file of the name [`MARK`], which is a system
//! call that nothing else makes.

#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

use std::{env, path::Path};

use abide::{Client, Driving};
use abide_real::MARK;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [url, calls] = &arguments[..] else { panic!("warm-gets URL CALLS") };
    let client = Client::builder().driving(Driving::Lent).no_proxy().build().unwrap();
    let call = || assert!(client.get(url).send().unwrap().status().is_success());
    (0..WARM_UP).for_each(|_| call());
    for _ in 0..calls.parse().unwrap() {
        assert!(!Path::new(MARK).exists());
        call();
    }
    assert!(!Path::new(MARK).exists());
}

const WARM_UP: u32 = 100;
