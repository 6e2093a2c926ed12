//! The test server as seen from the one who compares.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::options;
use crate::outcome::Outcome;
use crate::server::{Greeting, Stats};
use crate::spec::Ports;

pub(crate) struct ServerProcess {
    child: Child,
    /// Its end is the server's end; `None` only while dropping.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    ports: Ports,
    ca_pem: String,
}

impl ServerProcess {
    pub(crate) fn start() -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(options::SERVER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("the server has no output")?;
        let (sender, lines) = mpsc::channel();
        // A thread, because reading a pipe has no time limit.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let greeting: Greeting = serde_json::from_str(&lines.recv_timeout(PATIENCE)?)?;
        Ok(Self { child, input, lines, ports: greeting.ports, ca_pem: greeting.ca_pem })
    }

    pub(crate) fn ports(&self) -> Ports {
        self.ports
    }

    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stats(&mut self) -> Outcome<Stats> {
        let input = self.input.as_mut().ok_or("the test server has ended")?;
        let asked = input.write_all(b"stats\n");
        asked.map_err(|error| format!("the test server does not listen any more: {error}"))?;
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.map_err(|error| format!("the test server does not answer: {error}"))?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.input = None;
        // It has nothing to finish; if it already ended there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
