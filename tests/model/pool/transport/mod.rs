//! The real pool and its mailboxes beside a bridge of toys.

pub(crate) mod bridge;
#[path = "../../../../src/transport/mailbox.rs"]
pub(crate) mod mailbox;
#[expect(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "a model asks for less than users of the client"
)]
#[path = "../../../../src/transport/pool/mod.rs"]
pub(crate) mod pool;
