//! What the observer of a call is going to hear.
//!
//! Events are kept here until the thread of the call has time for them. What a lane does is not
//! told by the lane: it leaves moments in the watch, which the thread turns into events.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    moment::Moment,
    observer::{CallEvent, Happening, Observer},
    watch::{STAGES, Stage, Watch},
};

/// The observer of one call, and what it has not heard yet.
pub(crate) struct Observed {
    observer: Arc<dyn Observer>,
    call: u64,
    parent: Option<u64>,
    started: Moment,
    /// Held for a look or a change.
    place: Mutex<Place>,
    /// Shared with the calls that are made for this one; held for a push or a move, and never while
    /// the observer runs.
    unheard: Arc<Mutex<Vec<CallEvent>>>,
}

/// Where in its tree the call is.
#[derive(Clone, Copy, Default)]
struct Place {
    hop: u32,
    attempt: u32,
    has_ended: bool,
    /// When the stages had been passed that are told.
    told: [Moment; STAGES],
}

impl Observed {
    pub(crate) fn new(observer: &Arc<dyn Observer>, call: u64, started: Moment) -> Self {
        Self {
            observer: Arc::clone(observer),
            call,
            parent: None,
            started,
            place: Mutex::default(),
            unheard: Arc::default(),
        }
    }

    /// That of a call which this one makes for itself.
    #[cfg(feature = "json")]
    pub(crate) fn nested(&self, call: u64, started: Moment) -> Self {
        let (parent, unheard) = (Some(self.call), Arc::clone(&self.unheard));
        Self { parent, unheard, ..Self::new(&self.observer, call, started) }
    }

    /// From now on it is about this hop.
    pub(crate) fn enter_hop(&self, number: u32) {
        let mut place = self.place();
        (place.hop, place.attempt) = (number, 0);
    }

    /// From now on it is about this attempt of the hop.
    pub(crate) fn enter_attempt(&self, number: u32) {
        self.place().attempt = number;
    }

    pub(crate) fn note(&self, what: Happening) {
        let place = *self.place();
        self.add(&place, [(Moment::now(), what)]);
    }

    /// Notes the last thing; what is noted after it is not.
    pub(crate) fn end(&self, watch: &Watch, what: Happening) {
        self.look(watch);
        self.note(what);
        self.place().has_ended = true;
    }

    /// Notes what of the present exchange has happened on its lane.
    pub(crate) fn look(&self, watch: &Watch) {
        let (place, passed) = self.news(watch);
        if passed.is_empty() {
            return;
        }
        let connection = watch.connection();
        let events = passed.into_iter().map(|(stage, at)| match stage {
            Stage::Dialing => (at, Happening::Dialing),
            Stage::Resolved => (at, Happening::Resolved),
            Stage::Connected => (at, Happening::Connected),
            Stage::TlsDone => (at, Happening::TlsDone),
            Stage::Leased => (at, Happening::Leased { connection }),
            Stage::Sent => (at, Happening::Sent),
            Stage::FirstByte => (at, Happening::FirstByte),
            Stage::LastByte => (at, Happening::LastByte),
        });
        self.add(&place, events);
    }

    /// The stages that are not told yet.
    fn news(&self, watch: &Watch) -> (Place, Vec<(Stage, Moment)>) {
        let mut place = self.place();
        let passed = watch.passed().filter(|(stage, at)| place.told[*stage as usize] < *at);
        let passed: Vec<_> = passed.collect();
        passed.iter().for_each(|(stage, at)| place.told[*stage as usize] = *at);
        (*place, passed)
    }

    fn add(&self, place: &Place, events: impl IntoIterator<Item = (Moment, Happening)>) {
        if place.has_ended {
            return;
        }
        let Place { hop, attempt, .. } = *place;
        let (call, parent) = (self.call, self.parent);
        let event = |(at, what): (Moment, Happening)| CallEvent {
            call,
            parent,
            hop,
            attempt,
            at: at.since(self.started),
            what,
        };
        self.unheard().extend(events.into_iter().map(event));
    }

    /// Whether there is something to be heard.
    pub(crate) fn has_news(&self, watch: &Watch) -> bool {
        self.look(watch);
        !self.unheard().is_empty()
    }

    /// Has the observer hear everything.
    pub(crate) fn tell(&self) {
        let events = std::mem::take(&mut *self.unheard());
        events.iter().for_each(|event| self.observer.event(event));
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unheard(&self) -> MutexGuard<'_, Vec<CallEvent>> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("call", &self.call).finish_non_exhaustive()
    }
}
