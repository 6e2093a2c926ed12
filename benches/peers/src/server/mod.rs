//! The test server: as cheap as possible, since it shares the processors with the clients.
//!
//! Its answers are rendered beforehand. Each of its loops is a runtime of one thread, and new
//! connections go round them; there is one loop for every two processors, so that which loop a
//! connection falls on makes no difference on a small machine. It ends when its input does.

mod answers;
mod gathering;
mod http1;
mod http2;
mod silent;
pub(crate) mod tls;

use std::io::{BufRead, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio_rustls::TlsAcceptor;

use crate::machine;
use crate::meter::{self, Usage};
use crate::outcome::Outcome;
use crate::spec::Ports;
use answers::Answers;
use gathering::Gathering;
use silent::Silent;

/// The first line of its output.
#[derive(Serialize, Deserialize)]
pub(crate) struct Greeting {
    pub(crate) ports: Ports,
    pub(crate) ca_pem: String,
}

/// The answer to every line of its input: what it has seen and used since it began.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) connections: u64,
    pub(crate) handshakes: u64,
    pub(crate) requests: u64,
    /// HTTP/1.1 connections that have ended without a request.
    pub(crate) unused: u64,
    pub(crate) cpu_us: u64,
}

#[derive(Default)]
struct Shared {
    answers: Answers,
    silent: Silent,
    gathering: Gathering,
    connections: AtomicU64,
    handshakes: AtomicU64,
    requests: AtomicU64,
    unused: AtomicU64,
}

#[derive(Clone)]
enum Door {
    Plain,
    Tls(TlsAcceptor),
    H2(TlsAcceptor),
}

pub(crate) fn main() -> Outcome<()> {
    meter::allow_many_files();
    let shared = Arc::new(Shared::default());
    let credentials = tls::Credentials::generate()?;
    let loops = Loops::start(machine::cpus().div_ceil(2).max(1))?;
    let tls = Door::Tls(credentials.acceptor(b"http/1.1")?);
    let h2 = Door::H2(credentials.acceptor(b"h2")?);
    let ports = Ports {
        plain: open(&loops, &shared, Door::Plain)?,
        tls: open(&loops, &shared, tls)?,
        h2: open(&loops, &shared, h2)?,
    };
    let mut output = std::io::stdout().lock();
    let greeting = Greeting { ports, ca_pem: credentials.ca_pem };
    writeln!(output, "{}", serde_json::to_string(&greeting)?)?;
    for line in std::io::stdin().lock().lines() {
        line?;
        writeln!(output, "{}", serde_json::to_string(&shared.stats())?)?;
    }
    Ok(())
}

impl Shared {
    fn stats(&self) -> Stats {
        let cpu = Usage::of_this_process().cpu;
        Stats {
            connections: self.connections.load(Ordering::Relaxed),
            handshakes: self.handshakes.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            unused: self.unused.load(Ordering::Relaxed),
            cpu_us: u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

#[derive(Clone)]
struct Loops {
    handles: Arc<[Handle]>,
    turn: Arc<AtomicUsize>,
}

impl Loops {
    fn start(count: usize) -> Outcome<Self> {
        let mut handles = Vec::new();
        for _ in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        }
        Ok(Self { handles: handles.into(), turn: Arc::default() })
    }

    fn next(&self) -> &Handle {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.handles[turn % self.handles.len()]
    }
}

/// Listens on a port of the system's choice, and says which.
fn open(loops: &Loops, shared: &Arc<Shared>, door: Door) -> Outcome<u16> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    loops.handles[0].spawn(accept(listener, loops.clone(), shared.clone(), door));
    Ok(port)
}

async fn accept(
    listener: std::net::TcpListener,
    loops: Loops,
    shared: Arc<Shared>,
    door: Door,
) -> Outcome<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        // Out of descriptors, say: the next one may do better.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let (shared, door) = (shared.clone(), door.clone());
        if loops.handles.len() == 1 {
            tokio::spawn(serve(stream, shared, door));
        } else {
            let stream = stream.into_std()?;
            loops.next().spawn(async move {
                serve(TcpStream::from_std(stream)?, shared, door).await;
                Outcome::Ok(())
            });
        }
    }
}

/// A client that goes away in the middle is no event here: the client's side checks everything.
async fn serve(stream: TcpStream, shared: Arc<Shared>, door: Door) {
    let _ = stream.set_nodelay(true);
    match door {
        Door::Plain => {
            let _ = http1::serve(stream, &shared).await;
        }
        Door::Tls(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                shared.handshakes.fetch_add(1, Ordering::Relaxed);
                let _ = http1::serve(stream, &shared).await;
            }
        }
        Door::H2(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                shared.handshakes.fetch_add(1, Ordering::Relaxed);
                let _ = http2::serve(stream, shared).await;
            }
        }
    }
}
