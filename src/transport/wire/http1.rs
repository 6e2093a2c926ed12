//! HTTP/1.1: one exchange at a time, all in the connection's own task.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Request};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Sleep, sleep_until},
};

use super::{
    Setup,
    body::WireBody,
    exchange::{Drive, Exchange, Parting, Patience},
};
use crate::{
    doorstep::Doorstep,
    error::{Error, ErrorKind},
    host_options::Lifespan,
    life::Life,
    limits::HEADER_COUNT_OF_HYPER,
    moment::Moment,
    phase::Phase,
    transport::{
        bridge::{Answerer, Head, Job, Order},
        instant,
        mailbox::{Given, Jobs},
        pool::{Dial, Member, Next},
        watched::{ResetOnClose, Watched},
    },
    wheel::Work,
};

/// Serves exchanges on a connection until it ends.
pub(crate) async fn run<S>(io: Watched<S>, dial: Dial, setup: Setup, work: Work, life: Weak<Life>)
where
    S: AsyncRead + AsyncWrite + ResetOnClose + Send + Unpin + 'static,
{
    let mut builder = Builder::new();
    let header_bytes = setup.limits.header_bytes;
    builder.max_header_size(header_bytes);
    if header_bytes > BUFFER_OF_HYPER - BODY_WITH_HEAD {
        builder.max_buf_size(header_bytes.saturating_add(BODY_WITH_HEAD));
    }
    if setup.limits.header_count != HEADER_COUNT_OF_HYPER {
        // Any number of one's own costs two allocations a reply.
        builder.max_headers(setup.limits.header_count);
    }
    let (sender, connection) = match builder.handshake(TokioIo::new(io)).await {
        Ok(both) => both,
        Err(error) => {
            let message = "the connection cannot be used for HTTP/1.1";
            return dial.fail(Error::new(ErrorKind::Protocol, message).because(error));
        }
    };
    let (member, jobs, first) =
        dial.into_http1(&setup.facts.traffic, &setup.wheel, Weak::clone(&life));
    let idle_timer = IdleTimer::new(setup.lifespan);
    let driver = Driver { connection: Some(connection), life };
    let work = Some(work);
    let mut open = Http1 { sender, driver, member, jobs, setup, idle_timer, work };
    let last = open.serve(first).await;
    let work = open.work.take();
    if last.is_half_sent() {
        open.driver.reset();
    }
    // The socket is closed and its place free before the caller learns how it ended.
    drop(open);
    last.deliver();
    drop(work);
}

struct Http1<S>
where
    S: AsyncRead + AsyncWrite + ResetOnClose + Send + Unpin + 'static,
{
    sender: SendRequest<WireBody>,
    driver: Driver<S>,
    member: Member,
    jobs: Jobs,
    setup: Setup,
    idle_timer: IdleTimer,
    /// Keeps the lane driven, but while the connection is idle.
    work: Option<Work>,
}

impl<S> Http1<S>
where
    S: AsyncRead + AsyncWrite + ResetOnClose + Send + Unpin + 'static,
{
    /// Takes job after job; ends with the last exchange's end if that ended the connection.
    async fn serve(&mut self, mut next: Next) -> Parting {
        let mut free_since = Moment::now();
        loop {
            let is_handed_on = matches!(next, Next::Job(_));
            let job = match next {
                Next::Job(job) => Some(job),
                Next::Idle => self.wait_for_job(free_since).await,
                Next::Close => None,
            };
            let Some(job) = job else { return Parting::nobody() };
            if job.is_abandoned() {
                next = self.member.next_job(free_since, self.uses() == 0);
                continue;
            }
            let parting = self.exchange(job, is_handed_on).await;
            if !(parting.leaves_it_whole() && !self.is_worn_out() && self.is_reusable().await) {
                return parting;
            }
            free_since = parting.ended_at().unwrap_or_else(Moment::now);
            next = self.member.next_job(free_since, false);
            if matches!(next, Next::Idle) {
                // Who waits for the answer shall find nothing left to do.
                self.work = None;
            }
            parting.deliver();
        }
    }

    /// Idle: waits for a job, the server's close, or the end of patience.
    async fn wait_for_job(&mut self, since: Moment) -> Option<Box<Job>> {
        self.idle_timer.start(since);
        self.work = None;
        // After an exchange hyper has just been asked how the connection is.
        let mut is_known = self.uses() > 0;
        let Self { driver, jobs, idle_timer, member, .. } = self;
        let event = poll_fn(|cx| {
            if let Poll::Ready(job) = jobs.poll_next(cx) {
                return Poll::Ready(job.map_or(Event::ToldToClose, Event::Job));
            }
            if !std::mem::take(&mut is_known) {
                driver.drive(cx);
            }
            if driver.has_ended() {
                return Poll::Ready(Event::Ended);
            }
            idle_timer.poll(cx).map(|()| Event::Ended)
        });
        match event.await {
            Event::Job((job, work)) => {
                self.work = Some(work);
                return Some(job);
            }
            Event::ToldToClose => {}
            Event::Ended if member.leave_idle() => {}
            // Dropping it says that it was never sent.
            Event::Ended => drop(poll_fn(|cx| jobs.poll_next(cx)).await),
        }
        None
    }

    /// Makes the exchange of a job; nobody has seen yet to who drives for one that `is_handed_on`.
    async fn exchange(&mut self, job: Box<Job>, mut is_handed_on: bool) -> Parting {
        // Taken apart where it is: what is needed is a part of it.
        let Job {
            order:
                Order {
                    head: Head { method, target, headers },
                    upload,
                    want,
                    watch,
                    lane_watches,
                    lane_patience,
                    ..
                },
            answer: mut answerer,
        } = *job;
        answerer.start();
        let mut guest = self.guest(&mut answerer);
        let traffic = Arc::clone(&self.setup.facts.traffic);
        // Whoever sees the phase sees the connection too.
        watch.follow(&traffic, true);
        watch.enter(Phase::Send);
        let uses_before = traffic.begin_exchange();
        let body = WireBody::new(upload, Arc::clone(&watch));
        let exchange = Exchange {
            answerer,
            watch,
            want,
            facts: Arc::clone(&self.setup.facts),
            reused: uses_before > 0,
            lane_watches,
            patience: lane_patience.map(Patience::new),
            asks_head: method == Method::HEAD,
            sent_before: traffic.sent(),
            received_before: traffic.received(),
            is_alone: true,
            head_bytes_max: self.setup.limits.header_bytes as u64,
            head_lines_max: self.setup.limits.header_count,
        };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = match self.setup.absolute_form {
            true => target.into_absolute_form(),
            false => target.into_origin_form(),
        };
        *request.headers_mut() = headers;
        let response = pin!(self.sender.send_request(request));
        let lull = || self.work.as_ref().map(Work::lull);
        let mut running = pin!(exchange.run(response, &mut self.driver, lull));
        poll_fn(|cx| {
            let polled = running.as_mut().poll(cx);
            if polled.is_ready() {
                return polled;
            }
            // The request is on its way; the answer is its caller's to receive, or the lane's.
            if let Some((doorstep, life)) = guest.take() {
                doorstep.invite(&self.setup.wheel, life);
            }
            if std::mem::take(&mut is_handed_on) {
                self.setup.wheel.see_to_it();
            }
            Poll::Pending
        })
        .await
    }

    /// Where the caller of a job is found that has waited, and the life that it shall attend.
    ///
    /// Who caused the dial drives it already. On a lane with other connections somebody drives for as
    /// long as they are in use, and one more thread would only wake besides.
    fn guest(&self, answerer: &mut Answerer) -> Option<(Arc<Doorstep>, Arc<Life>)> {
        let doorstep = answerer.take_doorstep()?;
        if self.uses() == 0 || self.setup.wheel.connections() > 1 {
            return None;
        }
        Some((doorstep, self.driver.life.upgrade()?))
    }

    /// How many exchanges the connection was used for.
    fn uses(&self) -> u64 {
        self.setup.facts.traffic.exchanges()
    }

    /// Whether the connection has served for long enough.
    fn is_worn_out(&self) -> bool {
        let uses_max = self.setup.lifespan.uses_max;
        uses_max.is_some_and(|max| self.uses() >= max) || self.idle_timer.is_too_old()
    }

    /// Whether the connection can carry another exchange.
    async fn is_reusable(&mut self) -> bool {
        let Self { driver, sender, .. } = self;
        if sender.is_ready() && !driver.has_ended() {
            // With the end of the reply hyper has made ready for the next request.
            return true;
        }
        let mut turns = 0;
        poll_fn(|cx| {
            driver.begin_turn();
            driver.drive(cx);
            turns += 1;
            if driver.has_ended() || sender.is_closed() {
                return Poll::Ready(false);
            }
            match sender.poll_ready(cx) {
                Poll::Ready(ready) => Poll::Ready(ready.is_ok()),
                // An upload that the server did not wait for is still going on.
                Poll::Pending if turns > 1 => Poll::Ready(false),
                Poll::Pending => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        })
        .await
    }
}

enum Event {
    Job(Given),
    ToldToClose,
    Ended,
}

/// hyper's side of the connection; `None` when it has ended.
struct Driver<S>
where
    S: AsyncRead + AsyncWrite + ResetOnClose + Send + Unpin + 'static,
{
    connection: Option<Connection<TokioIo<Watched<S>>, WireBody>>,
    life: Weak<Life>,
}

impl<S> Driver<S>
where
    S: AsyncRead + AsyncWrite + ResetOnClose + Send + Unpin + 'static,
{
    const fn has_ended(&self) -> bool {
        self.connection.is_none()
    }

    /// Has the socket closed without sending what is still in its buffer.
    fn reset(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.into_parts().io.into_inner().reset_on_close();
        }
    }
}

impl<S> Drive for Driver<S>
where
    S: AsyncRead + AsyncWrite + ResetOnClose + Send + Unpin + 'static,
{
    const DRIVES: bool = true;

    fn begin_turn(&self) -> bool {
        self.life.upgrade().is_some_and(|life| life.look_into_all())
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(connection).poll(cx).is_ready()
        {
            // How it ended is told to the exchange by hyper itself.
            self.connection = None;
        }
    }
}

/// Tells when the connection was idle for too long, or is too old, with one timer for many
/// exchanges.
struct IdleTimer {
    limit: Option<Duration>,
    /// When the connection is too old for another exchange.
    expires: Option<Moment>,
    since: Moment,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    fn new(lifespan: Lifespan) -> Self {
        let since = Moment::now();
        let expires = lifespan.age_max.map(|age| since.plus(age));
        let mut timer = Self { limit: lifespan.idle_max, expires, since, sleep: None };
        // Made here and now: later a thread may poll it that knows no timers.
        timer.sleep = timer.due().map(|due| Box::pin(sleep_until(instant(due))));
        timer
    }

    fn start(&mut self, since: Moment) {
        self.since = since;
    }

    fn due(&self) -> Option<Moment> {
        let idle = self.limit.map(|limit| self.since.plus(limit));
        [idle, self.expires].into_iter().flatten().min()
    }

    fn is_too_old(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= Moment::now())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (Some(due), Some(sleep)) = (self.due(), &mut self.sleep) else { return Poll::Pending };
        while sleep.as_mut().poll(cx).is_ready() {
            // It may have been set for an earlier idle time.
            if Moment::now() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(instant(due));
        }
        Poll::Pending
    }
}

/// As much of a connection hyper keeps in memory, unless it is told otherwise: a head has to fit.
const BUFFER_OF_HYPER: usize = (8 << 10) + (400 << 10);
/// What may have come with a head and is no part of it.
const BODY_WITH_HEAD: usize = 8 << 10;
