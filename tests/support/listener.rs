//! Listens to everything that is told by `tracing` in this process, for words that must not be.

use std::{
    fmt::{Debug, Write},
    sync::{Mutex, OnceLock, PoisonError},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// The words that no event or span may contain, and those that did.
#[derive(Default)]
struct Heard {
    forbidden: Vec<String>,
    breaches: Vec<String>,
    /// How many events and spans were heard while there were forbidden words.
    count: usize,
}

static HEARD: Mutex<Heard> =
    Mutex::new(Heard { forbidden: Vec::new(), breaches: Vec::new(), count: 0 });

/// Begins to listen, if nobody has yet, for a word that is a secret of one test.
pub(crate) fn forbid(word: &str) {
    static LISTENS: OnceLock<()> = OnceLock::new();
    LISTENS.get_or_init(|| {
        tracing::subscriber::set_global_default(Listener).expect("nobody else listens");
    });
    heard(|heard| heard.forbidden.push(word.to_owned()));
}

/// Fails if the word was told by anything, or if nothing was told at all.
#[track_caller]
pub(crate) fn assert_untold(word: &str) {
    let (breaches, count) = heard(|heard| {
        let of_word = heard.breaches.iter().filter(|text| text.contains(word));
        (of_word.cloned().collect::<Vec<_>>(), heard.count)
    });
    assert!(breaches.is_empty(), "told: {breaches:#?}");
    assert!(count > 0, "nothing was told, so nothing was tested");
}

fn heard<T>(change: impl FnOnce(&mut Heard) -> T) -> T {
    change(&mut HEARD.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Listener;

impl Listener {
    fn hear(text: &str) {
        heard(|heard| {
            heard.count += usize::from(!heard.forbidden.is_empty());
            if heard.forbidden.iter().any(|word| text.contains(word)) {
                heard.breaches.push(text.to_owned());
            }
        });
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut text = Text::default();
        attributes.record(&mut text);
        Self::hear(&text.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut text = Text::default();
        values.record(&mut text);
        Self::hear(&text.0);
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        Self::hear(&text.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}
