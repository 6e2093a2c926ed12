//! isahc: libcurl's multi interface on one background thread.

use isahc::config::Configurable;
use isahc::http::header::{CONTENT_TYPE, USER_AGENT as USER_AGENT_NAME};
use isahc::tls::{TlsConfig, TrustStore};
use isahc::{HttpClient, ReadResponseExt, Request};

use super::{Caller, Client, Setup, drain};
use crate::outcome::Outcome;
use crate::payload;
use crate::task::{Kind, PIECE_LENGTH, POSTED_TYPE, Task, USER_AGENT};

pub(super) struct Isahc {
    client: HttpClient,
}

impl Isahc {
    pub(super) fn new(setup: &Setup) -> Outcome<Self> {
        let mut builder = HttpClient::builder()
            .default_header(USER_AGENT_NAME, USER_AGENT)
            // Without it `accept-encoding` is sent, which the others do not do here.
            .automatic_decompression(false)
            .connection_cache_size(setup.threads);
        if let Some(places) = setup.places {
            builder = builder.max_connections_per_host(places);
        }
        if let Some(pem) = &setup.ca_pem {
            let store = TrustStore::builder().certificate_from_pem(pem).build();
            builder = builder.tls_config(TlsConfig::builder().trust_store(store).build());
        }
        Ok(Self { client: builder.build()? })
    }
}

impl Client for Isahc {
    fn caller<'a>(&'a self, task: &'a Task) -> Outcome<Box<dyn Caller + 'a>> {
        let length = if task.kind == Kind::Stream { PIECE_LENGTH } else { 0 };
        Ok(Box::new(OnThread { client: &self.client, task, buffer: vec![0; length] }))
    }
}

struct OnThread<'a> {
    client: &'a HttpClient,
    task: &'a Task,
    buffer: Vec<u8>,
}

impl Caller for OnThread<'_> {
    fn call(&mut self) -> Outcome<()> {
        let url = self.task.url.as_str();
        let mut reply = match self.task.kind {
            Kind::Get(_) | Kind::Stream => self.client.get(url)?,
            Kind::Post => {
                let request = Request::post(url).header(CONTENT_TYPE, POSTED_TYPE);
                self.client.send(request.body(payload::posted())?)?
            }
        };
        self.task.check_status(reply.status().as_u16())?;
        if self.task.kind == Kind::Stream {
            return drain(reply.body_mut(), &mut self.buffer);
        }
        self.task.check_body(&reply.bytes()?)
    }
}
