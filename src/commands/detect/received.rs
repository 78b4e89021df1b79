//! Reports that come from a file or another program, judged one after another.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use colored::Colorize;

use super::event::{self, About};
use super::table::{self, Beside, Row};
use super::{Judged, exit_of, is_any_violated, show};
use crate::cli::{DetectArgs, DetectFormat};
use crate::commands::gather;
use crate::detect::document::Wrong;
use crate::detect::judge::{Covers, Judgement, judge};
use crate::detect::profile::{Behavior, Meaning};
use crate::detect::reports::{NotOne, Place, Received, Reports};
use crate::detect::stream::{Event, Outcome, Stream};
use crate::exit::{Exit, Failure};
use crate::terminal::{Reader, Terminal};

/// How long the input may stay open after its first report and still be one report.
const ONE: Duration = Duration::from_secs(3);

/// The most things that are told apart, so that memory is bounded.
const MAX_THINGS: usize = 10_000;

/// How many warnings of a kind are told one by one; after that every hundredth, and how many there were in the end.
const TOLD: u64 = 5;

type Item = Result<Received, NotOne>;

/// What is warned of, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    NoReport,
    Problem,
    Repeated,
    Late,
    SetBack,
    TooManyThings,
}

/// Judges the reports at `path`.
///
/// # Errors
/// [`Exit::NoInput`] when it cannot be read, [`Exit::Input`] when there is no report in it, [`Exit::Output`] when the
/// verdicts cannot be written.
pub(super) fn run(path: &Path, args: &DetectArgs, judged: &[Judged], terminal: &Terminal) -> Result<Exit, Failure> {
    let file = gather::input_name(path);
    let input = open(path).map_err(|error| unreadable(&file, &error))?;
    let items = read_ahead(input).map_err(|error| unreadable(&file, &error))?;
    let behaviors: Vec<&Behavior> = judged.iter().map(|judged| &judged.behavior).collect();
    let mut watch = Watch {
        file,
        judged,
        behaviors: &behaviors,
        devices: BTreeMap::new(),
        reports: 0,
        warned: BTreeMap::new(),
        has_told: false,
        has_windows: behaviors.iter().any(|behavior| is_over_time(behavior)),
        thing: args.thing_name.as_ref().map(|thing| thing.as_str().to_owned()),
        format: args.format,
        terminal,
    };

    let Some(first) = watch.next(&items)? else {
        watch.tell_warned();
        let failure = Failure::new(Exit::Input, format!("{}: there is no report in it", watch.file));
        return Err(failure.hint("wanted is what `device-defender collect` or `watch --print` prints"));
    };
    let second = match watch.next_soon(&items)? {
        Soon::End => return watch.judge_only(&first),
        Soon::Report(second) => Some(second),
        Soon::Nothing => None,
    };
    watch.warn_of_unjudged();
    let mut read = [Some(first), second].into_iter().flatten();
    while let Some(received) = read.next().map_or_else(|| watch.next(&items), |read| Ok(Some(read)))? {
        if watch.take(&received)? == Reader::Gone {
            return Ok(Exit::Done);
        }
    }
    watch.finish()
}

/// What comes within [`ONE`].
enum Soon {
    Report(Received),
    End,
    Nothing,
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    Ok(Box::new(BufReader::new(File::open(path)?)))
}

fn unreadable(file: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::NoInput, format!("report: {file}: {error}"))
}

/// Reads one report ahead, in a thread of its own, so that waiting for the next has an end.
///
/// # Errors
/// What the system says when there can be no thread.
fn read_ahead(input: Box<dyn BufRead + Send>) -> io::Result<Receiver<Item>> {
    let (sender, receiver): (SyncSender<Item>, _) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || {
        for item in Reports::new(input) {
            if sender.send(item).is_err() {
                break;
            }
        }
    })?;
    Ok(receiver)
}

fn is_over_time(behavior: &Behavior) -> bool {
    matches!(&behavior.meaning, Meaning::Rule(rule) if rule.duration.is_some())
}

/// A device whose reports are judged.
struct Device<'j> {
    stream: Stream<'j>,
    /// What the latest report said of every behaviour, for the table in the end.
    rows: Vec<Row<'j>>,
}

/// Judging of report after report.
struct Watch<'j> {
    /// The input, in messages.
    file: String,
    judged: &'j [Judged],
    behaviors: &'j [&'j Behavior],
    /// By thing; `None` for reports that do not come with the name of one.
    devices: BTreeMap<Option<String>, Device<'j>>,
    /// How many reports were judged.
    reports: u64,
    /// How often was warned of what.
    warned: BTreeMap<Kind, u64>,
    /// Whether an event was told.
    has_told: bool,
    /// Whether traffic is summed over time, and it was not told yet that a report has none.
    has_windows: bool,
    /// The thing of reports that do not come with the name of one.
    thing: Option<String>,
    format: DetectFormat,
    terminal: &'j Terminal,
}

impl Watch<'_> {
    /// Waits for the next report; `None` at the end.
    fn next(&mut self, items: &Receiver<Item>) -> Result<Option<Received>, Failure> {
        while let Ok(item) = items.recv() {
            if let Some(received) = self.understood(item)? {
                return Ok(Some(received));
            }
        }
        Ok(None)
    }

    /// Waits for the next report, but not for long.
    fn next_soon(&mut self, items: &Receiver<Item>) -> Result<Soon, Failure> {
        loop {
            match items.recv_timeout(ONE) {
                Err(RecvTimeoutError::Disconnected) => return Ok(Soon::End),
                Err(RecvTimeoutError::Timeout) => return Ok(Soon::Nothing),
                Ok(item) => {
                    if let Some(received) = self.understood(item)? {
                        return Ok(Soon::Report(received));
                    }
                }
            }
        }
    }

    /// The report, if it is one; what is none is told.
    ///
    /// # Errors
    /// [`Exit::NoInput`] when the input cannot be read any more.
    fn understood(&mut self, item: Item) -> Result<Option<Received>, Failure> {
        match item {
            Ok(received) => {
                for problem in &received.observation.problems {
                    self.warn(Kind::Problem, received.place, problem);
                }
                Ok(Some(received))
            }
            Err(NotOne { wrong: Wrong::Read(error), .. }) => Err(unreadable(&self.file, &error)),
            Err(NotOne { place, wrong }) => {
                self.warn(Kind::NoReport, place, &format!("{wrong}; passed over"));
                Ok(None)
            }
        }
    }

    /// Warns, but not of the same thing again and again.
    fn warn(&mut self, kind: Kind, place: Place, text: &str) {
        let count = self.warned.entry(kind).or_default();
        *count = count.saturating_add(1);
        let more = match *count {
            ..TOLD => "",
            TOLD => "; of this kind only every hundredth is told from here on",
            count if count.is_multiple_of(100) => &format!("; the {count}th of this kind"),
            _ => return,
        };
        self.terminal.warning(format_args!("report: {}: {place}: {text}{more}", self.file));
    }

    /// Says how many warnings there were that were not all told.
    fn tell_warned(&self) {
        for (kind, count) in self.warned.iter().filter(|(_, count)| **count > TOLD) {
            let what = match kind {
                Kind::NoReport => "were no reports, and passed over",
                Kind::Problem => "fields were not understood",
                Kind::Repeated => "reports were passed over as duplicates",
                Kind::Late => "reports were passed over as late",
                Kind::SetBack => "times the clock was set back",
                Kind::TooManyThings => "reports were of too many things, and passed over",
            };
            self.terminal.warning(format_args!("report: {}: {count} {what}", self.file));
        }
    }

    /// Says at the beginning of a stream which behaviours no report will be judged by.
    fn warn_of_unjudged(&self) {
        for Judged { label, behavior, .. } in self.judged {
            let profile = label.as_ref().map_or_else(String::new, |label| format!("{}: ", table::shown(label)));
            match &behavior.meaning {
                Meaning::Rule(_) => {}
                Meaning::NotJudged(reason) => {
                    self.terminal.warning(format_args!("profile: {profile}{}: never judged: {reason}", behavior.path));
                }
                Meaning::Invalid(faults) => {
                    for fault in faults {
                        self.terminal.warning(format_args!("profile: {profile}{fault}; the behavior is never judged"));
                    }
                }
            }
        }
    }

    /// How the input was: [`Exit::Input`] when anything in it was passed over because it made no sense.
    fn exit_of_input(&self) -> Exit {
        let is_bad = [Kind::NoReport, Kind::TooManyThings].iter().any(|kind| self.warned.contains_key(kind));
        if is_bad { Exit::Input } else { Exit::Done }
    }

    /// Judges the only report there is.
    fn judge_only(&self, received: &Received) -> Result<Exit, Failure> {
        let report_id = received.observation.report_id;
        let judgements: Vec<Judgement> =
            self.behaviors.iter().map(|behavior| judge(behavior, &received.observation, &Covers::Assumed)).collect();
        show(report_id, self.judged, &judgements, None, self.format, self.terminal)?;
        self.tell_warned();
        Ok(exit_of(is_any_violated(&judgements), self.exit_of_input(), self.judged))
    }

    /// Judges one of many reports, and tells the alarms that begin or end with it.
    fn take(&mut self, received: &Received) -> Result<Reader, Failure> {
        let thing = received.thing.as_ref().map(|thing| thing.as_str().to_owned()).or_else(|| self.thing.clone());
        if self.devices.len() >= MAX_THINGS && !self.devices.contains_key(&thing) {
            let text = format!("of one thing more than the {MAX_THINGS} that can be told apart; passed over");
            self.warn(Kind::TooManyThings, received.place, &text);
            return Ok(Reader::There);
        }
        // Without names, it may be of another device than it seems.
        let merged = match thing {
            Some(_) => "",
            None => "; without topics (mosquitto_sub -v) all reports count as one device's",
        };
        let new = || Device { stream: Stream::new(self.behaviors), rows: Vec::new() };
        let device = self.devices.entry(thing.clone()).or_insert_with(new);
        let (judgements, events, set_back) = match device.stream.take(&received.observation) {
            Outcome::Judged { judgements, events, set_back } => (judgements, events, set_back),
            Outcome::Repeated => {
                let text = format!("its id is that of the report before; passed over as a duplicate{merged}");
                self.warn(Kind::Repeated, received.place, &text);
                return Ok(Reader::There);
            }
            Outcome::Late(last) => {
                let text = format!("its id is below the last, {last}; passed over as late{merged}");
                self.warn(Kind::Late, received.place, &text);
                return Ok(Reader::There);
            }
        };
        if self.format == DetectFormat::Table {
            let rows = self.judged.iter().zip(&judgements).zip(device.stream.states());
            let row =
                |((judged, judgement), state)| Row::new(judged, judgement, Beside { state: Some(state), whose: None });
            device.rows = rows.map(row).collect();
        }
        self.reports = self.reports.saturating_add(1);
        if let Some(last) = set_back {
            let text = format!("its id is below the last, {last}: the clock was set back, windows begin anew{merged}");
            self.warn(Kind::SetBack, received.place, &text);
        }
        if let (Some(id), None) = (received.observation.report_id, received.observation.time())
            && std::mem::take(&mut self.has_windows)
        {
            let text = format!("its id {id} is no time in seconds, so traffic is not judged over a duration");
            self.warn(Kind::Problem, received.place, &text);
        }
        self.tell(&events, &judgements, thing.as_deref(), received)
    }

    fn tell(
        &mut self,
        events: &[Event],
        judgements: &[Judgement],
        thing: Option<&str>,
        received: &Received,
    ) -> Result<Reader, Failure> {
        if events.is_empty() {
            return Ok(Reader::There);
        }
        self.has_told = true;
        self.terminal.event(|out| {
            for event in events {
                let Some((judged, judgement)) = self.judged.iter().zip(judgements).nth(event.behavior) else {
                    continue;
                };
                let (report_id, time) = (received.observation.report_id, received.observation.time());
                let about = About { thing, report_id, time, judged, judgement };
                event::write(event, &about, self.format, self.terminal.stdout_is_terminal(), out)?;
            }
            Ok(())
        })
    }

    /// Shows where every behaviour stands after the last report.
    fn finish(mut self) -> Result<Exit, Failure> {
        self.tell_warned();
        let mut states = self.devices.values().flat_map(|device| device.stream.states());
        let in_alarm = states.any(|state| state.alarm.is_some());
        let exit = exit_of(in_alarm, self.exit_of_input(), self.judged);
        if self.format == DetectFormat::Table {
            let reports = match self.reports {
                1 => "1 report".to_owned(),
                number => format!("{number} reports"),
            };
            let mut rows = Vec::new();
            for (thing, device) in &mut self.devices {
                rows.extend(device.rows.drain(..).map(|row| row.of(thing.as_deref())));
            }
            self.terminal.result(|out| {
                let before = if self.has_told { "\n" } else { "" };
                writeln!(out, "{before}{}\n", format!("After {reports}").bold())?;
                table::write_rows(&rows, self.terminal.width(), out)
            })?;
        }
        Ok(exit)
    }
}
