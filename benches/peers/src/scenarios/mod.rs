//! What a child process does with its client, by scenario.

mod bounded;
pub(crate) mod cancel;
mod cold_herd;
mod download;
mod idle_memory;
mod new_client;
mod repeat;
mod tasks;

use crate::figures::Figures;
use crate::outcome::Outcome;
use crate::spec::{ClientKind, Scenario, Spec};
use crate::task::Task;

pub(crate) fn run(spec: &Spec) -> Outcome<Figures> {
    let task = Task::of(spec);
    match (spec.scenario, spec.client) {
        (Scenario::Cancel, _) => cancel::run(spec),
        (Scenario::Get1g, _) => download::run(spec, &task),
        (Scenario::Bounded, _) => bounded::run(spec, &task),
        (Scenario::ColdHerdH1 | Scenario::ColdHerdH2, _) => cold_herd::run(spec, &task),
        (Scenario::IdleMemory, _) => idle_memory::run(spec, &task),
        (Scenario::NewClient, ClientKind::RawHyper) => tasks::new_connections(spec, task),
        (Scenario::NewClient, _) => new_client::run(spec, &task),
        (_, ClientKind::RawHyper) => tasks::repeat(spec, task),
        _ => repeat::run(spec, &task),
    }
}
