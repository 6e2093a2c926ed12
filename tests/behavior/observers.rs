//! An observer hears of all that happens to a call, in order, on the thread of the call.

use std::{
    io::Read as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use abide::{
    CallEvent, Client, ClientBuilder, Driving, ErrorKind, Feedback, Happening, RetryPolicy,
    Timeouts,
};

use crate::{
    clients::{GatedNames, builder, client},
    support::{Exchange, Server},
    waiting::{eventually, in_time, start},
};

/// All that was heard.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<CallEvent>>>);

impl Heard {
    fn by(&self, builder: ClientBuilder) -> Client {
        let (heard, here) = (self.clone(), thread::current().id());
        let observer = move |event: &CallEvent| {
            assert_eq!(thread::current().id(), here);
            heard.0.lock().unwrap().push(event.clone());
        };
        builder.observer(observer).build().unwrap()
    }

    fn events(&self) -> Vec<CallEvent> {
        self.0.lock().unwrap().clone()
    }

    /// The names of what has happened, each with the hop and the attempt.
    fn told(&self) -> Vec<String> {
        let name = |event: &CallEvent| {
            let what = format!("{:?}", event.what());
            let end = what.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(what.len());
            format!("{}.{} {}", event.hop(), event.attempt(), &what[..end])
        };
        self.events().iter().map(name).collect()
    }

    fn last(&self) -> Happening {
        self.events().last().unwrap().what().clone()
    }
}

fn hello(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"hello");
}

const FIRST: [&str; 11] = [
    "0.0 CallBegan",
    "1.0 HopBegan",
    "1.1 Queued",
    "1.1 Dialing",
    "1.1 Resolved",
    "1.1 Connected",
    "1.1 Leased",
    "1.1 Sent",
    "1.1 FirstByte",
    "1.1 LastByte",
    "1.1 Answered",
];

#[test]
fn the_events_of_a_call_are_a_tree_in_order() {
    let (server, heard) = (Server::http(hello), Heard::default());
    let client = heard.by(builder());
    let reply = client.get(server.url_at("localhost", "/p?key=t0ken")).send().unwrap();
    assert_eq!(heard.told(), [&FIRST[..], &["1.1 HopAnswered", "1.1 CallEnded"]].concat());
    let events = heard.events();
    assert!(events.iter().all(|event| event.call() == reply.request_id()));
    assert!(events.iter().all(|event| event.parent().is_none()));
    assert!(events.is_sorted_by_key(CallEvent::at), "{events:#?}");
    let connection = *reply.timings().connection().unwrap();
    assert!(events.iter().any(|event| matches!(event.what(),
        Happening::Leased { connection: number, .. } if *number == connection.number())));
    assert!(events.iter().any(|event| matches!(event.what(),
        Happening::Answered { connection: used, .. } if *used == connection)));
    let outcome =
        matches!(heard.last(), Happening::CallEnded { outcome: Ok(status), .. } if status == 200);
    assert!(outcome, "{:?}", heard.last());
    assert!(!format!("{events:?}").contains("t0ken"));

    heard.0.lock().unwrap().clear();
    client.get(server.url_at("localhost", "/")).send().unwrap();
    let reused = [&FIRST[..3], &FIRST[6..], &["1.1 HopAnswered", "1.1 CallEnded"]].concat();
    assert_eq!(heard.told(), reused);
}

#[cfg(feature = "tls")]
#[test]
fn the_handshake_is_an_event_of_its_own() {
    let (server, heard) = (Server::https(hello), Heard::default());
    heard.by(crate::clients::trusting()).get(server.url_at("localhost", "/")).send().unwrap();
    let told = heard.told();
    let at = told.iter().position(|name| name == "1.1 Connected").unwrap();
    assert_eq!(told[at + 1..at + 3], ["1.1 TlsDone", "1.1 Leased"]);
}

#[test]
fn redirects_and_retries_are_told_where_they_happen() {
    let server = Server::http(|exchange| {
        match (exchange.target(), exchange.request_index()) {
            ("/moved", _) => exchange.reply(302, &[("location", "/to?key=t0ken")], b""),
            (_, 1) => exchange.reply(503, &[], b""),
            _ => exchange.reply(200, &[], b""),
        };
    });
    let heard = Heard::default();
    let retries = RetryPolicy::up_to(3).first_delay(Duration::from_millis(1));
    heard.by(builder().retries(retries)).get(server.url("/moved")).send().unwrap();
    let decisions = ["HopBegan", "Answered", "HopAnswered", "Redirected", "Retried", "CallEnded"];
    let told = heard.told();
    let told: Vec<_> = told
        .iter()
        .filter(|name| decisions.iter().any(|d| name.ends_with(&format!(" {d}"))))
        .collect();
    assert_eq!(
        told,
        [
            "1.0 HopBegan",
            "1.1 Answered",
            "1.1 HopAnswered",
            "1.1 Redirected",
            "2.0 HopBegan",
            "2.1 Answered",
            "2.1 Retried",
            "2.2 Answered",
            "2.2 HopAnswered",
            "2.2 CallEnded",
        ]
    );
    let shown = format!("{:?}", heard.events());
    assert!(shown.contains("/to") && !shown.contains("t0ken"), "{shown}");
}

#[cfg(feature = "json")]
#[test]
fn a_challenge_makes_another_hop_and_a_token_another_call() {
    use abide::{AuthConfig, AuthOrigins, OAuth2};
    let login = Server::http(|exchange| {
        exchange.read_body();
        let token = format!(r#"{{"access_token":"t0ken{}"}}"#, exchange.request_index());
        exchange.reply(200, &[("content-type", "application/json")], token.as_bytes());
    });
    let server = Server::http(|exchange| match exchange.request().header("authorization") {
        Some("Bearer t0ken1") => hello(exchange),
        _ => drop(exchange.reply(401, &[("www-authenticate", "Bearer")], b"")),
    });
    let heard = Heard::default();
    let client = heard.by(builder());
    let origins = AuthOrigins::only([server.url("")]).unwrap();
    let grant = OAuth2::client_credentials(&login.url("/token"), "robot", "pa55").unwrap();
    client.set_auth("id", AuthConfig::oauth2(origins, grant));
    let reply = client.get(server.url("/")).auth("id").send().unwrap();
    assert_eq!(reply.status(), 200);
    let told = heard.told();
    let at = told.iter().position(|name| name == "1.1 Challenged").unwrap();
    assert_eq!((told[at - 1].as_str(), told[at + 1].as_str()), ("1.1 HopAnswered", "2.0 HopBegan"));
    let events = heard.events();
    let nested: Vec<_> =
        events.iter().filter(|event| event.parent() == Some(reply.request_id())).collect();
    let ends = nested.iter().filter(|event| matches!(event.what(), Happening::CallEnded { .. }));
    assert_eq!(ends.count(), 2);
    assert!(nested.iter().all(|event| event.call() != reply.request_id()));
    let shown = format!("{events:?}");
    assert!(!shown.contains("pa55") && !shown.contains("t0ken"), "{shown}");
}

#[test]
fn a_failure_is_told_on_every_level() {
    let heard = Heard::default();
    let client = heard.by(builder());
    let error = client.get("http://127.0.0.1:1/").send().unwrap_err();
    let told = heard.told();
    let end = ["1.1 AttemptFailed", "1.1 HopFailed", "1.1 CallEnded"];
    assert_eq!(told[told.len() - 3..], end);
    assert!(
        matches!(heard.last(), Happening::CallEnded { outcome: Err(kind), .. } if kind == error.kind())
    );

    let (cancelled, heard) = (Feedback::new(), Heard::default());
    cancelled.cancel();
    heard.by(builder()).get("http://127.0.0.1:1/").feedback(&cancelled).send().unwrap_err();
    let cancelled = |what: &Happening| {
        matches!(what, Happening::CallEnded { outcome: Err(ErrorKind::Cancelled), .. })
    };
    assert!(cancelled(&heard.last()), "{:?}", heard.events());
}

#[test]
fn an_open_reply_ends_when_it_was_read_or_is_dropped() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "5")]);
        exchange.await_signal("go on", 1);
        exchange.write("hello");
    });
    let heard = Heard::default();
    let client = heard.by(builder());
    let mut reply = client.get(server.url("/")).open().unwrap();
    assert!(heard.told().contains(&"1.1 HopAnswered".to_owned()), "{:?}", heard.told());
    assert!(!heard.told().contains(&"1.1 CallEnded".to_owned()));
    server.signal("go on");
    for _ in 0..2 {
        reply.read_to_end(&mut Vec::new()).unwrap();
    }
    drop(reply);
    let told = heard.told();
    assert_eq!(told[told.len() - 2..], ["1.1 LastByte", "1.1 CallEnded"]);

    drop(client.get(server.url("/")).open().unwrap());
    assert_eq!(heard.last(), Happening::Abandoned);
    client.get(server.url("/")).open().unwrap().into_reply().unwrap();
    assert!(matches!(heard.last(), Happening::CallEnded { .. }));
}

#[test]
fn what_happened_is_told_when_the_thread_wakes_while_it_waits() {
    let names = GatedNames::default();
    let server = Server::http(|exchange| {
        exchange.await_signal("go on", 1);
        exchange.reply(200, &[], b"");
    });
    let (heard, resolver, url) =
        (Arc::new(Mutex::new(Vec::new())), names.resolver(), server.url_at("name.test", "/"));
    let call = {
        let heard = Arc::clone(&heard);
        start(move || {
            let observer =
                move |event: &CallEvent| heard.lock().unwrap().push(event.what().clone());
            let timeouts = Timeouts::default().idle(Duration::from_millis(50));
            let client = builder().resolver(resolver).timeouts(timeouts).observer(observer);
            client.build().unwrap().get(url).send().unwrap()
        })
    };
    names.open();
    server.await_requests(1);
    // It looks at its budgets now and then.
    eventually("the request was told to be sent", || {
        heard.lock().unwrap().contains(&Happening::Sent)
    });
    server.signal("go on");
    call.join();
}

#[test]
fn a_thread_that_only_waits_is_not_woken_to_be_told() {
    let server = Server::http(|exchange| {
        exchange.await_signal("go on", 1);
        exchange.reply(200, &[], b"");
    });
    let heard = Arc::new(Mutex::new(Vec::new()));
    let call = {
        let (heard, url) = (Arc::clone(&heard), server.url("/"));
        start(move || {
            let observer =
                move |event: &CallEvent| heard.lock().unwrap().push(event.what().clone());
            let client = builder().driving(Driving::Background).timeouts(Timeouts::none());
            client.observer(observer).build().unwrap().get(url).send().unwrap()
        })
    };
    server.await_requests(1);
    thread::sleep(Duration::from_millis(100));
    let told = heard.lock().unwrap().clone();
    assert!(!told.contains(&Happening::Sent), "{told:?}");
    server.signal("go on");
    call.join();
    assert!(heard.lock().unwrap().contains(&Happening::Sent));
}

#[test]
fn an_observer_may_make_calls() {
    let server = Server::http(hello);
    let (other, url) = (client(), server.url("/"));
    let observer = {
        let url = url.clone();
        move |_: &CallEvent| drop(other.get(&url).send().unwrap())
    };
    let text = in_time(move || {
        let client = builder().observer(observer).build().unwrap();
        let mut text = client.get(&url).send().unwrap().text();
        client.get(&url).open().unwrap().read_to_string(&mut text).unwrap();
        drop(client.get(&url).open().unwrap());
        text
    });
    assert_eq!(text, "hellohello");
}

#[test]
fn a_panic_in_an_observer_reaches_the_caller_and_harms_nobody_else() {
    let server = Server::http(hello);
    let client = builder().observer(|_: &CallEvent| panic!("on purpose")).build().unwrap();
    let call = || client.get(server.url("/")).send();
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    let open = || client.get(server.url("/")).open();
    assert!(catch_unwind(AssertUnwindSafe(open)).is_err());
    crate::clients::await_quiet(&client);
}

#[cfg(feature = "cache")]
#[test]
fn a_hit_of_the_cache_has_a_hop_without_attempts() {
    let server = Server::http(|exchange| {
        exchange.reply(200, &[("cache-control", "max-age=60")], b"");
    });
    let heard = Heard::default();
    let client = heard.by(builder().cache(abide::Cache::memory(1 << 20)));
    client.get(server.url("/")).send().unwrap();
    heard.0.lock().unwrap().clear();
    client.get(server.url("/")).send().unwrap();
    assert_eq!(heard.told(), ["0.0 CallBegan", "1.0 HopBegan", "1.0 HopAnswered", "1.0 CallEnded"]);
}

#[test]
fn an_interceptors_answer_is_a_hop_without_attempts() {
    let heard = Heard::default();
    let client = heard.by(builder());
    client.intercept_requests(|request| {
        request.answer(abide::StatusCode::OK, abide::HeaderMap::new(), "fine");
        Ok(())
    });
    client.get("http://nowhere.test/").send().unwrap();
    assert_eq!(heard.told(), ["0.0 CallBegan", "1.0 HopBegan", "1.0 HopAnswered", "1.0 CallEnded"]);
}
