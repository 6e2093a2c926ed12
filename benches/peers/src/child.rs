//! A client's round: what the child process does, and how its parent runs it.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::figures::Figures;
use crate::meter;
use crate::options;
use crate::outcome::Outcome;
use crate::scenarios;
use crate::spec::Spec;

/// In the child: the figures as one line of JSON.
pub(crate) fn main(spec: &Spec) -> Outcome<()> {
    thread::spawn(|| {
        // The parent never writes: this returns when it is gone, and then nobody wants the rest.
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    meter::allow_many_files();
    let figures = scenarios::run(spec)?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

pub(crate) struct Running {
    child: Child,
    time_max: Duration,
}

impl Running {
    pub(crate) fn start(spec: &Spec) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        for proxy in PROXY_VARIABLES {
            command.env_remove(proxy).env_remove(proxy.to_uppercase());
        }
        let child = command
            .arg(options::CLIENT)
            .arg(serde_json::to_string(spec)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self { child, time_max: spec.pace.warm_up + spec.pace.measured + ALLOWANCE })
    }

    /// Waits for its end, or ends it when its time is over.
    pub(crate) fn finish(mut self) -> Outcome<Figures> {
        let deadline = Instant::now() + self.time_max;
        // Held until the end: its closing tells the child that nobody listens any more.
        let _input = self.child.stdin.take();
        let output = collect(self.child.stdout.take());
        let complaints = collect(self.child.stderr.take());
        let rest = deadline.saturating_duration_since(Instant::now());
        let output = output.recv_timeout(rest);
        if output.is_err() {
            self.child.kill()?;
        }
        let status = self.end()?;
        let Ok(output) = output else {
            return Err(format!("not done after {:?}", self.time_max).into());
        };
        if !status.success() {
            let complaints = complaints.recv_timeout(ALLOWANCE).unwrap_or_default();
            return Err(format!("{status}: {}", complaints.trim()).into());
        }
        Ok(serde_json::from_str(output.trim())?)
    }

    /// Its output has ended, so it is about to end or was killed.
    fn end(&mut self) -> Outcome<ExitStatus> {
        Ok(self.child.wait()?)
    }
}

/// Reads a pipe to its end on a thread of its own, because reading has no time limit.
fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut pipe) = pipe {
            // What is not text is no answer; the parser will say so.
            let _ = pipe.read_to_string(&mut text);
        }
        let _ = sender.send(text);
    });
    receiver
}

const PROXY_VARIABLES: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
/// For what is not measured: starting, the slowest download's last turn, ending.
const ALLOWANCE: Duration = Duration::from_secs(60);
