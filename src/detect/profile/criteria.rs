//! The `criteria` of a behavior (`BehaviorCriteria` of the AWS IoT API).

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net};
use serde_json::{Number, Value};

use super::parser::{ProfileParser, child, element, field};
use crate::detect::criterion::{Comparison, Criterion, Membership, Set};
use crate::detect::metric::{MetricKind, MetricName};
use crate::detect::shorten;
use crate::document::{Object, camel_case};

/// The longest `durationSeconds` that is accepted, a day. The service accepts at most an hour.
const MAX_DURATION: u64 = 86400;

/// The values of `durationSeconds` that the service accepts.
pub(crate) const DURATIONS: [u64; 5] = [300, 600, 900, 1800, 3600];

const FIELDS: [&str; 7] = [
    "comparisonOperator", "value", "durationSeconds", "consecutiveDatapointsToAlarm", "consecutiveDatapointsToClear",
    "mlDetectionConfig", "statisticalThreshold",
];

/// The percentiles of a `StatisticalThreshold`.
const STATISTICS: [&str; 11] = ["p0", "p0.1", "p0.01", "p1", "p10", "p50", "p90", "p99", "p99.9", "p99.99", "p100"];

const OPERATORS: [(&str, Operator); 10] = [
    ("less-than", Operator::Bound(Comparison::LessThan)),
    ("less-than-equals", Operator::Bound(Comparison::LessThanEquals)),
    ("greater-than", Operator::Bound(Comparison::GreaterThan)),
    ("greater-than-equals", Operator::Bound(Comparison::GreaterThanEquals)),
    ("in-cidr-set", Operator::Networks(Membership::In)),
    ("not-in-cidr-set", Operator::Networks(Membership::NotIn)),
    ("in-port-set", Operator::Ports(Membership::In)),
    ("not-in-port-set", Operator::Ports(Membership::NotIn)),
    ("in-set", Operator::Set(Membership::In)),
    ("not-in-set", Operator::Set(Membership::NotIn)),
];

/// A `comparisonOperator`, by what it compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Bound(Comparison),
    Ports(Membership),
    Networks(Membership),
    Set(Membership),
}

pub(super) struct Criteria {
    /// The reason if only the service can judge them.
    pub(super) normal: Result<Criterion, &'static str>,
    pub(super) duration: Option<u64>,
    pub(super) to_alarm: u64,
    pub(super) to_clear: u64,
}

impl Operator {
    fn parse(value: &Value) -> Option<Self> {
        let (_, operator) = OPERATORS.iter().find(|(name, _)| value.as_str() == Some(name))?;
        Some(*operator)
    }

    fn fits(self, kind: MetricKind) -> bool {
        match kind {
            MetricKind::Count => matches!(self, Self::Bound(_)),
            MetricKind::Ports => matches!(self, Self::Ports(_)),
            MetricKind::Addresses => matches!(self, Self::Networks(_)),
            MetricKind::Custom => !matches!(self, Self::Ports(_)),
        }
    }

    /// The fields of a `MetricValue` that can hold its value. AWS's own examples have `count` for a custom number, too.
    fn values(self, kind: MetricKind) -> &'static [&'static str] {
        match self {
            Self::Bound(_) if kind == MetricKind::Custom => &["number", "count"],
            Self::Bound(_) => &["count"],
            Self::Ports(_) => &["ports"],
            Self::Networks(_) => &["cidrs"],
            Self::Set(_) => &["strings", "numbers"],
        }
    }
}

impl ProfileParser<'_> {
    pub(super) fn criteria(&mut self, criteria: &Value, metric: &MetricName, path: &str) -> Option<Criteria> {
        let fields = self.object(criteria, path)?;
        self.warn_unknown(fields, &FIELDS, path);
        let kind = match metric {
            MetricName::DeviceSide(metric) => metric.kind(),
            MetricName::CloudSide(kind) => *kind,
            MetricName::Unknown => return None,
        };
        let duration =
            field(fields, "durationSeconds", path).and_then(|(value, path)| self.duration(value, kind, &path));
        let to_alarm = self.datapoints(field(fields, "consecutiveDatapointsToAlarm", path));
        let to_clear = self.datapoints(field(fields, "consecutiveDatapointsToClear", path));
        let reason = self.in_the_cloud(fields, kind, path);
        // What only the service can judge may lack an operator and a value, but these must not be wrong.
        let needs = |name| reason.is_none() || field(fields, name, path).is_some();
        let operator = if needs("comparisonOperator") { Some(self.operator(fields, kind, path)?) } else { None };
        let criterion = match operator {
            Some(operator) if needs("value") => Some(self.criterion(fields, operator, kind, path)?),
            _ => None,
        };
        let normal = match reason {
            Some(reason) => Err(reason),
            None => Ok(criterion?),
        };
        Some(Criteria { normal, duration, to_alarm, to_clear })
    }

    /// Why only the service can judge these criteria, if so.
    fn in_the_cloud(&mut self, fields: &Object, kind: MetricKind, path: &str) -> Option<&'static str> {
        let model = "only the service has the machine learning model of this metric";
        let percentile = "a percentile is computed over all devices, which only the service knows";
        let operator = field(fields, "comparisonOperator", path).and_then(|(value, _)| Operator::parse(value));
        let mut reason = None;
        for (name, inner, known, why) in [
            ("mlDetectionConfig", "confidenceLevel", &["LOW", "MEDIUM", "HIGH"][..], model),
            ("statisticalThreshold", "statistic", &STATISTICS, percentile),
        ] {
            let Some((value, path)) = field(fields, name, path) else { continue };
            if kind.is_set() {
                self.fault(&path, "applies only to numbers, and this metric is a set");
            } else if operator.is_some_and(|operator| operator.fits(kind) && !matches!(operator, Operator::Bound(_))) {
                self.fault(&path, "applies only to numbers, but the operator compares sets");
            }
            match value.as_object().and_then(|fields| field(fields, inner, &path)) {
                Some((value, path)) => self.one_of(value, known, &path),
                None => self.one_of(&Value::Null, known, &format!("{path}.{inner}")),
            }
            reason = reason.or(Some(why));
        }
        reason
    }

    fn operator(&mut self, fields: &Object, kind: MetricKind, path: &str) -> Option<Operator> {
        let (value, path) = self.required(fields, "comparisonOperator", path)?;
        let operator = Operator::parse(value).filter(|operator| operator.fits(kind));
        self.or_fault(operator, value, &path, || {
            let fitting = OPERATORS.iter().filter(|(_, operator)| operator.fits(kind));
            let names: Vec<&str> = fitting.map(|(name, _)| *name).collect();
            format!("must be one of {} for this metric; found {}", names.join(", "), shorten(value))
        })
    }

    fn criterion(&mut self, fields: &Object, operator: Operator, kind: MetricKind, path: &str) -> Option<Criterion> {
        let allowed = operator.values(kind);
        let expected = format!("`{}`", allowed.join("` or `"));
        let Some((value, path)) = field(fields, "value", path) else {
            self.fault(format!("{path}.value"), format!("missing; expected {expected}"));
            return None;
        };
        let given = self.object(value, &path)?;
        let mut given = given.iter().filter(|(_, value)| !value.is_null());
        let only = given.next().filter(|_| given.next().is_none());
        let (name, value) = self.expected(&format!("only {expected}"), only, value, &path)?;
        let path = child(&path, name);
        let name = camel_case(name);
        if !allowed.contains(&name.as_str()) {
            self.fault(path, format!("does not fit the operator and the metric; expected {expected}"));
            return None;
        }
        let membership = match operator {
            Operator::Bound(comparison) => {
                let bound = match name.as_str() {
                    "count" => self.integer(value, 0..=u64::MAX, &path)?.into(),
                    _ => self.number(value, &path)?,
                };
                return Some(Criterion::Bound(comparison, bound));
            }
            Operator::Ports(membership) | Operator::Networks(membership) | Operator::Set(membership) => membership,
        };
        let set = match name.as_str() {
            "ports" => Set::Ports(self.list(value, &path, Self::port)?),
            "cidrs" => Set::Networks(self.list(value, &path, Self::network)?),
            "strings" => Set::Strings(self.list(value, &path, Self::string)?),
            _ => Set::Numbers(self.list(value, &path, Self::number)?),
        };
        Some(Criterion::Elements(membership, set))
    }

    /// Reads every element of a list, to note every fault.
    fn list<T, L: FromIterator<T>>(
        &mut self,
        value: &Value,
        path: &str,
        read: fn(&mut Self, &Value, &str) -> Option<T>,
    ) -> Option<L> {
        let elements = self.expected("a list", value.as_array(), value, path)?.iter().enumerate();
        let read: Vec<_> = elements.map(|(index, value)| read(self, value, &element(path, index))).collect();
        read.into_iter().collect()
    }

    /// An integer, or one in a string.
    fn integer(&mut self, value: &Value, range: RangeInclusive<u64>, path: &str) -> Option<u64> {
        let integer = value.as_u64().or_else(|| value.as_str()?.parse().ok()).filter(|integer| range.contains(integer));
        self.expected(&format!("an integer from {} to {}", range.start(), range.end()), integer, value, path)
    }

    fn port(&mut self, value: &Value, path: &str) -> Option<u16> {
        self.integer(value, 0..=u16::MAX.into(), path)?.try_into().ok()
    }

    /// A number, or one in a string.
    fn number(&mut self, value: &Value, path: &str) -> Option<Number> {
        let number = value.as_number().cloned().or_else(|| serde_json::from_str(value.as_str()?).ok());
        self.expected("a number", number, value, path)
    }

    fn string(&mut self, value: &Value, path: &str) -> Option<String> {
        self.expected("a string", value.as_str().map(str::to_owned), value, path)
    }

    /// A network, or an address as a network of one host. An IPv4-mapped network becomes IPv4.
    fn network(&mut self, value: &Value, path: &str) -> Option<IpNet> {
        let expected = "a network such as 10.0.0.0/8 or 2001:db8::/32, or an address";
        let given = self.expected(expected, value.as_str().and_then(parse_network), value, path)?;
        let network = given.trunc();
        if network != given {
            self.warning(path, format!("{given} has host bits set; read as {network}"));
        }
        let IpNet::V6(v6) = network else { return Some(network) };
        let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
        Some(mapped.and_then(|(v4, length)| Ipv4Net::new(v4, length).ok()).map_or(network, IpNet::V4))
    }

    fn duration(&mut self, value: &Value, kind: MetricKind, path: &str) -> Option<u64> {
        let seconds = self.integer(value, 1..=MAX_DURATION, path)?;
        if kind.is_set() {
            self.warning(path, "has no effect on a set; the latest report counts");
        } else if !DURATIONS.contains(&seconds) {
            self.warning(path, format!("the service accepts only 300, 600, 900, 1800 and 3600, found {seconds}"));
        }
        Some(seconds)
    }

    /// A number of consecutive datapoints, 1 by default.
    fn datapoints(&mut self, field: Option<(&Value, String)>) -> u64 {
        field.and_then(|(value, path)| self.integer(value, 1..=10, &path)).unwrap_or(1)
    }
}

/// Parses a network or an address. Leading zeros are refused, because some programs take such numbers as octal.
fn parse_network(text: &str) -> Option<IpNet> {
    let Some((address, length)) = text.split_once('/') else { return text.parse::<IpAddr>().ok().map(IpNet::from) };
    let is_number = length == "0" || length.starts_with(|first: char| matches!(first, '1'..='9'));
    IpNet::new(address.parse().ok()?, length.parse().ok().filter(|_| is_number)?).ok()
}
