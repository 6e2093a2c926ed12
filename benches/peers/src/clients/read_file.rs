//! No client at all: the same bytes read from a file, which is what a cache on disk cannot beat.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::{Caller, Client};
use crate::outcome::Outcome;
use crate::task::{Kind, Task};

#[derive(Default)]
pub(super) struct ReadFile {
    written: OnceLock<PathBuf>,
}

impl Client for ReadFile {
    fn caller<'a>(&'a self, task: &'a Task) -> Outcome<Box<dyn Caller + 'a>> {
        let Kind::Get(body) = task.kind else { return Err("there is no body to write".into()) };
        let name = format!("abide-bench-{}-file", std::process::id());
        let path = self.written.get_or_init(|| std::env::temp_dir().join(name));
        fs::write(path, body)?;
        Ok(Box::new(OnThread { path, task }))
    }
}

impl Drop for ReadFile {
    fn drop(&mut self) {
        if let Some(path) = self.written.get() {
            // What is left in a folder of the system's goes with the system else.
            drop(fs::remove_file(path));
        }
    }
}

struct OnThread<'a> {
    path: &'a PathBuf,
    task: &'a Task,
}

impl Caller for OnThread<'_> {
    fn call(&mut self) -> Outcome<()> {
        self.task.check_body(&fs::read(self.path)?)
    }
}
