//! Everything that can happen, in any order.

use super::world::{World, route};
use crate::{limits::Limits, origin::Route, priority::Priority};

/// A small generator (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

#[test]
fn the_books_balance_whatever_happens_and_everybody_is_served() {
    let hosts =
        ["http://a1/", "https://b1/", "https://c2/", "https://d2/", "http://e1/"].map(route);
    for seed in 1..150_u64 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (seed << 20));
        let mut limits = Limits::default().places_total(1 + random.below(6));
        limits = limits.places_per_route(1 + random.below(4)).dials_total(1 + random.below(5));
        limits = limits.http2_connections_per_route(1 + random.below(3));
        limits = limits.http2_cores_per_route(1 + random.below(3));
        let mut world = World::new(limits.dials_per_route(1 + random.below(3)));
        for _ in 0..300 {
            step(&mut world, &mut random, &hosts);
        }
        // No more calls come; what runs ends, what is dialed is connected, what is told to closes.
        for _ in 0..5_000 {
            world.let_close();
            if let Some(number) = world.busy().first() {
                world.finish(*number);
            } else if !world.dials.is_empty() {
                world.connect(0);
            } else {
                break;
            }
        }
        let left: Vec<_> = world.waiting.keys().collect();
        assert!(left.is_empty(), "seed {seed}: {left:?} wait for ever: {:?}", world.state);
    }
}

fn step(world: &mut World, random: &mut Random, hosts: &[Route]) {
    let host = &hosts[random.below(hosts.len())];
    match random.below(14) {
        0..=3 => {
            let priority = match random.below(3) {
                0 => Priority::Background,
                _ => Priority::Interactive,
            };
            let fresh = random.below(5) == 0;
            world.call(host, priority, fresh);
        }
        4..=5 if !world.dials.is_empty() => {
            let at = random.below(world.dials.len());
            match random.below(6) {
                0 => world.fail_dial(at),
                1 => world.fail_handshake(at),
                _ => {
                    world.connect(at);
                }
            }
        }
        6..=8 => {
            let busy = world.busy();
            if !busy.is_empty() {
                world.finish(busy[random.below(busy.len())]);
            }
        }
        9 => {
            // Any connection may end at any time.
            let mut all: Vec<_> = world.connections.keys().copied().collect();
            all.sort_unstable();
            if !all.is_empty() {
                let number = all[random.below(all.len())];
                match random.below(2) {
                    0 => world.close(number),
                    _ => world.cut(number),
                }
                world.check();
            }
        }
        10 => {
            let mut tickets: Vec<_> = world.waiting.keys().copied().collect();
            tickets.sort_unstable();
            if !tickets.is_empty() {
                world.cancel(tickets[random.below(tickets.len())]);
            }
        }
        11 => {
            let busy = world.busy();
            if !busy.is_empty() {
                let load = if random.below(4) == 0 { 0 } else { 100 };
                world.look_at_load(busy[random.below(busy.len())], load);
            }
        }
        12 => {
            world.insider(host, random.below(2));
        }
        _ => world.let_close(),
    }
}
