//! Opening connections before they are needed.

use super::{
    Means,
    hop::{Hop, Wishes},
    prepared::Prepared,
};
use crate::{
    context::CallContext,
    error::Result,
    limits::Timeouts,
    request::Request,
    runtime::{WarmOrder, Warmed},
};

/// Opens connections that the request could use, until there are so many.
pub(crate) async fn run(
    cx: &CallContext,
    means: &Means,
    request: Request<'_>,
    connections: usize,
) -> Result<Warmed> {
    let shown = request.shown();
    let opened = open(cx, means, request, connections);
    opened.await.map_err(|error| error.during(|| shown))
}

async fn open(
    cx: &CallContext,
    means: &Means,
    request: Request<'_>,
    connections: usize,
) -> Result<Warmed> {
    let config = means.config();
    let timeouts: Timeouts = request.timeouts;
    let Request { method, url, headers, content, proxy, .. } = request;
    let wishes = Wishes { decodes: false, proxy, retries: None, jar: None };
    let hop = Hop::first(method, url, headers, config, wishes);
    let route = Prepared::new(&hop, &content, hop.proxy(means.proxies())?)?.route;
    let runtime = means.runtime()?;
    runtime.prepare(&route)?;
    let order = WarmOrder { route, connections, timeouts, avoid: None };
    cx.within(runtime.warm_up(order)).await?
}
