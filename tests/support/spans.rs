//! Remembers the spans that one thread is told of by `tracing`.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// A span as it was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    /// The index of the span that it is in.
    pub(crate) parent: Option<usize>,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) is_closed: bool,
    handles: usize,
    entered: usize,
}

impl Span {
    /// The value of a field, as text; empty if it was never told.
    pub(crate) fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

#[derive(Default)]
struct Log {
    spans: Vec<Span>,
    /// Those that each thread has entered, the innermost last.
    stacks: HashMap<ThreadId, Vec<usize>>,
    /// Those that were left before what was entered inside of them. Told when all is done: a panic
    /// would end a lane.
    left_early: Vec<&'static str>,
}

impl Log {
    /// The span that this thread is in.
    fn innermost(&self) -> Option<usize> {
        self.stacks.get(&thread::current().id())?.last().copied()
    }
}

/// What was told while `work` ran on this thread, and what it returned.
#[derive(Clone, Default)]
pub(crate) struct Spans {
    log: Arc<Mutex<Log>>,
    /// What it does besides, if anything, with the name of the span.
    on_enter: Option<Hook>,
    on_exit: Option<Hook>,
}

type Hook = Arc<dyn Fn(&'static str) + Send + Sync>;

impl Spans {
    /// One that runs code whenever a span is entered.
    pub(crate) fn with(on_enter: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        Self { on_enter: Some(Arc::new(on_enter)), ..Self::default() }
    }

    /// One that runs code whenever a span was left.
    pub(crate) fn leaving(on_exit: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        Self { on_exit: Some(Arc::new(on_exit)), ..Self::default() }
    }

    /// Runs `work`; this thread's spans are remembered meanwhile.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        static ARE_KNOWN: LazyLock<()> = LazyLock::new(get_known);
        LazyLock::force(&ARE_KNOWN);
        let done = tracing::subscriber::with_default(self.clone(), work);
        let log = self.log();
        assert!(log.stacks.values().all(Vec::is_empty), "spans are left entered: {:?}", log.spans);
        assert!(log.stacks.keys().all(|id| *id == thread::current().id()), "on other threads");
        assert!(log.left_early.is_empty(), "not in the order of entering: {:?}", log.left_early);
        done
    }

    pub(crate) fn all(&self) -> Vec<Span> {
        self.log().spans.clone()
    }

    /// Those of a name, in the order in which they began.
    pub(crate) fn named(&self, name: &str) -> Vec<Span> {
        self.all().into_iter().filter(|span| span.name == name).collect()
    }

    /// The names of a span and all that it is in, the outermost first.
    pub(crate) fn path(&self, span: &Span) -> Vec<&'static str> {
        let all = self.all();
        let up = std::iter::successors(Some(span), |span| Some(&all[span.parent?]));
        let mut names: Vec<_> = up.map(|span| span.name).collect();
        names.reverse();
        names
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes calls until all spans of one have been told.
///
/// When one thread comes by a span for the first time while another begins to listen, `tracing` may
/// overlook the listener for good; what has been told once is never overlooked again.
fn get_known() {
    let client = abide::Client::builder().no_proxy().build().expect("a client");
    loop {
        let spans = Spans::default();
        // Nobody listens there.
        let refused = tracing::subscriber::with_default(spans.clone(), || {
            client.get("http://127.0.0.1:1/").send().is_err()
        });
        assert!(refused, "somebody listens at port 1");
        if spans.all().len() == 4 {
            return;
        }
    }
}

fn index(id: &Id) -> usize {
    usize::try_from(id.into_u64()).expect("a small number") - 1
}

impl Subscriber for Spans {
    /// Spans of h2 and hyper are no promise of abide's, and entered by whoever drives the connection.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let origin = metadata.target().split("::").next();
        metadata.is_span() && origin != Some("h2") && origin != Some("hyper")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = BTreeMap::new();
        attributes.record(&mut Fields(&mut fields));
        let mut log = self.log();
        let parent = match attributes.parent() {
            Some(parent) => Some(index(parent)),
            None if attributes.is_contextual() => log.innermost(),
            None => None,
        };
        let name = attributes.metadata().name();
        log.spans.push(Span { name, parent, fields, handles: 1, ..Span::default() });
        Id::from_u64(log.spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        values.record(&mut Fields(&mut self.log().spans[index(id)].fields));
    }

    fn enter(&self, id: &Id) {
        let name = {
            let mut log = self.log();
            log.stacks.entry(thread::current().id()).or_default().push(index(id));
            log.spans[index(id)].entered += 1;
            log.spans[index(id)].name
        };
        self.on_enter.iter().for_each(|on_enter| on_enter(name));
    }

    fn exit(&self, id: &Id) {
        let mut log = self.log();
        let name = log.spans[index(id)].name;
        let stack = log.stacks.entry(thread::current().id()).or_default();
        let is_innermost = stack.last() == Some(&index(id));
        if let Some(at) = stack.iter().rposition(|entered| *entered == index(id)) {
            stack.remove(at);
        }
        if !is_innermost {
            log.left_early.push(name);
        }
        drop(log);
        self.on_exit.iter().for_each(|on_exit| on_exit(name));
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.log().spans[index(id)].handles += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut log = self.log();
        let span = &mut log.spans[index(&id)];
        span.handles -= 1;
        span.is_closed = span.handles == 0;
        span.is_closed
    }

    fn event(&self, _: &Event<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
}

struct Fields<'f>(&'f mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}
