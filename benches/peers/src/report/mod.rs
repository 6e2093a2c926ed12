//! What is said about the rows: a table for each group on the screen, and everything as JSON.

mod columns;
mod table;

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::figures::Figures;
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::spec::{ClientKind, Scenario};
use crate::statistics::Quartiles;

#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) client: &'static str,
    pub(crate) threads: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unsupported: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
    /// The round at each index ran together with the others' at the same index.
    pub(crate) rounds: Vec<Figures>,
    #[serde(skip)]
    pub(crate) kind: ClientKind,
}

/// The share of the machine that other processes had.
pub(crate) const OTHERS: &str = "other_cpu_share";

impl Row {
    fn values(&self, figure: &str) -> Vec<f64> {
        self.rounds.iter().filter_map(|round| round.get(figure).copied()).collect()
    }

    fn quartiles(&self, figure: &str) -> Option<Quartiles> {
        Quartiles::of(&self.values(figure))
    }

    /// The other's figure to this one's within each round that both have.
    fn ratios(&self, other: &Self, figure: &str) -> Option<Quartiles> {
        let ratios: Vec<f64> = other
            .rounds
            .iter()
            .zip(&self.rounds)
            .filter_map(|(theirs, ours)| Some(theirs.get(figure)? / ours.get(figure)?))
            .collect();
        Quartiles::of(&ratios)
    }
}

#[derive(Serialize)]
struct Document<'a> {
    machine: &'a Machine,
    rows: &'a [Row],
}

pub(crate) fn write_json(file: &Path, machine: &Machine, rows: &[Row]) -> Outcome<()> {
    let document = Document { machine, rows };
    Ok(fs::write(file, serde_json::to_string_pretty(&document)? + "\n")?)
}

/// Prints the table of one group and says whether the machine was quiet meanwhile.
pub(crate) fn print(scenario: Scenario, threads: usize, rows: &[Row]) -> bool {
    let abide = rows.iter().find(|row| row.kind == ClientKind::Abide && !row.rounds.is_empty());
    let columns = columns::of(scenario);
    let mut lines = vec![columns.iter().map(|column| column.title.to_owned()).collect::<Vec<_>>()];
    for row in rows.iter().filter(|row| !row.rounds.is_empty()) {
        lines.push(columns.iter().map(|column| column.text(row, abide)).collect());
    }
    let rounds = rows.iter().map(|row| row.rounds.len()).max().unwrap_or(0);
    println!("{}, {}, {rounds} rounds", scenario.name(), load(scenario, threads));
    print!("{}", table::aligned(&lines));
    let disturbed: Vec<String> =
        rows.iter().filter_map(|row| disturbance(row, abide, scenario)).collect();
    for row in rows {
        print_remarks(row);
    }
    for sentence in &disturbed {
        println!("  not quiet: {sentence}");
    }
    println!();
    disturbed.is_empty()
}

fn load(scenario: Scenario, threads: usize) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    match scenario {
        Scenario::Cancel => format!("{threads} call{plural} in flight"),
        _ => format!("{threads} thread{plural}"),
    }
}

pub(crate) fn print_summary(quiet: bool, rows: &[Row]) {
    let failed = rows.iter().filter(|row| row.failed.is_some()).count();
    if failed > 0 {
        println!("{failed} rows FAILED; see above.");
    }
    if quiet {
        println!("The machine was quiet.");
    } else {
        println!("The machine was NOT quiet: rows marked so are no result.");
    }
}

fn print_remarks(row: &Row) {
    if let Some(note) = row.note.filter(|_| !row.rounds.is_empty()) {
        println!("  {}: {note}", row.client);
    }
    if let Some(why) = row.unsupported {
        println!("  {}: unsupported, {why}", row.client);
    }
    if let Some(failure) = &row.failed {
        println!("  {}: FAILED in round {}, {failure}", row.client, row.rounds.len() + 1);
    }
}

/// Why the row is not to be trusted. What is compared are ratios; so it is their spread that
/// counts, where there is something to compare with.
fn disturbance(row: &Row, abide: Option<&Row>, scenario: Scenario) -> Option<String> {
    let figure = columns::compared(scenario);
    let spread = match abide.filter(|abide| abide.kind != row.kind) {
        Some(abide) => row.ratios(abide, figure)?.spread(),
        None => row.quartiles(figure)?.spread(),
    };
    let others = row.quartiles(OTHERS).map_or(0.0, |share| share.median);
    let mut reasons = Vec::new();
    if spread > SPREAD_MAX {
        reasons.push(format!("quartiles {:.0} % apart", spread * 100.0));
    }
    if others > OTHERS_MAX {
        reasons.push(format!("other processes had {:.0} % of the machine", others * 100.0));
    }
    (!reasons.is_empty()).then(|| format!("{}, {}", row.client, reasons.join(", ")))
}

const SPREAD_MAX: f64 = 0.15;
const OTHERS_MAX: f64 = 0.05;
