//! Reports one after another: from a file, from `watch --print`, from `mosquitto_sub`.
//!
//! The first byte that is not white space decides the format. **CBOR** begins with a map, or with a tag before it: one report
//! directly after the other. Everything else is **JSON**. A report is on one line, as `watch --print` and `collect` write it,
//! or on several, as `jq` does, and then only its first line begins with `{` without a blank before it. Its topic may stand
//! before it, as `mosquitto_sub -v` prints it; then the topic gives the thing name.
//!
//! Invalid input is an error with its place and is skipped. After invalid CBOR the next report cannot be found. Memory is
//! bounded by [`MAX_DOCUMENT`].

use std::io::{BufRead, ErrorKind, Read};

use super::observation::Observation;
use super::report_parser::{MAX_DOCUMENT, ReportError};
use crate::files::without_byte_order_mark;
use crate::report::encode::Encoding;
use crate::thing::ThingName;

#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub place: Place,
    /// The thing in the topic, if there is one.
    pub(crate) thing: Option<ThingName>,
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
    pub(crate) error: ReportError,
}

#[derive(Debug)]
pub struct Reports<R> {
    input: R,
    encoding: Option<Encoding>,
    lines: u64,
    documents: u64,
    /// A line that was read but belongs to the next report.
    next_line: Option<Vec<u8>>,
    done: bool,
}

impl<R: BufRead> Reports<R> {
    pub fn new(input: R) -> Self {
        Self { input, encoding: None, lines: 0, documents: 0, next_line: None, done: false }
    }

    fn read(&mut self) -> Result<Option<Received>, ReadError> {
        if self.encoding.is_none() {
            self.encoding = Some(match self.first_byte()? {
                None => return Ok(None),
                Some(0xa0..=0xbf | 0xd9) => Encoding::Cbor, // RFC 8949: maps are 0xa0 to 0xbf, the tag for CBOR 0xd9d9f7
                Some(_) => Encoding::Json,
            });
        }
        if self.encoding == Some(Encoding::Cbor) { self.read_cbor() } else { self.read_json() }
    }

    /// Skips white space and peeks at the next byte; `None` at the end.
    fn first_byte(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            match self.input.fill_buf().map(|bytes| bytes.first().copied()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return fail(self.place(), error),
                Ok(Some(blank)) if blank.is_ascii_whitespace() => {
                    self.lines += u64::from(blank == b'\n');
                    self.input.consume(1);
                }
                Ok(first) => return Ok(first),
            }
        }
    }

    /// Reads a report in CBOR. The line ends that `mosquitto_sub` prints before it would by themselves be CBOR numbers.
    fn read_cbor(&mut self) -> Result<Option<Received>, ReadError> {
        if self.first_byte()?.is_none() {
            return Ok(None);
        }
        self.documents += 1;
        match Observation::from_cbor(&mut self.input) {
            Ok(observation) => Ok(Some(Received { place: self.place(), thing: None, observation })),
            Err(error) => {
                self.done = !matches!(error, ReportError::NoReport); // the next report cannot be found
                fail(self.place(), error)
            }
        }
    }

    fn read_json(&mut self) -> Result<Option<Received>, ReadError> {
        let mut text = Vec::new();
        let mut thing = None;
        let mut depth = JsonDepth::default();
        let mut place = Place::Line(0);
        loop {
            let line = self.line();
            if text.is_empty() {
                place = self.place();
            }
            let line = match line {
                Ok(Some(line)) => line,
                Ok(None) if text.is_empty() => return Ok(None),
                Ok(None) => return fail(place, ReportError::CutOff),
                Err(error) => return fail(place, error),
            };
            let part = if text.is_empty() {
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let (topic, document) = split_topic(&line);
                thing = thing_of_topic(topic);
                if memchr::memmem::find(topic, b"/defender/metrics/cbor ").is_some() {
                    return fail(place, ReportError::CborAfterTopic);
                }
                if document.is_empty() || (thing.is_none() && !topic.is_empty()) {
                    return fail(place, ReportError::NoBeginning);
                }
                document
            } else if line.first() == Some(&b'{') || starts_with_topic(&line) {
                self.next_line = Some(line);
                return fail(place, ReportError::CutOff);
            } else {
                &line
            };
            depth.read(part);
            text.extend_from_slice(part);
            if u64::try_from(text.len()).is_ok_and(|length| length > MAX_DOCUMENT) {
                return fail(place, ReportError::TooLong);
            }
            if depth.balanced() {
                let observation = Observation::from_json(&text).or_else(|error| fail(place, error))?;
                return Ok(Some(Received { place, thing, observation }));
            }
        }
    }

    fn place(&self) -> Place {
        match self.encoding {
            Some(Encoding::Cbor) => Place::Report(self.documents),
            Some(Encoding::Json) | None => Place::Line(self.lines),
        }
    }

    /// Reads a line with its end; `None` at the end of the input. A line that is too long is skipped.
    fn line(&mut self) -> Result<Option<Vec<u8>>, ReportError> {
        if let Some(line) = self.next_line.take() {
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        if (&mut self.input).take(MAX_DOCUMENT).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.lines += 1;
        if u64::try_from(line.len()) == Ok(MAX_DOCUMENT) && !line.ends_with(b"\n") {
            self.input.skip_until(b'\n')?;
            return Err(ReportError::TooLong);
        }
        if self.lines == 1 {
            line.drain(..line.len() - without_byte_order_mark(&line).len());
        }
        Ok(Some(line))
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

/// Splits a line before the first `{`.
fn split_topic(line: &[u8]) -> (&[u8], &[u8]) {
    let begin = line.iter().position(|&b| b == b'{').unwrap_or(line.len());
    let (topic, document) = line.split_at_checked(begin).unwrap_or_default();
    (topic.trim_ascii(), document)
}

fn starts_with_topic(line: &[u8]) -> bool {
    line.first().is_some_and(|first| !first.is_ascii_whitespace()) && thing_of_topic(split_topic(line).0).is_some()
}

/// The thing of `$aws/things/THING/defender/metrics/json`. An MQTT bridge may have changed the beginning.
fn thing_of_topic(topic: &[u8]) -> Option<ThingName> {
    let topic = std::str::from_utf8(topic).ok()?.strip_suffix("/defender/metrics/json")?;
    let (before, thing) = topic.rsplit_once('/')?;
    thing.parse().ok().filter(|_| before == "things" || before.ends_with("/things"))
}

/// Tracks the brackets of a JSON text to find its end.
#[derive(Default)]
struct JsonDepth {
    open: u64,
    in_string: bool,
    escaped: bool,
}

impl JsonDepth {
    fn read(&mut self, text: &[u8]) {
        for &b in text {
            match (self.in_string, b) {
                _ if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.in_string = !self.in_string,
                (false, b'{' | b'[') => self.open += 1,
                (false, b'}' | b']') => self.open = self.open.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn balanced(&self) -> bool {
        self.open == 0 && !self.in_string
    }
}
