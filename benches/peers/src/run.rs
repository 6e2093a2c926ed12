//! The comparison: for each scenario and number of threads, rounds in which every client has its
//! turn, in an order that rotates.

use std::time::Instant;

use crate::child::Running;
use crate::clients::{note, obstacle, takes_part};
use crate::figures::Figures;
use crate::machine::{Machine, Others};
use crate::options::Options;
use crate::outcome::Outcome;
use crate::report::{self, Row};
use crate::server_process::ServerProcess;
use crate::spec::{ClientKind, Pace, Scenario, Spec};

/// False when a client failed: the others' figures stand all the same.
pub(crate) fn run(options: &Options) -> Outcome<bool> {
    if cfg!(debug_assertions) {
        eprintln!("This build is not optimized: its figures mean nothing.");
    }
    let pace = options.pace();
    let mut machine = Machine::describe(pace.rounds, pace.measured);
    println!(
        "{} processors, {} rounds of {} ms; shown: median and [quartiles] of the rounds\n",
        machine.cpus, machine.rounds, machine.round_ms
    );
    let mut server = ServerProcess::start()?;
    let mut rows: Vec<Row> = Vec::new();
    for &scenario in &options.scenarios {
        for threads in options.threads(scenario) {
            let group = Group { scenario, threads, pace };
            let measured = group.measure(&options.clients, &mut server)?;
            machine.quiet &= report::print(scenario, threads, &measured);
            rows.extend(measured);
            if let Some(file) = &options.json {
                // After each group, so that an interrupted run leaves what it has.
                report::write_json(file, &machine, &rows)?;
            }
        }
    }
    report::print_summary(machine.quiet, &rows);
    Ok(rows.iter().all(|row| row.failed.is_none()))
}

/// The rows that are measured together, round by round.
struct Group {
    scenario: Scenario,
    threads: usize,
    pace: Pace,
}

impl Group {
    fn measure(&self, clients: &[ClientKind], server: &mut ServerProcess) -> Outcome<Vec<Row>> {
        let mut rows: Vec<Row> = clients
            .iter()
            .filter(|&&client| takes_part(client, self.scenario))
            .map(|&client| self.empty_row(client))
            .collect();
        for round in 0..self.pace.rounds {
            for turn in 0..rows.len() {
                let index = (round + turn) % rows.len();
                let row = &mut rows[index];
                if row.unsupported.is_none() && row.failed.is_none() {
                    self.take_turn(row, server)?;
                }
            }
        }
        Ok(rows)
    }

    fn empty_row(&self, client: ClientKind) -> Row {
        Row {
            scenario: self.scenario.name(),
            client: client.name(),
            threads: self.threads,
            note: note(client, self.scenario),
            unsupported: obstacle(client, self.scenario, self.threads),
            failed: None,
            rounds: Vec::new(),
            kind: client,
        }
    }

    /// A client that fails once has no further turn: its rounds would no longer be those of the
    /// others.
    fn take_turn(&self, row: &mut Row, server: &mut ServerProcess) -> Outcome<()> {
        match self.round_of(row.kind, server)? {
            Ok(figures) => row.rounds.push(figures),
            Err(failure) => row.failed = Some(failure.to_string()),
        }
        Ok(())
    }

    /// The outer failure is the server's, the inner one the client's.
    fn round_of(
        &self,
        client: ClientKind,
        server: &mut ServerProcess,
    ) -> Outcome<Outcome<Figures>> {
        let spec = Spec {
            scenario: self.scenario,
            client,
            threads: self.threads,
            pace: self.pace,
            ports: server.ports(),
            ca_pem: server.ca_pem().to_owned(),
        };
        let before = server.stats()?;
        let ours = [std::process::id(), server.id()];
        let others_before = Others::now(&ours);
        let started = Instant::now();
        let running = Running::start(&spec)?;
        let finished = running.finish();
        let elapsed = started.elapsed();
        let others_after = Others::now(&ours);
        let after = server.stats()?;
        Ok(finished.map(|mut figures| {
            let requests = (after.requests - before.requests) as f64;
            let server_cpu_us = (after.cpu_us - before.cpu_us) as f64;
            // A cold herd is one of many in its child.
            let herds = figures.get("herds").copied().unwrap_or(1.0);
            let mut insert = |name: &str, value: f64| figures.insert(name.to_owned(), value);
            insert("connections", (after.connections - before.connections) as f64 / herds);
            insert("handshakes", (after.handshakes - before.handshakes) as f64 / herds);
            insert("unused_connections", (after.unused - before.unused) as f64 / herds);
            if requests > 0.0 {
                insert("server_cpu_us_per_request", server_cpu_us / requests);
            }
            if let (Some(before), Some(after)) = (others_before, others_after) {
                insert(report::OTHERS, after.share_since(&before, elapsed));
            }
            figures
        }))
    }
}
