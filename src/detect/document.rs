//! Reports of anyone: JSON or CBOR, with long names, short names or both, as the agents of AWS mix them.
//!
//! Read as it comes: fields that mean nothing here are passed over, a block may be missing or `null`, a value that makes no
//! sense makes its metric unknown and is told. A count is `total`; without that, the length of the list. The list may be a
//! sample of what `total` counts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use serde::Deserialize;
use serde_json::{Number, Value};

use super::measured::Measured;
use super::metric::Metric;
use super::observation::Observation;
use super::quote;

/// Why a document is no report.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not JSON, or a field is of another type than a report has there. Says where in the document.
    #[error("{0}")]
    Json(String),
    /// The same of CBOR.
    #[error("{0}")]
    Cbor(String),
    /// The input ends inside of it.
    #[error("the report is cut off")]
    CutOff,
    /// It cannot be read.
    #[error("{0}")]
    Read(std::io::Error),
    /// It has nothing of a report.
    #[error("no report: neither metrics nor custom_metrics")]
    NoReport,
}

#[derive(Deserialize)]
struct Document {
    #[serde(alias = "hed")]
    header: Option<Header>,
    #[serde(alias = "met")]
    metrics: Option<Metrics>,
    #[serde(alias = "cmet")]
    custom_metrics: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(alias = "rid")]
    report_id: Option<Value>,
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(alias = "tp")]
    listening_tcp_ports: Option<Ports>,
    #[serde(alias = "up")]
    listening_udp_ports: Option<Ports>,
    #[serde(alias = "ns")]
    network_stats: Option<NetworkStats>,
    #[serde(alias = "tc")]
    tcp_connections: Option<TcpConnections>,
}

#[derive(Deserialize)]
struct Ports {
    #[serde(alias = "pts")]
    ports: Option<Vec<Port>>,
    #[serde(alias = "t")]
    total: Option<Value>,
}

#[derive(Deserialize)]
struct Port {
    #[serde(alias = "pt")]
    port: Option<Value>,
}

#[derive(Deserialize)]
struct NetworkStats {
    #[serde(alias = "bi")]
    bytes_in: Option<Value>,
    #[serde(alias = "bo")]
    bytes_out: Option<Value>,
    #[serde(alias = "pi")]
    packets_in: Option<Value>,
    #[serde(alias = "po")]
    packets_out: Option<Value>,
}

#[derive(Deserialize)]
struct TcpConnections {
    #[serde(alias = "ec")]
    established_connections: Option<Connections>,
}

#[derive(Deserialize)]
struct Connections {
    #[serde(alias = "cs")]
    connections: Option<Vec<Connection>>,
    #[serde(alias = "t")]
    total: Option<Value>,
}

#[derive(Deserialize)]
struct Connection {
    #[serde(alias = "rad")]
    remote_addr: Option<Value>,
}

impl DocumentError {
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

    fn of_cbor(error: ciborium::de::Error<std::io::Error>) -> Self {
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
    /// [`DocumentError`] when it is none.
    pub fn from_json(text: &[u8]) -> Result<Self, DocumentError> {
        let text = text.trim_ascii();
        let document = serde_json::from_slice(text).map_err(|error| DocumentError::of_json(&error))?;
        Self::of_document(document, text.len())
    }

    /// Reads one report in CBOR, and nothing after it.
    ///
    /// # Errors
    /// [`DocumentError`] when it is none.
    pub fn from_cbor(input: impl Read) -> Result<Self, DocumentError> {
        let mut counted = Counted { input, bytes: 0 };
        let document = ciborium::from_reader(&mut counted).map_err(DocumentError::of_cbor)?;
        Self::of_document(document, counted.bytes)
    }

    /// What a document of so many bytes tells.
    fn of_document(document: Document, bytes: usize) -> Result<Self, DocumentError> {
        let Document { header, metrics, custom_metrics } = document;
        if metrics.is_none() && custom_metrics.is_none() {
            return Err(DocumentError::NoReport);
        }
        let mut seen = Self::default();
        seen.add_count(Metric::MessageSize, Some(Value::from(bytes)));
        let report_id = header.and_then(|header| header.report_id);
        seen.report_id = report_id.as_ref().and_then(Value::as_u64).filter(|&id| id > 0);
        if let Some(id) = report_id.filter(|_| seen.report_id.is_none()) {
            seen.problems.push(format!("report_id {} is no positive integer", quote::json(&id)));
        }
        if let Some(metrics) = metrics {
            let Metrics { listening_tcp_ports, listening_udp_ports, network_stats, tcp_connections } = metrics;
            for (count, set, ports) in [
                (Metric::TcpPortCount, Metric::TcpPorts, listening_tcp_ports),
                (Metric::UdpPortCount, Metric::UdpPorts, listening_udp_ports),
            ] {
                if let Some(Ports { ports, total }) = ports {
                    let ports = ports.map(|list| list.into_iter().map(|entry| entry.port).collect());
                    seen.add_list(count, set, ports, total, port, Measured::Ports);
                }
            }
            if let Some(Connections { connections, total }) =
                tcp_connections.and_then(|tcp| tcp.established_connections)
            {
                let remotes = connections.map(|list| list.into_iter().map(|entry| entry.remote_addr).collect());
                seen.add_list(
                    Metric::ConnectionCount,
                    Metric::Destinations,
                    remotes,
                    total,
                    remote,
                    Measured::Addresses,
                );
            }
            if let Some(NetworkStats { bytes_in, bytes_out, packets_in, packets_out }) = network_stats {
                seen.add_count(Metric::BytesIn, bytes_in);
                seen.add_count(Metric::BytesOut, bytes_out);
                seen.add_count(Metric::PacketsIn, packets_in);
                seen.add_count(Metric::PacketsOut, packets_out);
            }
        }
        for (name, value) in custom_metrics.unwrap_or_default() {
            seen.add_custom(name, &value);
        }
        Ok(seen)
    }

    /// Adds a count. What is no count is told, and unknown.
    fn add_count(&mut self, metric: Metric, value: Option<Value>) -> Option<u64> {
        let value = value.filter(|value| !value.is_null())?;
        let count = value.as_u64();
        match count {
            Some(count) => self.add(metric, Measured::count(count)),
            None => self.problems.push(format!("{metric}: {} is no integer of 0 or more", quote::json(&value))),
        }
        count
    }

    /// Adds a list and its length.
    fn add_list<T: Ord>(
        &mut self,
        count: Metric,
        set: Metric,
        list: Option<Vec<Option<Value>>>,
        total: Option<Value>,
        read: fn(&Value) -> Option<T>,
        measured: fn(BTreeSet<T>) -> Measured,
    ) {
        let length = list.as_ref().map(|list| u64::try_from(list.len()).unwrap_or(u64::MAX));
        let total = match total.filter(|total| !total.is_null()) {
            None => self.add_count(count, length.map(Value::from)),
            total => self.add_count(count, total),
        };
        // Without a list, a total of 0 says that it is empty.
        let Some(list) = list.or_else(|| (total == Some(0)).then(Vec::new)) else { return };
        let mut elements = BTreeSet::new();
        let mut unreadable: u64 = 0;
        for value in list {
            let value = value.unwrap_or_default();
            if let Some(element) = read(&value) {
                elements.insert(element);
                continue;
            }
            if unreadable == 0 {
                self.problems.push(format!("{set}: {} is not understood", quote::json(&value)));
            }
            unreadable = unreadable.saturating_add(1);
        }
        let length = length.unwrap_or_default();
        if unreadable > 0 {
            self.add_partial(set.clone(), format!("{unreadable} of the {length} entries are not understood"));
        } else if let Some(total) = total.filter(|&total| total > length) {
            self.add_partial(set.clone(), format!("the report lists {length} of {total}"));
        }
        self.add(set, measured(elements));
    }

    /// Adds a custom metric: an object of one type and value, in a list or not.
    fn add_custom(&mut self, name: String, value: &Value) {
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
            Some(measured) => self.add(Metric::Custom(name), measured),
            None => self.problems.push(format!(
                "custom metric {}: {} is not understood",
                quote::text(&name),
                quote::json(value)
            )),
        }
    }
}

fn port(value: &Value) -> Option<u16> {
    u16::try_from(value.as_u64()?).ok()
}

/// The address of `192.0.2.1:443` or `[2001:db8::1]:443`, also in what agents write beside that: without brackets, with a
/// zone, and IPv4-mapped, which is IPv4.
fn remote(value: &Value) -> Option<IpAddr> {
    let text = value.as_str()?;
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let (host, port) = text.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.split_once('%') {
        Some((address, _)) => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => bare.parse::<IpAddr>().ok().map(|address| address.to_canonical()),
    }
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
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes = self.bytes.saturating_add(read);
        Ok(read)
    }
}
