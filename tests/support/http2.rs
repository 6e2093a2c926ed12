//! An HTTP/2 server over TLS, on one thread with a runtime of its own.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::certificates::{ServerName, tls_config};
use super::frames::FrameTally;
use super::ledger::{Ended, Ledger};
use super::server::{Server, message_of};
use super::stream_exchange::StreamExchange;

/// What a stream's handler asks of its connection.
pub(super) enum Command {
    /// Say GOAWAY, finish the streams, close.
    GoAway,
    /// Say GOAWAY with a reason and close.
    Abort(Reason),
    /// Close the socket without a word.
    Close,
    /// Neither read nor write any more.
    Freeze,
}

impl Server {
    /// Speaks HTTP/2 over TLS; the future of `handler` is run for each stream.
    pub(crate) fn http2<F>(handler: impl Fn(StreamExchange) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::http2_of(Builder::new(), handler)
    }

    /// Like [`Self::http2`], with settings such as the number of concurrent streams.
    pub(crate) fn http2_of<F>(
        settings: Builder,
        handler: impl Fn(StreamExchange) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        listener.set_nonblocking(true).expect("a listener for the runtime");
        let server = Self::listening("https", listener.local_addr().expect("an address"));
        let ledger = Arc::clone(&server.ledger);
        let scene = Arc::new(Scene { settings, handler, ledger });
        server.spawn("runtime", move || run(listener, scene));
        server
    }
}

/// What all connections of one server share.
struct Scene<H> {
    settings: Builder,
    handler: H,
    ledger: Arc<Ledger>,
}

fn run<H, F>(listener: std::net::TcpListener, scene: Arc<Scene<H>>)
where
    H: Fn(StreamExchange) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.expect("a runtime for the server").block_on(async {
        let ledger = Arc::clone(&scene.ledger);
        let listener = TcpListener::from_std(listener).expect("a listener of the runtime");
        drop(tokio::spawn(accept(listener, scene)));
        ledger.stopped().await;
    });
}

async fn accept<H, F>(listener: TcpListener, scene: Arc<Scene<H>>)
where
    H: Fn(StreamExchange) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let acceptor = TlsAcceptor::from(tls_config(ServerName::Right, "h2", false));
    while let Ok((socket, _)) = listener.accept().await {
        drop(socket.set_nodelay(true));
        let socket = socket.into_std().expect("a socket of the system");
        let known = socket.try_clone().expect("one more handle of it");
        let socket = TcpStream::from_std(socket).expect("a socket of the runtime");
        scene.ledger.let_tasks_read().await;
        let Some(number) = scene.ledger.arrive(Arc::new(known)) else { return };
        let (acceptor, scene) = (acceptor.clone(), Arc::clone(&scene));
        drop(tokio::spawn(async move {
            serve(socket, acceptor, &scene).await;
            scene.ledger.depart(number);
        }));
    }
}

async fn serve<H, F>(socket: TcpStream, acceptor: TlsAcceptor, scene: &Scene<H>)
where
    H: Fn(StreamExchange) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let Ok(stream) = acceptor.accept(socket).await else { return };
    scene.ledger.write(|state| state.handshakes += 1);
    let stream = FrameTally::new(stream, Arc::clone(&scene.ledger));
    let Ok(mut connection) = scene.settings.handshake::<_, Bytes>(stream).await else { return };
    let (commands, mut to_do) = mpsc::unbounded_channel();
    loop {
        match next(&mut connection, &mut to_do).await {
            Event::Stream(stream) => {
                let (request, respond) = *stream;
                let ledger = Arc::clone(&scene.ledger);
                let exchange = StreamExchange::new(request, respond, commands.clone(), ledger);
                watch((scene.handler)(exchange), Arc::clone(&scene.ledger));
            }
            Event::Told(Command::GoAway) => connection.graceful_shutdown(),
            Event::Told(Command::Abort(reason)) => connection.abrupt_shutdown(reason),
            Event::Told(Command::Freeze) => scene.ledger.stopped().await,
            Event::Told(Command::Close) | Event::End => return,
        }
    }
}

enum Event {
    Stream(Box<(Request<RecvStream>, SendResponse<Bytes>)>),
    Told(Command),
    End,
}

async fn next<S>(
    connection: &mut Connection<S, Bytes>,
    to_do: &mut mpsc::UnboundedReceiver<Command>,
) -> Event
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    poll_fn(|cx| {
        if let Poll::Ready(Some(command)) = to_do.poll_recv(cx) {
            return Poll::Ready(Event::Told(command));
        }
        connection.poll_accept(cx).map(|accepted| match accepted {
            Some(Ok(stream)) => Event::Stream(Box::new(stream)),
            Some(Err(_)) | None => Event::End,
        })
    })
    .await
}

/// Runs a handler's future on its own, and writes down its panic.
fn watch(handler: impl Future<Output = ()> + Send + 'static, ledger: Arc<Ledger>) {
    let task = tokio::spawn(handler);
    drop(tokio::spawn(async move {
        let Err(error) = task.await else { return };
        if let Ok(payload) = error.try_into_panic()
            && !payload.is::<Ended>()
        {
            ledger.write(|state| state.failures.push(message_of(&*payload)));
        }
    }));
}
