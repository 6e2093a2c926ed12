//! HTTP/2: many exchanges at a time, each in a task of its own on the connection's lane.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Version, header};
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
    exchange::{Drive, Exchange},
};
use crate::{
    error::{Error, ErrorKind},
    phase::Phase,
    transport::{
        bridge::{Head, Job, Jobs},
        pool::{Dial, Member},
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
    let tasks = Tasks::default();
    let handshake = builder(&setup, tasks.clone()).handshake(TokioIo::new(io)).await;
    let (sender, connection) = match handshake {
        Ok(both) => both,
        Err(error) => {
            let message = "the connection cannot be used for HTTP/2";
            return dial.fail(Error::new(ErrorKind::Protocol, message).because(error));
        }
    };
    let (member, jobs) =
        dial.into_http2(connection.current_max_send_streams(), &setup.facts.traffic, &setup.wheel);
    let idle_timeout = setup.idle_timeout;
    let streams_max = AtomicUsize::new(connection.current_max_send_streams());
    let uses = AtomicU64::new(0);
    let open = Arc::new(Http2 { sender, member, setup, streams_max, uses, tasks });
    // The jobs that waited for the dial have guards of their own by now.
    drop(work);
    open.serve(connection, jobs, idle_timeout).await;
    open.member.leave_shared();
}

fn builder(setup: &Setup, tasks: Tasks) -> Builder<Tasks> {
    let mut builder = Builder::new(tasks);
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(setup.limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    builder
}

struct Http2 {
    sender: SendRequest<WireBody>,
    member: Member,
    setup: Setup,
    /// What the peer allows at present.
    streams_max: AtomicUsize,
    uses: AtomicU64,
    tasks: Tasks,
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
    /// Hands out the jobs until the connection ends, is told to close, or was idle for too long.
    async fn serve<S>(
        self: &Arc<Self>,
        mut connection: Connection<TokioIo<Watched<S>>, WireBody, Tasks>,
        mut jobs: Jobs,
        idle_timeout: Option<Duration>,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut patience = pin!(self.lose_patience(idle_timeout));
        poll_fn(|cx| {
            if Pin::new(&mut connection).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            self.streams_max.store(connection.current_max_send_streams(), Ordering::Relaxed);
            while let Poll::Ready(job) = jobs.poll_next(cx) {
                let Some((job, work)) = job else {
                    self.member.told_to_close();
                    return Poll::Ready(());
                };
                // The task begins in this turn of the lane.
                drop(tokio::spawn(Arc::clone(self).work(job, work)));
            }
            patience.as_mut().poll(cx)
        })
        .await;
    }

    /// Runs one job and then the next that waits for a stream, until none does.
    async fn work(self: Arc<Self>, first: Box<Job>, work: Work) {
        let (mut next, mut work) = (Some(first), Some(work));
        while let Some(job) = next {
            next = self.exchange(*job, &mut work).await;
        }
    }

    async fn exchange(&self, job: Job, work: &mut Option<Work>) -> Option<Box<Job>> {
        let stream = StreamGuard { http2: self, ended: false };
        if job.is_abandoned() {
            return stream.end();
        }
        let (order, answerer) = job.start();
        order.watch.enter(Phase::Send);
        let body = WireBody::new(order.upload, Arc::clone(&order.watch));
        let traffic = &self.setup.facts.traffic;
        order.watch.follow(traffic, false);
        let exchange = Exchange {
            answerer,
            watch: order.watch,
            want: order.want,
            facts: Arc::clone(&self.setup.facts),
            reused: self.uses.fetch_add(1, Ordering::Relaxed) > 0,
            lane_watches: order.lane_watches,
            sent_before: traffic.sent(),
            received_before: traffic.received(),
            is_alone: false,
            // h2 keeps to the limit itself.
            head_bytes_max: 0,
        };
        let response = self.sender.clone().send_request(request(order.head, body));
        let parting =
            exchange.run(response, &mut Elsewhere, || work.as_ref().map(Work::lull)).await;
        let next = stream.end();
        if next.is_none() {
            // Who waits for the answer shall find nothing left to do.
            *work = None;
        }
        parting.deliver();
        next
    }

    /// Ends when the connection had no exchange for the idle timeout.
    async fn lose_patience(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        loop {
            sleep(limit).await;
            if self.member.retire_if_idle(limit) {
                return;
            }
        }
    }
}

/// Gives the stream back to the pool's books, also after a panic.
struct StreamGuard<'c> {
    http2: &'c Http2,
    ended: bool,
}

impl StreamGuard<'_> {
    fn end(mut self) -> Option<Box<Job>> {
        self.ended = true;
        self.give_back()
    }

    fn give_back(&self) -> Option<Box<Job>> {
        self.http2.member.stream_ended(self.http2.streams_max.load(Ordering::Relaxed))
    }
}

impl Drop for StreamGuard<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // Who would have been next tries again: it was never sent.
            drop(self.give_back());
        }
    }
}

/// The connection is moved by a task of its own.
struct Elsewhere;

impl Drive for Elsewhere {
    const DRIVES: bool = false;

    fn begin_turn(&self) {}

    fn drive(&mut self, _: &mut Context<'_>) {}
}

fn request(head: Head, body: WireBody) -> Request<WireBody> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = head.headers;
    // The authority is a pseudo-header (RFC 9113 §8.3.1).
    request.headers_mut().remove(header::HOST);
    request
}

const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
