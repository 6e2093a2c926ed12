//! The limit of clients on a background runtime: hyper itself, and tasks instead of threads.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT as ACCEPT_NAME, CONTENT_TYPE, HOST, USER_AGENT as USER_AGENT_NAME};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

use super::{Caller, Client, Setup};
use crate::outcome::{Failure, Outcome};
use crate::payload::{self, Checker};
use crate::server::tls;
use crate::task::{ACCEPT, Kind, POSTED_TYPE, Task, USER_AGENT};

/// A runtime and what its connections need; behind the traits of the blocking clients for the
/// long download only.
pub(crate) struct RawHyper {
    pub(crate) runtime: Runtime,
    pub(crate) config: Option<Arc<ClientConfig>>,
}

impl RawHyper {
    pub(crate) fn new(setup: &Setup) -> Outcome<Self> {
        let config = setup.ca_pem.as_deref().map(tls::client_config).transpose()?;
        Ok(Self { runtime: runtime()?, config })
    }
}

impl Client for RawHyper {
    fn caller<'a>(&'a self, task: &'a Task) -> Outcome<Box<dyn Caller + 'a>> {
        let task = Arc::new(Task { url: task.url.clone(), kind: task.kind });
        let connection = self.runtime.block_on(Connection::open(&self.config, &task))?;
        Ok(Box::new(OnThread { runtime: &self.runtime, task, connection: Some(connection) }))
    }
}

struct OnThread<'a> {
    runtime: &'a Runtime,
    task: Arc<Task>,
    connection: Option<Connection>,
}

impl Caller for OnThread<'_> {
    fn call(&mut self) -> Outcome<()> {
        let mut connection = self.connection.take().ok_or("the last call failed")?;
        let task = self.task.clone();
        // On the runtime's own threads, where the connection's task is a neighbour.
        let done = self.runtime.spawn(async move {
            connection.call(&task).await?;
            Ok::<_, Failure>(connection)
        });
        self.connection = Some(self.runtime.block_on(done)??);
        Ok(())
    }
}

pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    uri: Uri,
    host: String,
}

impl Connection {
    pub(crate) async fn open(config: &Option<Arc<ClientConfig>>, task: &Task) -> Outcome<Self> {
        let uri: Uri = task.url.parse()?;
        let host = uri.authority().ok_or("no host")?.to_string();
        let socket = TcpStream::connect(&host).await?;
        socket.set_nodelay(true)?;
        let sender = match config {
            None => handshake(socket).await?,
            Some(config) => {
                let name = ServerName::try_from("127.0.0.1")?;
                handshake(TlsConnector::from(config.clone()).connect(name, socket).await?).await?
            }
        };
        Ok(Self { sender, uri: uri.path().parse()?, host })
    }

    pub(crate) async fn call(&mut self, task: &Task) -> Outcome<()> {
        let builder = Request::builder()
            .uri(self.uri.clone())
            .header(HOST, &self.host)
            .header(USER_AGENT_NAME, USER_AGENT)
            .header(ACCEPT_NAME, ACCEPT);
        let request = match task.kind {
            Kind::Get(_) | Kind::Stream => builder.body(Full::default())?,
            Kind::Post => builder
                .method("POST")
                .header(CONTENT_TYPE, POSTED_TYPE)
                .body(Full::new(Bytes::from_static(payload::posted())))?,
        };
        self.sender.ready().await?;
        let reply = self.sender.send_request(request).await?;
        task.check_status(reply.status().as_u16())?;
        let mut body = reply.into_body();
        if task.kind != Kind::Stream {
            return task.check_body(&body.collect().await?.to_bytes());
        }
        let mut checker = Checker::default();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                checker.check(&data)?;
            }
        }
        checker.finish(payload::LARGE_LENGTH)
    }
}

async fn handshake<S>(stream: S) -> Outcome<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

pub(crate) fn runtime() -> Outcome<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
