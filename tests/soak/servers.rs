//! Servers that fail in every way that a retry can save, and in some that none can.
//!
//! What they do unasked spares the first exchange of a connection: a request that is sent again goes
//! to a new one, where it has to succeed. Only a cut takes it along, if it is still under way.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use h2::{Reason, server::Builder};

use crate::{
    dice::Dice,
    support::{Exchange, Server, StreamExchange},
};

/// What a server has done.
#[derive(Clone, Default)]
pub(crate) struct Deeds {
    /// Which requests were applied, and how often; of each caller the last ones.
    applied: Arc<Mutex<HashMap<usize, Row>>>,
    cuts: Arc<AtomicUsize>,
}

/// Numbers of requests, and how often each was applied.
type Row = VecDeque<(u64, usize)>;

impl Deeds {
    /// How many connections were cut under several calls.
    pub(crate) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }

    /// Applies the request of a target like `/post/caller/number`.
    fn apply(&self, target: &str) {
        let mut words = target.split('/').skip(2);
        let caller = words.next().unwrap().parse().unwrap();
        let number = words.next().unwrap().parse().unwrap();
        let mut applied = self.applied.lock().unwrap();
        let row = applied.entry(caller).or_default();
        match row.iter_mut().find(|(known, _)| *known == number) {
            Some((_, times)) => *times += 1,
            None => row.push_back((number, 1)),
        }
        if row.len() > KEPT {
            row.pop_front();
        }
    }

    /// How often the last requests of a caller were applied at most, and how often this one.
    pub(crate) fn times(&self, caller: usize, number: u64) -> (usize, usize) {
        let applied = self.applied.lock().unwrap();
        let row = applied.get(&caller).into_iter().flatten();
        let most = row.clone().map(|(_, times)| *times).max().unwrap_or(0);
        (most, row.filter(|(known, _)| *known == number).map(|(_, times)| *times).sum())
    }
}

const KEPT: usize = 64;

/// The body that a target is answered with.
pub(crate) fn body_of(target: &str) -> Vec<u8> {
    let mut dice = Dice::new(target.len() as u64, target.bytes().map(u64::from).sum());
    let length = match dice.below(8) {
        0 => dice.below(70_000),
        1 => 0,
        _ => dice.below(300),
    };
    target.bytes().cycle().take(length).collect()
}

pub(crate) fn http1(seed: u64, deeds: Deeds) -> Server {
    let served = AtomicU64::new(0);
    let handler = move |exchange: &mut Exchange| {
        let mut dice = Dice::new(seed, served.fetch_add(1, Ordering::Relaxed));
        let target = exchange.target().to_owned();
        if exchange.try_read_body().is_none() {
            return;
        }
        let is_reused = exchange.request_index() > 0;
        let is_post = exchange.request().method == "POST";
        if is_post && dice.percent(97) {
            deeds.apply(&target);
        } else if is_post {
            return if dice.percent(50) { exchange.close() } else { exchange.reset() };
        }
        if is_reused && dice.percent(3) {
            return if dice.percent(50) { exchange.close() } else { exchange.reset() };
        }
        match target.split('/').nth(1).unwrap() {
            "stall" => return exchange.await_client_gone(),
            "slow" => std::thread::sleep(Duration::from_millis(2)),
            "half" => {
                exchange.begin_reply(200, &[("content-length", "100000")]);
                exchange.write([b'h'; 50_000]);
                return if dice.percent(50) { exchange.close() } else { exchange.reset() };
            }
            _ => {}
        }
        exchange.reply(200, &[], &body_of(&target));
        // Without a word beforehand: the next request may be on its way.
        if dice.percent(2) {
            exchange.close();
        }
    };
    Server::http(handler)
}

pub(crate) fn http2(seed: u64, deeds: Deeds) -> Server {
    let mut settings = Builder::new();
    settings.max_concurrent_streams(STREAMS);
    let served = Arc::new(AtomicU64::new(0));
    let handler = move |exchange: StreamExchange| {
        let dice = Dice::new(seed, served.fetch_add(1, Ordering::Relaxed));
        answer(exchange, dice, deeds.clone())
    };
    Server::http2_of(settings, handler)
}

async fn answer(mut exchange: StreamExchange, mut dice: Dice, deeds: Deeds) {
    if dice.percent(1) {
        return exchange.reset(Reason::REFUSED_STREAM);
    }
    if dice.below(500) == 0 {
        exchange.go_away();
    }
    let target = exchange.target().to_owned();
    let is_post = exchange.request().method == "POST";
    if exchange.try_read_body().await.is_none() {
        return;
    }
    if is_post && dice.percent(97) {
        deeds.apply(&target);
    } else if is_post {
        return exchange.reset(Reason::INTERNAL_ERROR);
    }
    if exchange.request_index() > 0 && dice.percent(1) {
        deeds.cuts.fetch_add(1, Ordering::Relaxed);
        return exchange.close_connection();
    }
    match target.split('/').nth(1).unwrap() {
        "stall" => return exchange.await_reset().await,
        "slow" => {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
        "half" => {
            exchange.begin_reply(200, &[("content-length", "100000")]);
            exchange.write(vec![b'h'; 50_000]).await;
            return exchange.reset(Reason::INTERNAL_ERROR);
        }
        _ => {}
    }
    exchange.reply(200, &[], body_of(&target)).await;
}

/// Of each connection; with all of them fewer than there are callers.
pub(crate) const STREAMS: u32 = 4;
