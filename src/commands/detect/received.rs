//! Judges reports that come from a file or another program, one after another.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use colored::Colorize;

use super::behaviors::{ProfileBehavior, safe_name};
use super::event::EventContext;
use super::fleet::{Fleet, Forgotten};
use super::read_ahead::ReadAhead;
use super::verdict::{exit_of, show, show_never_judged};
use crate::cli::{DetectArgs, DetectFormat};
use crate::detect::alarms::{BehaviorOutcome, Processed};
use crate::detect::judge::{Coverage, Judgment, judge};
use crate::detect::observation::Rejection;
use crate::detect::profile::Meaning;
use crate::detect::report_parser::ReportError;
use crate::detect::reports::{Place, ReadError, Received, Reports};
use crate::error::{Error, InputError};
use crate::exit::Exit;
use crate::files;
use crate::terminal::{Stdout, Terminal};
use crate::thing::ThingName;

/// An input that stays open this long after its first report is a stream, and the first report is judged at once.
const WAIT_FOR_SECOND: Duration = Duration::from_secs(3);

/// What to do about reports of several things that cannot be told apart safely.
const MANY_THINGS: &str = "run mosquitto_sub with -F %j, or for CBOR with -F '%x %t', instead of -v; or use --trust-devices if \
                           every device is trusted";

/// After this many warnings of a kind, only every hundredth is printed, and the total at the end.
const PRINTED_WARNINGS: u64 = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum WarningKind {
    NoReport,
    Problem,
    Duplicate,
    Late,
    ClockSetBack,
}

pub(super) fn run(
    path: &Path,
    args: &DetectArgs,
    thing_name: Option<&ThingName>,
    behaviors: &[ProfileBehavior],
    terminal: &Terminal,
) -> Result<Exit, Error> {
    let file = files::input_name(path);
    let (thing, trusts_devices) = (thing_name.cloned(), args.trust_devices);
    let items =
        ReadAhead::open(path, move |input| Reports::new(input).of_thing(thing).trusting_devices(trusts_devices))
            .map_err(|error| InputError::unreadable(format!("report: {file}"), &error))?;
    let mut stream = StreamJudge {
        file,
        items,
        behaviors,
        fleet: Fleet::new(behaviors, args.max_things, args.format() == DetectFormat::Table),
        max_things: args.max_things,
        reports: 0,
        warnings: BTreeMap::new(),
        rejections: BTreeSet::new(),
        has_event: false,
        has_windows: behaviors.iter().any(|entry| entry.behavior.rule().is_some_and(|rule| rule.duration.is_some())),
        thing: thing_name.map(ThingName::as_str),
        format: args.format(),
        terminal,
    };
    let Ok(first) = stream.next(None)? else {
        stream.warn_totals();
        let errors = vec![InputError::invalid(&stream.file, "contains no report")];
        let hint = Some("expected the output of `device-defender collect` or `device-defender watch --print`");
        return Err(Error::Input { errors, hint });
    };
    let second = match stream.next(Some(Instant::now() + WAIT_FOR_SECOND))? {
        Err(RecvTimeoutError::Disconnected) => return stream.judge_only(&first),
        second => second.ok(),
    };
    if terminal.write(|_| Ok(()))? == Stdout::Closed {
        return Ok(Exit::Success); // better known now than at the first alarm
    }
    stream.warn_never_judged();
    if args.format() == DetectFormat::Json && show_never_judged(behaviors, terminal)? == Stdout::Closed {
        return Ok(Exit::Success);
    }
    let mut already_read = [Some(first), second].into_iter().flatten();
    loop {
        let received = match already_read.next() {
            Some(received) => Ok(received),
            None => stream.next(None)?,
        };
        let Ok(received) = received else { return stream.finish() };
        if stream.process(&received)? == Stdout::Closed {
            return Ok(Exit::Success);
        }
    }
}

struct StreamJudge<'b> {
    /// The input, in messages.
    file: String,
    items: ReadAhead,
    behaviors: &'b [ProfileBehavior],
    fleet: Fleet<'b>,
    max_things: u32,
    reports: u64,
    warnings: BTreeMap<WarningKind, u64>,
    /// The kinds of reports that the service would reject, as far as they were warned of.
    rejections: BTreeSet<Rejection>,
    has_event: bool,
    /// Whether traffic is summed over time, and no warning was printed yet about a report without a time.
    has_windows: bool,
    /// The thing of reports without a topic.
    thing: Option<&'b str>,
    format: DetectFormat,
    terminal: &'b Terminal,
}

impl StreamJudge<'_> {
    /// Waits for the next report, and warns of its problems and of what is not a report. The outer error: nothing more can be
    /// read.
    fn next(&mut self, deadline: Option<Instant>) -> Result<Result<Received, RecvTimeoutError>, Error> {
        loop {
            let ReadError { place, error } = match self.items.next(deadline) {
                Err(no_item) => return Ok(Err(no_item)),
                Ok(Ok(received)) => {
                    self.warn_of_report(&received);
                    return Ok(Ok(received));
                }
                Ok(Err(error)) => error,
            };
            let input = format!("report: {}", self.file);
            match error {
                ReportError::Read(error) => return Err(InputError::unreadable(input, &error).into()),
                ReportError::SecondThing { .. } => {
                    let errors = vec![InputError::invalid(input, format_args!("{place}: {error}"))];
                    return Err(Error::Input { errors, hint: Some(MANY_THINGS) });
                }
                _ => self.warn(WarningKind::NoReport, place, &format!("{error}; skipped")),
            }
        }
    }

    fn warn_of_report(&mut self, Received { place, observation, .. }: &Received) {
        observation.problems.iter().for_each(|text| self.warn(WarningKind::Problem, *place, text));
        for rejection in &observation.rejections {
            if self.rejections.insert(*rejection) {
                let file = &self.file;
                self.terminal
                    .warn(format_args!("report: {file}: {place}: {rejection}; the service rejects such reports"));
            }
        }
    }

    fn warn(&mut self, kind: WarningKind, place: Place, text: &str) {
        let count = self.warnings.entry(kind).or_default();
        *count += 1;
        let more = match *count {
            ..PRINTED_WARNINGS => "",
            PRINTED_WARNINGS => "; from here on, only every 100th warning of this kind is printed",
            count if count.is_multiple_of(100) => &format!("; warning {count} of this kind"),
            _ => return,
        };
        self.terminal.warn(format_args!("report: {}: {place}: {text}{more}", self.file));
    }

    fn skip(&mut self, kind: WarningKind, place: Place, text: &str) -> Stdout {
        self.warn(kind, place, text);
        Stdout::Open
    }

    /// Prints the total of each kind of warning that was not always printed.
    fn warn_totals(&self) {
        for (kind, count) in self.warnings.iter().filter(|(_, count)| **count > PRINTED_WARNINGS) {
            let what = match kind {
                WarningKind::NoReport => "inputs were not reports and were skipped",
                WarningKind::Problem => "fields were not recognized",
                WarningKind::Duplicate => "reports were skipped as duplicates",
                WarningKind::Late => "reports were skipped as late",
                WarningKind::ClockSetBack => "times, the clock was set back",
            };
            self.terminal.warn(format_args!("report: {}: {count} {what}", self.file));
        }
    }

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

    /// [`Exit::Input`] if reports were skipped because the input is invalid, or things were forgotten.
    fn exit_of_input(&self) -> Exit {
        let is_incomplete = self.fleet.forgotten() != Forgotten::None;
        if is_incomplete || self.warnings.contains_key(&WarningKind::NoReport) { Exit::Input } else { Exit::Success }
    }

    fn judge_only(&self, Received { thing, observation, .. }: &Received) -> Result<Exit, Error> {
        let thing = thing.as_ref().map(ThingName::as_str).or(self.thing);
        let judge = |entry: &ProfileBehavior| judge(&entry.behavior, observation, &Coverage::Assumed);
        let judgments: Vec<Judgment<'_>> = self.behaviors.iter().map(judge).collect();
        show(thing, observation.report_id, self.behaviors, &judgments, None, self.format, self.terminal)?;
        self.warn_totals();
        Ok(exit_of(judgments.iter().any(Judgment::is_violated), self.exit_of_input(), self.behaviors))
    }

    fn process(&mut self, received: &Received) -> Result<Stdout, Error> {
        let Received { place, thing, observation } = received;
        let thing = thing.as_ref().map(ThingName::as_str).or(self.thing);
        // Reports without a thing name may mix several devices, which looks like duplicates and changes of the clock.
        let mixed = match thing {
            Some(_) => "",
            None => "; without topics (mosquitto_sub -F %j), all reports count as one device",
        };
        let had_forgotten = self.fleet.forgotten();
        let processed = self.fleet.process(thing, observation, self.reports + 1);
        if had_forgotten == Forgotten::None && self.fleet.forgotten() != Forgotten::None {
            let what = "the least recently seen are forgotten, with their alarms and counts";
            self.terminal.warn(format_args!(
                "report: {}: {place}: more than {} things (--max-things); {what}",
                self.file, self.max_things
            ));
        }
        let (outcomes, set_back_from) = match processed {
            Processed::Judged { outcomes, set_back_from } => (outcomes, set_back_from),
            Processed::Duplicate => {
                let text = format!("its report_id equals the last one; skipped as a duplicate{mixed}");
                return Ok(self.skip(WarningKind::Duplicate, *place, &text));
            }
            Processed::Late(last) => {
                let text = format!("its report_id is lower than the last one, {last}; skipped as late{mixed}");
                return Ok(self.skip(WarningKind::Late, *place, &text));
            }
        };
        self.reports += 1;
        if let Some(last) = set_back_from {
            let what = "the clock was set back; windows start over";
            let text = format!("its report_id is lower than the last one, {last}: {what}{mixed}");
            self.warn(WarningKind::ClockSetBack, *place, &text);
        }
        if let (Some(id), None) = (observation.report_id, observation.time())
            && std::mem::take(&mut self.has_windows)
        {
            let what = "is not a time in seconds; traffic is not judged over durationSeconds";
            self.warn(WarningKind::Problem, *place, &format!("its report_id {id} {what}"));
        }
        if outcomes.iter().all(|outcome| outcome.events.is_empty()) {
            return Ok(Stdout::Open);
        }
        self.has_event = true;
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
        self.warn_totals();
        let exit = exit_of(self.fleet.in_alarm(), self.exit_of_input(), self.behaviors);
        if self.format == DetectFormat::Table {
            let s = if self.reports == 1 { "" } else { "s" };
            let title = format!("After {} report{s}", self.reports).bold();
            self.terminal.write(|out| {
                let before = if self.has_event { "\n" } else { "" };
                writeln!(out, "{before}{title}\n")?;
                self.fleet.write_table(self.terminal.width(), out)
            })?;
        }
        Ok(exit)
    }
}
