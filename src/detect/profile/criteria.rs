//! The `criteria` of a behaviour (`BehaviorCriteria` of the AWS IoT API).

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde_json::{Map, Number, Value};

use super::{Finder, Meaning, Rule, child};
use crate::detect::criterion::{Comparison, Criterion, Membership, Set};
use crate::detect::metric::{Kind, Metric, Named};
use crate::detect::quote;

/// The longest `durationSeconds` that is taken, a day. The service takes an hour at most.
const LONGEST: u64 = 86400;

/// The values of `durationSeconds` that the service takes.
const DURATIONS: [u64; 5] = [300, 600, 900, 1800, 3600];

/// The fields of `criteria`.
const FIELDS: [&str; 7] = [
    "comparisonOperator",
    "value",
    "durationSeconds",
    "consecutiveDatapointsToAlarm",
    "consecutiveDatapointsToClear",
    "mlDetectionConfig",
    "statisticalThreshold",
];

/// The percentiles there are (`StatisticalThreshold`).
const STATISTICS: [&str; 11] = ["p0", "p0.1", "p0.01", "p1", "p10", "p50", "p90", "p99", "p99.9", "p99.99", "p100"];

/// The operators there are.
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

/// What the criteria of a behaviour say.
pub(super) struct Criteria {
    normal: Normal,
    duration: Option<u64>,
    to_alarm: u64,
    to_clear: u64,
}

enum Normal {
    Known(Criterion),
    InTheCloud(&'static str),
}

impl Criteria {
    /// What they mean for a metric.
    pub(super) fn meaning(self, metric: Metric) -> Meaning {
        match self.normal {
            Normal::InTheCloud(reason) => Meaning::NotJudged(reason),
            Normal::Known(criterion) => {
                let Self { duration, to_alarm, to_clear, .. } = self;
                let duration = duration.filter(|_| metric.is_delta());
                Meaning::Rule(Rule { metric, criterion, duration, to_alarm, to_clear })
            }
        }
    }
}

impl Operator {
    /// Whether it is for metrics of this kind.
    fn fits(self, kind: Kind) -> bool {
        match kind {
            Kind::Count => matches!(self, Self::Bound(_)),
            Kind::Ports => matches!(self, Self::Ports(_)),
            Kind::Addresses => matches!(self, Self::Networks(_)),
            Kind::Custom => !matches!(self, Self::Ports(_)),
        }
    }

    /// The names that its value may have in a `MetricValue`. AWS's own examples have `count` for a custom number, too.
    fn values(self, kind: Kind) -> &'static [&'static str] {
        match self {
            Self::Bound(_) if kind == Kind::Custom => &["number", "count"],
            Self::Bound(_) => &["count"],
            Self::Ports(_) => &["ports"],
            Self::Networks(_) => &["cidrs"],
            Self::Set(_) => &["strings", "numbers"],
        }
    }
}

impl Finder<'_> {
    /// Reads criteria; `None` only with a fault noted.
    pub(super) fn criteria(&mut self, criteria: &Value, metric: &Named, path: &str) -> Option<Criteria> {
        let Some(fields) = criteria.as_object() else {
            let text = if criteria.is_null() { "is missing".to_owned() } else { no_object(criteria) };
            self.fault(path, text);
            return None;
        };
        self.fields(fields, &FIELDS, path);
        let field = |name: &str| fields.get(name).filter(|value| !value.is_null());
        let kind = match metric {
            Named::Known(metric) => metric.kind(),
            Named::CloudSide(kind) => *kind,
            Named::Unknown => return None,
        };
        let duration = field("durationSeconds").and_then(|value| self.duration(value, kind, path));
        let to_alarm = self.datapoints(field("consecutiveDatapointsToAlarm"), path, "consecutiveDatapointsToAlarm");
        let to_clear = self.datapoints(field("consecutiveDatapointsToClear"), path, "consecutiveDatapointsToClear");
        let in_the_cloud = self.in_the_cloud(fields, kind, path);
        let operator = field("comparisonOperator");
        let normal = if in_the_cloud.is_some() && operator.is_none() {
            None
        } else {
            let operator = self.operator(operator, kind, &format!("{path}.comparisonOperator"))?;
            match field("value") {
                None if in_the_cloud.is_some() => None,
                value => Some(self.value(value, operator, kind, &format!("{path}.value"))?),
            }
        };
        let normal = match (in_the_cloud, normal) {
            (Some(reason), _) => Normal::InTheCloud(reason),
            (None, normal) => Normal::Known(normal?),
        };
        Some(Criteria { normal, duration, to_alarm, to_clear })
    }

    /// Why only the service can judge these criteria, if they ask for what only it knows.
    fn in_the_cloud(&mut self, fields: &Map<String, Value>, kind: Kind, path: &str) -> Option<&'static str> {
        const LEVELS: [&str; 3] = ["LOW", "MEDIUM", "HIGH"];
        let all: [(&str, &str, &[&str], _); 2] = [
            (
                "mlDetectionConfig",
                "confidenceLevel",
                &LEVELS,
                "only the service has the machine learning model of this metric",
            ),
            (
                "statisticalThreshold",
                "statistic",
                &STATISTICS,
                "a percentile is that of all devices, which only the service knows",
            ),
        ];
        let mut reason = None;
        for (name, inner, known, why) in all {
            let Some(value) = fields.get(name).filter(|value| !value.is_null()) else { continue };
            let path = format!("{path}.{name}");
            if matches!(kind, Kind::Ports | Kind::Addresses) {
                self.fault(&path, "is for numbers, and this metric is a set");
            }
            self.one_of(value.get(inner), known, &format!("{path}.{inner}"));
            reason = reason.or(Some(why));
        }
        reason
    }

    fn operator(&mut self, value: Option<&Value>, kind: Kind, path: &str) -> Option<Operator> {
        let Some(value) = value else {
            self.fault(path, "is missing");
            return None;
        };
        let fitting = OPERATORS.iter().filter(|(_, operator)| operator.fits(kind)).map(|(name, _)| *name);
        let fitting = fitting.collect::<Vec<_>>().join(", ");
        let Some((name, operator)) = OPERATORS.iter().find(|(name, _)| value.as_str() == Some(name)) else {
            self.fault(path, format!("{} is none of {fitting}", quote::json(value)));
            return None;
        };
        if !operator.fits(kind) {
            self.fault(path, format!("{name} does not fit this metric; what fits is {fitting}"));
            return None;
        }
        Some(*operator)
    }

    fn value(&mut self, value: Option<&Value>, operator: Operator, kind: Kind, path: &str) -> Option<Criterion> {
        let wanted = operator.values(kind);
        let Some(value) = value else {
            self.fault(path, format!("is missing; wanted is {}", either(wanted)));
            return None;
        };
        let Some(fields) = value.as_object() else {
            self.fault(path, no_object(value));
            return None;
        };
        let mut given = fields.iter().filter(|(_, value)| !value.is_null());
        let (Some((name, value)), None) = (given.next(), given.next()) else {
            self.fault(path, format!("{} does not hold just {}", quote::json(value), either(wanted)));
            return None;
        };
        let path = child(path, name);
        if !wanted.contains(&name.as_str()) {
            self.fault(&path, format!("does not fit the operator and the metric; wanted is {}", either(wanted)));
            return None;
        }
        Some(match operator {
            Operator::Bound(comparison) if name == "count" => {
                let bound = self.integer(value, 0..=u64::MAX, &path)?;
                Criterion::Bound(comparison, Number::from(bound))
            }
            Operator::Bound(comparison) => Criterion::Bound(comparison, self.number(value, &path)?),
            Operator::Ports(membership) => {
                let ports = self.list(value, &path, |finder, value, path| {
                    finder.integer(value, 0..=u64::from(u16::MAX), path).and_then(|port| u16::try_from(port).ok())
                })?;
                Criterion::Elements(membership, Set::Ports(ports.into_iter().collect()))
            }
            Operator::Networks(membership) => {
                Criterion::Elements(membership, Set::Networks(self.list(value, &path, Self::network)?))
            }
            Operator::Set(membership) if name == "strings" => {
                let strings = self.list(value, &path, Self::string)?;
                Criterion::Elements(membership, Set::Strings(strings.into_iter().collect()))
            }
            Operator::Set(membership) => {
                Criterion::Elements(membership, Set::Numbers(self.list(value, &path, Self::number)?))
            }
        })
    }

    /// Reads every element of a list, so that every fault is told; `None` with a fault noted.
    fn list<T>(
        &mut self,
        value: &Value,
        path: &str,
        read: impl Fn(&mut Self, &Value, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(list) = value.as_array() else {
            self.fault(path, format!("{} is no list", quote::json(value)));
            return None;
        };
        let elements = list.iter().enumerate();
        let read: Vec<_> = elements.map(|(place, value)| read(self, value, &format!("{path}[{place}]"))).collect();
        read.into_iter().collect()
    }

    /// An integer; one in a string, too.
    fn integer(&mut self, value: &Value, range: std::ops::RangeInclusive<u64>, path: &str) -> Option<u64> {
        let integer = value.as_u64().or_else(|| value.as_str()?.parse().ok()).filter(|integer| range.contains(integer));
        if integer.is_none() {
            let (first, last) = range.into_inner();
            self.fault(path, format!("{} is no integer from {first} to {last}", quote::json(value)));
        }
        integer
    }

    /// A number; one in a string, too.
    fn number(&mut self, value: &Value, path: &str) -> Option<Number> {
        let number = match value {
            Value::Number(number) => Some(number.clone()),
            Value::String(text) => serde_json::from_str(text).ok(),
            _ => None,
        };
        if number.is_none() {
            self.fault(path, format!("{} is no number", quote::json(value)));
        }
        number
    }

    fn string(&mut self, value: &Value, path: &str) -> Option<String> {
        if !value.is_string() {
            self.fault(path, format!("{} is no string", quote::json(value)));
        }
        value.as_str().map(str::to_owned)
    }

    /// A network, or an address, which is a network of one host. One of IPv4-mapped addresses is one of IPv4.
    fn network(&mut self, value: &Value, path: &str) -> Option<IpNet> {
        let parse = |text: &str| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok();
        let Some(given) = value.as_str().and_then(parse) else {
            let example = "such as 10.0.0.0/8 or 2001:db8::/32";
            self.fault(path, format!("{} is no network {example}, and no address", quote::json(value)));
            return None;
        };
        let network = given.trunc();
        if network != given {
            self.warning(path, format!("{given} has bits set beyond its length; taken as {network}"));
        }
        let IpNet::V6(v6) = network else { return Some(network) };
        let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
        Some(mapped.and_then(|(v4, length)| Ipv4Net::new(v4, length).ok()).map_or(network, IpNet::V4))
    }

    fn duration(&mut self, value: &Value, kind: Kind, path: &str) -> Option<u64> {
        let path = format!("{path}.durationSeconds");
        let seconds = self.integer(value, 1..=LONGEST, &path)?;
        if matches!(kind, Kind::Ports | Kind::Addresses) {
            self.warning(path, "means nothing for a set, of which the latest counts");
        } else if !DURATIONS.contains(&seconds) {
            self.warning(path, format!("{seconds} is none of 300, 600, 900, 1800 and 3600, which the service takes"));
        }
        Some(seconds)
    }

    /// A number of datapoints in a row; 1 when none is given.
    fn datapoints(&mut self, value: Option<&Value>, path: &str, name: &str) -> u64 {
        value.and_then(|value| self.integer(value, 1..=10, &format!("{path}.{name}"))).unwrap_or(1)
    }

    pub(super) fn one_of(&mut self, value: Option<&Value>, known: &[&str], path: &str) {
        let value = value.unwrap_or(&Value::Null);
        if !value.as_str().is_some_and(|text| known.contains(&text)) {
            self.fault(path, format!("{} is none of {}", quote::json(value), known.join(", ")));
        }
    }
}

fn no_object(value: &Value) -> String {
    format!("{} is no object", quote::json(value))
}

/// Names in words.
fn either(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}
