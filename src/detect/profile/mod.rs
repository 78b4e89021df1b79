//! Security profiles: the output of `aws iot describe-security-profile`, or its list of behaviors.
//!
//! Every behavior is kept: with its rule if it can be judged, with the reason if only the service can judge it, with all
//! faults and their paths if it is invalid. A path is written as for `jq`, `.behaviors[0].criteria.value.ports[2]`.
//!
//! A field that is `null` counts as missing. Integers may be strings, as `durationSeconds` is in old exports. Fields that do
//! not say what is normal (`suppressAlerts`, `alertTargets`, `exportMetric` and so on) are ignored.

mod criteria;
mod parser;

use serde::Serialize;
use serde_json::Value;

use super::criterion::Criterion;
use super::metric::{Metric, MetricName, is_name, nearest_metric};
use super::quote;
use crate::files::without_byte_order_mark;
use crate::text::did_you_mean;
use criteria::Criteria;
pub use parser::ProfileFault;
use parser::{Object, ProfileParser, field};

#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// `securityProfileName`; `None` for a bare list of behaviors.
    pub(crate) name: Option<String>,
    /// At least one, in the order of the profile.
    pub behaviors: Vec<Behavior>,
    /// What is unusual but accepted.
    pub(crate) warnings: Vec<ProfileFault>,
}

/// A metric and what is normal for it, as they are in the profile, valid or not; what is missing is empty or `null`.
/// Serializes as in AWS's violation events, with every field that the profile has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Behavior {
    #[serde(skip)]
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) metric: String,
    pub(crate) criteria: Value,
    /// Its other fields, known or not, such as `suppressAlerts`.
    #[serde(flatten)]
    other: Object,
    #[serde(skip)]
    pub meaning: Meaning,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    Rule(Rule),
    /// Only by the service, for this reason.
    NotJudged(&'static str),
    /// Not at all: it has these faults, at least one.
    Invalid(Vec<ProfileFault>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub metric: Metric,
    pub(crate) criterion: Criterion,
    /// The seconds over which a delta metric is summed, 1 to 86400. `None`: a single report.
    pub(crate) duration: Option<u64>,
    /// The number of consecutive violating datapoints that raise the alarm, 1 to 10.
    pub(crate) to_alarm: u64,
    /// The number of consecutive conforming datapoints that clear it, 1 to 10.
    pub(crate) to_clear: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("not a security profile: expected an object with `behaviors`, or a list of behaviors")]
    Shape,
    /// Nothing could ever be violated.
    #[error("the profile has no behaviors")]
    Empty,
}

impl Profile {
    /// Parses the output of `describe-security-profile`, the input of `create-security-profile`, or a bare list of
    /// behaviors.
    ///
    /// # Errors
    /// [`ProfileError`] if there is no behavior.
    pub fn parse(text: &[u8]) -> Result<Self, ProfileError> {
        let document: Value = serde_json::from_slice(without_byte_order_mark(text))?;
        let (path, list) = match &document {
            Value::Array(list) => (".", list),
            _ => (".behaviors", document.get("behaviors").and_then(Value::as_array).ok_or(ProfileError::Shape)?),
        };
        if list.is_empty() {
            return Err(ProfileError::Empty);
        }
        let mut warnings = Vec::new();
        let mut parse = |(index, behavior)| Behavior::parse(behavior, format!("{path}[{index}]"), &mut warnings);
        let behaviors = list.iter().enumerate().map(&mut parse).collect();
        let name = document.get("securityProfileName").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { name, behaviors, warnings })
    }
}

impl Behavior {
    fn parse(value: &Value, path: String, warnings: &mut Vec<ProfileFault>) -> Self {
        let mut parser = ProfileParser { faults: Vec::new(), warnings };
        let meaning = parser.meaning(value, &path).filter(|_| parser.faults.is_empty());
        let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            path,
            name: text("name"),
            metric: text("metric"),
            criteria: value.get("criteria").cloned().unwrap_or_default(),
            other: other_fields(value),
            meaning: meaning.unwrap_or(Meaning::Invalid(parser.faults)),
        }
    }

    /// `None` if the behavior is invalid or only the service can judge it.
    pub(crate) fn rule(&self) -> Option<&Rule> {
        match &self.meaning {
            Meaning::Rule(rule) => Some(rule),
            Meaning::NotJudged(_) | Meaning::Invalid(_) => None,
        }
    }

    /// The criterion in words: `at most 4096 bytes in 5m`. Empty without a rule. May quote foreign text.
    pub fn in_words(&self) -> String {
        let Some(Rule { metric, criterion, duration, .. }) = self.rule() else { return String::new() };
        let unit = match criterion {
            Criterion::Bound(_, bound) => metric.unit_of(bound),
            Criterion::Elements(..) => String::new(),
        };
        let time = duration.map_or_else(String::new, |seconds| format!(" in {}", span(seconds)));
        format!("{criterion}{unit}{time}")
    }
}

/// The fields of a behavior that [`Behavior`] does not have by name, without those that are `null`.
fn other_fields(behavior: &Value) -> Object {
    let named = ["name", "metric", "criteria"];
    let fields = behavior.as_object().into_iter().flatten();
    let other = fields.filter(|(name, value)| !named.contains(&name.as_str()) && !value.is_null());
    other.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Seconds in words, such as `5m`.
pub(crate) fn span(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

const FIELDS: [&str; 6] = ["name", "metric", "metricDimension", "criteria", "suppressAlerts", "exportMetric"];

impl ProfileParser<'_> {
    fn meaning(&mut self, behavior: &Value, path: &str) -> Option<Meaning> {
        let fields = self.expected("an object", behavior.as_object(), behavior, path)?;
        self.warn_unknown(fields, &FIELDS, path);
        if let Some((name, path)) = self.required(fields, "name", path) {
            let valid = name.as_str().filter(|name| is_name(name));
            self.expected("1 to 128 letters, digits, `:`, `_` or `-`", valid, name, &path);
        }
        let (metric, metric_path) = self.required(fields, "metric", path)?;
        let metric = self.expected("a string", metric.as_str(), metric, &metric_path)?;
        let metric = self.metric(metric, &metric_path);
        let dimension = field(fields, "metricDimension", path);
        if let Some((dimension, path)) = &dimension {
            self.dimension(dimension, path);
        }
        let (criteria, criteria_path) = self.required(fields, "criteria", path)?;
        let criteria = self.criteria(criteria, &metric, &criteria_path)?;
        let reason = match (metric, criteria) {
            (MetricName::Unknown, _) => return None,
            (MetricName::CloudSide(_), _) => "only the service measures this metric",
            (MetricName::DeviceSide(_), _) if dimension.is_some() => {
                "only the service knows the dimensions of a metric"
            }
            (MetricName::DeviceSide(_), Criteria { normal: Err(reason), .. }) => reason,
            (MetricName::DeviceSide(metric), Criteria { normal: Ok(criterion), duration, to_alarm, to_clear }) => {
                let duration = duration.filter(|_| metric.is_delta());
                return Some(Meaning::Rule(Rule { metric, criterion, duration, to_alarm, to_clear }));
            }
        };
        Some(Meaning::NotJudged(reason))
    }

    /// Checks a `MetricDimension`, which must have a name and may have an operator.
    fn dimension(&mut self, value: &Value, path: &str) {
        let name = value.get("dimensionName").and_then(Value::as_str);
        self.expected("an object with the string `dimensionName`", name, value, path);
        if let Some((operator, path)) = value.as_object().and_then(|fields| field(fields, "operator", path)) {
            self.one_of(operator, &["IN", "NOT_IN"], &path);
        }
    }

    fn metric(&mut self, name: &str, path: &str) -> MetricName {
        let metric = MetricName::parse(name);
        let meant = nearest_metric(name);
        let hint = did_you_mean(meant);
        match metric {
            MetricName::Unknown => {
                let wrong = "is not a metric of the service, and not a valid custom metric name";
                self.fault(path, format!("{} {wrong}{hint}", quote(Value::from(name))));
            }
            MetricName::DeviceSide(Metric::Custom(_)) if meant.is_some() => {
                self.warning(path, format!("{} is taken as the name of a custom metric{hint}", quote(name)));
            }
            MetricName::DeviceSide(_) | MetricName::CloudSide(_) => {}
        }
        metric
    }
}
