//! HTTP/2 by hyper's server, with its defaults.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::Shared;
use crate::outcome::Outcome;
use crate::payload;

pub(super) async fn serve(stream: TlsStream<TcpStream>, shared: Arc<Shared>) -> Outcome<()> {
    let service = service_fn(move |request| {
        shared.requests.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok::<_, Infallible>(answer(&request)))
    });
    let connection =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
    Ok(connection.await?)
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let body = match request.uri().path() {
        "/small" => payload::SMALL,
        "/64k" => payload::medium(),
        _ => &[],
    };
    if !body.is_empty() {
        *response.body_mut() = Full::new(Bytes::from_static(body));
        let octets = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(CONTENT_TYPE, octets);
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}
