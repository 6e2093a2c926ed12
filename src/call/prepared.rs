//! A hop made ready for its origin: what of it is sent, and where.

use std::{cell::Cell, rc::Rc, sync::Arc};

use http::{
    HeaderMap, HeaderValue, Method, header,
    uri::{Authority, PathAndQuery, Scheme},
};
use url::{Position, Url};

use super::{
    hop::Hop,
    template::{self, Template},
};
use crate::{
    basic::basic,
    body::Content,
    error::{Error, ErrorKind, Result},
    origin::{Origin, Route, Way},
    proxy::Proxy,
    proxy_auth::Asker,
    runtime::{Answer, Head, Target},
    secret::Secret,
};

/// What its origin needs besides what the hop says.
pub(super) struct Prepared {
    pub(super) route: Route,
    target: Target,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
    content_length: Option<HeaderValue>,
}

impl Prepared {
    pub(super) fn new(hop: &Hop<'_>, content: &Content<'_>, proxy: Option<Proxy>) -> Result<Self> {
        let known = Known::of(&hop.url)?;
        let scheme = if known.route.origin.secure { Scheme::HTTPS } else { Scheme::HTTP };
        let route = route(&known, proxy, hop);
        let (authority, host) = match hop.headers().get(header::HOST) {
            // A proxy goes by the URL, whatever the origin is to be called.
            Some(own) if route.forwarder().is_some() => (known.authority.clone(), own.clone()),
            Some(own) => (authority_of(own)?, own.clone()),
            None => (known.authority.clone(), known.host.clone()),
        };
        check_framing(hop.headers(), content)?;
        Ok(Self {
            target: Target { scheme, authority, path_and_query: target(hop.sent_url())? },
            route,
            host,
            authorization: user_information(hop)?,
            content_length: content_length(&hop.method, content),
        })
    }

    /// What a proxy that forwards the request is told about who asks; nobody else is told.
    pub(super) fn introduction(&self, asker: &mut Asker, method: &Method) -> Option<HeaderValue> {
        asker.say(self.route.forwarder()?, method, &self.target)
    }

    /// Whether the answer is a proxy's wish to know who asks, which the next attempt fulfils if
    /// there can be one.
    pub(super) fn is_challenged(
        &self,
        asker: &mut Asker,
        answer: &Answer,
        content: &Content<'_>,
    ) -> bool {
        let answered = (answer.head.status, &*answer.head.headers);
        self.route
            .forwarder()
            .is_some_and(|proxy| asker.is_challenged(proxy, answered, content.is_replayable()))
    }

    /// Says that a broken connection was a proxy's, if it was.
    pub(super) fn at_fault(&self, error: Error) -> Error {
        match self.route.forwarder() {
            Some(proxy) if error.kind() == ErrorKind::Protocol => error.at_proxy(proxy),
            _ => error,
        }
    }

    /// The head to send; each attempt gets its own, since the wire keeps it.
    pub(super) fn head(
        &self,
        hop: &Hop<'_>,
        template: Option<&Template>,
        introduction: Option<&HeaderValue>,
    ) -> Head {
        let mut headers = match template.and_then(|template| hop.said_by_all(template)) {
            Some(fields) => {
                let mut headers = fields.clone();
                headers.insert(header::HOST, self.host.clone());
                headers
            }
            None => self.fields(hop),
        };
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        if let Some(cookies) = &hop.cookies {
            headers.insert(header::COOKIE, cookies.clone());
        }
        for (name, value) in hop.applied.iter().flat_map(|applied| &applied.headers) {
            headers.insert(name, value.clone());
        }
        if let Some(introduction) = introduction {
            headers.insert(header::PROXY_AUTHORIZATION, introduction.clone());
        }
        if let Some(length) = &self.content_length {
            headers.insert(header::CONTENT_LENGTH, length.clone());
        }
        Head { method: hop.method.clone(), target: self.target.clone(), headers }
    }

    fn fields(&self, hop: &Hop<'_>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(hop.header_count_max() + 3);
        // The first, so that it is sent first (RFC 9110 §7.2).
        headers.insert(header::HOST, self.host.clone());
        let own = hop.headers().iter().filter(|(name, _)| *name != header::HOST);
        template::add(&mut headers, own.chain(hop.added()));
        headers
    }
}

fn target(url: &Url) -> Result<PathAndQuery> {
    let target =
        bytes::Bytes::copy_from_slice(url[Position::BeforePath..Position::AfterQuery].as_bytes());
    PathAndQuery::from_maybe_shared(target).map_err(|error| {
        Error::invalid("the URL's path or query cannot be sent in a request").because(error)
    })
}

fn authority_of(host: &HeaderValue) -> Result<Authority> {
    Authority::try_from(host.as_bytes())
        .map_err(|e| Error::invalid("the header `host` names no host").because(e))
}

fn route(known: &Known, proxy: Option<Proxy>, hop: &Hop<'_>) -> Route {
    let origin = &known.route.origin;
    let identity = hop.applied.as_ref().and_then(|applied| applied.identity.clone());
    let path = hop.unix_socket(origin);
    if proxy.is_none() && identity.is_none() && path.is_none() {
        return Arc::clone(&known.route);
    }
    let way = match path {
        Some(path) => Way::at(origin.clone(), Arc::clone(path)),
        None => Way::to(origin.clone(), proxy),
    };
    Arc::new(match identity {
        Some(identity) => way.showing(identity),
        None => way,
    })
}

/// What follows from an origin alone.
struct Known {
    /// The way that has nothing special.
    route: Route,
    authority: Authority,
    host: HeaderValue,
}

thread_local! {
    /// What this thread has called last: most threads stay with one origin for a while.
    static LAST: Cell<Option<Rc<Known>>> = const { Cell::new(None) };
}

impl Known {
    fn of(url: &Url) -> Result<Rc<Self>> {
        let last = LAST.try_with(Cell::take).ok().flatten();
        let known = match last.filter(|last| last.route.origin.is_of(url)) {
            Some(known) => known,
            None => Rc::new(Self::new(url)?),
        };
        let _ = LAST.try_with(|last| last.set(Some(Rc::clone(&known))));
        Ok(known)
    }

    fn new(url: &Url) -> Result<Self> {
        let origin = Origin::of(url)?;
        let (authority, host) = origin.authority()?;
        Ok(Self { route: Arc::new(Way::to(origin, None)), authority, host })
    }
}

/// The URL's credentials, unless the caller has given others.
fn user_information(hop: &Hop<'_>) -> Result<Option<HeaderValue>> {
    if hop.applied.is_some() || hop.headers().contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    basic_of(&hop.url)
}

/// User and password of the URL as Basic credentials (RFC 7617).
fn basic_of(url: &Url) -> Result<Option<HeaderValue>> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let password = percent_decoded(url.password().unwrap_or_default());
    basic(&percent_decoded(url.username()), &Secret::from_bytes(password)).map(Some)
}

fn percent_decoded(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

/// hyper frames a body by its length; what the user says must agree with that.
fn check_framing(headers: &HeaderMap, content: &Content<'_>) -> Result<()> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Error::invalid(
            "the header `transfer-encoding` is set by abide: it follows from the body",
        ));
    }
    let Some(said) = headers.get(header::CONTENT_LENGTH) else { return Ok(()) };
    let said_length = said.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    if said_length.is_some() && said_length == content.length() {
        return Ok(());
    }
    Err(Error::invalid(
        "the header `content-length` does not agree with the body; leave it to abide, or give the \
         length with the body",
    ))
}

/// A method that expects content says so when there is none (RFC 9110 §8.6).
fn content_length(method: &Method, content: &Content<'_>) -> Option<HeaderValue> {
    let expects_content = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    (expects_content && content.length() == Some(0)).then(|| HeaderValue::from_static("0"))
}
