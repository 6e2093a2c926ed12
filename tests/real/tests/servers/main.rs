//! What abide promises, against nginx, Apache httpd and nghttpd. Run by `tests/real/run`.

#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

mod bodies;
mod cancelling;
mod certificates;
mod early_answers;
mod ending_connections;
mod many_threads;
mod replies;
mod restarts;
