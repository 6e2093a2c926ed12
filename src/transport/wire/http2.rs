//! HTTP/2: many exchanges at a time, each in a task of its own on the connection's lane.

use std::{
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use http::{Method, Request, Version, header};
use hyper::{
    client::conn::http2::{Builder, Connection, SendRequest},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::AbortHandle,
    time::sleep,
};

use super::{
    Setup,
    body::WireBody,
    exchange::{Drive, Exchange, Patience},
    hands::{Hand, Hands},
    sentry::{Sentry, Watchword},
};
use crate::{
    error::{Error, ErrorKind},
    limits::Windows,
    moment::Moment,
    phase::Phase,
    transport::{
        FOR_EVER,
        bridge::{Head, Job},
        mailbox::{Given, Jobs},
        pool::{Dial, Member, StreamEnd},
        watched::Watched,
    },
    wheel::Work,
};

/// Whether routes may turn out to speak HTTP/2.
pub(crate) const SUPPORTED: bool = true;

/// Serves exchanges on a connection until it ends.
pub(crate) async fn run<S>(io: Watched<S>, dial: Dial, setup: Setup, work: Work)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (tasks, watchword) = (Tasks::default(), Arc::<Watchword>::default());
    let io = Sentry::new(io, Arc::clone(&watchword), Arc::clone(&setup.facts.traffic));
    let windows = setup.limits.windows();
    let handshake = builder(&setup, windows, tasks.clone()).handshake(TokioIo::new(io)).await;
    let (sender, connection) = match handshake {
        Ok(both) => both,
        Err(error) => {
            let message = "the connection cannot be used for HTTP/2";
            return dial.fail(Error::new(ErrorKind::Protocol, message).because(error));
        }
    };
    let streams_max = allowed(&connection, windows);
    let (member, jobs) = dial.into_http2(streams_max, &setup.facts.traffic, &setup.wheel);
    let open = Arc::new(Http2 {
        sender,
        member,
        setup,
        windows,
        watchword,
        running: AtomicUsize::new(0),
        is_retired: AtomicBool::new(false),
        tasks,
        hands: Hands::default(),
    });
    let _end = EndOfHands(Arc::clone(&open));
    open.serve(connection, jobs, streams_max).await;
    open.member.leave_shared();
    // Until here the lane was never without work, so that its keeper has it for good: a connection
    // that many share would be handed from caller to caller all the time.
    drop(work);
}

fn builder(setup: &Setup, windows: Windows, tasks: Tasks) -> Builder<Tasks> {
    let mut builder = Builder::new(tasks);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(windows.stream)
        .initial_connection_window_size(windows.connection)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(u32::try_from(setup.limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(setup.pings.interval.map(|interval| interval.min(FOR_EVER)))
        .keep_alive_timeout(setup.pings.patience.min(FOR_EVER));
    builder
}

/// How many streams may be open, by the server's word and by our own windows.
fn allowed<S>(connection: &Connection<Io<S>, WireBody, Tasks>, windows: Windows) -> usize
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    connection.current_max_send_streams().min(windows.streams)
}

type Io<S> = TokioIo<Sentry<Watched<S>>>;

struct Http2 {
    sender: SendRequest<WireBody>,
    member: Member,
    setup: Setup,
    windows: Windows,
    watchword: Arc<Watchword>,
    /// Exchanges that are under way.
    running: AtomicUsize,
    /// Whether it takes no more jobs, and ends with the last exchange.
    is_retired: AtomicBool,
    tasks: Tasks,
    hands: Hands<Given>,
}

/// Runs hyper's tasks on the lane, and remembers the first: it has the socket.
#[derive(Clone, Debug, Default)]
struct Tasks(Arc<OnceLock<AbortHandle>>);

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        let task = tokio::spawn(task);
        let _ = self.0.set(task.abort_handle());
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        // Nobody uses the connection any more. Left alone, it would wait for the server to close.
        self.tasks.0.get().into_iter().for_each(AbortHandle::abort);
    }
}

impl Http2 {
    /// Hands out the jobs until the connection ends, is told to close, or has served for long
    /// enough; then waits for the end of its exchanges, unless it has ended.
    async fn serve<S>(
        self: &Arc<Self>,
        mut connection: Connection<Io<S>, WireBody, Tasks>,
        jobs: Jobs,
        mut streams_max: usize,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut news = pin!(self.watchword.news.notified());
        let mut patience = pin!(self.lose_patience());
        let mut old_age = pin!(self.grow_old());
        let mut silence = pin!(self.watch_silence());
        let lane = self.setup.wheel.load();
        let mut gauge = self.member.may_spread().then(|| lane.measure());
        poll_fn(|cx| {
            if Pin::new(&mut connection).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut is_trusted_again = false;
            while news.as_mut().poll(cx).is_ready() {
                news.set(self.watchword.news.notified());
                is_trusted_again = true;
            }
            let allowed = allowed(&connection, self.windows);
            if allowed != streams_max || is_trusted_again {
                streams_max = allowed;
                self.member.streams_changed(streams_max);
            }
            // Behind the word to close there may be a job yet.
            while let Poll::Ready(given) = jobs.poll_next(cx) {
                match given {
                    Some(given) => self.begin(given),
                    None => self.retire(),
                }
            }
            // It is jobs that would go elsewhere, so they are occasion enough.
            if let Some(load) = gauge.as_mut().and_then(|gauge| gauge.read(Moment::now())) {
                self.member.loaded(load);
            }
            let _never = old_age.as_mut().poll(cx);
            let _never = silence.as_mut().poll(cx);
            let is_over = self.is_retired() && self.running.load(Ordering::Relaxed) == 0;
            if is_over { Poll::Ready(()) } else { patience.as_mut().poll(cx) }
        })
        .await;
    }

    fn begin(self: &Arc<Self>, given: Given) {
        self.running.fetch_add(1, Ordering::Relaxed);
        if let Some(given) = self.hands.give(given) {
            // The task begins in this turn of the lane.
            drop(tokio::spawn(Arc::clone(self).work(given)));
        }
    }

    /// Makes exchanges for as long as there are some.
    async fn work(self: Arc<Self>, first: Given) {
        let (hand, mut next) = (Hand::new(), Some(first));
        while let Some((job, work)) = next {
            Running(&self).work(job, work).await;
            next = self.hands.take(&hand).await;
        }
    }

    fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Relaxed)
    }

    /// Takes no more jobs; those that have been sent here already are still served.
    fn retire(&self) {
        if !self.is_retired.swap(true, Ordering::Relaxed) {
            self.member.leave_shared();
            self.watchword.news.notify_one();
        }
    }

    async fn exchange(&self, job: Box<Job>, work: &mut Option<Work>) -> Option<Box<Job>> {
        let stream = StreamGuard { http2: self, ended: false };
        if job.is_abandoned() {
            return stream.end(StreamEnd::Other);
        }
        let traffic = &self.setup.facts.traffic;
        let uses_before = traffic.begin_exchange();
        if self.setup.lifespan.uses_max.is_some_and(|max| uses_before + 1 >= max) {
            self.retire();
        }
        self.watchword.exchanges.fetch_add(1, Ordering::Relaxed);
        let Job { order, answer: mut answerer } = *job;
        answerer.start();
        // Whoever sees the phase sees the connection too.
        order.watch.follow(traffic, false);
        order.watch.enter(Phase::Send);
        let body = WireBody::new(order.upload, Arc::clone(&order.watch));
        let exchange = Exchange {
            answerer,
            watch: order.watch,
            want: order.want,
            facts: Arc::clone(&self.setup.facts),
            reused: uses_before > 0,
            lane_watches: order.lane_watches,
            patience: order.lane_patience.map(Patience::new),
            asks_head: order.head.method == Method::HEAD,
            sent_before: traffic.sent(),
            received_before: traffic.received(),
            is_alone: false,
            // h2 keeps to the limit itself.
            head_bytes_max: 0,
            head_lines_max: self.setup.limits.header_count,
        };
        let mut sender = self.sender.clone();
        let response = pin!(sender.send_request(request(order.head, body)));
        let parting =
            exchange.run(response, &mut Elsewhere, || work.as_ref().map(Work::lull)).await;
        let next = stream.end(parting.stream_end());
        if next.is_none() {
            // Who waits for the answer shall find nothing left to do.
            *work = None;
        }
        parting.deliver();
        next
    }

    /// Ends when the connection had no exchange for the idle timeout.
    async fn lose_patience(&self) {
        let Some(limit) = self.setup.lifespan.idle_max else { return pending().await };
        loop {
            sleep(limit).await;
            if self.member.retire_if_idle(limit) {
                return;
            }
        }
    }

    /// Retires the connection when it is too old for more; never ends.
    async fn grow_old(&self) {
        if let Some(age) = self.setup.lifespan.age_max {
            sleep(age).await;
            self.retire();
        }
        pending().await
    }

    /// Makes the connection suspect when nothing comes though something is waited for; never ends.
    ///
    /// At the same time hyper asks by a PING whether anybody is there.
    async fn watch_silence(&self) {
        let Some(interval) = self.setup.pings.interval else { return pending().await };
        let traffic = &self.setup.facts.traffic;
        loop {
            // Nothing is waited for on an idle connection, and no timer set for it.
            poll_fn(|_| match self.running.load(Ordering::Relaxed) {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            })
            .await;
            let received = traffic.received();
            sleep(interval).await;
            if traffic.received() == received && self.running.load(Ordering::Relaxed) > 0 {
                traffic.suspect();
            }
        }
    }
}

/// Ends the tasks that wait for work on a connection that has ended.
struct EndOfHands(Arc<Http2>);

impl Drop for EndOfHands {
    fn drop(&mut self) {
        self.0.hands.end();
    }
}

/// One exchange after the other on one stream at a time.
struct Running<'c>(&'c Http2);

impl Running<'_> {
    /// Runs one job and then the next that waits for a stream, until none does.
    async fn work(self, first: Box<Job>, work: Work) {
        let (mut next, mut work) = (Some(first), Some(work));
        while let Some(job) = next {
            next = self.0.exchange(job, &mut work).await;
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Self(http2) = self;
        if http2.running.fetch_sub(1, Ordering::Relaxed) == 1 && http2.is_retired() {
            http2.watchword.news.notify_one();
        }
    }
}

/// Gives the stream back to the pool's books, also after a panic.
struct StreamGuard<'c> {
    http2: &'c Http2,
    ended: bool,
}

impl StreamGuard<'_> {
    fn end(mut self, end: StreamEnd) -> Option<Box<Job>> {
        self.ended = true;
        self.http2.member.stream_ended(end)
    }
}

impl Drop for StreamGuard<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // Who would have been next tries again: it was never sent.
            drop(self.http2.member.stream_ended(StreamEnd::Other));
        }
    }
}

/// The connection is moved by a task of its own.
struct Elsewhere;

impl Drive for Elsewhere {
    const DRIVES: bool = false;

    fn begin_turn(&self) -> bool {
        false
    }

    fn drive(&mut self, _: &mut Context<'_>) {}
}

fn request(head: Head, body: WireBody) -> Request<WireBody> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = head.target.into_absolute_form();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = head.headers;
    // The authority is a pseudo-header (RFC 9113 §8.3.1).
    request.headers_mut().remove(header::HOST);
    request
}

/// Large enough for most bodies to come in one piece, which is then handed on as it is; small enough
/// to leave other streams their turn.
const FRAME_BYTES_MAX: u32 = 64 << 10;
