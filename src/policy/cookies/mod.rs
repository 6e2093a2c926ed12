//! Which cookies a jar takes, keeps and gives out (RFC 6265, revised by the draft 6265bis).
//!
//! `admission.rs` reads and refuses, `store.rs` keeps and gives out, `file.rs` is the form they have
//! on disk. The crate `cookie_store` reads the header field and knows domains, default paths and
//! dates; it does not keep them, because its store is without limits and order and looks at its own
//! clock, and takes loopback for secure.

mod admission;
mod file;
mod store;

pub(crate) use self::file::{parse, print};
