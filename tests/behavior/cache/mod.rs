//! What is stored answers as RFC 9111 says, and never as it does not.

mod care;
mod credentials;
#[cfg(feature = "disk-cache")]
mod disk;
#[cfg(all(feature = "gzip", feature = "brotli"))]
mod encoded;
mod freshness;
mod invalidation;
mod model;
mod modes;
mod ranges;
mod single_flight;
mod stale;
mod storing;
mod streaming;
mod validation;
mod vary;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use abide::{
    Cache, CacheMode, CacheOutcome, CacheReport, Client, ClientBuilder, Clock, Forwarded, Method,
    Reply, RequestBuilder,
};

use crate::{
    clients::builder,
    support::{Exchange, Server},
};

/// A clock that stands still until it is told to go on.
#[derive(Clone, Default)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl Clock for TestClock {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + START + self.steady()
    }

    fn steady(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

impl TestClock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

const START: Duration = Duration::from_secs(1_700_000_000);

/// What the server says next.
#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A server that says what it is told, and a client with a cache and a clock.
struct Lab {
    server: Server,
    client: Client,
    clock: TestClock,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Lab {
    fn new() -> Self {
        Self::with(Cache::memory(1 << 20), |builder| builder)
    }

    fn with(cache: Cache, build: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let answers = Arc::new(Mutex::new(VecDeque::<Answer>::new()));
        let to_give = Arc::clone(&answers);
        let server = Server::http(move |exchange| {
            let answer = to_give.lock().unwrap().pop_front();
            match answer {
                Some(answer) => drop(give(exchange, &answer)),
                // A server that is gone.
                None => exchange.abandon(),
            }
        });
        let clock = TestClock::default();
        let client = build(builder().cache(cache.clock(clock.clone()))).build().unwrap();
        Self { server, client, clock, answers }
    }

    /// Has the server answer so to the next request that nobody has answered.
    fn will_answer(&self, status: u16, headers: &[(&str, &str)], body: &str) -> &Self {
        let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let headers = headers.iter().map(own).collect();
        let answer = Answer { status, headers, body: body.as_bytes().to_vec() };
        self.answers.lock().unwrap().push_back(answer);
        self
    }

    fn after(&self, seconds: u64) -> &Self {
        self.clock.advance(seconds);
        self
    }

    /// A date so many seconds from now, as the clock of the test has it.
    fn date(&self, seconds: i64) -> String {
        let now = (START + self.clock.steady()).as_secs() as i64;
        imf_date(now + seconds)
    }

    fn request(&self, headers: &[(&'static str, &str)]) -> RequestBuilder<'static> {
        self.request_to(Method::GET, "/", headers)
    }

    fn request_to(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> RequestBuilder<'static> {
        let request = self.client.request(method, self.server.url(path));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }

    #[track_caller]
    fn get(&self) -> Reply {
        self.request(&[]).send().unwrap()
    }

    #[track_caller]
    fn get_with(&self, headers: &[(&'static str, &str)]) -> Reply {
        self.request(headers).send().unwrap()
    }

    #[track_caller]
    fn get_in(&self, mode: CacheMode) -> Reply {
        self.request(&[]).cache_mode(mode).send().unwrap()
    }

    fn requests(&self) -> usize {
        self.server.requests()
    }

    /// Whether a second `GET`, so many seconds after one that was answered with these headers, is
    /// answered without asking.
    #[track_caller]
    fn is_reused_after(status: u16, headers: &[(&str, &str)], seconds: u64) -> bool {
        let lab = Self::new();
        let dated: Vec<(&str, String)> =
            headers.iter().map(|(name, value)| (*name, lab.dated(value))).collect();
        let dated: Vec<(&str, &str)> =
            dated.iter().map(|(name, value)| (*name, value.as_str())).collect();
        lab.will_answer(status, &dated, "one").get();
        lab.after(seconds).will_answer(status, &[], "two");
        let reply = lab.get();
        assert_eq!(lab.requests() == 1, reply.text() == "one", "{headers:?}");
        assert_eq!(report(&reply).is_hit(), reply.text() == "one", "{headers:?}");
        reply.text() == "one"
    }

    /// The value, with `@+10` in it replaced by the date in 10 seconds.
    fn dated(&self, value: &str) -> String {
        match value.strip_prefix('@') {
            Some(offset) => self.date(offset.parse().unwrap()),
            None => value.to_owned(),
        }
    }
}

fn give(exchange: &mut Exchange, answer: &Answer) -> bool {
    let headers: Vec<(&str, &str)> =
        answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if matches!(answer.status, 204 | 304) {
        return exchange.begin_reply(answer.status, &headers);
    }
    exchange.reply(answer.status, &headers, &answer.body)
}

#[track_caller]
fn report(reply: &Reply) -> CacheReport {
    reply.cache().unwrap()
}

#[track_caller]
fn assert_hit(reply: &Reply, body: &str) {
    assert_eq!(reply.text(), body);
    assert_eq!(report(reply).outcome(), CacheOutcome::Hit, "{:?}", reply.cache());
    assert_eq!(reply.timings().connection(), None);
}

#[track_caller]
fn assert_asked(reply: &Reply, why: Forwarded, body: &str) {
    assert_eq!(reply.text(), body);
    let report = report(reply);
    assert_eq!((report.outcome(), report.forwarded()), (CacheOutcome::Miss, Some(why)));
}

#[track_caller]
fn assert_confirmed(reply: &Reply, body: &str) {
    assert_eq!(reply.text(), body);
    assert_eq!(report(reply).outcome(), CacheOutcome::Revalidated, "{:?}", reply.cache());
}

/// A date in HTTP's form, of seconds since 1970.
fn imf_date(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days.rem_euclid(7) as usize];
    let (mut year, mut day) = (1970, days);
    let length = |year: i64| match year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) {
        true => 366,
        false => 365,
    };
    while day < 0 {
        year -= 1;
        day += length(year);
    }
    while day >= length(year) {
        day -= length(year);
        year += 1;
    }
    let february = length(year) - 337;
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= months[month] {
        day -= months[month];
        month += 1;
    }
    let names =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    format!(
        "{weekday}, {:02} {} {year} {:02}:{:02}:{:02} GMT",
        day + 1,
        names[month],
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[test]
fn dates_of_these_tests_are_dates() {
    assert_eq!(imf_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(imf_date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
    assert_eq!(imf_date(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
}
