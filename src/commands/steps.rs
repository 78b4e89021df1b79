//! Notices, from a thread of its own, when the main thread does not get on: in a file system that does not respond it waits in
//! the kernel, where no deadline of its own can end it.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use humantime::format_duration;

use crate::error::Error;
use crate::progress::Progress;
use crate::terminal::Terminal;

/// How long a step may go on after the deadline. The network keeps the deadline by itself, and then there is still the state
/// to be saved, and the connection to be closed.
const GRACE: Duration = Duration::from_millis(1500);

/// What the main thread is doing, and until when it may.
pub(super) struct Steps {
    shared: Arc<Shared>,
    timeout: Duration,
}

#[derive(Default)]
struct Shared {
    current: Mutex<Current>,
    changed: Condvar,
}

#[derive(Default)]
struct Current {
    /// What is being done, as the beginning of a message; `None`: nothing that has a limit.
    step: Option<String>,
    /// When the step is overdue.
    due: Option<Instant>,
    deadline: Option<Instant>,
    /// Whether the report was sent, at least in part.
    is_sent: bool,
    was_overdue: bool,
}

impl Shared {
    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Steps {
    /// Calls `overdue`, in another thread, for each step that takes longer than it may. The main thread cannot begin another
    /// step before `overdue` returns.
    pub(super) fn supervise(
        timeout: Duration,
        mut overdue: impl FnMut(&Error) + Send + 'static,
    ) -> Result<Self, Error> {
        let shared = Arc::<Shared>::default();
        let supervised = Arc::clone(&shared);
        let supervise = move || {
            let mut current = supervised.current();
            loop {
                let left = current.due.map(|due| due.saturating_duration_since(Instant::now()));
                current = match (left, current.step.clone()) {
                    (Some(Duration::ZERO), Some(step)) => {
                        overdue(&Error::Overdue { step, timeout, is_sent: current.is_sent });
                        current.was_overdue = true;
                        current.due = None;
                        current
                    }
                    (Some(left), Some(_)) => {
                        supervised.changed.wait_timeout(current, left).unwrap_or_else(PoisonError::into_inner).0
                    }
                    _ => supervised.changed.wait(current).unwrap_or_else(PoisonError::into_inner),
                };
            }
        };
        let spawned = thread::Builder::new().name("steps".to_owned()).spawn(supervise);
        spawned.map_err(|source| Error::System { what: "threads", source })?;
        Ok(Self { shared, timeout })
    }

    /// Starts the timeout, for all the steps that follow. Returns the deadline.
    pub(super) fn start(&self) -> Instant {
        let now = Instant::now();
        let deadline = now.checked_add(self.timeout).unwrap_or(now);
        let mut current = self.shared.current();
        *current = Current { deadline: Some(deadline), was_overdue: current.was_overdue, ..Current::default() };
        deadline
    }

    /// Begins a step, with the beginning of the message should it not end.
    pub(super) fn begin(&self, step: impl Into<String>) {
        let mut current = self.shared.current();
        current.step = Some(step.into());
        current.due =
            current.deadline.map(|deadline| deadline.max(Instant::now())).and_then(|at| at.checked_add(GRACE));
        self.shared.changed.notify_one();
    }

    /// Ends a step that is followed by something without a limit.
    pub(super) fn pause(&self) {
        let mut current = self.shared.current();
        (current.step, current.due) = (None, None);
        self.shared.changed.notify_one();
    }

    /// Shows a person at a terminal what is being done, and how long it may take.
    pub(super) fn progress(&self, terminal: &Terminal) -> Progress {
        let (shared, timeout, start) = (Arc::clone(&self.shared), self.timeout, Instant::now());
        Progress::start(terminal, move || {
            let step = shared.current().step.clone().unwrap_or_else(|| "sending the report".to_owned());
            let (elapsed, timeout) = (Duration::from_secs(start.elapsed().as_secs()), format_duration(timeout));
            format!("{step}: {} of at most {timeout}", format_duration(elapsed))
        })
    }

    /// Notes whether the report was sent, at least in part.
    pub(super) fn set_sent(&self, is_sent: bool) {
        self.shared.current().is_sent = is_sent;
    }

    /// Whether a step was overdue since the last call.
    pub(super) fn take_overdue(&self) -> bool {
        mem::take(&mut self.shared.current().was_overdue)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_step_that_does_not_end_is_reported_once_with_what_it_means_for_the_report() {
        let (sender, overdue) = channel();
        let steps = Steps::supervise(Duration::from_millis(1), move |error| {
            sender.send((error.exit(), error.to_string())).unwrap();
        });
        let steps = steps.unwrap();
        steps.start();
        steps.begin("reading the key");
        let (exit, text) = overdue.recv().unwrap();
        assert_eq!(
            (exit, text.as_str()),
            (Exit::State, "reading the key: not done within --timeout 1ms; nothing was sent")
        );
        steps.set_sent(true);
        steps.begin("saving the state");
        let (exit, text) = overdue.recv().unwrap();
        let expected = "saving the state: not done within --timeout 1ms; the report was sent";
        assert_eq!((exit, text.as_str()), (Exit::TryLater, expected));
        assert!(steps.take_overdue() && !steps.take_overdue());
        assert!(overdue.try_recv().is_err(), "each once");
    }
}
