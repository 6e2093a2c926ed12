//! The command line.

use std::path::PathBuf;

use crate::outcome::Outcome;
use crate::spec::{ClientKind, Pace, Scenario, Spec};

pub(crate) const USAGE: &str = "\
usage: abide-bench [--quick] [--scenarios a,b] [--threads 1,4,16] [--clients abide,ureq,...]
                   [--json FILE]

  --quick      5 short rounds instead of 21 of one second; for a look, not for a result
  --scenarios  get-small get-64k get-1g post-1k tls-get-small h2-get-small h2-get-64k bounded
               cold-herd-h2 cold-herd-h1 idle-memory cancel new-client
               cache-hit cache-hit-disk cache-hit-disk-1m cache-miss
  --threads    numbers of threads (for cancel: of calls in flight); get-1g and new-client
               always use one
  --clients    abide abide+feedback abide+background ureq reqwest isahc curl raw-tcp raw-hyper raw-park
               and for the cache: abide+url abide+uncached read-file
  --json       writes every figure of every round to this file
";

pub(crate) enum Command {
    Help,
    Compare(Options),
    Server,
    Client(Box<Spec>),
}

pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) clients: Vec<ClientKind>,
    pub(crate) json: Option<PathBuf>,
    threads: Option<Vec<usize>>,
}

impl Options {
    pub(crate) fn pace(&self) -> Pace {
        if self.quick { Pace::QUICK } else { Pace::FULL }
    }

    pub(crate) fn threads(&self, scenario: Scenario) -> Vec<usize> {
        match &self.threads {
            Some(chosen) if !scenario.is_for_one_thread() => chosen.clone(),
            _ => scenario.usual_threads().to_vec(),
        }
    }
}

/// The hidden commands by which this program runs itself.
pub(crate) const SERVER: &str = "__server";
pub(crate) const CLIENT: &str = "__client";

pub(crate) fn parse(arguments: &[String]) -> Outcome<Command> {
    match arguments {
        [command] if command == SERVER => Ok(Command::Server),
        [command, spec] if command == CLIENT => {
            Ok(Command::Client(Box::new(serde_json::from_str(spec)?)))
        }
        _ if arguments.iter().any(|argument| argument == "--help" || argument == "-h") => {
            Ok(Command::Help)
        }
        _ => compare(arguments),
    }
}

fn compare(arguments: &[String]) -> Outcome<Command> {
    let mut options = Options {
        quick: false,
        scenarios: Scenario::ALL.iter().map(|row| row.1).collect(),
        clients: ClientKind::ALL.iter().map(|row| row.1).collect(),
        json: None,
        threads: None,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let (name, given) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = || {
            given
                .clone()
                .or_else(|| arguments.next().cloned())
                .ok_or_else(|| format!("{name} needs a value"))
        };
        match name {
            "--quick" => options.quick = true,
            "--scenarios" => options.scenarios = list(&value()?, Scenario::named)?,
            "--clients" => options.clients = list(&value()?, ClientKind::named)?,
            "--threads" => options.threads = Some(list(&value()?, thread_count)?),
            "--json" => options.json = Some(value()?.into()),
            _ => return Err(format!("unknown option {argument}").into()),
        }
    }
    Ok(Command::Compare(options))
}

fn list<T>(text: &str, named: impl Fn(&str) -> Option<T>) -> Outcome<Vec<T>> {
    text.split(',')
        .map(|word| named(word.trim()).ok_or_else(|| format!("what is `{word}`?").into()))
        .collect()
}

fn thread_count(word: &str) -> Option<usize> {
    word.parse().ok().filter(|count| (1..=4096).contains(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Option<Options> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match parse(&arguments) {
            Ok(Command::Compare(options)) => Some(options),
            _ => None,
        }
    }

    #[test]
    fn every_option_is_understood() {
        let line = "--quick --scenarios get-small,cancel --threads=1,64 --clients abide --json f";
        let options = options(line).expect("a valid line");
        assert_eq!(options.pace().rounds, Pace::QUICK.rounds);
        assert_eq!(options.scenarios, [Scenario::GetSmall, Scenario::Cancel]);
        assert_eq!(options.clients, [ClientKind::Abide]);
        assert_eq!(options.threads(Scenario::Cancel), [1, 64]);
        assert_eq!(options.threads(Scenario::Get1g), [1]);
        assert_eq!(options.json, Some(PathBuf::from("f")));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["--fast", "--threads", "--threads 0", "--clients wget", "--scenarios get"] {
            assert!(options(line).is_none(), "{line}");
        }
    }
}
