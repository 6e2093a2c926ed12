//! ureq: all of its input and output happens on the calling thread.

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::{Caller, Client, Setup, drain};
use crate::outcome::Outcome;
use crate::payload;
use crate::scenarios::cancel::{Armed, Armory, InFlight};
use crate::spec::Spec;
use crate::task::{ACCEPT, Kind, PIECE_LENGTH, POSTED_TYPE, Task, USER_AGENT};

pub(super) struct Ureq {
    agent: Agent,
}

impl Ureq {
    pub(super) fn new(setup: &Setup) -> Outcome<Self> {
        Ok(Self { agent: agent(setup)? })
    }
}

impl Client for Ureq {
    fn caller<'a>(&'a self, task: &'a Task) -> Outcome<Box<dyn Caller + 'a>> {
        let length = if task.kind == Kind::Stream { PIECE_LENGTH } else { 0 };
        Ok(Box::new(OnThread { agent: &self.agent, task, buffer: vec![0; length] }))
    }
}

struct OnThread<'a> {
    agent: &'a Agent,
    task: &'a Task,
    buffer: Vec<u8>,
}

impl Caller for OnThread<'_> {
    fn call(&mut self) -> Outcome<()> {
        let url = self.task.url.as_str();
        let mut reply = match self.task.kind {
            Kind::Get(_) | Kind::Stream => self.agent.get(url).call()?,
            Kind::Post => self.agent.post(url).content_type(POSTED_TYPE).send(payload::posted())?,
        };
        self.task.check_status(reply.status().as_u16())?;
        if self.task.kind == Kind::Stream {
            return drain(reply.body_mut().as_reader(), &mut self.buffer);
        }
        self.task.check_body(&reply.body_mut().read_to_vec()?)
    }
}

fn agent(setup: &Setup) -> Outcome<Agent> {
    let mut config = Agent::config_builder()
        .user_agent(USER_AGENT)
        .accept(ACCEPT)
        .max_idle_connections(setup.threads)
        .max_idle_connections_per_host(setup.threads);
    if let Some(pem) = &setup.ca_pem {
        let roots = RootCerts::new_with_certs(&[Certificate::from_pem(pem)?]);
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    Ok(config.build().new_agent())
}

/// Calls that hang. Only a whole agent can be shut down, so each has its own.
pub(super) struct Silent {
    task: Task,
    setup: Setup,
    in_flight: InFlight,
}

impl Silent {
    pub(super) fn new(spec: &Spec) -> Outcome<Self> {
        let task = Task::of(spec);
        let setup = Setup { threads: 1, places: None, ca_pem: None, cache: None };
        Ok(Self { task, setup, in_flight: InFlight::at_server(spec)? })
    }
}

impl Armory for Silent {
    fn arm(&mut self) -> Outcome<Armed> {
        let agent = agent(&self.setup)?;
        let request = agent.get(&self.task.url);
        let call = move || match request.call() {
            Err(_) => Ok(()),
            Ok(_) => Err("the silent server answered".into()),
        };
        Ok(Armed { call: Box::new(call), cancel: Box::new(move || agent.shutdown()) })
    }

    fn in_flight(&mut self) -> &mut InFlight {
        &mut self.in_flight
    }
}
