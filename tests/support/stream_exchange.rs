//! What a handler of an HTTP/2 server holds: one stream, and everything that can be done to it.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use tokio::sync::mpsc::UnboundedSender;

use super::http2::Command;
use super::ledger::Ledger;
use super::request::Request;

/// One HTTP/2 stream.
///
/// Writing to a stream that the client has reset is not a failure: it reports `false`.
pub(crate) struct StreamExchange {
    request: Request,
    body: RecvStream,
    respond: SendResponse<Bytes>,
    sending: Option<SendStream<Bytes>>,
    commands: UnboundedSender<Command>,
    ledger: Arc<Ledger>,
}

impl StreamExchange {
    pub(super) fn new(
        request: http::Request<RecvStream>,
        respond: SendResponse<Bytes>,
        commands: UnboundedSender<Command>,
        ledger: Arc<Ledger>,
    ) -> Self {
        let head = Request::of_http2(&request);
        ledger.write(|state| state.note(&head));
        let body = request.into_body();
        Self { request: head, body, respond, sending: None, commands, ledger }
    }

    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    pub(crate) fn target(&self) -> &str {
        &self.request.target
    }

    /// The how-many-eth of its connection this is, from 0 (RFC 9113 §5.1.1).
    pub(crate) fn request_index(&self) -> usize {
        (u32::from(self.respond.stream_id()) as usize - 1) / 2
    }

    /// The whole body, or `None` if the client reset the stream before its end.
    pub(crate) async fn try_read_body(&mut self) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        while let Some(piece) = self.body.data().await {
            let piece = piece.ok()?;
            drop(self.body.flow_control().release_capacity(piece.len()));
            whole.extend_from_slice(&piece);
        }
        Some(whole)
    }

    /// Answers with a whole body.
    pub(crate) async fn reply(
        &mut self,
        status: u16,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> bool {
        self.begin_reply(status, headers) && self.write(body).await && self.finish()
    }

    /// Sends the head of an answer whose body follows by [`Self::write`] and [`Self::finish`].
    pub(crate) fn begin_reply(&mut self, status: u16, headers: &[(&str, &str)]) -> bool {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(()).expect("a well-formed answer");
        self.sending = self.respond.send_response(response, false).ok();
        self.sending.is_some()
    }

    /// Sends a piece of the answer's body as the client makes room for it.
    pub(crate) async fn write(&mut self, bytes: impl Into<Bytes>) -> bool {
        let mut rest = bytes.into();
        let Some(sending) = &mut self.sending else { return false };
        while !rest.is_empty() {
            sending.reserve_capacity(rest.len());
            let Some(Ok(room)) = poll_fn(|cx| sending.poll_capacity(cx)).await else {
                return false;
            };
            let piece = rest.split_to(room.min(rest.len()));
            if sending.send_data(piece, false).is_err() {
                return false;
            }
        }
        true
    }

    /// Ends the answer.
    pub(crate) fn finish(&mut self) -> bool {
        let Some(sending) = &mut self.sending else { return false };
        sending.send_data(Bytes::new(), true).is_ok()
    }

    /// Ends the answer with trailers.
    pub(crate) fn finish_with(&mut self, trailers: HeaderMap) -> bool {
        let Some(sending) = &mut self.sending else { return false };
        sending.send_trailers(trailers).is_ok()
    }

    /// Waits until the client resets this stream or its connection ends.
    pub(crate) async fn await_reset(&mut self) {
        match &mut self.sending {
            Some(sending) => drop(poll_fn(|cx| sending.poll_reset(cx)).await),
            None => drop(poll_fn(|cx| self.respond.poll_reset(cx)).await),
        }
    }

    /// Resets the stream.
    pub(crate) fn reset(&mut self, reason: Reason) {
        match &mut self.sending {
            Some(sending) => sending.send_reset(reason),
            None => self.respond.send_reset(reason),
        }
    }

    /// Announces the end of the connection; streams that are open may finish.
    pub(crate) fn go_away(&self) {
        self.tell(Command::GoAway);
    }

    /// Ends the connection with a GOAWAY for this reason.
    pub(crate) fn abort_connection(&self, reason: Reason) {
        self.tell(Command::Abort(reason));
    }

    /// Closes the connection's socket without a word.
    pub(crate) fn close_connection(&self) {
        self.tell(Command::Close);
    }

    /// Stops reading and writing on the whole connection, which stays open.
    pub(crate) fn freeze_connection(&self) {
        self.tell(Command::Freeze);
    }

    /// Counts one more signal of this name.
    pub(crate) fn signal(&self, name: &str) {
        self.ledger.signal(name);
    }

    /// Waits until `name` was signalled `count` times.
    pub(crate) async fn await_signal(&self, name: &str, count: usize) {
        self.ledger.until(|state| state.signalled(name) >= count).await;
    }

    fn tell(&self, command: Command) {
        // The connection's task may have ended already, which is what a command leads to anyway.
        drop(self.commands.send(command));
    }
}
