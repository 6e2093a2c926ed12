//! The real pool beside a bridge of toys.

pub(crate) mod bridge;
#[expect(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "a model asks for less than users of the client"
)]
#[path = "../../../../src/transport/pool/mod.rs"]
pub(crate) mod pool;
