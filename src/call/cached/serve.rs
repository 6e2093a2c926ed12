//! Replies made of what is stored.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Version,
    header::{AGE, CONTENT_LENGTH, CONTENT_RANGE, HeaderName},
};

use super::{HopReply, OpenBody, Passage};
use crate::{
    answer_head::AnswerHead,
    cache::{CacheBody, CacheReader, Counted, Found, StoredHead},
    caching::{CacheOutcome, CacheReport, Forwarded},
    context::CallContext,
    error::{Error, ErrorKind, Result},
    phase::Phase,
    policy::cache::{
        Head, Now,
        conditions::{self, Answer},
        range::{self, Wanted},
    },
    reply_headers::ReplyHeaders,
    runtime::Want,
    trailers::Trailers,
};

/// What of a stored reply answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Whole,
    Part(Range<u64>),
    NotModified,
}

/// How a stored reply came to be served.
#[derive(Clone, Copy)]
pub(super) struct Served {
    pub(super) outcome: CacheOutcome,
    /// Why the server was asked, and what it said.
    pub(super) asked: Option<(Forwarded, Option<u16>)>,
}

impl Passage<'_> {
    /// How a stored reply answers the request; `None` if only the server can answer it.
    pub(super) fn shape(&self, found: &Found) -> Option<Shape> {
        let (request, stored) = (self.hop.headers(), &found.stored);
        if request.is_empty() {
            return Some(Shape::Whole);
        }
        match conditions::evaluate(request, &stored.headers) {
            Answer::Reply => {}
            Answer::NotModified => return Some(Shape::NotModified),
            Answer::AskServer => return None,
        }
        if self.hop.method != Method::GET || stored.status != StatusCode::OK {
            return Some(Shape::Whole);
        }
        match range::wanted(request, length(&found.body)) {
            Wanted::Whole => Some(Shape::Whole),
            Wanted::Part(_) if !conditions::allow_part(request, &stored.headers) => {
                Some(Shape::Whole)
            }
            Wanted::Part(part) => Some(Shape::Part(part)),
            Wanted::AskServer => None,
        }
    }

    /// Makes a reply; `None` if the stored body turns out to be damaged, and is removed.
    pub(super) fn serve(
        &self,
        found: Found,
        shape: Shape,
        now: Now,
        served: Served,
    ) -> Result<Option<HopReply>> {
        let report = report(&found.stored, now, served);
        let (status, headers) = head(&found.stored, &shape, length(&found.body), report, now);
        let (version, trailers) = (found.stored.version, found.stored.trailers.clone().into());
        let range = match shape {
            Shape::NotModified => 0..0,
            _ if self.hop.method == Method::HEAD => 0..0,
            Shape::Part(part) => part,
            Shape::Whole => 0..length(&found.body),
        };
        let Some(body) = self.body(found, range, trailers)? else { return Ok(None) };
        self.cache.count(match served.outcome {
            CacheOutcome::Revalidated => Counted::Revalidated,
            CacheOutcome::Stale => Counted::Stale,
            CacheOutcome::Hit | CacheOutcome::Miss => Counted::Hit,
        });
        tracing::debug!(call = self.cx.id, %report, "answered from the cache");
        let head =
            AnswerHead { cache: Some(report), ..AnswerHead::local(status, version, headers) };
        Ok(Some(HopReply { head: Box::new(head), body }))
    }

    fn body(
        &self,
        found: Found,
        range: Range<u64>,
        trailers: Trailers,
    ) -> Result<Option<OpenBody>> {
        let bytes_max = match self.want {
            Want::Whole { bytes_max, .. } => bytes_max,
            Want::Stream { .. } => None,
        };
        let wanted = range.end - range.start;
        if bytes_max.is_some_and(|max| wanted > max) {
            return Err(too_large());
        }
        let (key, body) = found.into_body();
        let bytes = match body {
            CacheBody::Whole(bytes) => slice(&bytes, &range),
            CacheBody::Pieces(reader) if matches!(self.want, Want::Stream { .. }) => {
                return Ok(Some(OpenBody::stored_at(reader, range, trailers)));
            }
            CacheBody::Pieces(mut reader) => match read(&mut *reader, &range) {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.cache.note_damage(key, &error);
                    return Ok(None);
                }
            },
        };
        report_progress(self.cx, bytes.len() as u64);
        Ok(Some(OpenBody::complete(bytes, trailers)))
    }
}

/// The reply of a call that must not ask and finds nothing (RFC 9111 §5.2.1.7).
pub(super) fn nothing_stored() -> HopReply {
    let element = HeaderValue::from_static("abide; detail=\"only-if-cached\"");
    let headers = HeaderMap::from_iter([(CACHE_STATUS, element)]);
    let local = AnswerHead::local(StatusCode::GATEWAY_TIMEOUT, Version::HTTP_11, headers);
    let head = AnswerHead { cache: Some(CacheReport::nothing()), ..local };
    HopReply { head: Box::new(head), body: OpenBody::complete(Bytes::new(), Trailers::default()) }
}

fn report(stored: &Head, now: Now, Served { outcome, asked }: Served) -> CacheReport {
    let lifetime = &stored.lifetime;
    CacheReport {
        outcome,
        forwarded: asked.map(|(why, _)| why),
        forward_status: asked.and_then(|(_, status)| status),
        age: Some(lifetime.age(now).unwrap_or(lifetime.initial_age)),
        fresh_for: Some(lifetime.left(now)),
        stored: None,
    }
}

fn head(
    stored: &StoredHead,
    shape: &Shape,
    length: u64,
    report: CacheReport,
    now: Now,
) -> (StatusCode, ReplyHeaders) {
    let age = stored.lifetime.age_seconds(now);
    let finish = |mut headers: HeaderMap| {
        headers.insert(AGE, HeaderValue::from(age));
        tell(&mut headers, report);
        headers
    };
    match shape {
        Shape::Whole if report.is_hit() => {
            let made = || finish(stored.headers.clone());
            let headers = stored.served(age, report.seconds_left(), made);
            (stored.status, ReplyHeaders::Shared(headers))
        }
        Shape::Whole => (stored.status, finish(stored.headers.clone()).into()),
        Shape::NotModified => {
            let headers = conditions::of_not_modified(&stored.headers);
            (StatusCode::NOT_MODIFIED, finish(headers).into())
        }
        Shape::Part(part) => {
            let mut headers = stored.headers.clone();
            headers.insert(CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
            let place = format!("bytes {}-{}/{length}", part.start, part.end.saturating_sub(1));
            headers.extend(HeaderValue::try_from(place).ok().map(|place| (CONTENT_RANGE, place)));
            (StatusCode::PARTIAL_CONTENT, finish(headers).into())
        }
    }
}

/// Adds the cache's element to those that caches on the way have told already.
pub(super) fn tell(headers: &mut HeaderMap, report: CacheReport) {
    if let Ok(element) = HeaderValue::try_from(report.to_string()) {
        headers.append(CACHE_STATUS, element);
    }
}

fn length(body: &CacheBody) -> u64 {
    match body {
        CacheBody::Whole(bytes) => bytes.len() as u64,
        CacheBody::Pieces(reader) => reader.length(),
    }
}

fn slice(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(at(range.start)..at(range.end))
}

fn read(reader: &mut dyn CacheReader, range: &Range<u64>) -> std::io::Result<Bytes> {
    if *range == (0..reader.length()) {
        return reader.read_all();
    }
    let mut whole = BytesMut::new();
    let mut position = range.start;
    while position < range.end {
        let piece = reader.read_at(position)?;
        if piece.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let piece = slice(&piece, &(0..range.end - position));
        position += piece.len() as u64;
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

fn report_progress(cx: &CallContext, length: u64) {
    if cx.feedback().is_some() {
        cx.watch.expect_download(Some(length));
        cx.watch.received(length);
    }
}

#[cold]
fn too_large() -> Error {
    let message = "the stored body is larger than what is kept in memory (change the limit with \
                   `Limits::body_bytes`, or read it with `open`)";
    Error::new(ErrorKind::Limit, message).in_phase(Phase::Body)
}

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
