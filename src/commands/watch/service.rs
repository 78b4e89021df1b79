//! What the world hears of the loop: systemd its state and signs of life (`sd_notify(3)`), the log a line when something
//! changes.

use std::cell::{Cell, RefCell};
use std::time::{Duration, SystemTime};

use sd_notify::NotifyState;

use crate::escape::escape;
use crate::exit::Failure;
use crate::terminal::Terminal;
use crate::time::rfc3339;

/// The longest wait without a sign of life, and without a look at the clock, after which a resumed machine is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What is said about a cycle.
pub(super) struct News {
    text: String,
    hint: Option<String>,
    failed: bool,
    /// Whether it is no news when it is the first.
    routine: bool,
    warnings: Vec<String>,
}

impl News {
    /// A report was sent, and taken.
    pub(super) fn went_well(report_id: u64, accepted: bool, warnings: Vec<String>) -> Self {
        let by = if accepted { "accepted" } else { "acknowledged by the broker" };
        Self { text: format!("report {report_id} {by}"), hint: None, failed: false, routine: false, warnings }
    }

    /// A report was printed.
    pub(super) fn printed(report_id: u64, warnings: Vec<String>) -> Self {
        let routine = warnings.is_empty();
        Self { text: format!("report {report_id} printed"), hint: None, failed: false, routine, warnings }
    }

    /// Something went wrong.
    pub(super) fn failed(failure: Failure, warnings: Vec<String>) -> Self {
        Self { text: failure.messages.join("; "), hint: failure.hint, failed: true, routine: false, warnings }
    }

    /// What makes it the same as other news: all but its numbers.
    fn kind(&self) -> String {
        let all = [self.warnings.as_slice(), std::slice::from_ref(&self.text)].concat().join("\n");
        all.replace(|c: char| c.is_ascii_digit(), "")
    }
}

/// The loop as a service.
pub(super) struct Service<'a> {
    terminal: &'a Terminal,
    /// How often systemd wants a sign of life.
    watchdog: Option<Duration>,
    last: RefCell<String>,
    /// How many cycles were like the last one that was told.
    folded: Cell<u64>,
}

impl<'a> Service<'a> {
    /// Begins, and tells systemd that the settings are good.
    pub(super) fn begin(terminal: &'a Terminal) -> Self {
        notify(&[NotifyState::Ready, NotifyState::Status("waiting for the first report")]);
        let watchdog = sd_notify::watchdog_enabled();
        Self { terminal, watchdog, last: RefCell::default(), folded: Cell::default() }
    }

    /// Gives systemd a sign of life.
    pub(super) fn alive(&self) {
        if self.watchdog.is_some() {
            notify(&[NotifyState::Watchdog]);
        }
    }

    /// How long may be waited until the next sign of life.
    pub(super) fn longest_wait(&self) -> Duration {
        self.watchdog.map_or(LONGEST_WAIT, |watchdog| LONGEST_WAIT.min(watchdog.mul_f64(0.5)))
    }

    /// Tells what came of a cycle, and when the next is due.
    pub(super) fn tell(&self, news: &News, wait: Duration) {
        let next = SystemTime::now().checked_add(wait).map_or_else(String::new, rfc3339);
        notify(&[NotifyState::Status(&escape(&format!("{}; next at {next}", news.text)))]);
        let kind = news.kind();
        let last = self.last.replace(kind.clone());
        if last == kind || (last.is_empty() && news.routine) {
            self.folded.set(self.folded.get().saturating_add(1));
            if !news.failed {
                self.terminal.info(&news.text);
            }
            return;
        }
        let mut line = news.text.clone();
        for more in &news.warnings {
            line = format!("{line}; warning: {more}");
        }
        if let Some(hint) = &news.hint {
            line = format!("{line}; hint: {hint}");
        }
        match self.folded.replace(0) {
            0 => {}
            folded => line = format!("{line} (before this, {folded} more cycles ended as the one before)"),
        }
        self.terminal.change(line, news.failed);
    }
}

/// Tells systemd that it is going to end.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Tells systemd, if it is there.
fn notify(state: &[NotifyState<'_>]) {
    let _nobody_there = sd_notify::notify(state);
}
