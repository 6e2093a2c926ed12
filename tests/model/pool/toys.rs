//! What the pool knows of the rest of abide, as small as it can be.

pub(crate) mod doorstep {
    use std::task::Context;

    /// Nobody is invited in a model that knows no lanes.
    #[derive(Debug)]
    pub(crate) struct Doorstep;

    #[derive(Debug)]
    pub(crate) struct Invitation;

    impl Doorstep {
        #[expect(clippy::unused_self, reason = "the real one knows it")]
        pub(crate) const fn look(&self, _: &Context<'_>) -> Option<Invitation> {
            None
        }
    }
}

pub(crate) mod environment {
    /// Nothing forks in a model.
    #[derive(Debug)]
    pub(crate) struct OfProcess<T>(T);

    impl<T> OfProcess<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(value)
        }

        pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
            Some(&mut self.0)
        }
    }
}

pub(crate) mod error {
    #[derive(Debug)]
    pub(crate) struct Error;

    #[derive(Clone, Copy, Debug)]
    pub(crate) enum ErrorKind {
        Internal,
    }

    impl ErrorKind {
        pub(crate) const ALL: [Self; 1] = [Self::Internal];
    }

    impl Error {
        pub(crate) fn new(_: ErrorKind, _: &str) -> Self {
            Self
        }

        pub(crate) fn shut_down() -> Self {
            Self
        }

        pub(crate) fn waits_for_itself() -> Self {
            Self
        }
    }
}

pub(crate) mod life {
    #[derive(Debug)]
    pub(crate) struct Life;
}

pub(crate) mod limits {
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Timeouts;

    impl Timeouts {
        pub(crate) const fn none() -> Self {
            Self
        }
    }

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Limits {
        pub(crate) places_per_route: usize,
        pub(crate) places_total: usize,
        pub(crate) dials_total: usize,
    }
}

pub(crate) mod host_options {
    use super::{
        limits::Limits,
        origin::{Origin, Way},
    };

    #[derive(Debug)]
    pub(crate) struct RouteBounds {
        pub(crate) places: usize,
        pub(crate) http2_connections: usize,
        pub(crate) http2_cores: usize,
        pub(crate) dials: usize,
    }

    #[derive(Debug)]
    pub(crate) struct ConnectionOptions;

    impl ConnectionOptions {
        pub(crate) fn bounds(&self, _: &Origin, limits: &Limits) -> RouteBounds {
            let Limits { places_per_route: places, dials_total: dials, .. } = *limits;
            RouteBounds { places, http2_connections: places, http2_cores: places, dials }
        }

        pub(crate) fn knows_http2(&self, _: &Way) -> bool {
            false
        }
    }
}

pub(crate) mod moment {
    use std::{cell::Cell, time::Duration};

    /// Each is later than the one before.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Moment(u64);

    impl Moment {
        pub(crate) const NEVER: Self = Self(u64::MAX);
        pub(crate) const ZERO: Self = Self(0);

        pub(crate) fn now() -> Self {
            NOW.set(NOW.get() + 1);
            Self(NOW.get())
        }

        /// Every limit is over.
        pub(crate) fn plus(self, _: Duration) -> Self {
            self
        }
    }

    std::thread_local! {
        // All threads of an execution are run by one thread of the system.
        static NOW: Cell<u64> = const { Cell::new(0) };
    }
}

pub(crate) mod origin {
    use std::{
        collections::HashMap,
        fmt,
        hash::{BuildHasherDefault, Hash, Hasher},
    };

    use crate::sync::Arc;

    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) struct Origin {
        pub(crate) secure: bool,
        pub(crate) speaks_http2: bool,
        pub(crate) number: usize,
    }

    /// Its order is the same in each execution.
    pub(crate) type ByRoute<T> = HashMap<Route, T, BuildHasherDefault<AsNumbered>>;

    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) struct Way {
        pub(crate) origin: Origin,
    }

    impl Hash for Way {
        fn hash<H: Hasher>(&self, state: &mut H) {
            state.write_usize(self.origin.number);
        }
    }

    #[derive(Debug, Default)]
    pub(crate) struct AsNumbered(u64);

    impl Hasher for AsNumbered {
        fn finish(&self) -> u64 {
            self.0
        }

        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
            }
        }
    }

    impl fmt::Display for Way {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.origin.number.fmt(f)
        }
    }

    impl Way {
        pub(crate) fn negotiates(&self) -> bool {
            self.origin.secure
        }
    }

    pub(crate) type Route = Arc<Way>;
}

pub(crate) mod traffic {
    #[derive(Debug)]
    pub(crate) struct Traffic;

    impl Traffic {
        pub(crate) fn exchanges(&self) -> u64 {
            0
        }

        pub(crate) fn sent(&self) -> u64 {
            0
        }

        pub(crate) fn received(&self) -> u64 {
            0
        }

        pub(crate) fn is_suspect(&self) -> bool {
            false
        }
    }
}

pub(crate) mod watch {
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::moment::Moment;

    /// What it holds is no subject of the model.
    #[derive(Debug)]
    pub(crate) struct Watch {
        turn: AtomicU64,
    }

    impl Watch {
        pub(crate) fn new(_: Option<()>, _: Moment) -> Self {
            Self { turn: AtomicU64::new(0) }
        }

        pub(crate) fn wait_on(&self) {}

        pub(crate) fn turn(&self) -> u64 {
            self.turn.load(Ordering::SeqCst)
        }

        pub(crate) fn set_turn(&self, turn: u64) {
            self.turn.store(turn, Ordering::SeqCst);
        }
    }
}

pub(crate) mod wheel {
    use crate::sync::Arc;

    #[derive(Debug)]
    pub(crate) struct Wheel;

    impl Wheel {
        pub(crate) fn number(&self) -> usize {
            0
        }

        pub(crate) fn is_busy(&self) -> bool {
            false
        }

        pub(crate) fn is_driven(&self) -> bool {
            false
        }

        pub(crate) fn see_to_it(&self) {}

        pub(crate) fn work(self: &Arc<Self>) -> Work {
            Work { _wheel: Arc::clone(self) }
        }
    }

    #[derive(Debug)]
    pub(crate) struct Work {
        _wheel: Arc<Wheel>,
    }
}
