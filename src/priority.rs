//! How urgent a call is.

/// How urgent a call is when connections are scarce.
///
/// It matters only while calls wait for a connection. Those of a route are served in the order in
/// which they came, the interactive ones first. A background call begins only where at least one
/// more call could begin right after it, on its route and in the client: it never takes the last
/// free place, unless the bound is 1 and there is nothing to spare. So that background calls are
/// not put off for ever, one of them, the longest waiting of the client, is served as if it were
/// interactive after every 16 interactive calls that went before it.
///
/// ```no_run
/// use abide::Priority;
/// let client = abide::Client::new();
/// let tile = client.get("http://localhost:8080/next").priority(Priority::Background).send()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// Somebody waits for it.
    #[default]
    Interactive,
    /// It can wait: prefetching, synchronising, uploads of logs.
    Background,
}
