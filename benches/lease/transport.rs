//! The real mailboxes and books beside a bridge of toys.

#[expect(clippy::unwrap_used, dead_code, reason = "nothing is sent and nobody waits")]
#[path = "../../tests/model/pool/transport/bridge.rs"]
pub(crate) mod bridge;
#[expect(dead_code, reason = "nothing is sent")]
#[path = "../../src/transport/mailbox.rs"]
pub(crate) mod mailbox;
pub(crate) mod pool;
