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
    runtime::{Answer, Target},
    secret::Secret,
};

/// What its origin needs besides what the hop says.
pub(super) struct Prepared {
    pub(super) route: Route,
    known: Rc<Known>,
    /// What the origin is called in the request, if that is the caller's wish.
    called: Option<Box<(Authority, HeaderValue)>>,
    authorization: Option<HeaderValue>,
    says_that_it_is_empty: bool,
}

impl Prepared {
    pub(super) fn new(hop: &Hop<'_>, content: &Content<'_>, proxy: Option<Proxy>) -> Result<Self> {
        let known = Known::of(&hop.url)?;
        let route = route(&known, proxy, hop);
        let called = match hop.headers().get(header::HOST) {
            // A proxy goes by the URL, whatever the origin is to be called.
            Some(own) if route.forwarder().is_some() => Some((known.authority.clone(), own)),
            Some(own) => Some((authority_of(own)?, own)),
            None => None,
        };
        check_framing(hop.headers(), content)?;
        Ok(Self {
            route,
            known,
            called: called.map(|(authority, own)| Box::new((authority, own.clone()))),
            authorization: user_information(hop)?,
            says_that_it_is_empty: says_that_it_is_empty(&hop.method, content),
        })
    }

    /// What the request is about; each attempt gets its own, since the wire keeps it.
    pub(super) fn target(&self, hop: &Hop<'_>) -> Result<Target> {
        let authority = self.called.as_ref().map_or(&self.known.authority, |called| &called.0);
        Ok(Target {
            scheme: if self.known.route.origin.secure { Scheme::HTTPS } else { Scheme::HTTP },
            authority: authority.clone(),
            path_and_query: path_and_query(hop.sent_url())?,
        })
    }

    fn host(&self) -> HeaderValue {
        self.called.as_ref().map_or(&self.known.host, |called| &called.1).clone()
    }

    /// What a proxy that forwards the request is told about who asks; nobody else is told.
    pub(super) fn introduction(
        &self,
        asker: &mut Asker,
        method: &Method,
        target: &Target,
    ) -> Option<HeaderValue> {
        asker.say(self.route.forwarder()?, method, target)
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

    /// The fields to send; each attempt gets its own.
    pub(super) fn headers(
        &self,
        hop: &Hop<'_>,
        template: Option<&Template>,
        introduction: Option<&HeaderValue>,
    ) -> HeaderMap {
        let mut headers = match template.and_then(|template| hop.said_by_all(template)) {
            Some(fields) => {
                let mut headers = fields.clone();
                headers.insert(header::HOST, self.host());
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
        if self.says_that_it_is_empty {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        headers
    }

    fn fields(&self, hop: &Hop<'_>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(hop.header_count_max() + 3);
        // The first, so that it is sent first (RFC 9110 §7.2).
        headers.insert(header::HOST, self.host());
        let own = hop.headers().iter().filter(|(name, _)| *name != header::HOST);
        template::add(&mut headers, own.chain(hop.added()));
        headers
    }
}

fn path_and_query(url: &Url) -> Result<PathAndQuery> {
    let sent =
        bytes::Bytes::copy_from_slice(url[Position::BeforePath..Position::AfterQuery].as_bytes());
    PathAndQuery::from_maybe_shared(sent).map_err(|error| {
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
fn says_that_it_is_empty(method: &Method, content: &Content<'_>) -> bool {
    let expects_content = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    expects_content && content.length() == Some(0)
}
