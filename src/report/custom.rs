//! Custom metrics: values measured by the user, checked before they are sent.
//!
//! The service accepts values outside its limits, but then silently neither stores nor shows them. So every limit is
//! checked here, and all faults are reported at once. The limits are those of the AWS IoT API (`CreateCustomMetric`), of
//! the developer guide's page on custom metrics, and of the AWS IoT Device SDK for C++ (15 digits, allowed characters).

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

const NAME_LENGTH: usize = 128;

/// Significant ones of a number.
const DIGITS: usize = 15;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct CustomMetrics(BTreeMap<String, CustomValue>);

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomValue {
    Number(CustomNumber),
    NumberList(Vec<CustomNumber>),
    StringList(Vec<String>),
    #[serde(serialize_with = "addresses")]
    IpList(Vec<IpAddr>),
}

/// A number as it is sent: without fraction and exponent it stays an integer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum CustomNumber {
    Integer(i64),
    Float(f64),
}

#[derive(Debug, thiserror::Error)]
pub enum CustomError {
    #[error("not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{}", join(.0, "\n"))]
    Faults(Vec<MetricFault>),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metric `{metric}`: {text}")]
pub struct MetricFault {
    pub metric: String,
    pub text: String,
}

impl CustomMetrics {
    /// Parses a JSON object in the report's own shape, `{"name": [{"number": 1}]}`, or a plain one, `{"name": 1}` or
    /// `{"name": {"ip_list": ["192.0.2.1"]}}`.
    /// The error is [`CustomError::Json`] with line and column, or all faults in the order of the text.
    pub fn parse(text: &[u8]) -> Result<Self, CustomError> {
        let Entries(entries) = serde_json::from_slice(text)?;
        let mut metrics = BTreeMap::new();
        let mut names = HashSet::new();
        let mut faults = Vec::new();
        for (name, value) in entries {
            let mut fault = |text| faults.push(MetricFault { metric: name.clone(), text });
            if let Err(text) = check_name(&name) {
                fault(text);
            }
            if !names.insert(name.clone()) {
                fault("given more than once".to_owned());
            }
            match parse_value(value) {
                Ok(value) => drop(metrics.insert(name, value)),
                Err(text) => fault(text),
            }
        }
        if faults.is_empty() { Ok(Self(metrics)) } else { Err(CustomError::Faults(faults)) }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &CustomValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl fmt::Display for CustomValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::NumberList(list) => f.write_str(&join(list, " ")),
            Self::StringList(list) => f.write_str(&join(list, " ")),
            Self::IpList(list) => f.write_str(&join(list, " ")),
        }
    }
}

fn join(list: &[impl ToString], separator: &str) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
    if name.is_empty() || name.len() > NAME_LENGTH || !name.chars().all(allowed) {
        return Err(format!("a name is 1 to {NAME_LENGTH} letters, digits, `:`, `_` or `-`"));
    }
    if name.starts_with("aws:") {
        return Err("a name must not begin with `aws:`, which is reserved for AWS".to_owned());
    }
    Ok(())
}

const SHAPE: &str = "a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, \
                     as in {\"number_list\": [1, 2]}, alone or as the only element of a list";

fn parse_value(value: &RawValue) -> Result<CustomValue, String> {
    let object = match value.get().bytes().next() {
        Some(b'-' | b'0'..=b'9') => return parse_number(value).map(CustomValue::Number),
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(value.get()).as_deref() {
            Ok([only]) => *only,
            _ => return Err(SHAPE.to_owned()),
        },
        _ => value,
    };
    let Ok(Entries(entries)) = serde_json::from_str(object.get()) else { return Err(SHAPE.to_owned()) };
    let [(kind, value)] = entries.as_slice() else { return Err(SHAPE.to_owned()) };
    match kind.as_str() {
        "number" => parse_number(value).map(CustomValue::Number),
        "number_list" => parse_list(kind, value, parse_number).map(CustomValue::NumberList),
        "string_list" => parse_list(kind, value, parse_string).map(CustomValue::StringList),
        "ip_list" => parse_list(kind, value, parse_ip).map(CustomValue::IpList),
        _ => Err(format!("`{kind}` is not a type; {SHAPE}")),
    }
}

/// Parses a list; the error names every invalid element.
fn parse_list<T>(kind: &str, value: &RawValue, parse: fn(&RawValue) -> Result<T, String>) -> Result<Vec<T>, String> {
    let list: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|_| format!("`{kind}` must be a list"))?;
    let mut parsed = Vec::with_capacity(list.len());
    let mut faults = Vec::new();
    for (place, element) in (1..).zip(list) {
        match parse(element) {
            Ok(element) => parsed.push(element),
            Err(text) => faults.push(format!("`{kind}`, element {place}: {text}")),
        }
    }
    if faults.is_empty() { Ok(parsed) } else { Err(faults.join("; ")) }
}

/// Parses a number from its text, so that all digits are counted before any is lost.
fn parse_number(value: &RawValue) -> Result<CustomNumber, String> {
    let text = value.get();
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    // From the first to the last one that is not 0.
    let digits = mantissa.replace(|c: char| !c.is_ascii_digit(), "").trim_matches('0').len();
    if digits > DIGITS {
        return Err(format!("{text} has more than {DIGITS} significant digits, the most that the service stores"));
    }
    if let Ok(integer) = text.parse() {
        return Ok(CustomNumber::Integer(integer));
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_infinite() => Err(format!("{text} is too large")),
        Ok(float) if float == 0.0 && digits > 0 => Err(format!("{text} is too close to 0")),
        Ok(float) => Ok(CustomNumber::Float(float)),
        Err(_) => Err(format!("{text} is not a number")),
    }
}

fn parse_string(value: &RawValue) -> Result<String, String> {
    let text: String = serde_json::from_str(value.get()).map_err(|_| format!("{value} is not a string"))?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-' | '/' | '.');
    match text.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(format!("{text:?} has {c:?}; only letters, digits, `:`, `_`, `-`, `/` and `.` are allowed")),
        None => Ok(text),
    }
}

fn parse_ip(value: &RawValue) -> Result<IpAddr, String> {
    let text: String = serde_json::from_str(value.get()).map_err(|_| format!("{value} is not a string"))?;
    text.parse().map_err(|_| format!("{text:?} is not an IPv4 or IPv6 address (without port, `/length` and `%zone`)"))
}

impl fmt::Display for CustomNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
        }
    }
}

impl Serialize for CustomMetrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, [value])))
    }
}

/// As text in CBOR too, where serde would write the bytes of an address.
fn addresses<S: Serializer>(list: &[IpAddr], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(list.iter().map(IpAddr::to_string))
}

/// The members of an object in order, repeated names included, with the text of each value.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of metric names and values")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries<'de>, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
