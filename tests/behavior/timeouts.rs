//! Each budget is separate, named by the error, and can be switched off.

use std::{
    io::Read as _,
    thread,
    time::{Duration, Instant},
};

use abide::{Body, Budget, Client, Error, ErrorKind, Limits, Phase, Timeouts};

use crate::{
    clients::{HangingNames, await_quiet, builder},
    support::{BlackHole, Exchange, Server},
    waiting::start,
};

const SHORT: Duration = Duration::from_millis(100);
const LONGER: Duration = Duration::from_millis(400);

/// A wait that only a budget ends.
pub(crate) struct Stall {
    make: Box<dyn Fn(&Client) -> Error + Send>,
    client: Client,
    /// What has to stay alive for the wait to go on.
    _scenery: Box<dyn Scenery>,
}

/// Marks what is kept only in order to be dropped later.
trait Scenery: Send {}
impl<T: Send> Scenery for T {}

fn in_the_queue(timeouts: Timeouts) -> Stall {
    let server = Server::http(|exchange| {
        exchange.signal("waiting");
        exchange.await_client_gone();
    });
    let limits = Limits::default().places_per_route(1);
    let client = builder().limits(limits).timeouts(timeouts).build().unwrap();
    let first = start({
        let (client, url) = (client.clone(), server.url("/first"));
        move || drop(client.get(url).timeouts(Timeouts::none().total(LONGER * 3)).send())
    });
    server.await_signal("waiting", 1);
    let make = get(server.url("/second"));
    Stall { make, client, _scenery: Box::new((server, first)) }
}

fn at_a_name(timeouts: Timeouts) -> Stall {
    let names = HangingNames::default();
    let client = builder().resolver(names.resolver()).timeouts(timeouts).build().unwrap();
    Stall { make: get("http://some.test/".to_owned()), client, _scenery: Box::new(names) }
}

fn at_a_black_hole(timeouts: Timeouts) -> Stall {
    let hole = BlackHole::new();
    let client = builder().timeouts(timeouts).build().unwrap();
    Stall { make: get(hole.url("/")), client, _scenery: Box::new(hole) }
}

pub(crate) fn at(
    server: Server,
    timeouts: Timeouts,
    make: impl Fn(&Client, String) -> Error + Send + 'static,
) -> Stall {
    let (url, client) = (server.url("/"), builder().timeouts(timeouts).build().unwrap());
    let make = Box::new(move |client: &Client| make(client, url.clone()));
    Stall { make, client, _scenery: Box::new(server) }
}

/// A wait of a client that something has to stay alive for.
pub(crate) fn with_scenery(
    client: Client,
    scenery: impl Send + 'static,
    make: impl Fn(&Client) -> Error + Send + 'static,
) -> Stall {
    Stall { make: Box::new(make), client, _scenery: Box::new(scenery) }
}

fn before_the_reply(timeouts: Timeouts) -> Stall {
    at(silent(), timeouts, |client, url| client.get(url).send().unwrap_err())
}

/// A server that reads requests and answers none.
fn silent() -> Server {
    Server::http(Exchange::await_client_gone)
}

fn get(url: String) -> Box<dyn Fn(&Client) -> Error + Send> {
    Box::new(move |client| client.get(&url).send().unwrap_err())
}

fn send_some(exchange: &mut Exchange) {
    exchange.begin_reply(200, &[("content-length", "10")]);
    exchange.write("some");
    exchange.await_client_gone();
}

fn in_a_collected_body(timeouts: Timeouts) -> Stall {
    at(Server::http(send_some), timeouts, |client, url| client.get(url).send().unwrap_err())
}

fn in_a_streamed_body(timeouts: Timeouts) -> Stall {
    at(Server::http(send_some), timeouts, |client, url| {
        let mut reply = client.get(url).open().unwrap();
        let error = reply.read_to_end(&mut Vec::new()).unwrap_err();
        *error.into_inner().unwrap().downcast().unwrap()
    })
}

fn while_sending(timeouts: Timeouts) -> Stall {
    let server = Server::http(|exchange| exchange.await_signal("never", 1));
    at(server, timeouts, |client, url| {
        client.post(url).body(Body::from(vec![0; 64 << 20])).send().unwrap_err()
    })
}

pub(crate) type Case = (fn(Timeouts) -> Stall, Phase, Budget);

fn with(timeouts: Timeouts, budget: Budget, limit: Option<Duration>) -> Timeouts {
    match budget {
        Budget::Queue => timeouts.queue(limit),
        Budget::Resolve => timeouts.resolve(limit),
        Budget::Connect => timeouts.connect(limit),
        Budget::Tls => timeouts.tls(limit),
        Budget::FirstByte => timeouts.first_byte(limit),
        Budget::Idle => timeouts.idle(limit),
        Budget::Total => timeouts.total(limit),
        unknown => panic!("a new budget: {unknown:?}"),
    }
}

#[track_caller]
fn check(case: &Case, timeouts: Timeouts, budget: Budget, limit: Duration) {
    let (stall, phase, _) = *case;
    let stall = stall(timeouts);
    let began = Instant::now();
    let call = start(move || ((stall.make)(&stall.client), stall));
    let (error, stall) = call.join();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
    assert!(error.is_timeout() && !error.is_cancelled());
    assert_eq!(error.budget(), Some(budget), "{error:?}");
    let is_there = match budget {
        // On a busy machine the deadline may come before the call has got so far.
        Budget::Total => error.phase() <= Some(phase),
        _ => error.phase() == Some(phase),
    };
    assert!(is_there, "{error:?}");
    assert!(began.elapsed() >= limit, "{:?} is too early: {error:?}", began.elapsed());
    assert!(began.elapsed() < limit + Duration::from_secs(5), "{:?}", began.elapsed());
    let before_connected =
        matches!(error.phase(), Some(Phase::Resolve | Phase::Connect | Phase::Tls));
    assert_eq!(error.is_connect(), before_connected, "{error:?}");
    assert!(error.to_string().contains(&budget.to_string()), "{error}");
    // A dial belongs to the pool and goes on after the call, as far as its own budget reaches.
    if phase != Phase::Queue && !(before_connected && budget == Budget::Total) {
        await_quiet(&stall.client);
        assert_eq!(stall.client.stats().open(), 0);
    }
}

/// The budget ends the wait, so does the deadline, and without the budget nothing else does.
#[track_caller]
pub(crate) fn check_all(case: &Case) {
    let (_, _, budget) = *case;
    check(case, with(Timeouts::none(), budget, Some(SHORT)), budget, SHORT);
    check(case, Timeouts::none().total(LONGER), Budget::Total, LONGER);
    let off = with(with(Timeouts::none(), budget, Some(SHORT)), budget, None);
    check(case, off.total(LONGER), Budget::Total, LONGER);
}

#[test]
fn a_budget_ends_the_wait_in_the_queue() {
    check_all(&(in_the_queue, Phase::Queue, Budget::Queue));
}

#[test]
fn a_budget_ends_the_wait_for_a_name() {
    check_all(&(at_a_name, Phase::Resolve, Budget::Resolve));
}

#[test]
fn a_budget_ends_the_wait_at_a_black_hole() {
    check_all(&(at_a_black_hole, Phase::Connect, Budget::Connect));
}

#[test]
fn a_budget_ends_the_wait_for_the_reply() {
    check_all(&(before_the_reply, Phase::FirstByte, Budget::FirstByte));
}

#[test]
fn a_budget_ends_the_wait_in_a_collected_body() {
    check_all(&(in_a_collected_body, Phase::Body, Budget::Idle));
}

#[test]
fn a_budget_ends_the_wait_in_a_streamed_body() {
    check_all(&(in_a_streamed_body, Phase::Body, Budget::Idle));
}

#[test]
fn a_budget_ends_the_wait_while_sending() {
    check_all(&(while_sending, Phase::Send, Budget::Idle));
}

#[test]
fn the_budgets_of_a_call_replace_those_of_the_client() {
    let server = silent();
    let url = server.url("/");
    let client = builder().timeouts(Timeouts::none().first_byte(SHORT)).build().unwrap();
    let mine = Timeouts::none().first_byte(LONGER);
    let began = Instant::now();
    let error = client.get(url).timeouts(mine).send().unwrap_err();
    assert_eq!(error.budget(), Some(Budget::FirstByte));
    assert!(began.elapsed() >= LONGER);
}

#[test]
fn the_deadline_of_a_call_leaves_the_other_budgets_alone() {
    let server = silent();
    let url = server.url("/");
    let client = builder().timeouts(Timeouts::none().first_byte(SHORT)).build().unwrap();
    let error = client.get(&url).timeout(LONGER * 10).send().unwrap_err();
    assert_eq!(error.budget(), Some(Budget::FirstByte));
    let error = client.get(&url).timeout(SHORT / 2).send().unwrap_err();
    assert_eq!(error.budget(), Some(Budget::Total));
}

#[test]
fn defaults_are_as_documented() {
    let client = builder().build().unwrap();
    let documented = Timeouts::none()
        .queue(Duration::from_secs(30))
        .resolve(Duration::from_secs(10))
        .connect(Duration::from_secs(10))
        .tls(Duration::from_secs(10))
        .first_byte(Duration::from_secs(60))
        .idle(Duration::from_secs(60));
    assert_eq!(format!("{:?}", client.timeouts()), format!("{documented:?}"));
    let client = builder().timeout(SHORT).build().unwrap();
    assert_eq!(format!("{:?}", client.timeouts()), format!("{:?}", documented.total(SHORT)));
}

#[test]
fn a_slow_but_steady_body_is_not_idle() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "40")]);
        for _ in 0..40 {
            exchange.write("x");
            thread::sleep(Duration::from_millis(20));
        }
    });
    let timeouts = Timeouts::none().idle(Duration::from_millis(500));
    let client = builder().timeouts(timeouts).build().unwrap();
    assert_eq!(client.get(server.url("/")).send().unwrap().bytes().len(), 40);
}

#[test]
fn a_pause_of_the_reader_is_not_the_silence_of_the_server() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("content-length", "8")]);
        exchange.write("some");
        exchange.await_signal("go", 1);
        exchange.write("more");
    });
    let timeouts = Timeouts::none().idle(LONGER);
    let client = builder().timeouts(timeouts).build().unwrap();
    let mut reply = client.get(server.url("/")).open().unwrap();
    let mut some = [0; 4];
    reply.read_exact(&mut some).unwrap();
    thread::sleep(LONGER * 2);
    server.signal("go");
    let mut more = String::new();
    reply.read_to_string(&mut more).unwrap();
    assert_eq!(more, "more");
}

#[test]
fn a_full_row_of_chunks_is_not_the_silence_of_the_server() {
    const LENGTH: usize = 64 << 20;
    let server = Server::http(|exchange| {
        exchange.reply(200, &[], &vec![7; LENGTH]);
    });
    let timeouts = Timeouts::none().idle(LONGER);
    let client = builder().timeouts(timeouts).build().unwrap();
    let mut reply = client.get(server.url("/")).open().unwrap();
    reply.read_exact(&mut [0]).unwrap();
    thread::sleep(LONGER * 2);
    assert_eq!(std::io::copy(&mut reply, &mut std::io::sink()).unwrap(), LENGTH as u64 - 1);
}

#[test]
fn a_slow_but_steady_upload_is_not_idle() {
    let server = Server::http(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[], body.len().to_string().as_bytes());
    });
    let timeouts = Timeouts::none().idle(Duration::from_millis(500)).first_byte(LONGER);
    let client = builder().timeouts(timeouts).build().unwrap();
    let slow = SlowReader { pieces: 40 };
    let reply = client.post(server.url("/")).body(Body::reader(slow)).send().unwrap();
    assert_eq!(reply.text(), "40");
}

/// Gives a byte now and then.
struct SlowReader {
    pieces: usize,
}

impl std::io::Read for SlowReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.pieces == 0 {
            return Ok(0);
        }
        thread::sleep(Duration::from_millis(20));
        self.pieces -= 1;
        buffer[0] = 1;
        Ok(1)
    }
}

#[test]
fn the_deadline_covers_a_body_that_keeps_coming() {
    let server = Server::http(|exchange| {
        exchange.begin_reply(200, &[("transfer-encoding", "chunked")]);
        while exchange.write("1\r\nx\r\n") {
            thread::sleep(Duration::from_millis(5));
        }
    });
    let client = builder().build().unwrap();
    let error = client.get(server.url("/")).timeout(LONGER).send().unwrap_err();
    assert_eq!(error.budget(), Some(Budget::Total));
    let mut reply = client.get(server.url("/")).timeout(LONGER).open().unwrap();
    let error = reply.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    server.await_open(0);
}

#[test]
fn a_deadline_of_nothing_ends_the_call_without_a_connection() {
    let server = Server::http(|_| panic!("no call should arrive"));
    let client = builder().build().unwrap();
    let error = client.get(server.url("/")).timeout(Duration::ZERO).send().unwrap_err();
    assert_eq!(error.budget(), Some(Budget::Total));
}

#[test]
fn the_error_shows_neither_password_nor_query() {
    let server = silent();
    let url = server.url("/path?token=hidden");
    let client = builder().timeouts(Timeouts::none().first_byte(SHORT)).build().unwrap();
    let url = url.replace("://", "://user:hidden@");
    let error = client.get(url).send().unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("/path") && !text.contains("hidden"), "{text}");
}
