//! The list of tests.

#[path = "calls.rs"]
mod calls;
#[path = "harness.rs"]
mod harness;
#[path = "inside.rs"]
mod inside;
#[path = "open_replies.rs"]
mod open_replies;
#[path = "processes.rs"]
mod processes;
#[expect(dead_code, unused_imports, reason = "a few of the scripts are enough here")]
#[path = "../support/mod.rs"]
mod support;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use abide::{Client, ClientBuilder, Driving, ErrorKind};

#[cfg(feature = "disk-cache")]
use self::inside::a_fork_inside_a_listener_leaves_what_is_stored_to_the_parent;
use self::{
    calls::{
        a_client_made_in_the_child_works, a_client_of_the_child_fails_in_the_grandchild,
        a_client_that_was_never_used_is_inherited_too, calls_in_flight_go_on_in_the_parent,
        every_call_on_an_inherited_client_fails_at_once,
        nothing_in_the_child_waits_for_a_lock_of_a_busy_client,
        the_process_wide_client_is_inherited_too,
        what_is_dropped_in_the_child_stays_with_the_parent,
    },
    harness::run_all,
    inside::{
        a_fork_inside_a_call_finds_no_lock_of_a_shared_feedback,
        a_fork_inside_a_listener_finds_no_lock_of_a_busy_client,
        a_fork_inside_a_listener_leaves_the_call_to_the_parent,
        a_fork_inside_a_reader_leaves_the_call_to_the_parent,
        a_fork_inside_an_interceptor_or_a_redirect_policy_leaves_the_call_to_the_parent,
        a_fork_inside_finished_leaves_the_object_to_the_parent,
    },
    open_replies::{
        a_half_read_reply_fails_in_the_child_and_goes_on_in_the_parent,
        a_reply_ends_at_once_in_the_child_while_its_body_arrives,
    },
};

pub(crate) fn run() -> ExitCode {
    run_all(harness::tests![
        every_call_on_an_inherited_client_fails_at_once,
        a_client_that_was_never_used_is_inherited_too,
        the_process_wide_client_is_inherited_too,
        a_half_read_reply_fails_in_the_child_and_goes_on_in_the_parent,
        a_reply_ends_at_once_in_the_child_while_its_body_arrives,
        what_is_dropped_in_the_child_stays_with_the_parent,
        calls_in_flight_go_on_in_the_parent,
        nothing_in_the_child_waits_for_a_lock_of_a_busy_client,
        a_client_made_in_the_child_works,
        a_client_of_the_child_fails_in_the_grandchild,
        a_fork_inside_a_call_finds_no_lock_of_a_shared_feedback,
        a_fork_inside_a_listener_finds_no_lock_of_a_busy_client,
        a_fork_inside_a_listener_leaves_the_call_to_the_parent,
        #[cfg(feature = "disk-cache")]
        a_fork_inside_a_listener_leaves_what_is_stored_to_the_parent,
        a_fork_inside_a_reader_leaves_the_call_to_the_parent,
        a_fork_inside_an_interceptor_or_a_redirect_policy_leaves_the_call_to_the_parent,
        a_fork_inside_finished_leaves_the_object_to_the_parent,
    ])
}

/// Where every test begins: the defaults, but the way of driving that the environment names.
fn builder() -> ClientBuilder {
    let driving = match std::env::var("ABIDE_TEST_DRIVING").as_deref() {
        Err(_) => Driving::default(),
        Ok("background") => Driving::Background,
        Ok("lent") => Driving::Lent,
        Ok("random") => Driving::AtRandom,
        Ok(other) => {
            panic!("ABIDE_TEST_DRIVING is `{other}`, not `background`, `lent` or `random`")
        }
    };
    Client::builder().driving(driving)
}

fn client() -> Client {
    builder().build().unwrap()
}

/// Makes a call and checks that it fails at once, because its client is another process's.
#[track_caller]
fn assert_forked<T>(call: impl FnOnce() -> abide::Result<T>) {
    let began = Instant::now();
    let answer = call();
    let took = began.elapsed();
    let error = answer.map(drop).expect_err("the client belongs to another process");
    assert_eq!(error.kind(), ErrorKind::Forked, "{error:?}");
    assert!(error.to_string().contains("after fork"), "{error}");
    assert!(took < AT_ONCE, "it took {took:?}");
}

/// Generous, for busy machines.
const AT_ONCE: Duration = Duration::from_millis(500);
