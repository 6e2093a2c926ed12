//! What an idle connection takes, by a thousand of them.

use std::sync::Barrier;
use std::thread;

use crate::clients::{self, Setup};
use crate::figures::Figures;
use crate::meter;
use crate::outcome::Outcome;
use crate::spec::Spec;
use crate::task::Task;

/// Each thread makes one call, which the server answers when it has them all.
pub(super) fn run(spec: &Spec, task: &Task) -> Outcome<Figures> {
    let client = clients::client(spec.client, &Setup::of(spec, task))?;
    let client = client.as_ref();
    // What so many threads leave behind is not the connections'.
    together(spec.threads, || Ok(()))?;
    let before = meter::resident_bytes().ok_or("the memory of this process is not known")?;
    together(spec.threads, || client.caller(task)?.call())?;
    let after = meter::resident_bytes().unwrap_or(before);
    let mut figures = Figures::new();
    figures.insert("idle_connections".into(), spec.threads as f64);
    figures.insert("bytes_per_connection".into(), (after - before) / spec.threads as f64);
    Ok(figures)
}

fn together(threads: usize, work: impl Fn() -> Outcome<()> + Sync) -> Outcome<()> {
    let gate = Barrier::new(threads);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                let one = thread::Builder::new().stack_size(STACK_BYTES);
                one.spawn_scoped(scope, || {
                    gate.wait();
                    work()
                })
            })
            .collect();
        for thread in threads {
            thread?.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })
}

const STACK_BYTES: usize = 256 << 10;
