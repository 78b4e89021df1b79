//! Reports of anyone: JSON or CBOR, with long names, short names or both, as the agents of AWS mix them.
//!
//! Read as it comes: fields that mean nothing here are passed over, a block may be missing or `null`, a value that makes no
//! sense makes its metric unknown and is told. A count is `total`; without that, the length of the list. The list may be a
//! sample of what `total` counts.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;

use serde_json::{Map, Number, Value, json};

use super::measured::Measured;
use super::metric::Metric;
use super::observation::Observation;
use super::quote;

/// An object of a report.
type Object = Map<String, Value>;

/// Why something is no report.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// It is not JSON. Says where in the document.
    #[error("{0}")]
    Json(String),
    /// It is not CBOR.
    #[error("{0}")]
    Cbor(String),
    /// It has nothing of a report.
    #[error("no report: neither metrics nor custom_metrics")]
    NoReport,
    /// The line begins neither with `{` nor with the topic of a report.
    #[error("no report, which begins with `{{`")]
    NoBeginning,
    /// A report in CBOR after its topic: where it ends cannot be told.
    #[error("CBOR after a topic, which cannot be read: without `-v`, mosquitto_sub writes the reports alone")]
    CborAfterTopic,
    /// The input ends inside of it, or the next one begins.
    #[error("the report is cut off")]
    CutOff,
    /// It is longer than [`MAX_DOCUMENT`](super::reports::MAX_DOCUMENT).
    #[error("longer than {} bytes", super::reports::MAX_DOCUMENT)]
    TooLong,
    /// The input cannot be read; nothing comes after this.
    #[error("{0}")]
    Read(#[from] io::Error),
}

impl Wrong {
    /// `serde_json` counts lines in the document, which says nothing when it is one of many.
    fn of_json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let what = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
        Self::Json(match line {
            0 | 1 => format!("{what} at column {column}"),
            _ => format!("{what} at column {column} of line {line} of the report"),
        })
    }

    fn of_cbor(error: ciborium::de::Error<io::Error>) -> Self {
        use ciborium::de::Error;
        match error {
            Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => Self::CutOff,
            Error::Io(error) => Self::Read(error),
            Error::Syntax(byte) => Self::Cbor(format!("not CBOR at byte {byte}")),
            Error::Semantic(_, text) => Self::Cbor(text),
            Error::RecursionLimitExceeded => Self::Cbor("nested too deep".to_owned()),
        }
    }
}

impl Observation {
    /// Reads a report in JSON, which may have white space around it.
    ///
    /// # Errors
    /// [`Wrong`] when it is none.
    pub fn from_json(text: &[u8]) -> Result<Self, Wrong> {
        let text = text.trim_ascii();
        let document = serde_json::from_slice(text).map_err(|error| Wrong::of_json(&error))?;
        Self::of_document(&document, text.len())
    }

    /// Reads one report in CBOR, and nothing after it.
    ///
    /// # Errors
    /// [`Wrong`] when it is none. After [`Wrong::NoReport`], the input stands behind it.
    pub fn from_cbor(input: impl Read) -> Result<Self, Wrong> {
        let mut counted = Counted { input, bytes: 0 };
        let document = ciborium::from_reader(&mut counted).map_err(Wrong::of_cbor)?;
        Self::of_document(&json_of(document), counted.bytes)
    }

    /// What a document of so many bytes tells.
    fn of_document(document: &Value, bytes: usize) -> Result<Self, Wrong> {
        let document = document.as_object().ok_or(Wrong::NoReport)?;
        if field(document, METRICS).is_none() && field(document, CUSTOM_METRICS).is_none() {
            return Err(Wrong::NoReport);
        }
        let mut seen = Self::default();
        seen.add_count(Metric::MessageSize, Some(&Value::from(bytes)));
        if let Some(id) = seen.block(document, ("header", "hed")).and_then(|header| field(header, ("report_id", "rid")))
        {
            seen.report_id = id.as_u64().filter(|&id| id > 0);
            if seen.report_id.is_none() {
                seen.problems.push(format!("report_id {} is no positive integer", quote::json(id)));
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

    /// A block of the report. What is none is told, and unknown.
    fn block<'d>(&mut self, object: &'d Object, names: Names) -> Option<&'d Object> {
        let value = field(object, names)?;
        if !value.is_object() {
            self.problems.push(format!("{}: {} is no object", names.0, quote::json(value)));
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
        if let Some(stats) = self.block(metrics, ("network_stats", "ns")) {
            self.add_count(Metric::BytesIn, field(stats, ("bytes_in", "bi")));
            self.add_count(Metric::BytesOut, field(stats, ("bytes_out", "bo")));
            self.add_count(Metric::PacketsIn, field(stats, ("packets_in", "pi")));
            self.add_count(Metric::PacketsOut, field(stats, ("packets_out", "po")));
        }
    }

    /// Adds a count. What is no count is told, and unknown.
    fn add_count(&mut self, metric: Metric, value: Option<&Value>) -> Option<u64> {
        let value = value?;
        let count = value.as_u64();
        match count {
            Some(count) => self.add(metric, Measured::count(count)),
            None => self.problems.push(format!("{metric}: {} is no integer of 0 or more", quote::json(value))),
        }
        count
    }

    /// Adds the list of a block, and how long it is.
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
            self.problems.push(format!("{set}: {} is no list", quote::json(other)));
        }
        let length = list.map(Vec::len);
        let total = match field(block, ("total", "t")) {
            None => self.add_count(count, length.map(Value::from).as_ref()),
            total => self.add_count(count, total),
        };
        // Without a list, a total of 0 says that it is empty.
        let empty = Vec::new();
        let Some(list) = list.or((given.is_none() && total == Some(0)).then_some(&empty)) else { return };
        let elements: BTreeSet<T> = list.iter().filter_map(read).collect();
        let mut unreadable = list.iter().filter(|entry| read(entry).is_none());
        let length = u64::try_from(list.len()).unwrap_or(u64::MAX);
        if let Some(first) = unreadable.next() {
            self.problems.push(format!("{set}: {} is not understood", quote::json(first)));
            let unreadable = unreadable.count().saturating_add(1);
            self.add_partial(set.clone(), format!("{unreadable} of the {length} entries are not understood"));
        } else if let Some(total) = total.filter(|&total| total > length) {
            self.add_partial(set.clone(), format!("the report lists {length} of {total}"));
        }
        self.add(set, measured(elements));
    }

    /// Adds a custom metric: an object of one type and value, in a list or not.
    fn add_custom(&mut self, name: &str, value: &Value) {
        let object = match value.as_array().map(Vec::as_slice) {
            Some([only]) => only,
            _ => value,
        };
        let mut fields = object.as_object().into_iter().flatten();
        let measured = match (fields.next(), fields.next()) {
            (Some((kind, value)), None) => custom(kind, value),
            _ => None,
        };
        match measured {
            Some(measured) => self.add(Metric::Custom(name.to_owned()), measured),
            None => self.problems.push(format!(
                "custom metric {}: {} is not understood",
                quote::text(name),
                quote::json(value)
            )),
        }
    }
}

/// The long and the short name of a field.
type Names = (&'static str, &'static str);

const METRICS: Names = ("metrics", "met");
const CUSTOM_METRICS: Names = ("custom_metrics", "cmet");

/// A field under either of its names; one that is `null` counts as left out.
fn field(object: &Object, (long, short): Names) -> Option<&Value> {
    let given = |name| object.get(name).filter(|value| !value.is_null());
    given(long).or_else(|| given(short))
}

/// CBOR as JSON. What JSON does not have becomes what no field of a report takes.
fn json_of(value: ciborium::Value) -> Value {
    use ciborium::Value as Cbor;
    match value {
        Cbor::Integer(integer) => {
            let number = u64::try_from(integer).map(Number::from).or_else(|_| i64::try_from(integer).map(Number::from));
            number.map_or_else(|_| json!({"integer": i128::from(integer).to_string()}), Value::Number)
        }
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

/// The address of `192.0.2.1:443` or `[2001:db8::1]:443`, also in what agents write beside that: without brackets, with a
/// zone, and IPv4-mapped, which is IPv4.
fn remote(value: &Value) -> Option<IpAddr> {
    let (host, port) = value.as_str()?.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address = bare.split_once('%').map_or(bare, |(address, _zone)| address);
    Some(address.parse::<IpAddr>().ok()?.to_canonical())
}

fn custom(kind: &str, value: &Value) -> Option<Measured> {
    let number = |value: &Value| match value {
        Value::Number(number) => Some(number.clone()),
        _ => None,
    };
    let address = |value: &Value| Some(value.as_str()?.parse::<IpAddr>().ok()?.to_canonical());
    let string = |value: &Value| value.as_str().map(str::to_owned);
    Some(match kind {
        "number" => Measured::Number(number(value)?),
        "number_list" => Measured::Numbers(value.as_array()?.iter().map(number).collect::<Option<Vec<Number>>>()?),
        "string_list" => Measured::Strings(value.as_array()?.iter().map(string).collect::<Option<_>>()?),
        "ip_list" => Measured::Addresses(value.as_array()?.iter().map(address).collect::<Option<_>>()?),
        _ => return None,
    })
}

/// Counts what is read.
struct Counted<R> {
    input: R,
    bytes: usize,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes = self.bytes.saturating_add(read);
        Ok(read)
    }
}
