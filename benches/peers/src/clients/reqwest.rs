//! reqwest's blocking client: one background thread does the input and output of all.

use reqwest::blocking::Client as Connections;
use reqwest::header::CONTENT_TYPE;
use reqwest::tls::Certificate;

use super::{Caller, Client, Setup, drain};
use crate::outcome::Outcome;
use crate::payload;
use crate::task::{Kind, PIECE_LENGTH, POSTED_TYPE, Task, USER_AGENT};

/// Sends the same `accept` as the others by itself, and keeps any number of idle connections.
pub(super) struct Reqwest {
    client: Connections,
}

impl Reqwest {
    pub(super) fn new(setup: &Setup) -> Outcome<Self> {
        let mut builder = Connections::builder().user_agent(USER_AGENT);
        if let Some(pem) = &setup.ca_pem {
            builder = builder.tls_certs_only([Certificate::from_pem(pem)?]);
        }
        Ok(Self { client: builder.build()? })
    }
}

impl Client for Reqwest {
    fn caller<'a>(&'a self, task: &'a Task) -> Outcome<Box<dyn Caller + 'a>> {
        let length = if task.kind == Kind::Stream { PIECE_LENGTH } else { 0 };
        Ok(Box::new(OnThread { client: &self.client, task, buffer: vec![0; length] }))
    }
}

struct OnThread<'a> {
    client: &'a Connections,
    task: &'a Task,
    buffer: Vec<u8>,
}

impl Caller for OnThread<'_> {
    fn call(&mut self) -> Outcome<()> {
        let url = self.task.url.as_str();
        let reply = match self.task.kind {
            Kind::Get(_) | Kind::Stream => self.client.get(url).send()?,
            Kind::Post => self
                .client
                .post(url)
                .header(CONTENT_TYPE, POSTED_TYPE)
                .body(payload::posted())
                .send()?,
        };
        self.task.check_status(reply.status().as_u16())?;
        if self.task.kind == Kind::Stream {
            return drain(reply, &mut self.buffer);
        }
        self.task.check_body(&reply.bytes()?)
    }
}
