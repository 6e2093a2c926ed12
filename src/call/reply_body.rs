//! The body of a call's reply as its caller gets it: content codings are undone here, outside of
//! all loops, so that whatever is inside them sees what the wire said.

use bytes::Bytes;
use http::{HeaderMap, Method, header};

use super::OpenBody;
use crate::{
    answer_head::AnswerHead,
    caching::NotStored,
    context::CallContext,
    error::{Error, ErrorKind, Result},
    origin,
    phase::Phase,
    policy::encoding::{self, Chain, Malformed},
    reply::{Reply, ReplyHead, Undone},
    whole::Whole,
};

/// What is left of a body; dropping it ends the exchange.
#[derive(Debug)]
pub(crate) struct ReplyBody {
    encoded: OpenBody,
    decoding: Option<Box<Decoding>>,
}

#[derive(Debug)]
struct Decoding {
    chain: Chain,
    ratio_max: Option<u32>,
    encoded: u64,
    decoded: u64,
    failed: bool,
}

impl ReplyBody {
    /// A body as it came.
    pub(super) const fn plain(encoded: OpenBody) -> Self {
        Self { encoded, decoding: None }
    }

    /// A body whose codings are undone, if it has any; its head then tells of the content that
    /// there will be.
    pub(super) fn decoded(
        encoded: OpenBody,
        method: &Method,
        head: &mut AnswerHead,
        ratio_max: Option<u32>,
    ) -> Result<(Self, Option<Undone>)> {
        let chain = encoding::decoder(method, head.status, &head.headers).map_err(malformed)?;
        let Some(chain) = chain else { return Ok((Self::plain(encoded), None)) };
        let undone = Undone::from(&mut head.headers);
        let decoding = Decoding { chain, ratio_max, encoded: 0, decoded: 0, failed: false };
        Ok((Self { encoded, decoding: Some(Box::new(decoding)) }, undone))
    }

    /// The trailers, once the end was reached.
    pub(crate) fn trailers(&self) -> Option<&HeaderMap> {
        self.encoded.trailers()
    }

    /// What became of storing it, once that is known.
    #[cfg_attr(not(feature = "cache"), expect(dead_code, reason = "only a cache tells"))]
    pub(crate) fn stored(&self) -> Option<Result<(), NotStored>> {
        self.encoded.stored()
    }

    /// The next piece; `None` at the end. After an error there is nothing more.
    pub(crate) async fn next(&mut self, cx: &CallContext) -> Result<Option<Bytes>> {
        let Some(decoding) = &mut self.decoding else { return self.encoded.next(cx).await };
        let next = decoding.next(cx, &mut self.encoded).await;
        if next.is_err() {
            decoding.failed = true;
            self.encoded.give_up();
        }
        next
    }

    /// The reply, once the rest of the body was received.
    pub(crate) fn into_reply(
        self,
        cx: &CallContext,
        mut head: ReplyHead,
        rest: Result<Bytes>,
    ) -> Result<Reply> {
        let body = match rest {
            Ok(body) => body,
            Err(error) => {
                return Err(error.during(|| origin::redacted(&head.url)).after(head.history));
            }
        };
        if let (Some(undone), Some(decoding)) = (&mut head.undone, &self.decoding) {
            undone.length = Some(decoding.encoded);
        }
        head.note_stored(self.encoded.stored());
        let trailers = self.encoded.into_trailers();
        let timings = cx.watch.timings(cx.started, head.answer.connection);
        Ok(Reply::new(head, body, trailers, timings))
    }

    /// All of it, if it is here as it was sent and not larger than that.
    pub(crate) fn take_whole(&mut self, bytes_max: Option<u64>) -> Option<Bytes> {
        if self.decoding.is_none() { self.encoded.take_whole(bytes_max) } else { None }
    }

    /// Receives the rest into memory, behind what was taken and not read.
    pub(crate) async fn rest(
        &mut self,
        cx: &CallContext,
        begun: Bytes,
        bytes_max: Option<u64>,
    ) -> Result<Bytes> {
        let mut body = Whole::new(None);
        body.add(begun);
        while let Some(piece) = self.next(cx).await? {
            body.add(piece);
            if bytes_max.is_some_and(|max| body.len() > max) {
                let message = "the body is larger than what is kept in memory (change the limit \
                               with `Limits::body_bytes`)";
                return Err(Error::new(ErrorKind::Limit, message).in_phase(Phase::Body));
            }
        }
        Ok(body.into_bytes())
    }
}

impl Decoding {
    async fn next(&mut self, cx: &CallContext, encoded: &mut OpenBody) -> Result<Option<Bytes>> {
        if self.failed {
            return Err(Error::new(ErrorKind::Decode, "the body had failed before"));
        }
        loop {
            if let Some(piece) = self.chain.next().map_err(malformed)? {
                self.decoded += piece.len() as u64;
                self.check_size()?;
                // Much can come out of little, and nothing is waited for meanwhile.
                cx.still_runs()?;
                return Ok(Some(piece));
            }
            let Some(more) = encoded.next(cx).await? else {
                self.chain.check_end().map_err(malformed)?;
                return Ok(None);
            };
            self.encoded += more.len() as u64;
            self.chain.feed(more);
        }
    }

    fn check_size(&self) -> Result<()> {
        if !encoding::is_bomb(self.encoded, self.decoded, self.ratio_max) {
            return Ok(());
        }
        let ratio = self.decoded / self.encoded.max(1);
        let message = format!(
            "the body is {ratio} times as large as what was sent, which looks like an attack \
             (change the limit with `Limits::decode_ratio`)"
        );
        Err(Error::new(ErrorKind::Limit, message).in_phase(Phase::Body))
    }
}

#[cold]
fn malformed(malformed: Malformed) -> Error {
    let message = format!("the body cannot be decoded: {malformed}");
    Error::new(ErrorKind::Decode, message).in_phase(Phase::Body)
}

impl Undone {
    /// Takes out of the head what was true of the coded content only.
    fn from(headers: &mut HeaderMap) -> Option<Self> {
        let codings = headers.remove(header::CONTENT_ENCODING)?;
        let length = headers.remove(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        Some(Self { codings, length })
    }
}
