//! Connections: opened, pooled, spoken on. It knows no rule of HTTP above one exchange.
//!
//! `pool/` decides who gets which connection, `connect/` opens them, `wire/` speaks on them, and
//! `bridge.rs` is what crosses between callers and lanes. Redirects, credentials, cookies and the
//! cache are never here.

pub(crate) mod bridge;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod mailbox;
pub(crate) mod pipe;
pub(crate) mod pool;
mod watched;
mod wire;

use std::{
    pin::pin,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use self::{
    connect::{Connected, Connector},
    connection::Home,
    pool::Dial,
    watched::Watched,
    wire::Setup,
};
use crate::{
    config::Config,
    error::{Error, ErrorKind, Result},
    life::Life,
    moment::Moment,
    traffic::Traffic,
    wheel::{OnLane, Wheel, Work},
};

/// Whether secure routes may turn out to speak HTTP/2.
pub(crate) const fn learns_http2(config: &Config) -> bool {
    wire::http2::SUPPORTED && connect::OFFERS_ALPN && !config.http1_only
}

/// Opens a connection and serves it until it ends; the life of one place, on one lane.
pub(crate) async fn establish(
    mut dial: Dial,
    connector: Arc<Connector>,
    wheel: Arc<Wheel>,
    guards: (OnLane, Work),
    life: Weak<Life>,
) {
    let (_on_lane, work) = guards;
    let home = Home { lane: wheel.number(), life: Weak::clone(&life) };
    let Connected { stream, mut facts, speaks_http2 } =
        match while_wanted(&dial, &connector, home).await {
            Ok(connected) => connected,
            Err(error) => return dial.fail(error),
        };
    dial.watch().dialed();
    if speaks_http2 {
        // It is many tasks, and those belong on the lane.
        facts.home.life = Weak::new();
    }
    let facts = Arc::new(facts);
    let Some(place) = dial.take_place() else { return };
    let options = connector.options();
    let setup = Setup {
        facts: Arc::clone(&facts),
        limits: connector.limits(),
        lifespan: options.lifespan,
        pings: options.http2_pings,
        absolute_form: dial.route().forwarder().is_some(),
        wheel,
    };
    let traffic: Arc<Traffic> = Arc::clone(&facts.traffic);
    let io = Watched::new(stream, traffic, !speaks_http2, place);
    tracing::debug!(route = %dial.route(), speaks_http2, "connected");
    if speaks_http2 {
        wire::http2::run(io, dial, setup, work).await;
    } else {
        wire::http1::run(io, dial, setup, work, life).await;
    }
}

/// Connects, but not for ever if the calls that waited for it had no budgets and have gone.
async fn while_wanted(dial: &Dial, connector: &Connector, home: Home) -> Result<Connected> {
    let mut connecting = pin!(connector.connect(dial, home));
    loop {
        match timeout(UNWANTED_AFTER, connecting.as_mut()).await {
            Ok(connected) => return connected,
            Err(_) if dial.is_wanted() => {}
            Err(_) => {
                return Err(Error::new(ErrorKind::Connect, "nobody waits for the connection"));
            }
        }
    }
}

/// The moment as timers know it.
pub(crate) fn instant(moment: Moment) -> Instant {
    Instant::now() + moment.since(Moment::now())
}

/// Ten years: longer than anybody waits, and no clock overflows where it is added to a moment.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
const UNWANTED_AFTER: Duration = Duration::from_secs(10);
