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
use super::table::{self, Row, View};
use super::{Judged, exit_of, verdict};
use crate::cli::{DetectArgs, DetectFormat};
use crate::commands::gather;
use crate::detect::judge::{Covers, Judgement, Verdict, judge};
use crate::detect::profile::Behavior;
use crate::detect::reports::{Place, Received, ReportError, Reports};
use crate::detect::stream::{Event, Outcome, Stream};
use crate::exit::{Exit, Failure};
use crate::terminal::{Reader, Terminal};

/// How long the input may stay open after its first report and still be one report.
const ONE: Duration = Duration::from_secs(3);

/// The most things that are told apart, so that memory is bounded.
const MAX_THINGS: usize = 10_000;

type Item = Result<Received, ReportError>;

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
        streams: BTreeMap::new(),
        reports: 0,
        misunderstood: false,
        thing: args.thing_name.as_ref().map(|thing| thing.as_str().to_owned()),
        format: args.format,
        terminal,
    };

    let Some(first) = watch.next(&items)? else {
        let failure = Failure::new(Exit::Input, format!("{}: there is no report in it", watch.file));
        return Err(failure.hint("wanted is what `device-defender collect` or `watch --print` prints"));
    };
    let second = match watch.next_soon(&items)? {
        Soon::End => return watch.judge_only(&first),
        Soon::Report(second) => Some(second),
        Soon::Nothing => None,
    };
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

/// Judging of report after report.
struct Watch<'j> {
    /// The input, in messages.
    file: String,
    judged: &'j [Judged],
    behaviors: &'j [&'j Behavior],
    /// By thing; `None` for reports that do not come with the name of one.
    streams: BTreeMap<Option<String>, Stream<'j>>,
    /// How many reports were judged.
    reports: u64,
    /// Whether anything in the input was passed over because it made no sense.
    misunderstood: bool,
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
                    self.warning(received.place, problem);
                }
                Ok(Some(received))
            }
            Err(ReportError::Read(error)) => Err(unreadable(&self.file, &error)),
            Err(error @ ReportError::Document { .. }) => {
                self.misunderstood = true;
                self.terminal.warning(format_args!("report: {}: {error}; passed over", self.file));
                Ok(None)
            }
        }
    }

    fn warning(&self, place: Place, text: &str) {
        self.terminal.warning(format_args!("report: {}: {place}: {text}", self.file));
    }

    /// Judges the only report there is.
    fn judge_only(&self, received: &Received) -> Result<Exit, Failure> {
        let report_id = received.observation.report_id;
        let judgements: Vec<Judgement> =
            self.behaviors.iter().map(|behavior| judge(behavior, &received.observation, &Covers::Untold)).collect();
        match self.format {
            DetectFormat::Json => verdict::print(report_id, self.judged, &judgements, self.terminal)?,
            DetectFormat::Table => {
                let view = View { width: self.terminal.width(), whose: None };
                self.terminal.result(|out| table::write(report_id, self.judged, &judgements, &view, out))?;
            }
        }
        Ok(match exit_of(&judgements) {
            Exit::Done if self.misunderstood => Exit::Input,
            exit => exit,
        })
    }

    /// Judges one of many reports, and tells the alarms that begin or end with it.
    fn take(&mut self, received: &Received) -> Result<Reader, Failure> {
        let thing = received.thing.as_ref().map(|thing| thing.as_str().to_owned()).or_else(|| self.thing.clone());
        if self.streams.len() >= MAX_THINGS && !self.streams.contains_key(&thing) {
            self.misunderstood = true;
            let text = format!("of one thing more than the {MAX_THINGS} that can be told apart; passed over");
            self.warning(received.place, &text);
            return Ok(Reader::There);
        }
        let stream = self.streams.entry(thing.clone()).or_insert_with(|| Stream::new(self.behaviors));
        let outcome = stream.take(&received.observation);
        let is_judged = matches!(outcome, Outcome::Judged(_) | Outcome::SetBack(..));
        self.reports = self.reports.saturating_add(u64::from(is_judged));
        match outcome {
            Outcome::Judged(events) => self.tell(&events, thing.as_deref(), received),
            Outcome::SetBack(last, events) => {
                let text = format!("its id is far below the last, {last}: the clock was set back, windows begin anew");
                self.warning(received.place, &text);
                self.tell(&events, thing.as_deref(), received)
            }
            Outcome::Repeated => {
                self.warning(received.place, "its id is that of the report before; passed over as a duplicate");
                Ok(Reader::There)
            }
            Outcome::Late(last) => {
                self.warning(received.place, &format!("its id is below the last, {last}; passed over as late"));
                Ok(Reader::There)
            }
        }
    }

    fn tell(&self, events: &[Event], thing: Option<&str>, received: &Received) -> Result<Reader, Failure> {
        if events.is_empty() {
            return Ok(Reader::There);
        }
        let Some(stream) = self.streams.get(&thing.map(str::to_owned)) else { return Ok(Reader::There) };
        self.terminal.event(|out| {
            for event in events {
                let Some((judged, state)) = self.judged.iter().zip(stream.states()).nth(event.behavior) else {
                    continue;
                };
                let report_id = received.observation.report_id;
                let about = About { thing, report_id, judged, judgement: &state.latest };
                event::write(event, &about, self.format, self.terminal.stdout_is_terminal(), out)?;
            }
            Ok(())
        })
    }

    /// Shows where every behaviour stands after the last report.
    fn finish(&self) -> Result<Exit, Failure> {
        let rows = self.rows();
        if self.format == DetectFormat::Table {
            let view = View { width: self.terminal.width(), whose: None };
            let reports = match self.reports {
                1 => "1 report".to_owned(),
                number => format!("{number} reports"),
            };
            self.terminal.result(|out| {
                writeln!(out, "\n{}\n", format!("After {reports}").bold())?;
                table::write_rows(&rows, &view, out)
            })?;
        }
        let in_alarm = rows.iter().any(|row| row.alarm == Some(true));
        let is_invalid = rows.iter().any(|row| row.judgement.verdict == Verdict::Invalid);
        Ok(match (in_alarm, is_invalid || self.misunderstood) {
            (true, _) => Exit::No,
            (false, true) => Exit::Input,
            (false, false) => Exit::Done,
        })
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        for (thing, stream) in &self.streams {
            for (judged, state) in self.judged.iter().zip(stream.states()) {
                let alarm = Some(state.alarm.is_some());
                rows.push(Row { thing: thing.as_deref(), judged, judgement: &state.latest, alarm });
            }
        }
        rows
    }
}
