//! abide with its defaults; a second time with a feedback and a deadline on every call; a third time
//! with a background thread that moves all bytes.

use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use abide::{
    Cache, Certificate, Client as Connections, Driving, Feedback, Limits, RequestBuilder, Url,
    header,
};

use super::{Caller, Client, Setup, drain};
use crate::outcome::{Failure, Outcome};
use crate::payload;
use crate::scenarios::cancel::{Armed, Armory, InFlight};
use crate::spec::{CacheKind, Spec};
use crate::task::{ACCEPT, Kind, PIECE_LENGTH, POSTED_TYPE, Task, USER_AGENT};

/// What differs from the defaults.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Plain,
    Feedback,
    Background,
    ParsedUrl,
    Uncached,
}

pub(super) fn plain(setup: &Setup) -> Outcome<Abide> {
    Abide::new(setup, Variant::Plain)
}

pub(super) fn with_feedback(setup: &Setup) -> Outcome<Abide> {
    Abide::new(setup, Variant::Feedback)
}

pub(super) fn in_background(setup: &Setup) -> Outcome<Abide> {
    Abide::new(setup, Variant::Background)
}

/// With the URL parsed beforehand.
pub(super) fn with_parsed_url(setup: &Setup) -> Outcome<Abide> {
    Abide::new(setup, Variant::ParsedUrl)
}

/// Without a cache, whatever the scenario is about.
pub(super) fn without_cache(setup: &Setup) -> Outcome<Abide> {
    Abide::new(&Setup { cache: None, ..setup.clone() }, Variant::Uncached)
}

pub(super) struct Abide {
    client: Connections,
    variant: Variant,
}

impl Drop for Abide {
    fn drop(&mut self) {
        // What is left in a folder of the system's goes with the system else.
        drop(std::fs::remove_dir_all(folder()));
    }
}

impl Abide {
    fn new(setup: &Setup, variant: Variant) -> Outcome<Self> {
        let limits = match setup.places {
            Some(places) => {
                Limits::default().places_per_route(places).places_total(places.max(256))
            }
            None => Limits::default(),
        };
        let client = connections(setup, limits, variant)?;
        Ok(Self { client, variant })
    }
}

impl Client for Abide {
    fn caller<'a>(&'a self, task: &'a Task) -> Outcome<Box<dyn Caller + 'a>> {
        let length = if task.kind == Kind::Stream { PIECE_LENGTH } else { 0 };
        let is_parsed = self.variant == Variant::ParsedUrl;
        let url = is_parsed.then(|| Url::parse(&task.url)).transpose()?;
        Ok(Box::new(OnThread { abide: self, task, url, buffer: vec![0; length] }))
    }
}

struct OnThread<'a> {
    abide: &'a Abide,
    task: &'a Task,
    url: Option<Url>,
    buffer: Vec<u8>,
}

impl Caller for OnThread<'_> {
    fn call(&mut self) -> Outcome<()> {
        let (client, url) = (&self.abide.client, &self.task.url);
        if let Some(url) = &self.url {
            return self.answer(client.get(url));
        }
        let mut request = match self.task.kind {
            Kind::Get(_) | Kind::Stream => client.get(url),
            Kind::Post => {
                client.post(url).header(header::CONTENT_TYPE, POSTED_TYPE).body(payload::posted())
            }
        };
        if self.abide.variant == Variant::Feedback {
            request = request.feedback(Feedback::new()).timeout(DEADLINE);
        }
        self.answer(request)
    }
}

impl OnThread<'_> {
    fn answer(&mut self, request: RequestBuilder<'static>) -> Outcome<()> {
        if self.task.kind == Kind::Stream {
            let reply = request.open()?;
            self.task.check_status(reply.status().as_u16())?;
            return drain(reply, &mut self.buffer);
        }
        let reply = request.send()?;
        self.task.check_status(reply.status().as_u16())?;
        self.task.check_body(reply.bytes())
    }
}

fn connections(setup: &Setup, limits: Limits, variant: Variant) -> Outcome<Connections> {
    let driving = match variant {
        Variant::Background => Driving::Background,
        _ => Driving::default(),
    };
    let mut builder = Connections::builder()
        .limits(limits)
        .driving(driving)
        .user_agent(USER_AGENT)
        .default_header(header::ACCEPT, ACCEPT);
    if let Some(pem) = &setup.ca_pem {
        builder = builder.only_root_certificates(Certificate::all_from_pem(pem)?);
    }
    match setup.cache {
        None => {}
        Some(CacheKind::Memory) => builder = builder.cache(Cache::memory(CACHE_BYTES)),
        Some(CacheKind::Disk) => builder = builder.cache(Cache::disk(folder(), CACHE_BYTES)),
    }
    Ok(builder.build()?)
}

/// Of this process alone.
fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("abide-bench-{}", std::process::id()))
}

/// Calls that hang, each with a feedback that is the child of one parent.
pub(super) struct Silent {
    client: Connections,
    task: Task,
    deadline: bool,
    parent: Feedback,
    in_flight: InFlight,
}

impl Silent {
    pub(super) fn new(spec: &Spec, variant: Variant) -> Outcome<Self> {
        let task = Task::of(spec);
        // More calls than the default limits let out at once would wait in the queue: the
        // scenario is about calls that are under way.
        let calls = spec.threads;
        let limits = Limits::default().places_per_route(calls.max(64)).places_total(calls.max(256));
        let client = connections(&Setup::of(spec, &task), limits, variant)?;
        let in_flight = InFlight::at_server(spec)?;
        let deadline = variant == Variant::Feedback;
        Ok(Self { client, task, deadline, parent: Feedback::new(), in_flight })
    }
}

impl Armory for Silent {
    fn arm(&mut self) -> Outcome<Armed> {
        let feedback = self.parent.child();
        let (client, url, deadline) = (self.client.clone(), self.task.url.clone(), self.deadline);
        let heard = feedback.clone();
        let call = move || {
            let mut request = client.get(&url).feedback(&heard);
            if deadline {
                request = request.timeout(DEADLINE);
            }
            match request.send() {
                Err(error) if error.is_cancelled() => Ok(()),
                Err(error) => Err(Failure::from(error)),
                Ok(_) => Err("the silent server answered".into()),
            }
        };
        Ok(Armed { call: Box::new(call), cancel: Box::new(move || feedback.cancel()) })
    }

    fn cancel_all(&mut self, _: Vec<Box<dyn FnOnce()>>) {
        mem::replace(&mut self.parent, Feedback::new()).cancel();
    }

    fn in_flight(&mut self) -> &mut InFlight {
        &mut self.in_flight
    }
}

const CACHE_BYTES: u64 = 64 << 20;
const DEADLINE: Duration = Duration::from_secs(60);
