//! One rule of the pool after the other.

use super::{
    super::{
        route::{Protocol, StreamEnd},
        state::Placement,
        warm::WarmOrder,
    },
    world::{STREAMS, World, route},
};
use crate::{
    host_options::{ConnectionOptions, HostOptions},
    limits::{Limits, Timeouts},
    origin::Route,
    priority::Priority,
    sync::Arc,
    transport::bridge,
};

#[test]
fn one_dial_learns_what_a_secure_route_speaks_and_the_rest_follow() {
    let mut world = World::new(Limits::default().dials_per_route(4));
    let (old, new) = (route("https://host1/"), route("https://host2/"));
    for _ in 0..9 {
        world.interactive(&old);
        world.interactive(&new);
    }
    assert_eq!(world.dials.len(), 2);
    world.connect(1);
    assert_eq!(world.dials.len(), 3, "three serve nine where three are carried each");
    world.connect(0);
    assert_eq!(world.dials.iter().filter(|dial| dial.route == old).count(), 4);
    while !world.dials.is_empty() {
        world.connect(0);
    }
    assert_eq!(world.begun.len(), 18);
    // What is known outlives the connections.
    let all: Vec<_> = world.connections.keys().copied().collect();
    all.into_iter().for_each(|number| world.close(number));
    assert_eq!((world.protocol(&old), world.protocol(&new)), (Protocol::Http1, Protocol::Http2));
    for _ in 0..3 {
        world.interactive(&old);
        world.interactive(&new);
    }
    assert_eq!(world.dials.len(), 4);
}

#[test]
fn a_failed_first_dial_lets_the_others_try_each_for_itself() {
    let mut world = World::new(Limits::default());
    let host = route("https://host1/");
    for _ in 0..5 {
        world.interactive(&host);
    }
    world.fail_dial(0);
    assert_eq!(world.dials.len(), 4);
    while !world.dials.is_empty() {
        world.fail_dial(0);
    }
    assert!(world.waiting.is_empty());
    assert_eq!(world.protocol(&host), Protocol::Unknown);
}

#[test]
fn a_job_that_comes_back_keeps_its_turn() {
    let mut world = World::new(Limits::default().places_per_route(1));
    let host = route("http://host1/");
    let first = world.interactive(&host);
    let connection = world.connect(0);
    let (second, third) = (world.interactive(&host), world.interactive(&host));
    let waiter = world.state.route_mut(&host).queue.leave(second).expect("it waits");
    let Placement::Queued(effects, _) = world.state.place(waiter.job, second) else {
        panic!("nothing is free")
    };
    world.carry_out(effects);
    world.finish(connection);
    world.finish(connection);
    assert_eq!(world.begun, [first, second, third]);
}

#[test]
fn a_fresh_job_gets_the_place_of_an_idle_connection_and_one_only() {
    let mut world = World::new(Limits::default().places_per_route(3));
    let host = route("http://host1/");
    for _ in 0..3 {
        world.interactive(&host);
    }
    let connections: Vec<_> = (0..3).map(|_| world.connect(0)).collect();
    connections.iter().for_each(|number| world.finish(*number));
    let fresh = world.call(&host, Priority::Interactive, true);
    let told = |world: &World| world.connections.values().filter(|c| c.is_told_to_close).count();
    assert_eq!(told(&world), 1);
    // Others may use the rest, and are no reason to close more.
    world.interactive(&host);
    assert_eq!(told(&world), 1);
    world.let_close();
    world.connect(0);
    assert_eq!(world.begun.last(), Some(&fresh));
}

#[test]
fn routes_share_the_total_by_whose_first_job_waits_for_longer() {
    let mut world = World::new(Limits::default().places_total(4));
    let (one, other) = (route("http://a1/"), route("http://b1/"));
    for _ in 0..8 {
        world.interactive(&one);
    }
    while !world.dials.is_empty() {
        world.connect(0);
    }
    for _ in 0..8 {
        world.interactive(&other);
        world.interactive(&one);
    }
    // Both always want more; in the end both have the same, and nothing is closed any more.
    let mut opened = 0;
    for turn in 0..200 {
        let busy = world.busy();
        let number = busy[turn % busy.len()];
        let host = Arc::clone(&world.connections[&number].route);
        world.finish(number);
        world.let_close();
        while !world.dials.is_empty() {
            world.connect(0);
            opened += 1;
        }
        world.interactive(&host);
    }
    let places = |host: &Route| world.state.routes[host].places;
    assert_eq!((places(&one), places(&other)), (2, 2));
    assert_eq!(opened, 2, "a connection was closed for another again and again");
}

#[test]
fn a_route_that_has_nothing_gets_the_place_of_a_shared_connection() {
    let mut world = World::new(Limits::default().places_total(1));
    let (shared, other) = (route("https://a2/"), route("http://b1/"));
    world.interactive(&shared);
    let connection = world.connect(0);
    let waiting = world.interactive(&other);
    let later = world.interactive(&shared);
    world.finish(connection);
    world.let_close();
    let connection = world.connect(0);
    assert_eq!(world.begun.last(), Some(&waiting));
    world.finish(connection);
    world.let_close();
    world.connect(0);
    assert_eq!(world.begun.last(), Some(&later));
}

#[test]
fn the_background_leaves_one_place_and_gets_its_turn() {
    let mut world = World::new(Limits::default().places_per_route(2));
    let host = route("http://host1/");
    let back = world.background(&host);
    let waits = world.background(&host);
    assert_eq!(world.dials.len(), 1);
    let busy = world.connect(0);
    assert_eq!(world.begun, [back]);
    // Interactive calls use the other place, one after the other.
    let mut other = None;
    for _ in 0..16 {
        world.interactive(&host);
        let number = *other.get_or_insert_with(|| world.connect(0));
        assert!(!world.begun.contains(&waits));
        world.finish(number);
    }
    world.interactive(&host);
    assert!(world.begun.contains(&waits), "it is its turn");
    world.finish(busy);
    assert!(world.waiting.is_empty());
}

#[test]
fn the_background_leaves_the_last_stream_too() {
    let mut world = World::new(Limits::default().http2_connections_per_route(1));
    let host = route("https://host2/");
    for _ in 0..4 {
        world.background(&host);
    }
    let connection = world.connect(0);
    assert_eq!(world.begun.len(), STREAMS - 1);
    world.interactive(&host);
    assert_eq!(world.begun.len(), STREAMS);
    world.finish(connection);
    assert_eq!(world.begun.len(), STREAMS, "one stays free");
    world.finish(connection);
    assert_eq!(world.begun.len(), STREAMS + 1);
}

#[test]
fn a_refused_stream_goes_elsewhere_while_there_is_an_elsewhere() {
    let mut world = World::new(Limits::default().http2_connections_per_route(2));
    let host = route("https://host2/");
    world.interactive(&host);
    let unwilling = world.connect(0);
    let refused = world.state.stream_ended(&host, unwilling, 0, StreamEnd::Refused);
    world.connections.get_mut(&unwilling).expect("it is there").exchanges -= 1;
    world.carry_out(refused.1);
    world.call(&host, Priority::Interactive, true);
    assert_eq!((world.dials.len(), world.begun.len()), (1, 1));
    let willing = world.connect(0);
    assert_eq!(world.connections[&willing].exchanges, 1);
    // The willing one is preferred until it is full.
    for _ in 0..STREAMS {
        world.interactive(&host);
    }
    assert_eq!(world.connections[&willing].exchanges, STREAMS);
    assert_eq!(world.connections[&unwilling].exchanges, 1);
}

#[test]
fn a_bound_of_streams_that_changes_is_kept() {
    let mut world = World::new(Limits::default().http2_connections_per_route(1));
    let host = route("https://host2/");
    world.interactive(&host);
    let connection = world.connect(0);
    let changed = |world: &mut World, streams_max| {
        let effects = world.state.streams_changed(&host, connection, streams_max);
        world.carry_out(effects);
        world.check();
    };
    changed(&mut world, 0);
    let host = route("https://host2/");
    for _ in 0..5 {
        world.interactive(&host);
    }
    world.finish(connection);
    assert_eq!(world.begun.len(), 1);
    changed(&mut world, 4);
    assert_eq!(world.begun.len(), 5);
}

#[test]
fn a_new_connection_begins_with_what_the_server_allowed_before() {
    let mut world = World::new(Limits::default());
    let host = route("https://host2/");
    world.interactive(&host);
    let first = world.connect(0);
    let effects = world.state.streams_changed(&host, first, 1);
    world.carry_out(effects);
    for _ in 0..3 {
        world.interactive(&host);
    }
    let second = world.connect(0);
    assert_eq!(world.connections[&second].exchanges, 1);
    assert_eq!((world.begun.len(), world.dials.len()), (2, 2));
}

/// Begins a warm-up, which somebody waits for until what is returned is dropped.
fn warm(world: &mut World, host: &Route, connections: usize) -> impl Sized + use<> {
    let route = Arc::clone(host);
    let order = WarmOrder { route, connections, timeouts: Timeouts::none(), avoid: None };
    let (answer, awaited) = bridge::reply();
    let (_, effects) = world.state.warm(order, answer);
    world.carry_out(effects);
    awaited
}

#[test]
fn a_warm_up_opens_what_the_bounds_allow_and_takes_nothing_from_others() {
    let mut world = World::new(Limits::default().places_total(3).dials_total(2));
    let (host, other) = (route("https://host1/"), route("http://b1/"));
    world.interactive(&other);
    let busy = world.connect(0);
    world.finish(busy);
    let _awaited = warm(&mut world, &host, 5);
    assert_eq!(world.dials.len(), 1, "first it has to be known what is spoken");
    world.connect(0);
    assert_eq!((world.dials.len(), world.warmed.len()), (1, 0));
    world.connect(0);
    assert_eq!(world.warmed, [(2, 2)]);
    assert!(!world.connections[&busy].is_told_to_close);
}

#[test]
fn a_warm_up_fails_with_a_handshake_whose_socket_is_closed_already() {
    let mut world = World::new(Limits::default());
    let host = route("https://host2/");
    let _awaited = warm(&mut world, &host, 1);
    world.fail_handshake(0);
    assert_eq!(world.warmed, [(0, 0)]);
    assert_eq!((world.state.stats().open(), world.state.stats().dialing()), (0, 0));
}

#[test]
fn a_failed_dial_costs_no_other_host_its_idle_connection() {
    let mut world = World::new(Limits::default().places_total(2).dials_per_route(1));
    let (healthy, dead) = (route("http://a1/"), route("http://b1/"));
    world.interactive(&healthy);
    let idle = world.connect(0);
    world.finish(idle);
    for _ in 0..3 {
        world.interactive(&dead);
    }
    while !world.dials.is_empty() {
        world.fail_dial(0);
    }
    assert!(!world.connections[&idle].is_told_to_close);
}

#[test]
fn hosts_have_their_own_bounds() {
    let mut options = ConnectionOptions::default();
    options.hosts.set("host1", HostOptions::default().places(2).dials(1)).expect("a host");
    let mut world = World::with(Limits::default(), options);
    let host = route("http://host1/");
    for _ in 0..5 {
        world.interactive(&host);
    }
    assert_eq!(world.dials.len(), 1);
    world.connect(0);
    assert_eq!(world.dials.len(), 1);
    world.connect(0);
    assert_eq!((world.dials.len(), world.waiting.len()), (0, 3));
}

/// Looks at all busy connections as often as it takes for something to follow.
fn look_often(world: &mut World, load: u8) {
    for _ in 0..20 {
        for number in world.busy() {
            world.look_at_load(number, load);
        }
    }
}

#[test]
fn calls_that_use_a_lane_up_get_connections_on_other_lanes_as_many_as_there_may_be() {
    let mut world = World::new(Limits::default().http2_cores_per_route(2));
    let host = route("https://host2/");
    world.interactive(&host);
    let first = world.connect(0);
    look_often(&mut world, 100);
    assert!(world.dials.is_empty(), "nobody shares it");
    world.interactive(&host);
    look_often(&mut world, 89);
    assert!(world.dials.is_empty(), "the lane has idle moments");
    world.look_at_load(first, 100);
    assert!(world.dials.is_empty(), "it may have been the beginning");
    look_often(&mut world, 100);
    assert_eq!(world.dials.len(), 1);
    assert!(world.dials[0].elsewhere.contains(0), "the first one's lane");
    let second = world.connect(0);
    world.interactive(&host);
    world.interactive(&host);
    assert_eq!((world.connections[&first].exchanges, world.connections[&second].exchanges), (2, 2));
    look_often(&mut world, 100);
    assert!(world.dials.is_empty(), "two are as many as there may be");
}

#[test]
fn no_connection_is_opened_for_load_without_a_free_place_nor_soon_after_one_was_refused() {
    for limits in [
        Limits::default().places_total(1),
        Limits::default().http2_connections_per_route(1),
        Limits::default(),
    ] {
        let mut world = World::new(limits.http2_cores_per_route(4));
        let host = route("https://host2/");
        world.interactive(&host);
        world.interactive(&host);
        world.connect(0);
        look_often(&mut world, 100);
        if !world.dials.is_empty() {
            world.fail_dial(0);
            look_often(&mut world, 100);
        }
        assert!(world.dials.is_empty());
    }
}

#[test]
fn a_connection_that_is_not_needed_for_its_lane_any_more_becomes_idle() {
    let mut world = World::new(Limits::default().http2_cores_per_route(2));
    let host = route("https://host2/");
    world.interactive(&host);
    world.interactive(&host);
    let first = world.connect(0);
    look_often(&mut world, 100);
    let second = world.connect(0);
    let on =
        |world: &World| (world.connections[&first].exchanges, world.connections[&second].exchanges);
    world.interactive(&host);
    assert_eq!(on(&world), (2, 1));
    look_often(&mut world, 20);
    world.finish(second);
    world.interactive(&host);
    assert_eq!(on(&world), (3, 0), "one lane can carry it all");
    // Only if the others are full, and from then on it is one of them again.
    world.interactive(&host);
    assert_eq!(on(&world), (3, 1));
    world.finish(first);
    world.finish(first);
    world.interactive(&host);
    world.interactive(&host);
    assert_eq!(on(&world), (2, 2));
    // Nobody is dialed for what is there.
    world.finish(second);
    look_often(&mut world, 20);
    world.finish(second);
    world.interactive(&host);
    assert_eq!(on(&world), (3, 0));
    look_often(&mut world, 100);
    assert!(world.dials.is_empty());
    world.finish(first);
    world.interactive(&host);
    assert_eq!(on(&world), (2, 1));
}
