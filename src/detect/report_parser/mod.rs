//! A report of any agent, in JSON or CBOR, with long names, short names or a mix, as AWS's agents write them.
//!
//! Unknown fields are ignored, and a block may be missing or `null`. A value of the wrong type makes its metric unknown and
//! is a problem of the observation. A count is `total`, or the length of the list if there is no `total`. The list
//! may be a sample of what `total` counts.
//!
//! | module | owns |
//! |---|---|
//! | [`typed`] | values of JSON and CBOR, read without a tree of them |
//! | [`fields`] | the fields of a report and their names |
//! | [`custom`] | custom metrics |
//! | [`message`] | a report with its topic |

mod custom;
mod fields;
mod message;
mod typed;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::mem;

use serde::de::{Deserialize, DeserializeSeed as _, Deserializer};

use self::custom::{CustomMetrics, MAX_VALUES};
use self::fields::{Document, DocumentShape, Elements, Header, List, MetricBlocks};
use self::message::{Message, MessageShape, Payload};
use self::typed::{Found, Read, Shape};
use super::framing::{Topic, decode_hex};
use super::measured::Measured;
use super::metric::{Metric, TRAFFIC};
use super::observation::{Observation, Rejection};
use super::shorten;
use crate::report::encode::Encoding;
use crate::thing::ThingName;

/// The most bytes of a report: eight times what the service accepts.
pub const MAX_REPORT: usize = 1 << 20;

/// The most problems of a report that are named.
const MAX_PROBLEMS: usize = 4;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Neither JSON nor CBOR, for this reason.
    #[error("{0}")]
    Syntax(String),
    #[error("not a report: neither `metrics` nor `custom_metrics`")]
    NoReport,
    /// A document of some other kind.
    #[error("not a report: `metrics` must be an object, found {0}")]
    OtherMetrics(String),
    #[error("not a report: expected {0}")]
    NoBeginning(&'static str),
    /// A line that should be a message of `mosquitto_sub -F %j` is not, for this reason.
    #[error("not a message with `topic` and `payload`: {0}")]
    NoMessage(String),
    #[error("not a report: its topic does not end in /things/THING/defender/metrics/json or …/cbor")]
    NoTopic,
    #[error("not a report in hexadecimal")]
    NoHex,
    #[error("CBOR cannot be read in this form; run mosquitto_sub with -F '%x %t'")]
    CborAsText,
    #[error("a report of thing {found}, expected {expected}")]
    OtherThing { expected: ThingName, found: ThingName },
    /// Reading ends, because the first thing may have written this and everything that follows.
    #[error(
        "a report of thing {found}, expected {expected}; in this form, a report can contain lines that look like reports of \
         other things, so reading ends"
    )]
    SecondThing { expected: ThingName, found: ThingName },
    /// The input ends, or the next report begins, inside the report.
    #[error("the report is cut off")]
    CutOff,
    #[error("longer than {} bytes", MAX_REPORT)]
    TooLong,
    /// Reading failed, so nothing follows.
    #[error("{0}")]
    Read(#[from] io::Error),
}

impl ReportError {
    /// Whether the input was read to its end, so that the next report follows.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::NoReport | Self::OtherMetrics(_))
    }

    fn of_json(error: &serde_json::Error) -> Self {
        if error.is_eof() { Self::CutOff } else { Self::Syntax(json_error(error)) }
    }

    fn of_cbor(error: ciborium::de::Error<io::Error>) -> Self {
        use ciborium::de::Error;
        match error {
            Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => Self::CutOff,
            Error::Io(error) => Self::Read(error),
            Error::Syntax(byte) => Self::Syntax(format!("not CBOR at byte {byte}")),
            Error::Semantic(_, text) => Self::Syntax(text),
            Error::RecursionLimitExceeded => Self::Syntax("nested too deeply".to_owned()),
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// An error of JSON. `serde_json` counts lines from the start of the report, not of the input.
fn json_error(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let what = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
    match line {
        0 | 1 => format!("{what} at column {column}"),
        _ => format!("{what} at column {column} of line {line} of the report"),
    }
}

/// A value of this shape, or any other value.
struct Root<S: Shape>(Found<S::Value>);

impl<'de, S: Shape + Default> Deserialize<'de> for Root<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Read(S::default()).deserialize(deserializer).map(Self)
    }
}

fn parse_json<S: Shape + Default>(text: &[u8]) -> Result<Found<S::Value>, ReportError> {
    // Checked at once, which is faster than each string by itself.
    let text = std::str::from_utf8(text).map_err(|_| ReportError::Syntax("not UTF-8".to_owned()))?;
    let Root(value) = serde_json::from_str::<Root<S>>(text).map_err(|error| ReportError::of_json(&error))?;
    Ok(value)
}

impl Observation {
    /// Parses a report in JSON of at most [`MAX_REPORT`] bytes, with white space around it or not.
    ///
    /// # Errors
    /// It is not a report.
    pub fn from_json(text: &[u8]) -> Result<Self, ReportError> {
        let text = text.trim_ascii();
        match text.len() {
            0 => Err(ReportError::NoReport),
            1..=MAX_REPORT => Self::of_document(parse_json::<DocumentShape>(text)?, Some(count(text.len()))),
            _ => Err(ReportError::TooLong),
        }
    }

    /// Parses a line with a report and its topic, as `mosquitto_sub -F %j` or `%J` prints it.
    pub(super) fn from_message(line: &[u8]) -> Result<(ThingName, Self), ReportError> {
        let not_a_message = |why| ReportError::NoMessage(why);
        let message =
            parse_json::<MessageShape>(line.trim_ascii()).map_err(|error| not_a_message(error.to_string()))?;
        let Some(Ok(Message { topic: Some(Ok(topic)), payload, length })) = message else {
            return Err(not_a_message("expected an object".to_owned()));
        };
        let Topic { thing, encoding } = topic.ok_or(ReportError::NoTopic)?;
        if encoding == Encoding::Cbor {
            return Err(ReportError::CborAsText);
        }
        let length = length.and_then(Result::ok);
        if length.is_some_and(|length| length > count(MAX_REPORT)) {
            return Err(ReportError::TooLong);
        }
        let observation = match payload {
            Some(Ok(Payload::Text(text))) => {
                let mut observation = Self::from_json(text.as_bytes())?;
                observation.set_message_size(length.unwrap_or(count(text.len())));
                observation
            }
            // JSON that was written again has another length.
            Some(Ok(Payload::Document(document))) => Self::of_document(Some(Ok(document)), length)?,
            Some(Err(_)) | None => return Err(ReportError::NoReport),
        };
        Ok((thing, observation))
    }

    /// Reads one report in CBOR of at most [`MAX_REPORT`] bytes, and nothing after it.
    ///
    /// # Errors
    /// It is not a report. After [`ReportError::NoReport`] and [`ReportError::OtherMetrics`], the next one can be read.
    pub fn from_cbor(input: impl io::Read) -> Result<Self, ReportError> {
        let limit = count(MAX_REPORT + 1);
        let mut input = input.take(limit);
        let document = ciborium::from_reader(&mut input);
        if input.limit() == 0 {
            return Err(ReportError::TooLong);
        }
        let Root::<DocumentShape>(document) = document.map_err(ReportError::of_cbor)?;
        Self::of_document(document, Some(limit - input.limit()))
    }

    /// Parses a report in hexadecimal.
    pub(super) fn from_hex(hex: &[u8], encoding: Encoding) -> Result<Self, ReportError> {
        let bytes = decode_hex(hex).ok_or(ReportError::NoHex)?;
        let mut rest = bytes.as_slice();
        let mut observation = match encoding {
            Encoding::Json => Self::from_json(mem::take(&mut rest))?,
            Encoding::Cbor => Self::from_cbor(&mut rest)?,
        };
        if !rest.is_empty() {
            return Err(ReportError::Syntax("more than one report".to_owned()));
        }
        observation.set_message_size(count(bytes.len()));
        Ok(observation)
    }

    /// Takes the values of a document, in a message of this many bytes.
    fn of_document(document: Found<Document>, size: Option<u64>) -> Result<Self, ReportError> {
        let Some(Ok(Document { header, metrics, custom_metrics })) = document else {
            return Err(ReportError::NoReport);
        };
        let metrics = metrics.transpose().map_err(ReportError::OtherMetrics)?;
        if metrics.is_none() && !matches!(custom_metrics, Some(Ok(_))) {
            return Err(ReportError::NoReport);
        }
        let mut seen = Self::with_room();
        if let Some(size) = size {
            seen.set_message_size(size);
        }
        seen.add_header(header);
        if let Some(metrics) = metrics {
            seen.add_metrics(metrics);
        }
        if let Some(custom_metrics) = seen.object("custom_metrics", custom_metrics) {
            seen.add_custom(custom_metrics);
        }
        seen.shorten_problems();
        Ok(seen)
    }

    fn set_message_size(&mut self, size: u64) {
        self.add(Metric::MessageSize, Measured::count(size));
    }

    fn expected(&mut self, name: impl Display, expected: &str, found: &str) {
        self.problems.push(format!("{name}: expected {expected}, found {found}"));
    }

    /// Reports a value that should be an object and is not.
    fn object<T>(&mut self, name: &str, found: Found<T>) -> Option<T> {
        found?.map_err(|other| self.expected(name, "an object", &other)).ok()
    }

    fn add_header(&mut self, header: Found<Header>) {
        let Some(Header { report_id, version }) = self.object("header", header) else {
            self.rejections.push(Rejection::NoHeader);
            return;
        };
        match report_id {
            Some(Ok(id @ 1..)) => self.report_id = Some(id),
            Some(other) => {
                let found = other.map_or_else(|other| other, |zero| zero.to_string());
                self.expected("report_id", "a positive integer", &found);
            }
            None => self.rejections.push(Rejection::NoReportId),
        }
        if !matches!(version, Some(Ok(()))) {
            self.rejections.push(Rejection::NoVersion);
        }
    }

    fn add_metrics(&mut self, metrics: MetricBlocks) {
        let MetricBlocks { tcp_ports, udp_ports, connections, stats } = metrics;
        for (name, block, count, set) in [
            ("listening_tcp_ports", tcp_ports, Metric::TcpPortCount, Metric::TcpPorts),
            ("listening_udp_ports", udp_ports, Metric::UdpPortCount, Metric::UdpPorts),
        ] {
            if let Some(list) = self.object(name, block) {
                self.add_list(list, count, set, Measured::Ports);
            }
        }
        let established = self.object("tcp_connections", connections).flatten();
        if let Some(list) = self.object("established_connections", established) {
            self.add_list(list, Metric::ConnectionCount, Metric::Destinations, Measured::Addresses);
        }
        let stats = self.object("network_stats", stats);
        for (metric, count) in TRAFFIC.into_iter().zip(stats.into_iter().flatten()) {
            if let Some(count) = count {
                self.add_count(metric, count);
            }
        }
    }

    fn add_count(&mut self, metric: Metric, count: Result<u64, String>) -> Option<u64> {
        match count {
            Ok(count) => {
                self.add(metric, Measured::count(count));
                Some(count)
            }
            Err(other) => {
                self.expected(metric, "an integer of 0 or more", &other);
                None
            }
        }
    }

    /// Adds the list of a block and its length.
    fn add_list<T>(&mut self, list: List<T>, count: Metric, set: Metric, measured: fn(BTreeSet<T>) -> Measured) {
        let elements = match list.elements.transpose() {
            Ok(elements) => elements.map(Ok),
            Err(other) => {
                self.expected(&set, "a list", &other);
                Some(Err(()))
            }
        };
        let length = match &elements {
            Some(Ok(elements)) => Some(Ok(elements.length)),
            _ => None,
        };
        let total = list.total.or(length).and_then(|total| self.add_count(count, total));
        let elements = match elements {
            Some(Ok(elements)) => elements,
            None if total == Some(0) => Elements::default(), // a total of 0 means that the list is empty
            None | Some(Err(())) => return,
        };
        let Elements { distinct, length, unreadable, first_unreadable } = elements;
        if let Some(why) = first_unreadable {
            self.problems.push(format!("{set}: {why}"));
            self.add_partial(set.clone(), format!("{unreadable} of {length} entries are not recognized"));
        } else if let Some(total) = total.filter(|&total| total > length) {
            self.add_partial(set.clone(), format!("the report lists {length} of {total}"));
        }
        self.add(set, measured(distinct));
    }

    fn add_custom(&mut self, CustomMetrics { by_name, state }: CustomMetrics) {
        for (name, value) in by_name {
            match value {
                Ok(measured) => self.add(Metric::Custom(name), measured),
                Err(why) => self.problems.push(format!("custom metric {}: {why}", shorten(name))),
            }
        }
        if state.is_cut {
            self.problems.push(format!("custom_metrics: more than {MAX_VALUES} values; the others are ignored"));
        }
        if state.has_bare {
            self.rejections.push(Rejection::BareCustomMetric);
        }
    }

    /// Leaves only the first problems, and the number of the others.
    fn shorten_problems(&mut self) {
        if let Some(more @ 1..) = self.problems.len().checked_sub(MAX_PROBLEMS) {
            self.problems.truncate(MAX_PROBLEMS);
            self.problems.push(format!("{more} more values are not recognized"));
        }
    }
}
