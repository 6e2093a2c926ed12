//! The answers, head and body in one piece each.

use crate::payload;

pub(super) struct Answers {
    pub(super) small: Vec<u8>,
    pub(super) medium: Vec<u8>,
    /// The head alone: the body is written from the block it repeats.
    pub(super) large_head: Vec<u8>,
    pub(super) refused: Vec<u8>,
    /// Those that may be stored.
    pub(super) fresh_small: Vec<u8>,
    pub(super) fresh_large: Vec<u8>,
    pub(super) stale: Vec<u8>,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            small: whole(payload::SMALL),
            medium: whole(payload::medium()),
            large_head: head("200 OK", payload::LARGE_LENGTH),
            refused: head("400 Bad Request", 0),
            fresh_small: stored(payload::posted(), "max-age=86400"),
            fresh_large: stored(payload::mebibyte(), "max-age=86400"),
            stale: stored(payload::medium(), "max-age=0\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT"),
        }
    }
}

fn whole(body: &[u8]) -> Vec<u8> {
    let mut answer = head("200 OK", body.len() as u64);
    answer.extend_from_slice(body);
    answer
}

/// An answer that a cache may keep; one that is to be fresh has no date, or it would be stale at
/// once.
fn stored(body: &[u8], control: &str) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nserver: abide-bench\r\ncontent-type: application/octet-stream\r\n\
         etag: \"1\"\r\ncache-control: {control}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn head(status: &str, length: u64) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nserver: abide-bench\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
         content-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes()
}
