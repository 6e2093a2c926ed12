//! A tunnel through an HTTP proxy: an exchange of its own, so that a 407 is answered (RFC 9110
//! §9.3.6, §11.7.1).

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;

use super::{failed, stream::Stream};
use crate::{
    error::{Error, ErrorKind, Result},
    limits::Limits,
    origin::Origin,
    phase::Phase,
    proxy::Proxy,
    proxy_auth::Asker,
};

/// One wish for a tunnel, on as many connections as it takes.
pub(super) struct Asking<'d> {
    proxy: &'d Proxy,
    /// Host and port of the origin.
    target: String,
    user_agent: Option<&'d HeaderValue>,
    limits: Limits,
    asker: Asker,
}

impl<'d> Asking<'d> {
    pub(super) fn new(
        proxy: &'d Proxy,
        origin: &Origin,
        user_agent: Option<&'d HeaderValue>,
        limits: Limits,
    ) -> Self {
        let target = format!("{}:{}", origin.host, origin.port);
        Self { proxy, target, user_agent, limits, asker: Asker::default() }
    }

    /// Asks on a new connection; `None` if the proxy has to be asked again on another.
    pub(super) async fn ask(&mut self, stream: Stream) -> Result<Option<Stream>> {
        let mut talk = Talk::begin(stream, &self.limits).await?;
        let mut is_first = true;
        loop {
            let introduction = self.asker.say(self.proxy, &Method::CONNECT, &self.target);
            let answer = match talk.send(self.request(introduction.clone())?).await {
                Ok(answer) => answer,
                Err(error) if is_first || error.is_parse() => return Err(unanswered(error)),
                // It has closed after its challenge without having said so.
                Err(_) => return Ok(None),
            };
            let status = answer.status();
            let is_challenged =
                self.asker.is_challenged(self.proxy, (status, answer.headers()), true);
            if status.is_success() {
                return talk.into_tunnel(answer).await.map(Some);
            }
            if !is_challenged {
                return Err(self.refused(status, answer.headers(), introduction.is_some()));
            }
            if !talk.is_reusable_after(answer.into_body()).await {
                return Ok(None);
            }
            is_first = false;
        }
    }

    fn request(&self, introduction: Option<HeaderValue>) -> Result<Request<Empty<Bytes>>> {
        let unsendable = |_| Error::invalid("the URL's host cannot be sent to a proxy");
        let mut request = Request::new(Empty::new());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() =
            Uri::try_from(self.target.as_str()).map_err(http::Error::from).map_err(unsendable)?;
        let host = HeaderValue::try_from(&self.target).map_err(http::Error::from);
        let headers = request.headers_mut();
        headers.insert(header::HOST, host.map_err(unsendable)?);
        if let Some(introduction) = introduction {
            headers.insert(header::PROXY_AUTHORIZATION, introduction);
        }
        if let Some(user_agent) = self.user_agent {
            headers.insert(header::USER_AGENT, user_agent.clone());
        }
        Ok(request)
    }

    #[cold]
    fn refused(&self, status: StatusCode, headers: &HeaderMap, was_introduced: bool) -> Error {
        let target = &self.target;
        let message = match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                let wanted = wanted(headers);
                let state = if was_introduced { "other credentials" } else { "credentials" };
                format!(
                    "it wants {state} ({wanted}) before it opens a tunnel to {target}: it \
                     answered {status} (give them with `Proxy::credentials` or in its URL)"
                )
            }
            _ => format!("it does not open a tunnel to {target}: it answered {status}"),
        };
        failed(ErrorKind::Proxy, Phase::Connect, message).refused_by(self.proxy, status)
    }
}

/// The schemes that a 407 offers, without their parameters.
fn wanted(headers: &HeaderMap) -> String {
    let offers = headers.get_all(header::PROXY_AUTHENTICATE).iter();
    let words = offers.filter_map(|offer| offer.to_str().ok()?.split_whitespace().next());
    let words = words.map(|word| word.trim_end_matches(',')).collect::<Vec<_>>();
    if words.is_empty() { "it does not say which".to_owned() } else { words.join(", ") }
}

/// Its type has no name outside of hyper.
type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// A connection to a proxy on which it is asked.
struct Talk {
    sender: SendRequest<Empty<Bytes>>,
    /// `None` when it has ended.
    connection: Option<Connection>,
}

impl Talk {
    async fn begin(stream: Stream, limits: &Limits) -> Result<Self> {
        let mut builder = http1::Builder::new();
        builder.max_headers(limits.header_count).max_header_size(limits.header_bytes);
        let (sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(unanswered)?;
        Ok(Self { sender, connection: Some(Box::pin(connection.with_upgrades())) })
    }

    async fn send(&mut self, request: Request<Empty<Bytes>>) -> hyper::Result<Response<Incoming>> {
        alongside(&mut self.connection, self.sender.send_request(request)).await
    }

    /// The connection as it is after the answer.
    async fn into_tunnel(mut self, answer: Response<Incoming>) -> Result<Stream> {
        let upgraded: Upgraded = alongside(&mut self.connection, hyper::upgrade::on(answer))
            .await
            .map_err(unanswered)?;
        match upgraded.downcast::<TokioIo<Stream>>() {
            Ok(parts) if parts.read_buf.is_empty() => Ok(parts.io.into_inner()),
            // The origin has not been spoken to, so it cannot have answered.
            Ok(_) => Err(garbled("it sent more than its answer")),
            Err(_) => Err(Error::new(ErrorKind::Internal, "a tunnel is no stream of ours")),
        }
    }

    /// Reads the rest of an answer, if it is short; whether the proxy can be asked once more.
    async fn is_reusable_after(&mut self, mut body: Incoming) -> bool {
        let Self { sender, connection } = self;
        let reading = async {
            let mut left = REFUSAL_BYTES_MAX;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                let Some(rest) = left.checked_sub(bytes) else { return false };
                left = rest;
            }
            sender.ready().await.is_ok()
        };
        alongside(connection, reading).await
    }
}

/// Moves the connection until the work is done.
async fn alongside<W: Future>(connection: &mut Option<Connection>, work: W) -> W::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        if let Some(open) = connection
            && open.as_mut().poll(cx).is_ready()
        {
            // How it ended is told to the work.
            *connection = None;
        }
        work.as_mut().poll(cx)
    })
    .await
}

#[cold]
fn unanswered(error: hyper::Error) -> Error {
    let message = if error.is_parse() {
        "it was asked for a tunnel, and what it answered is not HTTP, or its head is too large"
    } else if error.is_incomplete_message() || error.is_canceled() {
        "it closed the connection when it was asked for a tunnel"
    } else {
        "the connection failed when it was asked for a tunnel"
    };
    garbled(message).because(error)
}

#[cold]
fn garbled(message: &str) -> Error {
    failed(ErrorKind::Proxy, Phase::Connect, message.to_owned())
}

/// More of a refusal is not read in order to keep its connection.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
