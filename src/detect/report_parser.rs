//! A report of any agent, in JSON or CBOR, with long names, short names or a mix, as AWS's agents write them.
//!
//! Unknown fields are ignored, and a block may be missing or `null`. A value of the wrong type makes its metric unknown and
//! is a problem of the observation. A count is `total`, or the length of the list if there is no `total`. The list
//! may be a sample of what `total` counts.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;

use serde_json::{Map, Number, Value, json};

use super::measured::Measured;
use super::metric::{Metric, TRAFFIC};
use super::observation::Observation;
use super::quote;

type Object = Map<String, Value>;

/// The most bytes of a report: room for a hundred thousand connections.
pub const MAX_DOCUMENT: u64 = 16 << 20;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Neither JSON nor CBOR, for this reason.
    #[error("{0}")]
    Syntax(String),
    #[error("not a report: neither `metrics` nor `custom_metrics`")]
    NoReport,
    #[error("not a report: expected `{{` or the topic of a report")]
    NoBeginning,
    /// CBOR after its topic. Its end cannot be found, as the topic makes the input lines of text.
    #[error("CBOR after a topic cannot be read; run mosquitto_sub without `-v` to print only the reports")]
    CborAfterTopic,
    /// The input ends, or the next report begins, inside the report.
    #[error("the report is cut off")]
    CutOff,
    #[error("longer than {} bytes", MAX_DOCUMENT)]
    TooLong,
    /// Reading failed, so nothing follows.
    #[error("{0}")]
    Read(#[from] io::Error),
}

impl ReportError {
    /// Says that `serde_json` counts lines from the start of the report, not of the input.
    fn of_json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let what = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
        Self::Syntax(match line {
            0 | 1 => format!("{what} at column {column}"),
            _ => format!("{what} at column {column} of line {line} of the report"),
        })
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

impl Observation {
    /// Parses a report in JSON, with white space around it or not.
    ///
    /// # Errors
    /// It is not a report.
    pub fn from_json(text: &[u8]) -> Result<Self, ReportError> {
        let text = text.trim_ascii();
        let document = serde_json::from_slice(text).map_err(|error| ReportError::of_json(&error))?;
        Self::of_document(&document, &text.len().into())
    }

    /// Reads one report in CBOR of at most [`MAX_DOCUMENT`] bytes, and nothing after it.
    ///
    /// # Errors
    /// It is not a report. After [`ReportError::NoReport`] the next one can be read.
    pub fn from_cbor(input: impl Read) -> Result<Self, ReportError> {
        let mut input = input.take(MAX_DOCUMENT);
        let document = ciborium::from_reader(&mut input).map_err(ReportError::of_cbor)?;
        Self::of_document(&json_of(document), &(MAX_DOCUMENT - input.limit()).into())
    }

    fn of_document(document: &Value, size: &Value) -> Result<Self, ReportError> {
        let document = document.as_object().ok_or(ReportError::NoReport)?;
        if field(document, METRICS).is_none() && field(document, CUSTOM_METRICS).is_none() {
            return Err(ReportError::NoReport);
        }
        let mut seen = Self::default();
        seen.add_count(Metric::MessageSize, size);
        let header = seen.block(document, ("header", "hed"));
        if let Some(id) = header.and_then(|header| field(header, ("report_id", "rid"))) {
            seen.report_id = id.as_u64().filter(|&id| id > 0);
            if seen.report_id.is_none() {
                seen.expected("report_id", "a positive integer", id);
            }
        }
        if let Some(metrics) = seen.block(document, METRICS) {
            seen.add_metrics(metrics);
        }
        for (name, value) in seen.block(document, CUSTOM_METRICS).into_iter().flatten() {
            seen.add_custom(name, value);
        }
        Ok(seen)
    }

    fn expected(&mut self, name: impl Display, expected: &str, found: &Value) {
        self.problems.push(format!("{name}: expected {expected}, found {}", quote(found)));
    }

    /// A block of the report; `None` if it is missing or not an object.
    fn block<'d>(&mut self, object: &'d Object, names: Names) -> Option<&'d Object> {
        let value = field(object, names)?;
        if !value.is_object() {
            self.expected(names.0, "an object", value);
        }
        value.as_object()
    }

    fn add_metrics(&mut self, metrics: &Object) {
        for (names, count, set) in [
            (("listening_tcp_ports", "tp"), Metric::TcpPortCount, Metric::TcpPorts),
            (("listening_udp_ports", "up"), Metric::UdpPortCount, Metric::UdpPorts),
        ] {
            if let Some(block) = self.block(metrics, names) {
                let read = |entry: &Value| port(field(entry.as_object()?, ("port", "pt"))?);
                self.add_list(block, ("ports", "pts"), (count, set), read, Measured::Ports);
            }
        }
        let tcp = self.block(metrics, ("tcp_connections", "tc"));
        if let Some(block) = tcp.and_then(|tcp| self.block(tcp, ("established_connections", "ec"))) {
            let read = |entry: &Value| remote(field(entry.as_object()?, ("remote_addr", "rad"))?);
            let metrics = (Metric::ConnectionCount, Metric::Destinations);
            self.add_list(block, ("connections", "cs"), metrics, read, Measured::Addresses);
        }
        let stats = self.block(metrics, ("network_stats", "ns"));
        let names = [("bytes_in", "bi"), ("bytes_out", "bo"), ("packets_in", "pi"), ("packets_out", "po")];
        for (metric, names) in TRAFFIC.into_iter().zip(names) {
            if let Some(count) = stats.and_then(|stats| field(stats, names)) {
                self.add_count(metric, count);
            }
        }
    }

    fn add_count(&mut self, metric: Metric, value: &Value) -> Option<u64> {
        let count = value.as_u64();
        match count {
            Some(count) => self.add(metric, Measured::count(count)),
            None => self.expected(metric, "an integer of 0 or more", value),
        }
        count
    }

    /// Adds the list of a block and its length.
    fn add_list<T: Ord>(
        &mut self,
        block: &Object,
        names: Names,
        (count, set): (Metric, Metric),
        read: fn(&Value) -> Option<T>,
        measured: fn(BTreeSet<T>) -> Measured,
    ) {
        let given = field(block, names);
        let list = given.and_then(Value::as_array);
        if let (Some(other), None) = (given, list) {
            self.expected(&set, "a list", other);
        }
        let total = field(block, ("total", "t")).cloned().or_else(|| Some(list?.len().into()));
        let total = total.and_then(|total| self.add_count(count, &total));
        // Without a list, a total of 0 means that it is empty.
        let empty = Vec::new();
        let Some(list) = list.or((given.is_none() && total == Some(0)).then_some(&empty)) else { return };
        let elements: BTreeSet<T> = list.iter().filter_map(read).collect();
        let mut unreadable = list.iter().filter(|entry| read(entry).is_none());
        let length = u64::try_from(list.len()).unwrap_or(u64::MAX);
        if let Some(first) = unreadable.next() {
            self.problems.push(format!("{set}: unrecognized entry {}", quote(first)));
            let unreadable = unreadable.count() + 1;
            self.add_partial(set.clone(), format!("{unreadable} of {length} entries are not recognized"));
        } else if let Some(total) = total.filter(|&total| total > length) {
            self.add_partial(set.clone(), format!("the report lists {length} of {total}"));
        }
        self.add(set, measured(elements));
    }

    /// Adds a custom metric: an object with one field, its type and value, alone or as the only element of a list.
    fn add_custom(&mut self, name: &str, value: &Value) {
        let object = match value.as_array().map(Vec::as_slice) {
            Some([only]) => only,
            _ => value,
        };
        let mut fields = object.as_object().into_iter().flatten();
        let field = fields.next().filter(|_| fields.next().is_none());
        match field.and_then(|(kind, value)| custom(kind, value)) {
            Some(measured) => self.add(Metric::Custom(name.to_owned()), measured),
            None => self.problems.push(format!("custom metric {}: unrecognized value {}", quote(name), quote(value))),
        }
    }
}

/// The long and the short name of a field.
type Names = (&'static str, &'static str);

const METRICS: Names = ("metrics", "met");
const CUSTOM_METRICS: Names = ("custom_metrics", "cmet");

/// A field under either of its names. `null` counts as missing.
fn field(object: &Object, (long, short): Names) -> Option<&Value> {
    [long, short].iter().filter_map(|name| object.get(*name)).find(|value| !value.is_null())
}

/// CBOR as JSON. What JSON does not have becomes a value that no field of a report accepts.
fn json_of(value: ciborium::Value) -> Value {
    use ciborium::Value as Cbor;
    match value {
        Cbor::Integer(integer) => match Number::from_i128(integer.into()) {
            Some(number) => Value::Number(number),
            None => json!({"integer": i128::from(integer).to_string()}),
        },
        Cbor::Float(float) => Value::from(float),
        Cbor::Text(text) => Value::from(text),
        Cbor::Bool(truth) => Value::from(truth),
        Cbor::Array(list) => list.into_iter().map(json_of).collect(),
        Cbor::Map(map) => {
            map.into_iter().filter_map(|(name, value)| Some((name.into_text().ok()?, json_of(value)))).collect()
        }
        Cbor::Tag(_, value) => json_of(*value),
        Cbor::Bytes(bytes) => json!({"bytes": bytes.len()}),
        _ => Value::Null,
    }
}

fn port(value: &Value) -> Option<u16> {
    u16::try_from(value.as_u64()?).ok()
}

/// The address of `192.0.2.1:443` or `[2001:db8::1]:443`. Some agents omit the brackets, add a zone, or write IPv4-mapped
/// addresses, which become IPv4.
fn remote(value: &Value) -> Option<IpAddr> {
    let (host, port) = value.as_str()?.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address = bare.split_once('%').map_or(bare, |(address, _zone)| address);
    Some(address.parse::<IpAddr>().ok()?.to_canonical())
}

fn custom(kind: &str, value: &Value) -> Option<Measured> {
    let address = |value: &Value| Some(value.as_str()?.parse::<IpAddr>().ok()?.to_canonical());
    let string = |value: &Value| value.as_str().map(str::to_owned);
    let list = || value.as_array().map(|list| list.iter());
    match kind {
        "number" => value.as_number().cloned().map(Measured::Number),
        "number_list" => list()?.map(|value| value.as_number().cloned()).collect::<Option<_>>().map(Measured::Numbers),
        "string_list" => list()?.map(string).collect::<Option<_>>().map(Measured::Strings),
        "ip_list" => list()?.map(address).collect::<Option<_>>().map(Measured::Addresses),
        _ => None,
    }
}
