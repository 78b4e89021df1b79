//! Judges reports that come from a file or another program, one after another.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use colored::Colorize;

use super::behaviors::{ProfileBehavior, safe_name};
use super::event::EventContext;
use super::fleet::LatestRows;
use super::stream::ReportStream;
use super::verdict::{exit_of, show, show_never_judged};
use crate::cli::{DetectArgs, DetectFormat};
use crate::detect::alarms::BehaviorOutcome;
use crate::detect::judge::{Coverage, Judgment, judge};
use crate::detect::profile::Meaning;
use crate::detect::reports::Received;
use crate::error::Error;
use crate::exit::Exit;
use crate::terminal::{Stdout, Terminal};
use crate::thing::ThingName;

/// An input that stays open this long after its first report is a stream, and the first report is judged at once.
const WAIT_FOR_SECOND: Duration = Duration::from_secs(3);

pub(super) fn run(
    path: &Path,
    args: &DetectArgs,
    thing_name: Option<&ThingName>,
    behaviors: &[ProfileBehavior],
    terminal: &Terminal,
) -> Result<Exit, Error> {
    let format = args.format();
    let rows = (format == DetectFormat::Table).then(|| LatestRows::new(terminal.is_quiet()));
    let reports = ReportStream::open(path, args, thing_name, behaviors, rows, terminal)?;
    let mut stream = StreamJudge { reports, behaviors, has_event: false, format, terminal };
    let first = stream.reports.first()?;
    let second = match stream.reports.next(Some(Instant::now() + WAIT_FOR_SECOND))? {
        Err(RecvTimeoutError::Disconnected) => return stream.judge_only(&first),
        second => second.ok(),
    };
    if terminal.write(|_| Ok(()))? == Stdout::Closed {
        return Ok(Exit::Success); // better known now than at the first alarm
    }
    stream.warn_never_judged();
    if format == DetectFormat::Json && show_never_judged(behaviors, terminal)? == Stdout::Closed {
        return Ok(Exit::Success);
    }
    let mut already_read = [Some(first), second].into_iter().flatten();
    loop {
        let received = match already_read.next() {
            Some(received) => Ok(received),
            None => stream.reports.next(None)?,
        };
        let Ok(received) = received else { return stream.finish() };
        if stream.process(&received)? == Stdout::Closed {
            return Ok(Exit::Success);
        }
    }
}

struct StreamJudge<'b> {
    reports: ReportStream<'b>,
    behaviors: &'b [ProfileBehavior],
    has_event: bool,
    format: DetectFormat,
    terminal: &'b Terminal,
}

impl StreamJudge<'_> {
    /// Warns once of the behaviors that no report can be judged by.
    fn warn_never_judged(&self) {
        for ProfileBehavior { label, behavior, .. } in self.behaviors {
            let profile = label.as_ref().map_or_else(String::new, |label| format!("{}: ", safe_name(label)));
            match &behavior.meaning {
                Meaning::Rule(_) => {}
                Meaning::NotJudged(reason) => {
                    self.terminal.warn(format_args!("profile: {profile}{}: never judged: {reason}", behavior.path));
                }
                Meaning::Invalid(faults) => {
                    for fault in faults {
                        self.terminal.warn(format_args!("profile: {profile}{fault}; the behavior is never judged"));
                    }
                }
            }
        }
    }

    fn judge_only(&self, received: &Received) -> Result<Exit, Error> {
        let (thing, observation) = (self.reports.thing_of(received), &received.observation);
        let judge = |entry: &ProfileBehavior| judge(&entry.behavior, observation, &Coverage::Assumed);
        let judgments: Vec<Judgment<'_>> = self.behaviors.iter().map(judge).collect();
        show(thing, observation.report_id, self.behaviors, &judgments, None, self.format, self.terminal)?;
        self.reports.warn_totals();
        Ok(exit_of(judgments.iter().any(Judgment::is_violated), self.reports.exit(), self.behaviors))
    }

    fn process(&mut self, received: &Received) -> Result<Stdout, Error> {
        let Some(outcomes) = self.reports.judge(received) else { return Ok(Stdout::Open) };
        if outcomes.iter().all(|outcome| outcome.events.is_empty()) {
            return Ok(Stdout::Open);
        }
        self.has_event = true;
        let (thing, observation) = (self.reports.thing_of(received), &received.observation);
        let stdout = self.terminal.write(|out| {
            let outcomes = self.behaviors.iter().zip(&outcomes);
            for (number, (entry, BehaviorOutcome { judgment, events, .. })) in (1..).zip(outcomes) {
                let context = EventContext { thing, observation, number, entry, judgment };
                for event in events {
                    context.write(event, self.format, self.terminal, out)?;
                }
            }
            Ok(())
        })?;
        Ok(stdout)
    }

    /// Prints the table of every behavior after the last report.
    fn finish(self) -> Result<Exit, Error> {
        let ReportStream { fleet, reports, .. } = &self.reports;
        self.reports.warn_totals();
        let exit = exit_of(fleet.in_alarm(), self.reports.exit(), self.behaviors);
        let total = fleet.total();
        if self.format == DetectFormat::Table && !(self.terminal.is_quiet() && total.rows == 0) {
            let s = if *reports == 1 { "" } else { "s" };
            let title = format!("After {reports} report{s}").bold();
            self.terminal.write(|out| {
                let before = if self.has_event { "\n" } else { "" };
                writeln!(out, "{before}{title}\n")?;
                fleet.write_table(&total, self.terminal.width(), out)
            })?;
        }
        Ok(exit)
    }
}
