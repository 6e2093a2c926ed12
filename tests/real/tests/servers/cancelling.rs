//! Calls that end in the middle, and what comes after them.

use std::{
    io::Read,
    thread,
    time::{Duration, Instant},
};

use abide::Feedback;
use abide_real::{ALL, APACHE, AT_ONCE, NGINX, each, eventually, in_threads, served};

#[test]
fn a_body_cancelled_in_the_middle_harms_no_other_call() {
    each(NGINX.iter().chain(&APACHE), |target| {
        let client = target.client();
        let feedback = Feedback::new();
        let cancelled = thread::scope(|scope| {
            let call = scope.spawn(|| {
                let answer = client.get(target.url("/slowly/8m")).feedback(&feedback).send();
                (answer, Instant::now())
            });
            eventually("some of it is there", || feedback.download().bytes() > 0);
            assert!(client.get(target.url("/1k")).send().unwrap().bytes() == &served("1k"));
            feedback.cancel();
            let told = Instant::now();
            let (answer, ended) = call.join().unwrap();
            assert!(ended.duration_since(told) < AT_ONCE);
            answer.unwrap_err()
        });
        assert!(cancelled.is_cancelled(), "{cancelled:?}");
        for _ in 0..5 {
            assert!(client.get(target.url("/100k")).send().unwrap().bytes() == &served("100k"));
        }
        let opened = client.stats().connections_opened();
        assert_eq!(opened, if target.is_http2() { 1 } else { 2 });
    });
}

#[test]
fn a_reply_dropped_in_the_middle_harms_no_other_call() {
    each(&ALL, |target| {
        let client = target.client();
        for _ in 0..10 {
            let mut open = client.get(target.url("/8m")).open().unwrap();
            let mut piece = [0; 1000];
            open.read_exact(&mut piece).unwrap();
            assert!(piece == served("8m")[..1000]);
            drop(open);
            assert!(client.get(target.url("/100k")).send().unwrap().bytes() == &served("100k"));
        }
        if target.is_http2() {
            assert_eq!(client.stats().connections_opened(), 1);
        }
    });
}

#[test]
fn many_calls_cancelled_at_any_moment_leave_nothing_behind() {
    each(&ALL, |target| {
        let client = target.client();
        in_threads(16, |thread_index| {
            for round in 0..20 {
                let feedback = Feedback::new();
                thread::scope(|scope| {
                    scope.spawn(|| {
                        let moment = (thread_index * 131 + round * 377) % 3000;
                        thread::sleep(Duration::from_micros(moment as u64));
                        feedback.cancel();
                    });
                    let call = client.get(target.url("/100k")).feedback(&feedback);
                    match call.send() {
                        Ok(reply) => assert!(reply.bytes() == &served("100k")),
                        Err(error) => assert!(error.is_cancelled(), "{error:?}"),
                    }
                });
            }
        });
        eventually("no call is left behind", || {
            let stats = client.stats();
            (stats.active(), stats.queued(), stats.dialing()) == (0, 0, 0)
        });
        assert!(client.get(target.url("/8m")).send().unwrap().bytes() == &served("8m"));
    });
}
