//! A second implementation of the report parser, on a tree of values, as simple as possible.

use std::collections::BTreeMap;
use std::net::IpAddr;

use device_defender::internals::detect::{Measured, Metric, Observation};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{cases, to_cbor};

/// What a report says. `None`: it is not a report.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    id: Option<u64>,
    measured: BTreeMap<Metric, Measured>,
    partial: BTreeMap<Metric, String>,
    problems: usize,
}

fn field<'v>(object: &'v Value, long: &str, short: &str) -> Option<&'v Value> {
    [long, short].iter().filter_map(|name| object.get(name)).find(|value| !value.is_null())
}

fn unsigned(value: &Value) -> Option<u64> {
    let float = value.as_f64().filter(|float| float.fract() == 0.0 && (0.0..1e15).contains(float));
    value.as_u64().or_else(|| format!("{:.0}", float?.abs()).parse().ok())
}

impl Expected {
    fn of(document: &Value) -> Option<Self> {
        let (metrics, custom) = (field(document, "metrics", "met"), field(document, "custom_metrics", "cmet"));
        if metrics.is_some_and(|metrics| !metrics.is_object()) || (metrics.is_none() && !custom?.is_object()) {
            return None;
        }
        let mut seen = Self::default();
        if let Some(id) = seen.object(document, "header", "hed").and_then(|header| field(header, "report_id", "rid")) {
            seen.id = unsigned(id).filter(|id| *id > 0);
            seen.problems += usize::from(seen.id.is_none());
        }
        let none = json!({});
        let metrics = metrics.unwrap_or(&none);
        let tcp = seen.object(metrics, "tcp_connections", "tc").unwrap_or(&none);
        let port = |entry: &Value| u16::try_from(unsigned(field(entry, "port", "pt")?)?).ok();
        let remote = |entry: &Value| {
            let (host, port) = field(entry, "remote_addr", "rad")?.as_str()?.rsplit_once(':')?;
            port.parse::<u16>().ok()?;
            Some(host.trim_matches(['[', ']']).parse::<IpAddr>().ok()?.to_canonical())
        };
        for (long, short, count, set) in [
            ("listening_tcp_ports", "tp", Metric::TcpPortCount, Metric::TcpPorts),
            ("listening_udp_ports", "up", Metric::UdpPortCount, Metric::UdpPorts),
        ] {
            let ports = |list: &[Value]| Measured::Ports(list.iter().filter_map(port).collect());
            let block = seen.object(metrics, long, short);
            seen.list(block, ("ports", "pts"), (count, set), |entry| port(entry).is_some(), ports);
        }
        let addresses = |list: &[Value]| Measured::Addresses(list.iter().filter_map(remote).collect());
        let block = seen.object(tcp, "established_connections", "ec");
        let names = (Metric::ConnectionCount, Metric::Destinations);
        seen.list(block, ("connections", "cs"), names, |entry| remote(entry).is_some(), addresses);
        let stats = seen.object(metrics, "network_stats", "ns").unwrap_or(&none);
        for (long, short, metric) in [
            ("bytes_in", "bi", Metric::BytesIn),
            ("bytes_out", "bo", Metric::BytesOut),
            ("packets_in", "pi", Metric::PacketsIn),
            ("packets_out", "po", Metric::PacketsOut),
        ] {
            seen.count(metric, field(stats, long, short));
        }
        let custom = seen.object(document, "custom_metrics", "cmet").and_then(Value::as_object);
        for (name, value) in custom.into_iter().flatten() {
            match value_of(value) {
                Some(measured) => drop(seen.measured.insert(Metric::Custom(name.clone()), measured)),
                None => seen.problems += 1,
            }
        }
        Some(seen)
    }

    fn object<'v>(&mut self, object: &'v Value, long: &str, short: &str) -> Option<&'v Value> {
        let value = field(object, long, short)?;
        self.problems += usize::from(!value.is_object());
        Some(value).filter(|value| value.is_object())
    }

    fn count(&mut self, metric: Metric, value: Option<&Value>) -> Option<u64> {
        let count = unsigned(value?);
        match count {
            Some(count) => drop(self.measured.insert(metric, Measured::Number(count.into()))),
            None => self.problems += 1,
        }
        count
    }

    fn list(
        &mut self,
        block: Option<&Value>,
        (long, short): (&str, &str),
        (count, set): (Metric, Metric),
        readable: impl Fn(&Value) -> bool,
        measured: impl Fn(&[Value]) -> Measured,
    ) {
        let Some(block) = block else { return };
        let given = field(block, long, short);
        self.problems += usize::from(given.is_some_and(|list| !list.is_array()));
        let length = given.and_then(Value::as_array).map(|list| json!(list.len()));
        let total = self.count(count, field(block, "total", "t").or(length.as_ref()));
        let empty = Vec::new();
        let list = match given {
            Some(given) => given.as_array(),
            None => Some(&empty).filter(|_| total == Some(0)),
        };
        let Some(list) = list else { return };
        let unreadable = list.iter().filter(|entry| !readable(entry)).count();
        if unreadable > 0 {
            self.problems += 1;
            self.partial.insert(set.clone(), format!("{unreadable} of {} entries are not recognized", list.len()));
        } else if let Some(total) = total.filter(|&total| total > u64::try_from(list.len()).unwrap()) {
            self.partial.insert(set.clone(), format!("the report lists {} of {total}", list.len()));
        }
        self.measured.insert(set, measured(list));
    }
}

fn value_of(value: &Value) -> Option<Measured> {
    let object = match value.as_array().map(Vec::as_slice) {
        Some([only]) => only,
        Some(_) => return None,
        None => value,
    };
    let mut fields = object.as_object()?.iter();
    let (Some((kind, value)), None) = (fields.next(), fields.next()) else { return None };
    let list = value.as_array();
    Some(match kind.as_str() {
        "number" => Measured::Number(value.as_number()?.clone()),
        "number_list" => {
            Measured::Numbers(list?.iter().map(|value| value.as_number().cloned()).collect::<Option<_>>()?)
        }
        "string_list" => {
            Measured::Strings(list?.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<_>>()?)
        }
        "ip_list" => {
            let address = |value: &Value| Some(value.as_str()?.parse::<IpAddr>().ok()?.to_canonical());
            Measured::Addresses(list?.iter().map(address).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// A value that some field takes, or none.
fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0_u64..4).prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => (-4_i32..400).prop_map(|quarters| json!(f64::from(quarters) / 4.0)),
        2 => prop::sample::select(vec!["10.0.0.1:443", "[::1]:5", "::ffff:10.0.0.1:5", "10.0.0.1", "::1", "x"]).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!({})),
        1 => Just(json!([])),
    ]
}

/// Mostly an object of these fields, some of them under both names.
fn object(fields: Vec<(&'static str, &'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(long, short, value)| {
            let long = prop::option::of(value.clone()).prop_map(move |value| Some((long.to_owned(), value?)));
            let short = prop::option::of(value).prop_map(move |value| Some((short.to_owned(), value?)));
            prop_oneof![3 => long.clone().prop_map(|field| vec![field]), 3 => short.clone().prop_map(|field| vec![field]),
                        1 => (long, short).prop_map(|(long, short)| vec![long, short])]
        })
        .collect();
    let object = fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().flatten().collect()));
    prop_oneof![8 => object, 1 => leaf()].boxed()
}

fn list(element: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop_oneof![8 => prop::collection::vec(element, 0..4).prop_map(Value::from), 1 => leaf()].boxed()
}

fn report() -> BoxedStrategy<Value> {
    let leaf = || leaf().boxed();
    let block = |list_names: (&'static str, &'static str), entry: BoxedStrategy<Value>| {
        object(vec![(list_names.0, list_names.1, list(entry)), ("total", "t", leaf())])
    };
    let port = || object(vec![("port", "pt", leaf()), ("interface", "if", leaf())]);
    let connection = object(vec![("remote_addr", "rad", leaf()), ("local_port", "lp", leaf())]);
    let connections = block(("connections", "cs"), connection);
    let typed = || {
        let value = prop_oneof![leaf(), list(leaf())].boxed();
        let kinds = ["number", "number_list", "string_list", "ip_list", "other"];
        let field = move |kind| (kind, kind, value.clone());
        prop_oneof![
            prop::sample::select(kinds.to_vec()).prop_flat_map(move |kind| object(vec![field(kind)])),
            object(kinds.map(|kind| (kind, kind, leaf())).to_vec()),
        ]
        .boxed()
    };
    let custom = || prop_oneof![3 => list(typed()), 1 => typed()].boxed();
    object(vec![
        ("header", "hed", object(vec![("report_id", "rid", leaf()), ("version", "v", leaf())])),
        (
            "metrics",
            "met",
            object(vec![
                ("listening_tcp_ports", "tp", block(("ports", "pts"), port())),
                ("listening_udp_ports", "up", block(("ports", "pts"), port())),
                ("tcp_connections", "tc", object(vec![("established_connections", "ec", connections)])),
                (
                    "network_stats",
                    "ns",
                    object(vec![
                        ("bytes_in", "bi", leaf()),
                        ("bytes_out", "bo", leaf()),
                        ("packets_in", "pi", leaf()),
                        ("packets_out", "po", leaf()),
                    ]),
                ),
            ]),
        ),
        ("custom_metrics", "cmet", object(vec![("m", "m", custom()), ("n", "n", custom())])),
        ("other", "o", leaf()),
    ])
}

proptest! {
    #![proptest_config(cases(1024))]

    #[test]
    fn both_implementations_read_the_same(report in report()) {
        let expected = Expected::of(&report);
        let text = report.to_string();
        for read in [Observation::from_json(text.as_bytes()), Observation::from_cbor(to_cbor(&report).as_slice())] {
            prop_assert_eq!(read.is_ok(), expected.is_some());
            let (Ok(read), Some(expected)) = (read, &expected) else { continue };
            prop_assert_eq!(read.report_id, expected.id);
            let problems = read.problems.len();
            prop_assert!(problems == expected.problems.min(5), "{:?}, expected {}", read.problems, expected.problems);
            let metrics = [
                Metric::BytesIn, Metric::BytesOut, Metric::PacketsIn, Metric::PacketsOut, Metric::TcpPortCount,
                Metric::UdpPortCount, Metric::ConnectionCount, Metric::TcpPorts, Metric::UdpPorts, Metric::Destinations,
                Metric::Custom("m".to_owned()), Metric::Custom("n".to_owned()),
            ];
            for metric in metrics {
                prop_assert_eq!(read.get(&metric), expected.measured.get(&metric), "{} of {}", metric, text);
                prop_assert_eq!(read.partial(&metric), expected.partial.get(&metric).map(String::as_str), "{} of {}", metric, text);
            }
        }
    }
}
