//! Seven things abide does, each in a function that can be read alone.

use std::{
    collections::BTreeMap,
    error::Error,
    io,
    panic::resume_unwind,
    thread,
    time::{Duration, Instant},
};

use abide::{Body, Client, Feedback};

use crate::{screen, server::Server};

type Outcome = Result<String, Box<dyn Error>>;
type Step = fn(&Client, &Server) -> Outcome;

/// Runs every step and tells whether all of them went well.
pub(crate) fn run() -> Result<bool, Box<dyn Error>> {
    let started = Instant::now();
    let server = Server::start()?;
    let client = Client::new();
    let steps: [(&str, Step); 7] = [
        ("one line", one_line),
        ("8 threads, one pool", share_the_pool),
        ("a JSON reply", read_json),
        ("a streamed body", stream_a_body),
        ("an upload", upload),
        ("an aborted call", abort),
        ("a timeout", time_out),
    ];

    screen::line(format_args!("abide meets a small server in this process, {}", server.url("/")))?;
    screen::line("")?;
    let mut all_went_well = true;
    for (label, step) in steps {
        screen::begin_row(label)?;
        match step(&client, &server) {
            Ok(text) => screen::row(label, &text)?,
            Err(error) => {
                all_went_well = false;
                screen::row(label, &format!("FAILED: {}", screen::chain(&*error)))?;
            }
        }
    }
    screen::line("")?;
    let seconds = started.elapsed().as_secs_f64();
    screen::line(format_args!(
        "Done in {seconds:.1} s. The code is in examples/quickstart/tour.rs."
    ))?;
    screen::line("Give it URLs to fetch: cargo run --release --example quickstart -- http://...")?;
    Ok(all_went_well)
}

fn one_line(_: &Client, server: &Server) -> Outcome {
    let text = abide::get(server.url("/hello"))?.text();
    Ok(format!("abide::get(url)?.text() is \"{text}\""))
}

fn share_the_pool(client: &Client, server: &Server) -> Outcome {
    const THREADS: u32 = 8;
    const CALLS_PER_THREAD: u32 = 500;
    let url = server.url("/hello");
    let many_calls = || -> abide::Result<()> {
        for _ in 0..CALLS_PER_THREAD {
            client.get(&url).send()?.error_for_status()?;
        }
        Ok(())
    };
    let started = Instant::now();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..THREADS).map(|_| scope.spawn(many_calls)).collect();
        callers
            .into_iter()
            .try_for_each(|caller| caller.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    let elapsed = started.elapsed();
    let stats = client.stats();
    Ok(format!(
        "{} calls over {} connections in {:.2} s, {:.0} calls per second",
        stats.calls(),
        stats.connections_opened(),
        elapsed.as_secs_f64(),
        f64::from(THREADS * CALLS_PER_THREAD) / elapsed.as_secs_f64(),
    ))
}

fn read_json(client: &Client, server: &Server) -> Outcome {
    let request = client.get(server.url("/weather")).query([("unit", "C")]);
    let reply = request.send()?.error_for_status()?;
    let weather: BTreeMap<String, f64> = reply.json()?;
    let cities: Vec<_> =
        weather.iter().map(|(city, degrees)| format!("{city} {degrees}°")).collect();
    let kind = reply.header("content-type").unwrap_or("of unknown type");
    Ok(format!("{}, {kind}: {}", reply.status(), cities.join(", ")))
}

/// The body passes through in pieces, however long it is; a listener draws the bar.
fn stream_a_body(client: &Client, server: &Server) -> Outcome {
    let feedback = Feedback::new();
    feedback.on_download(screen::bar_in_row());
    let started = Instant::now();
    let mut reply = client.get(server.url("/stream")).feedback(&feedback).open()?;
    let total = reply.content_length();
    let bytes = io::copy(&mut reply, &mut io::sink())?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(format!("{} in {seconds:.2} s, the server's pace", screen::bar(bytes, total)))
}

/// Any `Read` can be sent; with its length known, the listener learns the total.
fn upload(client: &Client, server: &Server) -> Outcome {
    const BYTES: u64 = 24 << 20;
    let feedback = Feedback::new();
    feedback.on_upload(screen::bar_in_row());
    let body = Body::sized_reader(io::Read::take(io::repeat(b'.'), BYTES), BYTES);
    let started = Instant::now();
    let reply = client.post(server.url("/upload")).body(body).feedback(&feedback).send()?;
    let seconds = started.elapsed().as_secs_f64();
    let counted: u64 = reply.text().parse()?;
    Ok(format!(
        "{} in {seconds:.2} s, the server's pace",
        screen::bar(counted, feedback.upload().total())
    ))
}

/// This thread waits for a server that says nothing, until another one has had enough.
fn abort(client: &Client, server: &Server) -> Outcome {
    let feedback = Feedback::new();
    let (outcome, returned, cancelled) = thread::scope(|scope| {
        let impatient = scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            let now = Instant::now();
            feedback.cancel();
            now
        });
        let outcome = client.get(server.url("/silent")).feedback(&feedback).send();
        let returned = Instant::now();
        let cancelled = impatient.join().unwrap_or_else(|panic| resume_unwind(panic));
        (outcome, returned, cancelled)
    });
    let error = outcome.err().filter(abide::Error::is_cancelled).ok_or("the call went on")?;
    let closed = server.next_hang_up().ok_or("the server still has its connection")?;
    Ok(format!(
        "send() was back {} µs after cancel(), the server knew after {} µs\n{error}",
        returned.duration_since(cancelled).as_micros(),
        closed.duration_since(cancelled).as_micros(),
    ))
}

fn time_out(client: &Client, server: &Server) -> Outcome {
    let timeouts = client.timeouts().first_byte(Duration::from_millis(250));
    let started = Instant::now();
    let outcome = client.get(server.url("/silent")).timeouts(timeouts).send();
    let millis = started.elapsed().as_millis();
    let error = outcome.err().filter(abide::Error::is_timeout).ok_or("the call went on")?;
    let phase = error.phase().ok_or("the error names no phase")?;
    Ok(format!("after {millis} ms, phase \"{phase}\"\n{error}"))
}
