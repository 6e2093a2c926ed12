//! A cable that is cut, for ever or for a while, and connections that somebody forgot.

use std::{
    io::Read,
    thread,
    time::{Duration, Instant},
};

use abide::{Body, Budget, Client, ErrorKind, Phase, Timeouts, Version};
use abide_real::{AT_ONCE, eventually, served};

use crate::cable::{Cable, FAR, QUICK, Rule, knowing};

const IDLE: Duration = Duration::from_millis(400);

/// HTTP/1.1 and HTTP/2.
fn clients(timeouts: Timeouts) -> [Client; 2] {
    let builder = || knowing(&[FAR]).timeouts(timeouts);
    [builder().http1_only().build().unwrap(), builder().build().unwrap()]
}

#[test]
fn a_body_that_is_cut_off_ends_by_the_budget_for_silence() {
    let cable = Cable::mine();
    for client in clients(Timeouts::default().idle(IDLE)) {
        let mut open = client.get("https://server.test/slowly/8m").open().unwrap();
        open.read_exact(&mut [0; 1000]).unwrap();
        cable.cut();
        let began = Instant::now();
        let error = std::io::copy(&mut open, &mut std::io::sink()).unwrap_err();
        let took = began.elapsed();
        let error = error.into_inner().unwrap().downcast::<abide::Error>().unwrap();
        assert_eq!((error.phase(), error.budget()), (Some(Phase::Body), Some(Budget::Idle)));
        assert!(took < IDLE + AT_ONCE, "{took:?}");
        drop(open);
        cable.heal();
        expect_recovery(&client);
    }
}

#[test]
fn a_reply_that_is_cut_off_ends_by_the_budget_for_silence() {
    let cable = Cable::mine();
    for client in clients(Timeouts::default().idle(IDLE)) {
        let feedback = abide::Feedback::new();
        let error = thread::scope(|scope| {
            let call = || client.get("https://server.test/slowly/8m").feedback(&feedback).send();
            let call = scope.spawn(call);
            eventually("some of it is there", || feedback.download().bytes() > 0);
            cable.cut();
            call.join().unwrap().unwrap_err()
        });
        assert_eq!((error.phase(), error.budget()), (Some(Phase::Body), Some(Budget::Idle)));
        cable.heal();
        expect_recovery(&client);
    }
}

#[test]
fn an_upload_that_is_cut_off_ends_by_the_budget_for_silence() {
    let cable = Cable::mine();
    for client in clients(Timeouts::default().idle(IDLE)) {
        let feedback = abide::Feedback::new();
        let large = vec![b'x'; 64 << 20];
        let error = thread::scope(|scope| {
            let call = scope.spawn(|| {
                let body = Body::reader(&large[..]);
                let call = client.put("https://server.test/uploads/cut").body(body);
                call.feedback(&feedback).send()
            });
            eventually("some of it was sent", || feedback.upload().bytes() > 0);
            cable.cut();
            call.join().unwrap().unwrap_err()
        });
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
        assert_eq!((error.phase(), error.budget()), (Some(Phase::Send), Some(Budget::Idle)));
        cable.heal();
        expect_recovery(&client);
    }
}

#[test]
fn no_answer_ends_by_the_budget_for_the_first_byte() {
    let cable = Cable::mine();
    for client in clients(Timeouts::default().first_byte(IDLE)) {
        client.get("https://server.test/1k").send().unwrap();
        cable.cut();
        let began = Instant::now();
        let error = client.get("https://server.test/1k").send().unwrap_err();
        assert_eq!(error.budget(), Some(Budget::FirstByte), "{error:?}");
        assert_eq!(error.phase(), Some(Phase::FirstByte), "{error:?}");
        assert!(began.elapsed() < IDLE + AT_ONCE);
        cable.heal();
        expect_recovery(&client);
    }
}

#[test]
fn a_handshake_that_is_cut_off_ends_by_its_budget() {
    let cable = Cable::mine();
    // The third packet is ours, with the first of TLS in the next: delayed, they are cut off.
    cable.is_bad(Duration::from_millis(200), 0.0);
    let timeouts = Timeouts::default().tls(Duration::from_millis(600));
    let client = knowing(&[FAR]).timeouts(timeouts).build().unwrap();
    let error = thread::scope(|scope| {
        let call = scope.spawn(|| client.get("https://server.test/1k").send());
        thread::sleep(Duration::from_millis(500));
        cable.cut();
        call.join().unwrap().unwrap_err()
    });
    assert_eq!((error.phase(), error.budget()), (Some(Phase::Tls), Some(Budget::Tls)), "{error:?}");
    cable.heal();
    expect_recovery(&client);
}

#[test]
fn what_heals_within_the_budget_is_not_noticed() {
    let cable = Cable::mine();
    for client in clients(Timeouts::default()) {
        let large = served("8m");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let reply = client.get("https://server.test/8m").send().unwrap();
                    assert!(reply.bytes() == &large);
                    let url = "https://server.test/uploads/healed";
                    let reply = client.put(url).body(&large).send().unwrap();
                    assert!(reply.status().is_success());
                });
            }
            for _ in 0..3 {
                thread::sleep(Duration::from_millis(40));
                cable.cut();
                thread::sleep(Duration::from_millis(150));
                cable.heal();
            }
        });
        assert!(client.get("https://server.test/uploads/healed").send().unwrap().bytes() == &large);
    }
}

/// As with a NAT that lost its memory: this connection is dead, all others are fine.
#[test]
fn a_dead_http2_connection_is_not_used_for_the_next_call() {
    let _cable = Cable::mine();
    let client = knowing(&[FAR]).timeouts(Timeouts::default().first_byte(IDLE)).build().unwrap();
    let first = client.get("https://server.test/1k").send().unwrap();
    assert_eq!(first.version(), Version::HTTP_2);
    let rule = Rule::drop_from(first.local_addr().unwrap());

    let error = client.get("https://server.test/1k").send().unwrap_err();
    assert_eq!(error.budget(), Some(Budget::FirstByte), "{error:?}");
    for _ in 0..3 {
        let began = Instant::now();
        let reply = client.get("https://server.test/1k").send().unwrap();
        assert!(began.elapsed() < QUICK, "{:?}", began.elapsed());
        assert_ne!(reply.local_addr(), first.local_addr());
    }
    assert_eq!(client.stats().connections_opened(), 2);
    drop(rule);
}

#[test]
fn a_dead_http2_connection_is_found_by_a_ping_and_its_gets_are_sent_again() {
    let _cable = Cable::mine();
    let (interval, patience) = (Duration::from_millis(300), Duration::from_millis(300));
    let client = knowing(&[FAR]).http2_keep_alive(interval, patience).build().unwrap();
    let first = client.get("https://server.test/1k").send().unwrap();
    let _rule = Rule::drop_from(first.local_addr().unwrap());
    let began = Instant::now();
    let reply = client.get("https://server.test/1k").send().unwrap();
    let took = began.elapsed();
    assert_eq!((reply.attempts(), reply.bytes() == &served("1k")), (2, true));
    assert!(took >= interval && took < interval + patience + QUICK * 2, "{took:?}");
}

/// The same with calls of many threads on it: none of them takes longer than its budget.
#[test]
fn calls_on_a_dead_http2_connection_end_and_new_ones_go_elsewhere() {
    let _cable = Cable::mine();
    let client = knowing(&[FAR]).timeouts(Timeouts::default().idle(IDLE)).build().unwrap();
    let first = client.get("https://server.test/1k").send().unwrap();
    let mut rule = None;
    thread::scope(|scope| {
        let calls: Vec<_> = (0..6)
            .map(|_| {
                let mut open = client.get("https://server.test/slowly/8m").open().unwrap();
                open.read_exact(&mut [0; 1000]).unwrap();
                open
            })
            .collect();
        rule = Some(Rule::drop_from(first.local_addr().unwrap()));
        for mut open in calls {
            scope.spawn(move || {
                let began = Instant::now();
                let error = std::io::copy(&mut open, &mut std::io::sink()).unwrap_err();
                let error = error.into_inner().unwrap().downcast::<abide::Error>().unwrap();
                assert_eq!(error.budget(), Some(Budget::Idle), "{error:?}");
                // What is under way still arrives.
                assert!(began.elapsed() < IDLE * 2 + AT_ONCE, "{:?}", began.elapsed());
            });
        }
    });
    let reply = client.get("https://server.test/1k").send().unwrap();
    assert_ne!(reply.local_addr(), first.local_addr());
}

#[test]
fn a_kept_connection_that_a_firewall_resets_fails_no_get() {
    let _cable = Cable::mine();
    for client in clients(Timeouts::default()) {
        let first = client.get("https://server.test/1k").send().unwrap();
        let _rule = Rule::reset_from(first.local_addr().unwrap());
        let began = Instant::now();
        let reply = client.get("https://server.test/1k").send().unwrap();
        assert!(reply.bytes() == &served("1k"));
        assert!(began.elapsed() < QUICK);
        assert_eq!(reply.attempts(), 2);
    }
}

/// The server gave the connection up meanwhile, and its word was lost with the cable.
#[test]
fn a_connection_that_ended_unheard_fails_no_get() {
    let cable = Cable::mine();
    let client = knowing(&[FAR]).build().unwrap();
    for _ in 0..3 {
        client.get("http://server.test:81/1k").send().unwrap();
        cable.cut();
        // The server's patience is 300 ms.
        thread::sleep(Duration::from_millis(450));
        cable.heal();
        let reply = client.get("http://server.test:81/1k").send().unwrap();
        assert!(reply.bytes() == &served("1k"));
        assert!(!reply.reused_connection());
    }
}

#[test]
fn what_is_not_acknowledged_in_time_is_given_up_if_asked_for() {
    let cable = Cable::mine();
    let limit = Duration::from_millis(500);
    let builder = knowing(&[FAR]).tcp_user_timeout(limit).timeouts(Timeouts::none());
    let client = builder.http1_only().build().unwrap();
    client.get("https://server.test/1k").send().unwrap();
    cable.cut();
    let began = Instant::now();
    // A POST, because a GET would be tried again on a new connection.
    let error = client.post("https://server.test/method").body("x").send().unwrap_err();
    assert!(began.elapsed() >= limit && began.elapsed() < limit * 6, "{:?}", began.elapsed());
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
}

/// After the cable is whole again the next calls succeed, and soon.
fn expect_recovery(client: &Client) {
    for _ in 0..3 {
        let began = Instant::now();
        let reply = client.get("https://server.test/1k").send().unwrap();
        assert!(reply.bytes() == &served("1k"));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}
