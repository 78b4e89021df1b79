//! What the world hears of the loop: systemd its state and signs of life, the log a line when something changes.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use super::notify;
use crate::escape::shortened;
use crate::exit::Failure;
use crate::terminal::Terminal;
use crate::time::{self, rfc3339};

/// The longest wait without a sign of life, and without a look at the clock, after which a resumed machine is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A failure that goes on is told again after this time.
const REMINDER: Duration = Duration::from_secs(86400);

/// How many messages of one failure are told.
const MESSAGES: usize = 5;

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
        let more = failure.messages.len().saturating_sub(MESSAGES);
        let mut text = failure.messages.into_iter().take(MESSAGES).collect::<Vec<_>>().join("; ");
        if more > 0 {
            text = format!("{text}; and {more} more");
        }
        Self { text, hint: failure.hint, failed: true, routine: false, warnings }
    }

    /// What makes it the same as other news: all of its words but those with a digit in them, which are numbers, addresses
    /// and identifiers.
    fn kind(&self) -> String {
        let all = self.warnings.iter().chain([&self.text]);
        let words = all.flat_map(|text| text.split([' ', ',', ';', '(', ')']));
        let words = words.filter(|word| !word.is_empty() && !word.contains(|c: char| c.is_ascii_digit()));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The loop as a service.
pub(super) struct Service<'a> {
    terminal: &'a Terminal,
    /// How often systemd wants a sign of life.
    watchdog: Option<Duration>,
    /// What was told last.
    last: RefCell<Told>,
}

/// What was told of a cycle.
#[derive(Default)]
struct Told {
    kind: String,
    failed: bool,
    /// How many cycles were like it since.
    folded: u64,
    /// When it was told, on the clock of the schedule.
    at: Duration,
}

impl<'a> Service<'a> {
    /// Begins, and tells systemd that the settings are good.
    pub(super) fn begin(terminal: &'a Terminal) -> Self {
        notify::ready();
        Self { terminal, watchdog: notify::watchdog(), last: RefCell::default() }
    }

    /// Tells how long the first report is waited for.
    pub(super) fn first(&self, wait: Duration, interval: Duration) {
        if wait.is_zero() {
            return;
        }
        notify::status(&format!("first report at {}", moment(wait)));
        let whole = Duration::from_secs(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)));
        let (wait, interval) = (humantime::format_duration(whole), humantime::format_duration(interval));
        self.terminal.notice(format_args!("first report in {wait}, then every {interval}"));
    }

    /// Gives systemd a sign of life.
    pub(super) fn alive(&self) {
        if self.watchdog.is_some() {
            notify::alive();
        }
    }

    /// How long may be waited until the next sign of life.
    pub(super) fn longest_wait(&self) -> Duration {
        self.watchdog.map_or(LONGEST_WAIT, |watchdog| LONGEST_WAIT.min(watchdog.mul_f64(0.5)))
    }

    /// Tells that another run reported less than an interval ago.
    pub(super) fn postponed(&self, wait: Duration) {
        let text = "another run reported less than an interval ago".to_owned();
        self.tell(&News { text, hint: None, failed: false, routine: false, warnings: Vec::new() }, wait);
    }

    /// Tells what came of a cycle, and when the next is due.
    pub(super) fn tell(&self, news: &News, wait: Duration) {
        notify::status(&format!("{}; next at {}", shortened(&news.text), moment(wait)));
        let mut last = self.last.borrow_mut();
        let (kind, now) = (news.kind(), time::since_boot());
        let is_same = last.kind == kind || (last.kind.is_empty() && news.routine);
        let is_due = news.failed && now.saturating_sub(last.at) >= REMINDER;
        if is_same && !is_due {
            last.folded = last.folded.saturating_add(1);
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
        match last.folded {
            0 => {}
            folded => line = format!("{line} (what was told before came {folded} more times)"),
        }
        self.terminal.change(line, news.failed || last.failed);
        *last = Told { kind, failed: news.failed, folded: 0, at: now };
    }
}

/// The time after a wait, for people.
fn moment(wait: Duration) -> String {
    SystemTime::now().checked_add(wait).map_or_else(|| "a time far away".to_owned(), rfc3339)
}
