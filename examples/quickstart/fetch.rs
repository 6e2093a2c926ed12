//! Fetches the URLs of the command line and shows what came.

use std::{
    error::Error,
    io,
    time::{Duration, Instant},
};

use abide::{Client, header};

use crate::screen;

/// Fetches one after the other; tells whether all of them came with a status below 400.
pub(crate) fn run(urls: &[String]) -> Result<bool, Box<dyn Error>> {
    let client = Client::new();
    let mut all_went_well = true;
    for url in urls {
        let started = Instant::now();
        let outcome = fetch(&client, url);
        let millis = started.elapsed().as_millis();
        screen::line(url)?;
        match outcome {
            Ok(fetched) => {
                all_went_well &= fetched.is_success;
                screen::indented(&format!("{} in {millis} ms", fetched.summary))?;
            }
            Err(error) => {
                all_went_well = false;
                screen::indented(&format!("failed after {millis} ms: {}", screen::chain(&*error)))?;
            }
        }
    }
    Ok(all_went_well)
}

struct Fetched {
    summary: String,
    is_success: bool,
}

fn fetch(client: &Client, url: &str) -> Result<Fetched, Box<dyn Error>> {
    let mut reply = client.get(url).timeout(Duration::from_secs(60)).open()?;
    // Nothing is kept, so a body of any size will do.
    let bytes = io::copy(&mut reply, &mut io::sink())?;
    let status = reply.status();
    let kind = reply.header("content-type").unwrap_or("no type");
    let target = reply.header(header::LOCATION.as_str()).map(|it| format!(" -> {it}"));
    Ok(Fetched {
        summary: format!(
            "{:?} {status}{}, {kind}, {}",
            reply.version(),
            target.unwrap_or_default(),
            screen::size(bytes)
        ),
        is_success: !status.is_client_error() && !status.is_server_error(),
    })
}
