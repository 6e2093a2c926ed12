//! What the lane tells the waiting caller while an exchange runs: phase, times, progress.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    environment::OfProcess,
    feedback::Feedback,
    moment::Moment,
    phase::{PHASES, Phase},
    timings::Timings,
    traffic::Traffic,
    used_connection::UsedConnection,
};

/// Shared by a call and whoever works for it; one per call, used again by each exchange.
#[derive(Debug)]
pub(crate) struct Watch {
    phase: AtomicU8,
    /// When each phase was entered last; zero if it never was.
    entered: [AtomicU64; PHASES],
    /// When the present exchange was asked for.
    asked: AtomicU64,
    /// When the connection was ready that was dialed for the call.
    dialed: AtomicU64,
    ended: AtomicU64,
    /// The number of the last exchange in the row of those who wait; 0 before the first.
    turn: AtomicU64,
    /// When the exchange itself last moved a byte; HTTP/2 streams share their connection's traffic.
    moved: AtomicU64,
    /// What carries the exchange; held for a look or a change only.
    carrier: OfProcess<Mutex<Option<Carrier>>>,
    progress: Option<Meters>,
}

#[derive(Debug)]
struct Carrier {
    traffic: Arc<Traffic>,
    is_alone: bool,
}

#[derive(Debug)]
struct Meters {
    feedback: OfProcess<Feedback>,
    /// Highest position of any attempt, so that a repeated upload is not counted twice.
    upload: AtomicU64,
    download: AtomicU64,
    /// Whether the length of the reply has been said.
    expects_download: AtomicBool,
}

/// Points that an exchange passes, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Dialing,
    Resolved,
    Connected,
    TlsDone,
    Leased,
    Sent,
    FirstByte,
    LastByte,
}

/// Number of stages, for tables indexed by them.
pub(crate) const STAGES: usize = 8;

impl Watch {
    /// That of a call which waits in the queue since then.
    pub(crate) fn new(feedback: Option<Feedback>, began: Moment) -> Self {
        let watch = Self {
            phase: AtomicU8::new(Phase::Queue as u8),
            entered: Default::default(),
            asked: AtomicU64::new(began.nanos()),
            dialed: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            carrier: OfProcess::new(Mutex::new(None)),
            progress: feedback.map(|feedback| Meters {
                feedback: OfProcess::new(feedback),
                upload: AtomicU64::new(0),
                download: AtomicU64::new(0),
                expects_download: AtomicBool::new(false),
            }),
        };
        watch.entered[Phase::Queue as usize].store(began.nanos(), Ordering::Relaxed);
        watch
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::Acquire))]
    }

    pub(crate) fn turn(&self) -> u64 {
        self.turn.load(Ordering::Relaxed)
    }

    pub(crate) fn set_turn(&self, turn: u64) {
        self.turn.store(turn, Ordering::Relaxed);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.entered[phase as usize].store(Moment::now().nanos(), Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Waits on in the queue: a dial has ended and its connection is of no use to the call. The time
    /// that it has waited counts on, however many dials there are.
    pub(crate) fn wait_on(&self) {
        self.phase.store(Phase::Queue as u8, Ordering::Release);
    }

    /// Begins an exchange of the call: nothing of an earlier one counts for its budgets and times.
    pub(crate) fn begin_again(&self) {
        self.carry_by(None);
        self.enter(Phase::Queue);
        self.asked.store(self.entered_at(Phase::Queue).nanos(), Ordering::Relaxed);
    }

    /// Enters `FirstByte` if there is nothing to send but the head: sending takes no time then.
    pub(crate) fn skip_sending(&self) {
        self.advance_at(self.entered_at(Phase::Send), Phase::Send, Phase::FirstByte);
    }

    /// Enters `to` if the phase is still `from`; somebody else may have moved the call on.
    pub(crate) fn advance(&self, from: Phase, to: Phase) {
        if self.phase() == from {
            self.advance_at(Moment::now(), from, to);
        }
    }

    fn advance_at(&self, moment: Moment, from: Phase, to: Phase) {
        self.entered[to as usize].store(moment.nanos(), Ordering::Relaxed);
        let (from, to) = (from as u8, to as u8);
        let _ = self.phase.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    }

    /// A budget ran out: the connection may be dead.
    pub(crate) fn time_out(&self) {
        self.with_carrier(|carrier| carrier.traffic.suspect());
    }

    /// The connection is ready that was dialed for the call, if it still waits for it.
    pub(crate) fn dialed(&self) {
        if !matches!(self.phase(), Phase::Resolve | Phase::Connect | Phase::Tls) {
            return;
        }
        self.dialed.store(Moment::now().nanos(), Ordering::Relaxed);
    }

    /// The exchange is complete, since now.
    pub(crate) fn end(&self) -> Moment {
        self.end_at(Moment::now())
    }

    /// The exchange was complete as soon as the head of its reply was there.
    pub(crate) fn end_with_head(&self) -> Moment {
        self.end_at(self.entered_at(Phase::Body))
    }

    fn end_at(&self, moment: Moment) -> Moment {
        self.ended.store(moment.nanos(), Ordering::Relaxed);
        moment
    }

    /// Says which connection carries the exchange, and whether it carries nothing else.
    pub(crate) fn follow(&self, traffic: &Arc<Traffic>, is_alone: bool) {
        self.carry_by(Some(Carrier { traffic: Arc::clone(traffic), is_alone }));
    }

    fn carry_by(&self, carrier: Option<Carrier>) {
        if let Some(mut present) = self.carrier() {
            *present = carrier;
        }
    }

    fn with_carrier<T>(&self, look: impl FnOnce(&Carrier) -> T) -> Option<T> {
        self.carrier()?.as_ref().map(look)
    }

    /// `None` in a child process, where a lane of the parent may have left it locked.
    fn carrier(&self) -> Option<MutexGuard<'_, Option<Carrier>>> {
        self.carrier.get().map(|carrier| carrier.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn sent(&self, position: u64) {
        self.moved();
        if let Some(meters) = &self.progress {
            let news = advance(&meters.upload, position);
            meters.count(|feedback| feedback.add_sent(news));
        }
    }

    /// Notes that a part of the reply came.
    pub(crate) fn moved(&self) {
        self.moved.store(Moment::now().nanos(), Ordering::Relaxed);
    }

    /// Counts the body of the reply up to `position`, for those who look at the feedback.
    pub(crate) fn received(&self, position: u64) {
        if let Some(meters) = &self.progress {
            let news = advance(&meters.download, position);
            meters.count(|feedback| feedback.add_received(news));
        }
    }

    /// Says how long the body of the reply is, once for a call.
    pub(crate) fn expect_download(&self, total: Option<u64>) {
        if let Some(meters) = &self.progress
            && !meters.expects_download.swap(true, Ordering::Relaxed)
        {
            meters.count(|feedback| feedback.expect_download(total));
        }
    }

    /// `None` if the call has none, or this is a child process: it stays with the parent there.
    pub(crate) fn feedback(&self) -> Option<&Feedback> {
        self.progress.as_ref().and_then(|meters| meters.feedback.get())
    }

    /// Since when the budget of the present phase runs.
    pub(crate) fn running_since(&self, phase: Phase) -> Moment {
        let entered = self.entered_at(phase);
        let moved = Moment::from_nanos(self.moved.load(Ordering::Relaxed));
        match phase {
            Phase::Queue | Phase::Resolve | Phase::Connect | Phase::Tls | Phase::BackOff => entered,
            Phase::FirstByte => entered.max(self.last_sent()),
            Phase::Send => entered.max(moved).max(self.last_sent()),
            // Framing without content is no progress.
            Phase::Body => entered.max(moved),
        }
    }

    fn last_sent(&self) -> Moment {
        let alone = self.with_carrier(|by| by.is_alone.then(|| by.traffic.last_sent()));
        alone.flatten().unwrap_or(Moment::ZERO)
    }

    pub(crate) fn timings(&self, started: Moment, connection: Option<UsedConnection>) -> Timings {
        let asked = Moment::from_nanos(self.asked.load(Ordering::Relaxed));
        let of_exchange = |moment: Moment| (moment >= asked).then(|| moment.since(started));
        let noted =
            |nanos: &AtomicU64| of_exchange(Moment::from_nanos(nanos.load(Ordering::Relaxed)));
        let at = |phase: Phase| of_exchange(self.entered_at(phase));
        // Another's connection may have been free before the dial of the call had ended.
        let is_fresh = connection.is_none_or(|connection| !connection.is_reused);
        let dialed = |phase: Phase| at(phase).filter(|_| is_fresh);
        Timings {
            resolve_started: dialed(Phase::Resolve),
            connect_started: dialed(Phase::Connect),
            tls_started: dialed(Phase::Tls),
            dialed: noted(&self.dialed).filter(|_| is_fresh),
            send_started: at(Phase::Send).unwrap_or(Duration::ZERO),
            sent: at(Phase::FirstByte),
            first_byte: at(Phase::Body),
            last_byte: noted(&self.ended),
            connection,
        }
    }

    /// The stages that the present exchange has passed, and when.
    pub(crate) fn passed(&self) -> impl Iterator<Item = (Stage, Moment)> {
        let asked = Moment::from_nanos(self.asked.load(Ordering::Relaxed));
        let at = |phase: Phase| self.entered_at(phase);
        let has = move |moment: Moment| moment >= asked;
        let dialed = Moment::from_nanos(self.dialed.load(Ordering::Relaxed));
        let ended = Moment::from_nanos(self.ended.load(Ordering::Relaxed));
        let (resolve, connect, tls) = (at(Phase::Resolve), at(Phase::Connect), at(Phase::Tls));
        let (is_looked_up, is_secured) = (has(resolve), has(tls));
        let stages = [
            (Stage::Dialing, if is_looked_up { resolve } else { connect }),
            (Stage::Resolved, if is_looked_up { connect } else { Moment::ZERO }),
            (Stage::Connected, if is_secured { tls } else { dialed }),
            (Stage::TlsDone, if is_secured { dialed } else { Moment::ZERO }),
            (Stage::Leased, at(Phase::Send)),
            (Stage::Sent, at(Phase::FirstByte)),
            (Stage::FirstByte, at(Phase::Body)),
            (Stage::LastByte, ended),
        ];
        stages.into_iter().filter(move |(_, at)| has(*at))
    }

    /// The number of the connection that carries the exchange; 0 if there is none.
    pub(crate) fn connection(&self) -> u64 {
        self.with_carrier(|carrier| carrier.traffic.connection()).unwrap_or(0)
    }

    /// Who is at the other end of it, if there is one and that is known.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.with_carrier(|carrier| carrier.traffic.peer()).flatten()
    }

    fn entered_at(&self, phase: Phase) -> Moment {
        Moment::from_nanos(self.entered[phase as usize].load(Ordering::Relaxed))
    }
}

impl Meters {
    fn count(&self, count: impl FnOnce(&Feedback)) {
        if let Some(feedback) = self.feedback.get() {
            count(feedback);
        }
    }
}

/// Raises `highest` to `position` and tells by how much.
fn advance(highest: &AtomicU64, position: u64) -> u64 {
    position.saturating_sub(highest.fetch_max(position, Ordering::Relaxed))
}
