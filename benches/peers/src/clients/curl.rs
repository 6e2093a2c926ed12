//! libcurl's easy interface, one handle per thread.

use curl::easy::{Easy2, Handler, List, WriteError};

use super::{Caller, Client, Setup};
use crate::outcome::{Failure, Outcome};
use crate::payload::{self, Checker};
use crate::task::{Kind, PIECE_LENGTH, POSTED_TYPE, Task, USER_AGENT};

pub(super) struct Curl {
    ca_pem: Option<Vec<u8>>,
}

impl Curl {
    pub(super) fn new(setup: &Setup) -> Self {
        curl::init();
        Self { ca_pem: setup.ca_pem.clone() }
    }
}

impl Client for Curl {
    fn caller<'a>(&'a self, task: &'a Task) -> Outcome<Box<dyn Caller + 'a>> {
        let mut easy = Easy2::new(Received::default());
        easy.url(&task.url)?;
        easy.useragent(USER_AGENT)?;
        if let Some(pem) = &self.ca_pem {
            easy.ssl_cainfo_blob(pem)?;
        }
        match task.kind {
            Kind::Get(_) => {}
            Kind::Post => {
                let mut headers = List::new();
                headers.append(&format!("Content-Type: {POSTED_TYPE}"))?;
                easy.http_headers(headers)?;
                easy.post(true)?;
                easy.post_fields_copy(payload::posted())?;
            }
            Kind::Stream => easy.buffer_size(PIECE_LENGTH)?,
        }
        Ok(Box::new(OnThread { easy, task }))
    }
}

struct OnThread<'a> {
    easy: Easy2<Received>,
    task: &'a Task,
}

impl Caller for OnThread<'_> {
    fn call(&mut self) -> Outcome<()> {
        let received = self.easy.get_mut();
        received.body.clear();
        received.stream = (self.task.kind == Kind::Stream).then(Checker::default);
        let performed = self.easy.perform();
        if let Some(wrong) = self.easy.get_mut().wrong.take() {
            return Err(wrong);
        }
        performed?;
        self.task.check_status(u16::try_from(self.easy.response_code()?)?)?;
        match self.easy.get_mut().stream.take() {
            Some(checker) => checker.finish(payload::LARGE_LENGTH),
            None => self.task.check_body(&self.easy.get_ref().body),
        }
    }
}

#[derive(Default)]
struct Received {
    body: Vec<u8>,
    stream: Option<Checker>,
    wrong: Option<Failure>,
}

impl Handler for Received {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        match &mut self.stream {
            None => self.body.extend_from_slice(data),
            Some(checker) => {
                if let Err(wrong) = checker.check(data) {
                    self.wrong = Some(wrong);
                    return Ok(0);
                }
            }
        }
        Ok(data.len())
    }
}
