//! Addresses that do not answer, refuse, or are only one of several.

use std::time::{Duration, Instant};

use abide::{Budget, ErrorKind, Feedback, Limits, Phase, Timeouts};
use abide_real::{AT_ONCE, client, eventually, in_threads, served};

use crate::cable::{Cable, FAR, FAR_V6, PROHIBITED, QUICK, RESETTING, SILENT, SILENT_V6, knowing};

#[test]
fn silence_ends_by_the_budget_for_connecting() {
    let _cable = Cable::mine();
    let limit = Duration::from_millis(400);
    let timeouts = Timeouts::default().connect(limit);
    for address in [SILENT, "[fd77::3]"] {
        let began = Instant::now();
        let call = client().get(format!("http://{address}/1k")).timeouts(timeouts);
        let error = call.send().unwrap_err();
        let took = began.elapsed();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
        assert_eq!((error.phase(), error.budget()), (Some(Phase::Connect), Some(Budget::Connect)));
        assert!(error.is_connect());
        assert!(error.to_string().contains(address), "{error}");
        assert!(took >= limit && took < limit + AT_ONCE, "{took:?}");
    }
}

#[test]
fn silence_ends_by_the_deadline_of_the_call() {
    let _cable = Cable::mine();
    let limit = Duration::from_millis(300);
    let began = Instant::now();
    let error = client().get(format!("https://{SILENT}/1k")).timeout(limit).send().unwrap_err();
    assert_eq!((error.phase(), error.budget()), (Some(Phase::Connect), Some(Budget::Total)));
    assert!(began.elapsed() < limit + AT_ONCE);
}

#[test]
fn a_call_into_silence_can_be_cancelled() {
    let _cable = Cable::mine();
    let client = client();
    in_threads(8, |thread| {
        let feedback = Feedback::new();
        std::thread::scope(|scope| {
            let call = scope.spawn(|| {
                let call = client.get(format!("http://{SILENT}/1k")).feedback(&feedback);
                (call.send().unwrap_err(), Instant::now())
            });
            std::thread::sleep(Duration::from_millis(20 * thread as u64));
            feedback.cancel();
            let told = Instant::now();
            let (error, ended) = call.join().unwrap();
            assert!(error.is_cancelled(), "{error:?}");
            assert!(ended.duration_since(told) < AT_ONCE);
        });
    });
}

#[test]
fn a_refusal_is_told_at_once_and_with_its_reason() {
    let _cable = Cable::mine();
    for (address, reason) in [(RESETTING, "refused"), (PROHIBITED, "unreachable")] {
        let began = Instant::now();
        let error = client().get(format!("https://{address}/1k")).send().unwrap_err();
        assert!(began.elapsed() < QUICK);
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Connect, Some(Phase::Connect)));
        let told = format!("{error:?}").to_lowercase();
        assert!(told.contains(address) && told.contains(reason), "{told}");
    }
}

#[test]
fn an_address_that_refuses_costs_next_to_nothing_if_another_answers() {
    let _cable = Cable::mine();
    for bad in [RESETTING, PROHIBITED] {
        let client = knowing(&[bad, FAR]).build().unwrap();
        let began = Instant::now();
        let reply = client.get("https://server.test/1k").send().unwrap();
        assert!(began.elapsed() < QUICK, "{:?}", began.elapsed());
        assert_eq!(reply.remote_addr().unwrap().ip().to_string(), FAR);
    }
}

/// RFC 8305 §5: the next one is tried 250 ms after the last.
#[test]
fn an_address_that_is_silent_costs_a_quarter_of_a_second_if_another_answers() {
    let _cable = Cable::mine();
    let pause = Duration::from_millis(250);
    for (addresses, pauses) in [
        (&[SILENT_V6, FAR][..], 1),
        (&[SILENT, FAR_V6], 1),
        (&[SILENT, FAR], 1),
        (&[SILENT_V6, SILENT, FAR_V6, FAR], 2),
        (&[SILENT_V6, RESETTING, FAR_V6], 1),
    ] {
        let client = knowing(addresses).build().unwrap();
        let began = Instant::now();
        let reply = client.get("https://server.test/1k").send().unwrap();
        let took = began.elapsed();
        assert!(reply.bytes() == &served("1k"));
        assert!(took >= pause * pauses && took < pause * pauses + QUICK, "{addresses:?}: {took:?}");
        assert_eq!(client.stats().open(), 1);
    }
}

#[test]
fn when_no_address_answers_every_one_of_them_is_named() {
    let _cable = Cable::mine();
    let client = knowing(&[RESETTING, SILENT_V6, PROHIBITED]).build().unwrap();
    let timeouts = Timeouts::default().connect(Duration::from_millis(600));
    let error = client.get("https://server.test/1k").timeouts(timeouts).send().unwrap_err();
    assert_eq!(error.budget(), Some(Budget::Connect), "{error:?}");
    for address in [RESETTING, SILENT_V6, PROHIBITED] {
        assert!(error.to_string().contains(address), "{error}");
    }

    let client = knowing(&[RESETTING, PROHIBITED]).build().unwrap();
    let error = client.get("https://server.test/1k").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    for address in [RESETTING, PROHIBITED] {
        assert!(format!("{error:?}").contains(address), "{error:?}");
    }
}

/// Who waits behind calls into silence is told by its own budgets, and other hosts go on.
#[test]
fn many_calls_into_silence_end_in_time_and_leave_other_hosts_alone() {
    let _cable = Cable::mine();
    let limits = Limits::default().places_per_route(4).places_total(8);
    let limit = Duration::from_millis(400);
    let timeouts = Timeouts::default().connect(limit).queue(limit);
    let client = builder_with(limits, timeouts);
    let began = Instant::now();
    in_threads(24, |thread| {
        if thread % 3 == 0 {
            let reply = client.get("https://server.test/100k").send().unwrap();
            assert!(reply.bytes() == &served("100k"));
            return;
        }
        let error = client.get(format!("https://{SILENT}/1k")).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
        assert!(matches!(error.budget(), Some(Budget::Connect | Budget::Queue)), "{error:?}");
    });
    assert!(began.elapsed() < limit * 2 + AT_ONCE * 2, "{:?}", began.elapsed());
    eventually("no dial is left behind", || {
        let stats = client.stats();
        (stats.active(), stats.queued(), stats.dialing()) == (0, 0, 0)
    });
}

fn builder_with(limits: Limits, timeouts: Timeouts) -> abide::Client {
    knowing(&[FAR]).limits(limits).timeouts(timeouts).build().unwrap()
}

#[test]
fn the_local_address_and_interface_are_the_ones_asked_for() {
    let _cable = Cable::mine();
    let near = "10.77.0.1".parse().unwrap();
    let client = knowing(&[FAR]).local_address(near).interface("near").build().unwrap();
    let reply = client.get("https://server.test/1k").send().unwrap();
    assert_eq!(reply.local_addr().unwrap().ip(), near);
    let client = knowing(&[FAR]).interface("lo").build().unwrap();
    let timeouts = Timeouts::default().connect(Duration::from_millis(300));
    let error = client.get("https://server.test/1k").timeouts(timeouts).send().unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}
