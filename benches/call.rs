//! What does a call cost beyond its bytes? `cargo bench --bench call` answers in a few seconds.
//!
//! Each line is an answer: the median over the rounds, and the quartiles. All is measured in every
//! round, so a machine that is busy for a while is so for all of it. Other clients are compared in
//! `benches/peers/`.

#![expect(clippy::print_stdout, reason = "the answers")]

use std::{
    hint::black_box,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

use abide::{Client, Driving, Feedback, Reply};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let server = Server::start()?;
    let driven = |driving| Client::builder().driving(driving).build();
    let clients = [
        (", by its caller", driven(Driving::Lent)?),
        (", in the background", driven(Driving::Background)?),
    ];
    let url = format!("http://{}/", server.addr);
    let reply = clients[0].1.get(&url).send()?;
    // The bytes that abide sends are those that the bare loop sends too.
    let request = server.requests.recv()?;
    let mut socket = TcpStream::connect(server.addr)?;
    socket.set_nodelay(true)?;

    let mut answers = Answers::default();
    let began = Instant::now();
    for round in 0..ROUNDS {
        answers.add("creating a client", "", per_one(CLIENTS, Client::new));
        answers.add("cloning and dropping a reply", "", cloning(&reply));
        for (how, client) in &clients {
            // The order changes, so that neither always runs in the other's wake.
            let bare_first = round % 2 == 0;
            let before = bare_first.then(|| exchanges(&mut socket, &request)).transpose()?;
            let call = calls(client, &url)?;
            let bare = before.map_or_else(|| exchanges(&mut socket, &request), Ok)?;
            answers.add("the bytes of a GET over a bare TcpStream", "", bare);
            answers.add("a GET over a kept connection", how, call);
            answers.add("what it adds to the bytes, within a round", how, call - bare);
            server.requests.try_iter().for_each(drop);
            let cancel = cancelling(client, &url, &server)?;
            answers.add("from cancel() to the return of send()", how, cancel);
        }
        if began.elapsed() > TIME_MAX {
            break;
        }
    }
    answers.print();
    Ok(())
}

/// Nanoseconds for each of `count` values; dropping them does not count.
fn per_one<T>(count: u32, mut make: impl FnMut() -> T) -> f64 {
    let mut made = Vec::with_capacity(count as usize);
    let began = Instant::now();
    made.extend((0..count).map(|_| make()));
    nanos(began.elapsed()) / f64::from(count)
}

fn cloning(reply: &Reply) -> f64 {
    let began = Instant::now();
    for _ in 0..CLONES {
        drop(black_box(black_box(reply).clone()));
    }
    nanos(began.elapsed()) / f64::from(CLONES)
}

fn calls(client: &Client, url: &str) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..CALLS {
        assert_eq!(client.get(url).send()?.bytes(), BODY);
    }
    Ok(nanos(began.elapsed()) / f64::from(CALLS))
}

/// What [`calls`] does, without a client.
fn exchanges(socket: &mut TcpStream, request: &[u8]) -> io::Result<f64> {
    let mut answer = [0; ANSWER.len()];
    let began = Instant::now();
    for _ in 0..CALLS {
        socket.write_all(request)?;
        socket.read_exact(&mut answer)?;
        assert!(answer.ends_with(BODY.as_bytes()));
    }
    Ok(nanos(began.elapsed()) / f64::from(CALLS))
}

fn cancelling(client: &Client, url: &str, server: &Server) -> Result<f64> {
    let silent = format!("{url}silent");
    let mut sum = Duration::ZERO;
    for _ in 0..CANCELS {
        let feedback = Feedback::new();
        sum += thread::scope(|scope| -> Result<Duration> {
            let call = scope.spawn(|| {
                let answer = client.get(&silent).feedback(&feedback).send();
                (Instant::now(), answer)
            });
            server.requests.recv()?;
            let cancelled = Instant::now();
            feedback.cancel();
            let (returned, answer) = call.join().map_err(|_| "the call panicked")?;
            assert!(answer.is_err_and(|error| error.is_cancelled()));
            Ok(returned - cancelled)
        })?;
    }
    Ok(nanos(sum) / f64::from(CANCELS))
}

/// Answers at once, but for `/silent`; shows what is not answered, and the first request of each
/// connection.
struct Server {
    addr: SocketAddr,
    requests: Receiver<Vec<u8>>,
}

impl Server {
    fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?;
        let (seen, requests) = mpsc::channel();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let seen = seen.clone();
                // A client that goes away is no failure here.
                thread::spawn(move || drop(serve(socket, &seen)));
            }
        });
        Ok(Self { addr, requests })
    }
}

fn serve(mut socket: TcpStream, seen: &Sender<Vec<u8>>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let (mut length, mut is_first) = (0, true);
    loop {
        match socket.read(&mut buffer[length..])? {
            0 => return Ok(()),
            more => length += more,
        }
        let Some(request) = buffer[..length].strip_suffix(b"\r\n\r\n") else { continue };
        let is_silent = request.starts_with(b"GET /silent");
        if !is_silent {
            socket.write_all(ANSWER.as_bytes())?;
        }
        if is_silent || is_first {
            drop(seen.send(buffer[..length].to_vec()));
        }
        (length, is_first) = (0, false);
    }
}

/// What was measured, in the order in which it was first measured.
#[derive(Default)]
struct Answers(Vec<([&'static str; 2], Vec<f64>)>);

impl Answers {
    fn add(&mut self, what: &'static str, how: &'static str, nanos: f64) {
        match self.0.iter_mut().find(|(question, _)| *question == [what, how]) {
            Some((_, samples)) => samples.push(nanos),
            None => self.0.push(([what, how], vec![nanos])),
        }
    }

    fn print(mut self) {
        for (question, samples) in &mut self.0 {
            samples.sort_by(f64::total_cmp);
            let at = |part: usize| shown(samples[(samples.len() - 1) * part / 4]);
            let rounds = samples.len();
            let question = question.concat();
            println!("{question:55}{:>10}  ({} to {}, {rounds} rounds)", at(2), at(1), at(3));
        }
    }
}

fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

fn shown(nanos: f64) -> String {
    if nanos.abs() < 1e3 { format!("{nanos:.1} ns") } else { format!("{:.2} µs", nanos / 1e3) }
}

const ROUNDS: usize = 51;
const TIME_MAX: Duration = Duration::from_secs(8);
const CLIENTS: u32 = 200;
const CLONES: u32 = 10_000;
const CALLS: u32 = 200;
const CANCELS: u32 = 10;
const BODY: &str = "Hello, world!";
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, world!";
