//! Reports one after another: from a file, from `watch --print`, from `mosquitto_sub`.
//!
//! The first byte or line that is not blank decides the [form](super::framing). **CBOR** begins with a map, or with a tag
//! before it: one report directly after the other. Everything else is lines of text. A report in JSON is on one line, as
//! `watch --print` and `collect` write it, or on several, as `jq` does, and then only its first line begins with `{` without a
//! blank before it. A message with its topic is on one line.
//!
//! Invalid input is an error with its place and is skipped. After invalid CBOR the next report cannot be found. Memory is
//! bounded by [`MAX_REPORT`] and [`MAX_LINE`].

use std::io::{BufRead, ErrorKind, Read};
use std::mem;

use super::framing::{Form, JsonDepth, Topic, is_hex, split_hex};
use super::observation::Observation;
use super::report_parser::{MAX_REPORT, ReportError};
use crate::files::without_byte_order_mark;
use crate::report::encode::Encoding;
use crate::thing::ThingName;

/// The most bytes of a line: every byte of a report may take two, and the topic up to 64 KiB of its own.
const MAX_LINE: usize = 2 * MAX_REPORT + (128 << 10);

#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub place: Place,
    /// The thing in the topic, if there is one.
    pub thing: Option<ThingName>,
    pub observation: Observation,
}

/// Where a report begins: the line of JSON, or the number of the CBOR report, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Line(u64),
    Report(u64),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Report(number) => write!(f, "report {number}"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{place}: {error}")]
pub struct ReadError {
    pub(crate) place: Place,
    pub error: ReportError,
}

#[derive(Debug)]
pub struct Reports<R> {
    input: R,
    form: Option<Form>,
    /// The only thing whose reports are accepted: as given, or in [`Form::Topic`] the first.
    thing: Option<ThingName>,
    trusts_devices: bool,
    lines: u64,
    documents: u64,
    line: Vec<u8>,
    /// Whether `line` was read but belongs to the next report.
    line_is_next: bool,
    done: bool,
}

/// A line that is not a report, or the thing of a report and what was read of it.
type LineResult = Result<(Option<ThingName>, Observation), ReportError>;

impl<R: BufRead> Reports<R> {
    pub fn new(input: R) -> Self {
        let (form, thing, line) = (None, None, Vec::new());
        Self {
            input,
            form,
            thing,
            trusts_devices: false,
            lines: 0,
            documents: 0,
            line,
            line_is_next: false,
            done: false,
        }
    }

    /// Accepts only reports of this thing, unless they do not name one.
    #[must_use]
    pub fn of_thing(self, thing: Option<ThingName>) -> Self {
        Self { thing, ..self }
    }

    /// Believes the topic of every line, although a report can contain lines with other topics.
    #[must_use]
    pub fn trusting_devices(self, trusts_devices: bool) -> Self {
        Self { trusts_devices, ..self }
    }

    fn read(&mut self) -> Result<Option<Received>, ReadError> {
        let form = match self.form {
            Some(form) => form,
            None => match self.first_form()? {
                Some(form) => *self.form.insert(form),
                None => return Ok(None),
            },
        };
        if form == Form::Cbor { self.read_cbor() } else { self.read_text(form) }
    }

    fn first_form(&mut self) -> Result<Option<Form>, ReadError> {
        loop {
            // No other white space: without a payload, a line of `Form::Hex` begins with a blank.
            match self.first_byte(|byte| matches!(byte, b'\r' | b'\n'))? {
                None => return Ok(None),
                Some(0xa0..=0xbf | 0xd9) => return Ok(Some(Form::Cbor)), // RFC 8949: maps are 0xa0 to 0xbf, the tag for CBOR 0xd9d9f7
                Some(_) => {}
            }
            if let Err(error) = self.next_line() {
                // Otherwise the second line would decide, and with `-v` the sender of the first report could choose it.
                self.form = Some(Form::of_line(&self.line)).filter(|&form| form == Form::Topic);
                return fail(self.place(), error);
            }
            if !self.line.trim_ascii().is_empty() {
                self.line_is_next = true;
                return Ok(Some(Form::of_line(&self.line)));
            }
        }
    }

    /// Skips bytes and peeks at the next one; `None` at the end.
    fn first_byte(&mut self, skipped: fn(&u8) -> bool) -> Result<Option<u8>, ReadError> {
        loop {
            match self.input.fill_buf().map(|bytes| bytes.first().copied()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return fail(self.place(), error),
                Ok(Some(blank)) if skipped(&blank) => {
                    self.lines += u64::from(blank == b'\n');
                    self.input.consume(1);
                }
                Ok(first) => return Ok(first),
            }
        }
    }

    /// Reads a report in CBOR. The line ends that `mosquitto_sub` prints before it would by themselves be CBOR numbers.
    fn read_cbor(&mut self) -> Result<Option<Received>, ReadError> {
        if self.first_byte(u8::is_ascii_whitespace)?.is_none() {
            return Ok(None);
        }
        self.documents += 1;
        match Observation::from_cbor(&mut self.input) {
            Ok(observation) => Ok(Some(Received { place: self.place(), thing: None, observation })),
            Err(error) => {
                self.done = !error.is_complete(); // the next report cannot be found
                fail(self.place(), error)
            }
        }
    }

    /// Reads the report or the error of the next line that is not blank.
    fn read_text(&mut self, form: Form) -> Result<Option<Received>, ReadError> {
        loop {
            match self.next_line() {
                Ok(true) if self.line.trim_ascii().is_empty() => {}
                Ok(true) => break,
                Ok(false) => return Ok(None),
                Err(error) => return fail(self.place(), error),
            }
        }
        let place = self.place();
        let line = mem::take(&mut self.line);
        let read = match form {
            Form::Cbor | Form::Bare => self.read_bare(&line),
            Form::Topic => self.read_after_topic(&line),
            Form::Json => self.read_message(&line),
            Form::Hex => self.read_hex(&line),
        };
        if !self.line_is_next {
            self.line = line;
        }
        match read {
            Ok((thing, observation)) => Ok(Some(Received { place, thing, observation })),
            Err(error) => fail(place, error),
        }
    }

    fn read_bare(&mut self, line: &[u8]) -> LineResult {
        let line = line.trim_ascii_start();
        if !line.starts_with(b"{") {
            return Err(ReportError::NoBeginning("`{`, or the topic of a report from the first line on"));
        }
        Ok((None, self.read_document(line)?))
    }

    fn read_after_topic(&mut self, line: &[u8]) -> LineResult {
        let Some((topic, report)) = Topic::split(line.trim_ascii_end()) else {
            return Err(ReportError::NoBeginning("the topic of a report, as in the first line"));
        };
        let thing = match &self.thing {
            Some(only) if *only != topic.thing && !self.trusts_devices => {
                self.done = true;
                return Err(ReportError::SecondThing { expected: only.clone(), found: topic.thing });
            }
            None if !self.trusts_devices => self.thing.insert(topic.thing.clone()).clone(),
            _ => self.admit(topic.thing)?,
        };
        let observation = match topic.encoding {
            encoding if !report.is_empty() && is_hex(report) => Observation::from_hex(report, encoding)?,
            Encoding::Cbor => return Err(ReportError::CborAsText),
            Encoding::Json => self.read_document(report)?,
        };
        Ok((Some(thing), observation))
    }

    fn read_message(&self, line: &[u8]) -> LineResult {
        let (thing, observation) = Observation::from_message(line)?;
        Ok((Some(self.admit(thing)?), observation))
    }

    fn read_hex(&self, line: &[u8]) -> LineResult {
        let (hex, topic) = split_hex(line).ok_or(ReportError::NoTopic)?;
        let topic = Topic::parse(topic).ok_or(ReportError::NoTopic)?;
        let thing = self.admit(topic.thing)?;
        Ok((Some(thing), Observation::from_hex(hex, topic.encoding)?))
    }

    /// Refuses the reports of other things than the one that was given.
    fn admit(&self, thing: ThingName) -> Result<ThingName, ReportError> {
        match &self.thing {
            Some(only) if *only != thing => Err(ReportError::OtherThing { expected: only.clone(), found: thing }),
            _ => Ok(thing),
        }
    }

    /// Parses a report that begins with `{`, and reads further lines until it ends.
    fn read_document(&mut self, begin: &[u8]) -> Result<Observation, ReportError> {
        match Observation::from_json(begin) {
            Err(ReportError::CutOff) => {}
            read => return read,
        }
        let mut text = begin.to_vec();
        let mut depth = JsonDepth::default();
        depth.read(&text);
        while !depth.balanced() {
            if !self.next_line()? {
                return Err(ReportError::CutOff);
            }
            if self.line.starts_with(b"{") || starts_with_topic(&self.line) {
                self.line_is_next = true;
                return Err(ReportError::CutOff);
            }
            depth.read(&self.line);
            text.extend_from_slice(&self.line);
            if text.len() > MAX_REPORT {
                return Err(ReportError::TooLong);
            }
        }
        Observation::from_json(&text)
    }

    fn place(&self) -> Place {
        if self.form == Some(Form::Cbor) { Place::Report(self.documents) } else { Place::Line(self.lines) }
    }

    /// Reads a line with its end into `line`; `false` at the end of the input. Of a line that is too long, only the beginning
    /// is kept.
    fn next_line(&mut self) -> Result<bool, ReportError> {
        if mem::take(&mut self.line_is_next) {
            return Ok(true);
        }
        self.line.clear();
        if (&mut self.input).take(count(MAX_LINE)).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(false);
        }
        self.lines += 1;
        if self.line.len() == MAX_LINE && !self.line.ends_with(b"\n") {
            self.input.skip_until(b'\n')?;
            return Err(ReportError::TooLong);
        }
        if self.lines == 1 {
            self.line.drain(..self.line.len() - without_byte_order_mark(&self.line).len());
        }
        Ok(true)
    }
}

impl<R: BufRead> Iterator for Reports<R> {
    type Item = Result<Received, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.read();
        self.done |= matches!(item, Ok(None) | Err(ReadError { error: ReportError::Read(_), .. }));
        item.transpose()
    }
}

fn fail<T>(place: Place, error: impl Into<ReportError>) -> Result<T, ReadError> {
    Err(ReadError { place, error: error.into() })
}

fn starts_with_topic(line: &[u8]) -> bool {
    line.first().is_some_and(|first| !first.is_ascii_whitespace()) && Topic::split(line.trim_ascii_end()).is_some()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
