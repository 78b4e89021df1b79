//! The specification of the document: names, types, bounds, CBOR's form. Written by hand from AWS's pages, not from `src`.

use std::net::SocketAddr;

use ciborium::Value;
use device_defender::internals::report::Style;

/// Every long name and its short one.
pub(crate) const NAMES: [(&str, &str); 22] = [
    ("header", "hed"),
    ("report_id", "rid"),
    ("version", "v"),
    ("metrics", "met"),
    ("listening_tcp_ports", "tp"),
    ("listening_udp_ports", "up"),
    ("ports", "pts"),
    ("interface", "if"),
    ("port", "pt"),
    ("network_stats", "ns"),
    ("bytes_in", "bi"),
    ("bytes_out", "bo"),
    ("packets_in", "pi"),
    ("packets_out", "po"),
    ("tcp_connections", "tc"),
    ("established_connections", "ec"),
    ("connections", "cs"),
    ("local_interface", "li"),
    ("local_port", "lp"),
    ("remote_addr", "rad"),
    ("total", "t"),
    ("custom_metrics", "cmet"),
];

/// The JSON text of a report with short names. Custom metrics must not have names of the report.
pub(crate) fn with_short_names(json: &str) -> String {
    NAMES
        .iter()
        .fold(json.to_owned(), |json, (long, short)| json.replace(&format!("\"{long}\":"), &format!("\"{short}\":")))
}

/// An object whose fields keep their order.
pub(crate) fn map(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (text(key), value)).collect())
}

/// A string.
pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// What JSON says, as CBOR says it.
pub(crate) fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(b) => Value::Bool(*b),
        serde_json::Value::Number(n) => {
            let integer = n.as_u64().map(Value::from).or_else(|| n.as_i64().map(Value::from));
            integer.unwrap_or_else(|| Value::Float(n.as_f64().unwrap()))
        }
        serde_json::Value::String(s) => text(s),
        serde_json::Value::Array(list) => Value::Array(list.iter().map(from_json).collect()),
        serde_json::Value::Object(o) => {
            Value::Map(o.iter().map(|(key, value)| (text(key), from_json(value))).collect())
        }
    }
}

/// What CBOR says, as JSON on one line says it.
pub(crate) fn to_json(value: &Value) -> String {
    let join = |parts: Vec<String>| parts.join(",");
    match value {
        Value::Null => "null".to_owned(),
        Value::Integer(integer) => i128::from(*integer).to_string(),
        Value::Float(float) => serde_json::to_string(float).unwrap(),
        Value::Text(text) => serde_json::to_string(text).unwrap(),
        Value::Array(list) => format!("[{}]", join(list.iter().map(to_json).collect())),
        Value::Map(entries) => {
            format!("{{{}}}", join(entries.iter().map(|(key, v)| format!("{}:{}", to_json(key), to_json(v))).collect()))
        }
        other => panic!("no document has {other:?}"),
    }
}

/// The same document with short names. Those inside a custom metric have no short form.
pub(crate) fn shortened(value: &Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.iter().map(shortened).collect()),
        Value::Map(entries) => Value::Map(entries.iter().map(|(key, value)| shortened_entry(key, value)).collect()),
        other => other.clone(),
    }
}

fn shortened_entry(key: &Value, value: &Value) -> (Value, Value) {
    let long = key.as_text().unwrap();
    let (_, short) = NAMES.iter().find(|(name, _)| *name == long).unwrap_or_else(|| panic!("{long} is no name"));
    (text(short), if long == "custom_metrics" { value.clone() } else { shortened(value) })
}

/// The value of an object's field.
pub(crate) fn field<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let entries = value.as_map().unwrap_or_else(|| panic!("{value:?} is no object"));
    entries.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

/// Checks that an object has these fields in this order and no others; `true` marks those that must be there.
fn check_fields(value: &Value, fields: &[(&str, bool)]) {
    let entries = value.as_map().unwrap_or_else(|| panic!("{value:?} is no object"));
    let found: Vec<&str> = entries.iter().map(|(key, _)| key.as_text().unwrap()).collect();
    let expected: Vec<&str> =
        fields.iter().filter(|(name, required)| *required || found.contains(name)).map(|(name, _)| *name).collect();
    assert_eq!(found, expected);
}

/// An integer within bounds.
fn check_integer(value: Option<&Value>, least: u64, most: u64) -> u64 {
    let integer = value.and_then(Value::as_integer).unwrap_or_else(|| panic!("{value:?} is no integer"));
    let integer = u64::try_from(integer).unwrap();
    assert!((least..=most).contains(&integer), "{integer} is not from {least} to {most}");
    integer
}

/// Checks a document with long names against the specification.
pub(crate) fn check(document: &Value, style: Style) {
    check_fields(document, &[("header", true), ("metrics", true), ("custom_metrics", false)]);
    let header = field(document, "header").unwrap();
    check_fields(header, &[("report_id", true), ("version", true)]);
    check_integer(field(header, "report_id"), 1, i64::MAX as u64);
    assert_eq!(field(header, "version"), Some(&text("1.0")));

    let metrics = field(document, "metrics").unwrap();
    let blocks = ["listening_tcp_ports", "listening_udp_ports", "network_stats", "tcp_connections"];
    check_fields(metrics, &blocks.map(|block| (block, false)));
    for block in ["listening_tcp_ports", "listening_udp_ports"].into_iter().filter_map(|name| field(metrics, name)) {
        check_list(block, "ports", style, |port| {
            check_fields(port, &[("interface", false), ("port", true)]);
            check_interface(field(port, "interface"), Style::Plain);
            check_integer(field(port, "port"), 1, 65535);
        });
    }
    if let Some(stats) = field(metrics, "network_stats") {
        let figures = ["bytes_in", "bytes_out", "packets_in", "packets_out"];
        check_fields(stats, &figures.map(|figure| (figure, true)));
        for figure in figures {
            check_integer(field(stats, figure), 0, u64::MAX);
        }
    }
    if let Some(tcp) = field(metrics, "tcp_connections") {
        check_fields(tcp, &[("established_connections", true)]);
        check_list(field(tcp, "established_connections").unwrap(), "connections", style, |connection| {
            let interface = ("local_interface", style == Style::Connector);
            check_fields(connection, &[interface, ("local_port", true), ("remote_addr", true)]);
            check_interface(field(connection, "local_interface"), style);
            check_integer(field(connection, "local_port"), 0, 65535);
            let written = field(connection, "remote_addr").unwrap().as_text().unwrap();
            let remote: SocketAddr = written.parse().unwrap();
            assert_eq!(remote.to_string(), written);
            assert!(style == Style::Connector || remote.ip() == remote.ip().to_canonical(), "{remote} is IPv4-mapped");
        });
    }
    if let Some(custom) = field(document, "custom_metrics") {
        check_custom(custom);
    }
}

/// Checks a list and its total.
fn check_list(block: &Value, name: &str, style: Style, check: impl Fn(&Value)) {
    check_fields(block, &[(name, true), ("total", true)]);
    let list = field(block, name).unwrap().as_array().unwrap();
    assert_eq!(check_integer(field(block, "total"), 0, u64::MAX), list.len() as u64);
    assert!(style == Style::Plain || !list.is_empty());
    list.iter().for_each(check);
    if style == Style::Plain {
        let once: std::collections::BTreeSet<_> = list.iter().map(to_json).collect();
        // Connections that differ in their local address alone are written alike.
        assert!(name == "connections" || once.len() == list.len(), "an entry is repeated");
    }
}

/// A name, or in the connector's style nothing that is known.
fn check_interface(interface: Option<&Value>, style: Style) {
    match (interface, style) {
        (None, Style::Plain) | (Some(Value::Null), Style::Connector) => {}
        (Some(Value::Text(name)), _) => assert!(!name.is_empty(), "an interface without a name"),
        (other, _) => panic!("{other:?} is no interface"),
    }
}

/// Each metric is a list of one object of one value.
fn check_custom(custom: &Value) {
    for (name, value) in custom.as_map().unwrap() {
        assert!((1..=128).contains(&name.as_text().unwrap().len()));
        let [one] = value.as_array().unwrap().as_slice() else { panic!("{value:?} is not one element") };
        let [(kind, value)] = one.as_map().unwrap().as_slice() else { panic!("{one:?} is not one value") };
        let all = |good: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(good));
        let is_number = |value: &Value| value.is_integer() || value.is_float();
        let good = match kind.as_text().unwrap() {
            "number" => is_number(value),
            "number_list" => all(|value| value.is_integer() || value.is_float()),
            "string_list" | "ip_list" => all(Value::is_text),
            _ => false,
        };
        assert!(good, "{one:?}");
    }
}

/// Checks that `bytes` are one CBOR item in which every length is definite and every number as short as can be.
pub(crate) fn check_definite(bytes: &[u8]) {
    assert!(after_item(bytes).is_empty(), "something follows the document");
}

/// What follows the first item.
fn after_item(bytes: &[u8]) -> &[u8] {
    let (&first, rest) = bytes.split_first().unwrap();
    let (major, info) = (first >> 5, first & 0x1f);
    assert!(info < 28, "{first:#04x} has no definite length");
    let (argument, mut rest) = match info {
        24..=27 => {
            let (argument, rest) = rest.split_at(1 << (info - 24));
            let argument = argument.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            let least = [24, 1 << 8, 1 << 16, 1 << 32][usize::from(info - 24)];
            assert!(major == 7 || argument >= least, "{argument} is not in its shortest form");
            (argument, rest)
        }
        _ => (u64::from(info), rest),
    };
    match major {
        0 | 1 | 7 => {} // numbers and null
        3 => rest = &rest[usize::try_from(argument).unwrap()..],
        4 | 5 => {
            for _ in 0..argument * u64::from(major - 3) {
                rest = after_item(rest);
            }
        }
        _ => panic!("major type {major} has no place in a document"),
    }
    rest
}
