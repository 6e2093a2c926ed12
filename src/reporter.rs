//! Telling those who want to hear of a call, on its own thread.

use std::time::Duration;

use crate::{
    context::CallContext,
    feedback::{Feedback, Told},
    moment::Moment,
};

/// Calls the listeners of a call's feedback often enough and not too often, and has its observer
/// hear what there is.
#[derive(Debug)]
pub(crate) struct Reporter {
    told: Told,
    next: Moment,
}

impl Reporter {
    pub(crate) const fn new() -> Self {
        Self { told: Told::NOTHING, next: Moment::ZERO }
    }

    /// Whether anybody is to be told now.
    ///
    /// An observer hears nothing before the thread `has_slept`: most calls are over by then, and
    /// telling would take the thread away from its connection.
    pub(crate) fn is_due(&self, cx: &CallContext, has_slept: bool) -> bool {
        self.is_time(cx)
            || (has_slept && cx.observed().is_some_and(|observed| observed.has_news(&cx.watch)))
    }

    fn is_time(&self, cx: &CallContext) -> bool {
        cx.feedback().is_some_and(Feedback::has_listeners) && self.next <= Moment::now()
    }

    /// Tells what is new.
    pub(crate) fn tell(&mut self, cx: &CallContext) {
        if self.is_time(cx) {
            self.next = Moment::now().plus(REPORT_INTERVAL);
            if let Some(feedback) = cx.feedback() {
                feedback.tell(&mut self.told, false);
            }
        }
        cx.tell_observer();
    }

    /// When listeners are to be told next, if there are any; an observer wakes nobody.
    pub(crate) fn next(&self, cx: &CallContext) -> Moment {
        let has_listeners = cx.feedback().is_some_and(Feedback::has_listeners);
        if has_listeners { self.next } else { Moment::NEVER }
    }

    pub(crate) fn tell_the_end(&mut self, cx: &CallContext) {
        if let Some(feedback) = cx.feedback().filter(|feedback| feedback.has_listeners()) {
            feedback.tell(&mut self.told, true);
        }
        cx.tell_observer();
    }
}

const REPORT_INTERVAL: Duration = Duration::from_millis(50);
