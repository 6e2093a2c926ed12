//! What waits and wakes between threads, by one name: a model of the wheel puts its own here.

pub(crate) use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak, atomic},
    thread, thread_local,
};
