//! Reports that come from a file or another program, one after another, and the warnings about what is odd in them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

use super::behaviors::ProfileBehavior;
use super::fleet::{Fleet, Forgotten, LatestRows};
use super::read_ahead::ReadAhead;
use crate::cli::DetectArgs;
use crate::detect::alarms::{BehaviorOutcome, Processed};
use crate::detect::observation::Rejection;
use crate::detect::report_parser::ReportError;
use crate::detect::reports::{Place, ReadError, Received, Reports};
use crate::error::{Error, InputError};
use crate::exit::Exit;
use crate::files;
use crate::progress::Progress;
use crate::terminal::Terminal;
use crate::thing::ThingName;

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

pub(super) struct ReportStream<'b> {
    /// The input, in messages.
    pub(super) file: String,
    items: ReadAhead,
    pub(super) fleet: Fleet<'b>,
    max_things: NonZeroU32,
    /// The number of reports that were judged.
    pub(super) reports: u64,
    /// The number of reports that were read, for whoever waits.
    read: Arc<AtomicU64>,
    _progress: Option<Progress>,
    warnings: BTreeMap<WarningKind, u64>,
    /// The kinds of reports that the service would reject, as far as they were warned of.
    rejections: BTreeSet<Rejection>,
    /// Whether traffic is summed over time, and no warning was printed yet about a report without a time.
    has_windows: bool,
    /// The thing of reports without a topic.
    thing: Option<&'b str>,
    terminal: &'b Terminal,
}

impl<'b> ReportStream<'b> {
    /// `rows` is for the table at the end, if there will be one.
    pub(super) fn open(
        path: &Path,
        args: &DetectArgs,
        thing_name: Option<&'b ThingName>,
        behaviors: &'b [ProfileBehavior],
        rows: Option<LatestRows<'b>>,
        terminal: &'b Terminal,
    ) -> Result<Self, Error> {
        let file = files::input_name(path);
        let (thing, trusts_devices) = (thing_name.cloned(), args.trust_devices);
        let items =
            ReadAhead::open(path, move |input| Reports::new(input).of_thing(thing).trusting_devices(trusts_devices))
                .map_err(|error| InputError::unreadable(format!("report: {file}"), &error))?;
        let read = Arc::<AtomicU64>::default();
        // Not where the reports are typed.
        let progress = (!files::is_stdin(path) || !io::stdin().is_terminal()).then(|| {
            let (input, read) = (format!("reading {file}"), Arc::clone(&read));
            Progress::start(terminal, move || format!("{input}: {} reports so far", read.load(Ordering::Relaxed)))
        });
        Ok(Self {
            file,
            items,
            read,
            _progress: progress,
            fleet: Fleet::new(behaviors, args.max_things, rows),
            max_things: args.max_things,
            reports: 0,
            warnings: BTreeMap::new(),
            rejections: BTreeSet::new(),
            has_windows: behaviors
                .iter()
                .any(|entry| entry.behavior.rule().is_some_and(|rule| rule.duration.is_some())),
            thing: thing_name.map(ThingName::as_str),
            terminal,
        })
    }

    /// The thing of a report, if it is known.
    pub(super) fn thing_of<'r>(&self, received: &'r Received) -> Option<&'r str>
    where
        'b: 'r,
    {
        received.thing.as_ref().map(ThingName::as_str).or(self.thing)
    }

    /// Waits for the first report, without which nothing can be done.
    pub(super) fn first(&mut self) -> Result<Received, Error> {
        if let Ok(first) = self.next(None)? {
            return Ok(first);
        }
        self.warn_totals();
        let errors = vec![InputError::invalid(&self.file, "contains no report")];
        let hint = Some("expected the output of `device-defender collect` or `device-defender watch --print`");
        Err(Error::Input { errors, hint })
    }

    /// Waits for the next report, and warns of its problems and of what is not a report. The outer error: nothing more can be
    /// read.
    pub(super) fn next(&mut self, deadline: Option<Instant>) -> Result<Result<Received, RecvTimeoutError>, Error> {
        loop {
            let ReadError { place, error } = match self.items.next(deadline) {
                Err(no_item) => return Ok(Err(no_item)),
                Ok(Ok(received)) => {
                    self.read.fetch_add(1, Ordering::Relaxed);
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

    /// Judges a report. `None`, with a warning, for one that is skipped.
    pub(super) fn judge<'o>(&mut self, received: &'o Received) -> Option<Vec<BehaviorOutcome<'o>>>
    where
        'b: 'o,
    {
        let Received { place, observation, .. } = received;
        let thing = self.thing_of(received);
        // Reports without a thing name may mix several devices, which looks like duplicates and changes of the clock.
        let mixed = match thing {
            Some(_) => "",
            None => "; without topics (mosquitto_sub -F %j), all reports count as one device",
        };
        let had_forgotten = self.fleet.forgotten();
        let processed = self.fleet.process(thing, observation, self.reports + 1);
        if had_forgotten == Forgotten::None && self.fleet.forgotten() != Forgotten::None {
            let what = "the least recently seen are forgotten, with their alarms and counts";
            self.terminal.warn_of_failure(format_args!(
                "report: {}: {place}: more than {} things (--max-things); {what}",
                self.file, self.max_things
            ));
        }
        let (outcomes, set_back_from) = match processed {
            Processed::Judged { outcomes, set_back_from } => (outcomes, set_back_from),
            Processed::Duplicate => {
                let text = format!("its report_id equals the last one; skipped as a duplicate{mixed}");
                self.warn(WarningKind::Duplicate, *place, &text);
                return None;
            }
            Processed::Late(last) => {
                let text = format!("its report_id is lower than the last one, {last}; skipped as late{mixed}");
                self.warn(WarningKind::Late, *place, &text);
                return None;
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
        Some(outcomes)
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

    /// Prints the total of each kind of warning that was not always printed. With `-q`, only what decides the exit code.
    pub(super) fn warn_totals(&self) {
        for (kind, count) in &self.warnings {
            let what = match kind {
                WarningKind::NoReport if self.terminal.is_quiet() => {
                    let were =
                        if *count == 1 { "input was not a report and was" } else { "inputs were not reports and were" };
                    self.terminal.error(format_args!("report: {}: {count} {were} skipped", self.file));
                    continue;
                }
                _ if *count <= PRINTED_WARNINGS => continue,
                WarningKind::NoReport => "inputs were not reports and were skipped",
                WarningKind::Problem => "fields were not recognized",
                WarningKind::Duplicate => "reports were skipped as duplicates",
                WarningKind::Late => "reports were skipped as late",
                WarningKind::ClockSetBack => "times, the clock was set back",
            };
            self.terminal.warn(format_args!("report: {}: {count} {what}", self.file));
        }
    }

    /// [`Exit::Input`] if reports were skipped because the input is invalid, or things were forgotten.
    pub(super) fn exit(&self) -> Exit {
        let is_incomplete = self.fleet.forgotten() != Forgotten::None;
        if is_incomplete || self.warnings.contains_key(&WarningKind::NoReport) { Exit::Input } else { Exit::Success }
    }
}
