//! The head of an answer, and how it came.

use http::{StatusCode, Version, header};

use crate::{
    caching::CacheReport, proxy::Proxy, reply_headers::ReplyHeaders,
    used_connection::UsedConnection,
};

/// Stays where it was put when the answer came, behind a pointer, until nobody has the reply.
#[derive(Clone, Debug)]
pub(crate) struct AnswerHead {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: ReplyHeaders,
    /// `None` if it did not come over a connection.
    pub(crate) connection: Option<UsedConnection>,
    /// What the connection goes through, or ends at.
    pub(crate) proxy: Option<Proxy>,
    pub(crate) attempts: u32,
    pub(crate) cache: Option<CacheReport>,
}

impl AnswerHead {
    /// The head of an answer that did not come over a connection.
    pub(crate) fn local(
        status: StatusCode,
        version: Version,
        headers: impl Into<ReplyHeaders>,
    ) -> Self {
        let headers = headers.into();
        Self { status, version, headers, connection: None, proxy: None, attempts: 0, cache: None }
    }

    /// How long the body is, by what the head says.
    pub(crate) fn announced_length(&self) -> Option<u64> {
        self.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }
}
