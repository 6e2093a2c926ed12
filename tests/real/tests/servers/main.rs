//! What abide promises, against servers that nobody here wrote. Run by `tests/real/run`.

#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

mod bodies;
mod cancelling;
mod certificates;
mod cookies;
mod credentials;
mod early_answers;
mod encodings;
mod ending_connections;
mod httpbin;
mod many_threads;
mod proxies;
mod redirects;
mod replies;
mod restarts;
mod system_calls;
mod troubles;
