//! The fields of a report as they are written, each with its long and its short name.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use serde::de::{MapAccess, SeqAccess};
use serde_json::Number;

use super::custom::{CustomMetrics, CustomShape};
use super::typed::{Field, FieldName, Found, Names, Read, Shape, Skip};

const DOCUMENT: [Names; 3] = [("header", "hed"), ("metrics", "met"), ("custom_metrics", "cmet")];
const HEADER: [Names; 2] = [("report_id", "rid"), ("version", "v")];
const METRICS: [Names; 4] =
    [("listening_tcp_ports", "tp"), ("listening_udp_ports", "up"), ("tcp_connections", "tc"), ("network_stats", "ns")];
const CONNECTIONS: [Names; 1] = [("established_connections", "ec")];
const STATS: [Names; 4] = [("bytes_in", "bi"), ("bytes_out", "bo"), ("packets_in", "pi"), ("packets_out", "po")];

pub(super) struct Document {
    pub(super) header: Found<Header>,
    pub(super) metrics: Found<MetricBlocks>,
    pub(super) custom_metrics: Found<CustomMetrics>,
}

pub(super) struct Header {
    pub(super) report_id: Found<u64>,
    pub(super) version: Found<()>,
}

pub(super) struct MetricBlocks {
    pub(super) tcp_ports: Found<List<u16>>,
    pub(super) udp_ports: Found<List<u16>>,
    /// `established_connections` in `tcp_connections`.
    pub(super) connections: Found<Found<List<IpAddr>>>,
    /// In the order of [`TRAFFIC`](crate::detect::metric::TRAFFIC).
    pub(super) stats: Found<[Found<u64>; 4]>,
}

/// A block with a list and its `total`.
pub(super) struct List<T> {
    pub(super) total: Found<u64>,
    pub(super) elements: Found<Elements<T>>,
}

pub(super) struct Elements<T> {
    pub(super) distinct: BTreeSet<T>,
    pub(super) length: u64,
    /// How many of them could not be parsed, and why not the first of these.
    pub(super) unreadable: u64,
    pub(super) first_unreadable: Option<String>,
}

/// Reads the fields of an object that have one of these names, and skips the others.
macro_rules! read_fields {
    ($object:expr, $names:expr, { $($place:literal => $field:ident: $shape:expr),+ $(,)? }) => {
        $(let mut $field = Field::default();)+
        let mut object = $object;
        while let Some(name) = object.next_key_seed(FieldName(&$names))? {
            match name {
                $(Some(($place, length)) => $field.put(length, object.next_value_seed(Read($shape))?),)+
                _ => object.next_value_seed(Skip)?,
            }
        }
        $(let $field = $field.get();)+
    };
}

pub(super) use read_fields;

#[derive(Default)]
pub(super) struct DocumentShape;

impl Shape for DocumentShape {
    type Value = Document;

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<Document, String>, A::Error> {
        read_fields!(object, DOCUMENT, { 0 => header: HeaderShape, 1 => metrics: MetricsShape, 2 => custom_metrics: CustomShape });
        Ok(Ok(Document { header, metrics, custom_metrics }))
    }
}

struct HeaderShape;

impl Shape for HeaderShape {
    type Value = Header;

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<Header, String>, A::Error> {
        read_fields!(object, HEADER, { 0 => report_id: Unsigned, 1 => version: Text });
        Ok(Ok(Header { report_id, version }))
    }
}

struct MetricsShape;

impl Shape for MetricsShape {
    type Value = MetricBlocks;

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<MetricBlocks, String>, A::Error> {
        read_fields!(object, METRICS, {
            0 => tcp_ports: ListShape(Port),
            1 => udp_ports: ListShape(Port),
            2 => connections: ConnectionsShape,
            3 => stats: StatsShape,
        });
        Ok(Ok(MetricBlocks { tcp_ports, udp_ports, connections, stats }))
    }
}

struct ConnectionsShape;

impl Shape for ConnectionsShape {
    type Value = Found<List<IpAddr>>;

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<Self::Value, String>, A::Error> {
        read_fields!(object, CONNECTIONS, { 0 => established: ListShape(Remote) });
        Ok(Ok(established))
    }
}

struct StatsShape;

impl Shape for StatsShape {
    type Value = [Found<u64>; 4];

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<Self::Value, String>, A::Error> {
        read_fields!(object, STATS, {
            0 => bytes_in: Unsigned, 1 => bytes_out: Unsigned, 2 => packets_in: Unsigned, 3 => packets_out: Unsigned
        });
        Ok(Ok([bytes_in, bytes_out, packets_in, packets_out]))
    }
}

impl<T> Default for Elements<T> {
    fn default() -> Self {
        Self { distinct: BTreeSet::new(), length: 0, unreadable: 0, first_unreadable: None }
    }
}

/// What a list is of.
trait Element: Shape<Value: Ord> + Copy {
    /// The names of the list and its total.
    const LIST: [Names; 2];
    /// The field of an entry that has the element.
    const ENTRY: [Names; 1];
}

#[derive(Clone, Copy)]
struct ListShape<E>(E);

impl<E: Element> Shape for ListShape<E> {
    type Value = List<E::Value>;

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<Self::Value, String>, A::Error> {
        read_fields!(object, E::LIST, { 0 => elements: ElementsShape(self.0), 1 => total: Unsigned });
        Ok(Ok(List { total, elements }))
    }
}

struct ElementsShape<E>(E);

impl<E: Element> Shape for ElementsShape<E> {
    type Value = Elements<E::Value>;

    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<Result<Self::Value, String>, A::Error> {
        let mut elements = Elements::default();
        while let Some(entry) = list.next_element_seed(Read(EntryShape(self.0)))? {
            elements.length += 1;
            let [(name, _)] = E::ENTRY;
            let why = match entry {
                Some(Ok(Some(Ok(element)))) => {
                    elements.distinct.insert(element);
                    continue;
                }
                Some(Ok(Some(Err(value)))) => format!("unrecognized {name} {value}"),
                Some(Ok(None)) => format!("entry without {name}"),
                Some(Err(value)) => format!("unrecognized entry {value}"),
                None => "unrecognized entry null".to_owned(),
            };
            elements.unreadable += 1;
            elements.first_unreadable.get_or_insert(why);
        }
        Ok(Ok(elements))
    }
}

struct EntryShape<E>(E);

impl<E: Element> Shape for EntryShape<E> {
    type Value = Found<E::Value>;

    fn object<'de, A: MapAccess<'de>>(self, object: A) -> Result<Result<Self::Value, String>, A::Error> {
        read_fields!(object, E::ENTRY, { 0 => element: self.0 });
        Ok(Ok(element))
    }
}

#[derive(Clone, Copy)]
struct Port;

impl Element for Port {
    const LIST: [Names; 2] = [("ports", "pts"), ("total", "t")];
    const ENTRY: [Names; 1] = [("port", "pt")];
}

impl Shape for Port {
    type Value = u16;

    fn number(self, number: &Number) -> Option<u16> {
        u16::try_from(unsigned(number)?).ok()
    }
}

/// The address of `192.0.2.1:443` or `[2001:db8::1]:443`. Some agents omit the brackets, add a zone, or write IPv4-mapped
/// addresses, which become IPv4.
#[derive(Clone, Copy)]
struct Remote;

impl Element for Remote {
    const LIST: [Names; 2] = [("connections", "cs"), ("total", "t")];
    const ENTRY: [Names; 1] = [("remote_addr", "rad")];
}

impl Shape for Remote {
    type Value = IpAddr;

    fn text(self, text: &str) -> Option<IpAddr> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(address.ip().to_canonical()); // as most agents write it
        }
        let (host, port) = text.rsplit_once(':')?;
        port.parse::<u16>().ok()?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let address = bare.split_once('%').map_or(bare, |(address, _zone)| address);
        Some(address.parse::<IpAddr>().ok()?.to_canonical())
    }
}

pub(super) struct Unsigned;

impl Shape for Unsigned {
    type Value = u64;

    fn number(self, number: &Number) -> Option<u64> {
        unsigned(number)
    }
}

struct Text;

impl Shape for Text {
    type Value = ();

    fn text(self, _: &str) -> Option<()> {
        Some(())
    }
}

/// A whole number of 0 or more, also one written as 100.0 or 1e2.
fn unsigned(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let float = number.as_f64().filter(|float| (0.0..2_f64.powi(64)).contains(float) && float.fract() == 0.0)?;
        format!("{:.0}", float.abs()).parse().ok() // in decimal, which is exact; `abs` because of -0.0
    })
}
