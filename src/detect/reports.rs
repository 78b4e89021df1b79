//! Reports one after another, as they come: from a file, from `watch --print`, from `mosquitto_sub`.
//!
//! The first byte that is not white space decides. **CBOR** (a map, or a tag before one): one report right after the
//! other. Else **JSON**: a report is on one line, as `watch --print` and `collect` write it, or on several, as `jq` does, of
//! which only the first begins with `{` without a blank before it. Before it may stand the topic that it came on, as
//! `mosquitto_sub -v` writes it; the thing name is taken from that.
//!
//! What is not understood is told with its place and passed over; in CBOR nothing after it can be found. Memory is bounded
//! by [`MAX_DOCUMENT`].

use std::io::{self, BufRead, ErrorKind, Read};

use super::document::Wrong;
use super::observation::Observation;
use crate::report::Encoding;
use crate::thing::ThingName;

/// The most bytes of a report, so that memory is bounded: room for a hundred thousand connections.
pub const MAX_DOCUMENT: u64 = 16 << 20;

/// A report, and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Where it begins.
    pub place: Place,
    /// The thing, where a topic tells.
    pub thing: Option<ThingName>,
    /// What it tells.
    pub observation: Observation,
}

/// Where a report is, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// JSON: the line it begins in.
    Line(u64),
    /// CBOR: which report it is.
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

/// Something that is no report.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {wrong}")]
pub struct NotOne {
    /// Where it begins.
    pub place: Place,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// Reads reports.
#[derive(Debug)]
pub struct Reports<R> {
    input: R,
    encoding: Option<Encoding>,
    /// How many lines were read.
    lines: u64,
    /// How many reports of CBOR were read.
    documents: u64,
    /// A line that was read, but belongs to the next report.
    next: Option<Vec<u8>>,
    done: bool,
}

/// A line of JSON.
enum Line {
    Text(Vec<u8>),
    TooLong,
    End,
}

impl<R: BufRead> Reports<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self { input, encoding: None, lines: 0, documents: 0, next: None, done: false }
    }

    fn read(&mut self) -> Result<Option<Received>, NotOne> {
        let encoding = match self.encoding {
            Some(encoding) => encoding,
            None => match self.first_byte()? {
                None => return Ok(None),
                Some(0xa0..=0xbf | 0xd9) => Encoding::Cbor, // RFC 8949: maps are 0xa0 to 0xbf, the tag for CBOR 0xd9d9f7
                Some(_) => Encoding::Json,
            },
        };
        self.encoding = Some(encoding);
        match encoding {
            Encoding::Json => self.read_json(),
            Encoding::Cbor => self.read_cbor(),
        }
    }

    /// The first byte after white space, which is passed over; `None` at the end.
    fn first_byte(&mut self) -> Result<Option<u8>, NotOne> {
        loop {
            match self.input.fill_buf().map(|bytes| bytes.first().copied()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return wrong(self.place(), error),
                Ok(Some(blank)) if blank.is_ascii_whitespace() => {
                    self.lines = self.lines.saturating_add(u64::from(blank == b'\n'));
                    self.input.consume(1);
                }
                Ok(first) => return Ok(first),
            }
        }
    }

    /// Reads a report of CBOR, and line ends before it, which `mosquitto_sub` writes: by themselves these are numbers.
    fn read_cbor(&mut self) -> Result<Option<Received>, NotOne> {
        if self.first_byte()?.is_none() {
            return Ok(None);
        }
        self.documents = self.documents.saturating_add(1);
        match Observation::from_cbor((&mut self.input).take(MAX_DOCUMENT)) {
            Ok(observation) => Ok(Some(Received { place: self.place(), thing: None, observation })),
            Err(wrong) => {
                self.done = !matches!(wrong, Wrong::NoReport); // where the next one begins cannot be told
                self::wrong(self.place(), wrong)
            }
        }
    }

    fn read_json(&mut self) -> Result<Option<Received>, NotOne> {
        let mut text = Vec::new();
        let mut thing = None;
        let mut brackets = Brackets::default();
        let mut place = Place::Line(0);
        loop {
            let line = match self.line().or_else(|error| wrong(self.place(), error))? {
                Line::End if text.is_empty() => return Ok(None),
                Line::End => return wrong(place, Wrong::CutOff),
                Line::TooLong => return wrong(if text.is_empty() { self.place() } else { place }, Wrong::TooLong),
                Line::Text(line) => line,
            };
            if text.is_empty() {
                if line.trim_ascii().is_empty() {
                    continue;
                }
                place = self.place();
                let (topic, document) = split_topic(&line);
                thing = thing_of_topic(topic);
                if memchr::memmem::find(topic, b"/defender/metrics/cbor ").is_some() {
                    return wrong(place, Wrong::CborAfterTopic);
                }
                if document.is_empty() || (thing.is_none() && !topic.is_empty()) {
                    return wrong(place, Wrong::NoBeginning);
                }
                brackets.read(document);
                text.extend_from_slice(document);
            } else if line.first() == Some(&b'{') || starts_with_topic(&line) {
                self.next = Some(line);
                return wrong(place, Wrong::CutOff);
            } else {
                brackets.read(&line);
                text.extend_from_slice(&line);
            }
            if u64::try_from(text.len()).is_ok_and(|length| length > MAX_DOCUMENT) {
                return wrong(place, Wrong::TooLong);
            }
            if brackets.are_closed() {
                return match Observation::from_json(&text) {
                    Ok(observation) => Ok(Some(Received { place, thing, observation })),
                    Err(error) => wrong(place, error),
                };
            }
        }
    }

    fn place(&self) -> Place {
        match self.encoding {
            Some(Encoding::Cbor) => Place::Report(self.documents),
            Some(Encoding::Json) | None => Place::Line(self.lines),
        }
    }

    /// Reads a line with its end. One that is too long is passed over.
    fn line(&mut self) -> io::Result<Line> {
        if let Some(line) = self.next.take() {
            return Ok(Line::Text(line));
        }
        let mut line = Vec::new();
        let read = (&mut self.input).take(MAX_DOCUMENT).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(Line::End);
        }
        self.lines = self.lines.saturating_add(1);
        if u64::try_from(read).is_ok_and(|read| read < MAX_DOCUMENT) || line.ends_with(b"\n") {
            if self.lines == 1 && line.starts_with(b"\xef\xbb\xbf") {
                line.drain(..3); // what some editors begin a file with
            }
            return Ok(Line::Text(line));
        }
        drop(line);
        self.input.skip_until(b'\n')?;
        Ok(Line::TooLong)
    }
}

/// Every report, and every thing that is none.
impl<R: BufRead> Iterator for Reports<R> {
    type Item = Result<Received, NotOne>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.read();
        self.done |= matches!(item, Ok(None) | Err(NotOne { wrong: Wrong::Read(_), .. }));
        item.transpose()
    }
}

fn wrong<T>(place: Place, wrong: impl Into<Wrong>) -> Result<T, NotOne> {
    Err(NotOne { place, wrong: wrong.into() })
}

/// What stands before the first `{`, and the rest.
fn split_topic(line: &[u8]) -> (&[u8], &[u8]) {
    let begin = line.iter().position(|&b| b == b'{').unwrap_or(line.len());
    let (topic, document) = line.split_at_checked(begin).unwrap_or_default();
    (topic.trim_ascii(), document)
}

fn starts_with_topic(line: &[u8]) -> bool {
    line.first().is_some_and(|first| !first.is_ascii_whitespace()) && thing_of_topic(split_topic(line).0).is_some()
}

/// The thing of `$aws/things/THING/defender/metrics/json`, which a bridge may have given another beginning.
fn thing_of_topic(topic: &[u8]) -> Option<ThingName> {
    let topic = std::str::from_utf8(topic).ok()?.strip_suffix("/defender/metrics/json")?;
    let (before, thing) = topic.rsplit_once('/')?;
    thing.parse().ok().filter(|_| before == "things" || before.ends_with("/things"))
}

/// Follows the brackets of a JSON text to its end.
#[derive(Default)]
struct Brackets {
    open: u64,
    in_string: bool,
    escaped: bool,
}

impl Brackets {
    fn read(&mut self, text: &[u8]) {
        for &b in text {
            match (self.in_string, b) {
                _ if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.in_string = !self.in_string,
                (false, b'{' | b'[') => self.open = self.open.saturating_add(1),
                (false, b'}' | b']') => self.open = self.open.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether the text is whole.
    fn are_closed(&self) -> bool {
        self.open == 0 && !self.in_string
    }
}
