//! Calls that are made from inside a lane, which stands still meanwhile.

use super::world::{World, route};
use crate::limits::Limits;

#[test]
fn a_call_inside_of_a_lane_gets_a_connection_on_another_one() {
    let mut world = World::new(Limits::default().places_per_route(2));
    let host = route("http://host1/");
    world.interactive(&host);
    let here = world.connect(0);
    world.finish(here);
    let inside = world.insider(&host, 0).expect("there is another place");
    assert_eq!((world.dials.len(), world.dials[0].avoid), (1, Some(0)));
    // The idle one is for others, who overtake nobody by using it.
    let other = world.interactive(&host);
    world.finish(here);
    assert_eq!(world.begun[1..], [other]);
    let elsewhere = world.connect(0);
    assert_eq!(world.begun[2..], [inside]);
    world.finish(elsewhere);
    assert_eq!(world.insider(&host, 0), world.begun.last().copied());
    assert_eq!(world.connections[&elsewhere].exchanges, 1);
}

#[test]
fn a_call_inside_of_a_lane_does_not_wait_for_the_dial_that_lane_may_be_making() {
    for host in ["http://host1/", "https://host1/", "https://host2/"].map(route) {
        for is_known in [false, true] {
            let mut world = World::new(Limits::default());
            if is_known {
                world.interactive(&host);
                let first = world.connect(0);
                world.close(first);
            }
            let before = world.begun.len();
            world.interactive(&host);
            world.interactive(&host);
            let dials = world.dials.len();
            let inside = world.insider(&host, 0).expect("there is another place");
            assert_eq!(world.dials.len(), dials + 1, "{host}, known: {is_known}");
            assert_eq!(world.dials.last().map(|dial| dial.avoid), Some(Some(0)));
            // It comes last in the row, but the others can use what the first lane has.
            world.connect(dials);
            while !world.waiting.is_empty() {
                world.connect(0);
            }
            assert_eq!(world.begun[before..].len(), 3);
            assert!(world.begun.contains(&inside));
        }
    }
}

#[test]
fn a_dial_is_made_for_those_inside_of_lanes_before_others() {
    let mut world = World::new(Limits::default().dials_per_route(2));
    let host = route("https://host1/");
    for _ in 0..3 {
        world.interactive(&host);
    }
    world.insider(&host, 0).expect("there is another place");
    let avoided: Vec<_> = world.dials.iter().map(|dial| dial.avoid).collect();
    assert_eq!(avoided, [None, Some(0)]);
}

#[test]
fn a_call_inside_of_a_lane_never_waits_for_what_that_lane_alone_can_give() {
    let (host, other) = (route("http://a1/"), route("http://b1/"));
    let one_of_two = Limits::default().places_per_route(2);
    for (limits, routes, may_wait) in [
        (Limits::default().places_per_route(1), vec![&host], false),
        (Limits::default().places_total(1), vec![&host], false),
        (Limits::default().dials_per_route(1), vec![&host], false),
        (Limits::default().dials_total(1), vec![&host], false),
        // What others have is on that lane too.
        (Limits::default().places_total(1), vec![&other], false),
        (Limits::default().dials_total(1), vec![&other], false),
        (Limits::default().places_per_route(1), vec![&other], true),
        (one_of_two, vec![&host, &host], false),
        (one_of_two, vec![&host, &other], true),
    ] {
        let mut world = World::new(limits);
        for route in &routes {
            world.interactive(route);
        }
        let inside = world.insider(&host, 0);
        assert_eq!(inside.is_some(), may_wait, "{limits:?} {routes:?}");
        if !may_wait {
            // Inside of another lane it can wait for that one.
            assert!(world.insider(&host, 1).is_some(), "{limits:?} {routes:?}");
        }
    }
}

#[test]
fn calls_inside_of_lanes_do_not_wait_for_each_other() {
    let mut world = World::new(Limits::default().places_per_route(2));
    let host = route("http://host1/");
    world.interactive(&host);
    assert!(world.insider(&host, 0).is_some());
    // One place is on each lane now, and the first lane stands still.
    assert_eq!(world.insider(&host, 1), None);
    let elsewhere = world.connect(1);
    world.finish(elsewhere);
    assert!(world.waiting.is_empty());
    assert!(world.insider(&host, 1).is_some(), "the first lane goes on");
}
