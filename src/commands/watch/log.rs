//! Progress reporting: systemd gets the state of the service and signs of life, the log a line when something changes.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use super::cycle::Done;
use super::notify;
use crate::commands::steps::Steps;
use crate::delivery::transport::Confirmation;
use crate::error::{Error, ErrorKey};
use crate::progress::{Progress, whole_seconds};
use crate::terminal::Terminal;
use crate::text::{MAX_SHOWN, truncate};
use crate::time::{self, rfc3339};
use crate::warning::{WarningKey, Warnings};

/// The longest wait without a sign of life, and without reading the clock, which shows that the machine was suspended.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A failure that goes on is logged again after this time.
const REMINDER: Duration = Duration::from_secs(86400);

/// How many messages of one failure are logged.
const MESSAGES: usize = 5;

/// What makes two cycles the same to a reader of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    outcome: Result<Done, ErrorKey>,
    warnings: WarningKey,
}

struct LastLogged {
    key: Key,
    is_failure: bool,
    /// How many cycles since then were the same.
    repeated: u64,
    /// When it was logged, as the time since boot.
    at: Duration,
}

pub(super) struct Log<'a> {
    terminal: &'a Terminal,
    steps: &'a Steps,
    watchdog: Option<Duration>,
    last: RefCell<Option<LastLogged>>,
}

impl<'a> Log<'a> {
    pub(super) fn start(terminal: &'a Terminal, steps: &'a Steps) -> Self {
        notify::send("READY=1\nSTATUS=waiting for the first report");
        Self { terminal, steps, watchdog: notify::watchdog(), last: RefCell::new(None) }
    }

    /// Logs when the first report is due, and what is already known to be in its way.
    pub(super) fn first(&self, wait: Duration, interval: Duration, problems: &[String]) {
        if wait.is_zero() {
            return;
        }
        let warnings: String = problems.iter().flat_map(|problem| ["; warning: ", problem]).collect();
        notify::status(&format!("first report at {}{}", moment(wait), truncate(&warnings, MAX_SHOWN)));
        for problem in problems {
            self.terminal.warn(problem);
        }
        let (wait, interval) = (whole_seconds(wait), humantime::format_duration(interval));
        self.terminal.notice(format_args!("first report in {wait}, then every {interval}"));
    }

    /// Shows a person at a terminal when the `first` or `next` report is due, as the time since boot.
    pub(super) fn waiting(&self, which: &'static str, due: Duration) -> Progress {
        Progress::start(self.terminal, move || {
            let left = due.saturating_sub(time::since_boot().unwrap_or_default());
            format!("{which} report in {}", whole_seconds(left))
        })
    }

    /// That this process ends because its token does.
    pub(super) fn leaving(&self) {
        self.terminal
            .error("the nucleus does not accept this component's token any more; ending, so that it is started again");
    }

    pub(super) fn alive(&self) {
        if self.watchdog.is_some() {
            notify::send("WATCHDOG=1");
        }
    }

    pub(super) fn longest_wait(&self) -> Duration {
        self.watchdog.map_or(LONGEST_WAIT, |watchdog| LONGEST_WAIT.min(watchdog.mul_f64(0.5)))
    }

    /// Logs how a cycle ended, if that is news, at the time `now` since boot. The next one is due after `wait`.
    pub(super) fn cycle(
        &self,
        outcome: Result<(Done, u64), &Error>,
        warnings: &Warnings,
        now: Duration,
        wait: Duration,
    ) {
        let text = match outcome {
            Ok((Done::Sent(Confirmation::Accepted), report_id)) => format!("report {report_id} accepted"),
            Ok((Done::Sent(Confirmation::Acknowledged), report_id)) => format!("report {report_id} acknowledged"),
            Ok((Done::Printed, report_id)) => format!("report {report_id} printed"),
            Err(error) => summary(error),
        };
        notify::status(&format!("{}; next at {}", truncate(&text, MAX_SHOWN), moment(wait)));
        let key = Key { outcome: outcome.map(|(done, _)| done).map_err(Error::key), warnings: warnings.key() };
        let mut last = self.last.borrow_mut();
        let was_overdue = self.steps.take_overdue();
        if was_overdue {
            *last = None; // what was logged last is the step
        }
        let is_failure = outcome.is_err_and(|error| !matches!(error, Error::TooSoon));
        let is_same = match last.as_mut() {
            Some(last) => last.key == key && !(is_failure && now.saturating_sub(last.at) >= REMINDER),
            // A line printed as it should be is not news.
            None => !was_overdue && key.outcome == Ok(Done::Printed) && key.warnings.is_empty(),
        };
        if is_same {
            if let Some(last) = last.as_mut() {
                last.repeated += 1;
            }
            if !is_failure {
                self.terminal.info(text);
            }
            return;
        }
        let mut line = text;
        for warning in warnings.texts() {
            line = format!("{line}; warning: {warning}");
        }
        line = with_hint(line, outcome.err());
        if let Some(repeated @ 1..) = last.as_ref().map(|last| last.repeated) {
            let times = if repeated == 1 { "once".to_owned() } else { format!("{repeated} times") };
            line = format!("{line} (previous message repeated {times})");
        }
        let was_failure = was_overdue || last.as_ref().is_some_and(|last| last.is_failure);
        match (is_failure, was_failure) {
            (true, _) => self.terminal.error(line),
            (false, true) => self.terminal.recovered(line),
            (false, false) if warnings.key().is_empty() => self.terminal.notice(line),
            (false, false) => self.terminal.warn_line(line),
        }
        *last = Some(LastLogged { key, is_failure, repeated: 0, at: now });
    }
}

/// Logs that a step does not end. The loop cannot: it is what hangs. It goes on, and logs how, should the step end after all.
/// systemd gets no signs of life meanwhile, and restarts the service when its watchdog says so.
pub(super) fn overdue(error: &Error, terminal: &Terminal) {
    let text = summary(error);
    notify::status(&truncate(&text, MAX_SHOWN));
    terminal.error(with_hint(text, Some(error)));
}

fn with_hint(text: String, error: Option<&Error>) -> String {
    match error.and_then(Error::hint) {
        Some(hint) => format!("{text}; hint: {hint}"),
        None => text,
    }
}

/// The messages of an error in one line.
fn summary(error: &Error) -> String {
    let messages = error.messages();
    let mut text = messages.iter().take(MESSAGES).map(String::as_str).collect::<Vec<_>>().join("; ");
    if let more @ 1.. = messages.len().saturating_sub(MESSAGES) {
        text = format!("{text}; and {more} more");
    }
    text
}

fn moment(wait: Duration) -> String {
    SystemTime::now().checked_add(wait).map_or_else(|| "a time beyond the calendar".to_owned(), rfc3339)
}
