//! Security profiles: what `aws iot describe-security-profile` prints, or just its list of behaviours.
//!
//! Every behaviour is kept: one that can be judged with its rule, one that cannot with the reason, a wrong one with every
//! fault and its place. A place is a path as `jq` takes it, `.behaviors[0].criteria.value.ports[2]`.
//!
//! A field that is `null` counts as left out. Integers may be written as strings, as old exports have `durationSeconds`.
//! Fields that say nothing about what is normal (`suppressAlerts`, `alertTargets`, `exportMetric` and so on) are passed over.

mod criteria;

use std::fmt;

use serde_json::{Map, Value};

use super::criterion::Criterion;
use super::metric::{Metric, Named, is_name, nearest, nearest_metric};
use super::quote;

/// A security profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// `securityProfileName`; `None` for a bare list of behaviours.
    pub name: Option<String>,
    /// Its behaviours, in their order; at least one.
    pub behaviors: Vec<Behavior>,
    /// What was put up with.
    pub warnings: Vec<Fault>,
}

/// A behaviour: a metric, and what is normal for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Behavior {
    /// Its place, as `jq` takes it.
    pub path: String,
    /// Its name as it stands; empty when it has none.
    pub name: String,
    /// The name of its metric as it stands; empty when it has none.
    pub metric: String,
    /// Its `criteria` as they stand; `null` when it has none.
    pub criteria: Value,
    /// What is made of it.
    pub meaning: Meaning,
}

/// What is made of a behaviour.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// It can be judged.
    Rule(Rule),
    /// Only the service can judge it, for this reason.
    NotJudged(&'static str),
    /// It is wrong; every fault, at least one.
    Invalid(Vec<Fault>),
}

/// How a behaviour is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What is measured.
    pub metric: Metric,
    /// What is normal.
    pub criterion: Criterion,
    /// Over how many seconds a delta metric is summed, 1 to 86400. `None`: what one report tells.
    pub duration: Option<u64>,
    /// How many violating datapoints in a row raise the alarm, 1 to 10.
    pub to_alarm: u64,
    /// How many conforming datapoints in a row clear it, 1 to 10.
    pub to_clear: u64,
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path as `jq` takes it.
    pub path: String,
    /// What is wrong, and what is right. May quote foreign text.
    pub text: String,
}

/// Why a text is no security profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It is not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is, but has no list of behaviours.
    #[error("no security profile: neither an object with `behaviors` nor a list of behaviors")]
    Shape,
    /// The list is empty, so that nothing could ever be violated.
    #[error("the profile has no behaviors")]
    Empty,
}

impl Profile {
    /// Parses an answer of `describe-security-profile`, the input of `create-security-profile`, or a bare list of
    /// behaviours.
    ///
    /// # Errors
    /// [`ProfileError`] when there is no behaviour to be found.
    pub fn parse(text: &[u8]) -> Result<Self, ProfileError> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        let document: Value = serde_json::from_slice(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))?;
        let (path, list) = match &document {
            Value::Array(list) => (".", list),
            _ => (".behaviors", document.get("behaviors").and_then(Value::as_array).ok_or(ProfileError::Shape)?),
        };
        if list.is_empty() {
            return Err(ProfileError::Empty);
        }
        let mut warnings = Vec::new();
        let mut parse = |(place, behavior)| Behavior::parse(behavior, &format!("{path}[{place}]"), &mut warnings);
        let behaviors = list.iter().enumerate().map(&mut parse).collect();
        let name = document.get("securityProfileName").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { name, behaviors, warnings })
    }
}

impl Behavior {
    fn parse(value: &Value, path: &str, warnings: &mut Vec<Fault>) -> Self {
        let mut finder = Finder { faults: Vec::new(), warnings };
        let empty = Map::new();
        let fields = value.as_object().unwrap_or_else(|| {
            finder.fault(path, format!("{} is no behavior, which is an object", quote::json(value)));
            &empty
        });
        let text = |name| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let criteria = fields.get("criteria").cloned().unwrap_or_default();
        let meaning = if value.is_object() { finder.meaning(fields, &criteria, path) } else { None };
        Self {
            path: path.to_owned(),
            name: text("name"),
            metric: text("metric"),
            criteria,
            meaning: meaning.filter(|_| finder.faults.is_empty()).unwrap_or(Meaning::Invalid(finder.faults)),
        }
    }

    /// The criterion in words: `at most 4096 bytes in 5m`. Empty for a behaviour that cannot be judged. May quote foreign
    /// text.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Meaning::Rule(rule) = &self.meaning else { return String::new() };
        let mut words = rule.criterion.to_string();
        if let Criterion::Bound(_, bound) = &rule.criterion {
            words.push_str(&rule.metric.unit_of(bound));
        }
        if let Some(seconds) = rule.duration {
            words = format!("{words} in {}", span(seconds));
        }
        words
    }
}

/// A number of seconds in words, such as `5m`.
#[must_use]
pub fn span(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

/// The fields of a behaviour.
const FIELDS: [&str; 6] = ["name", "metric", "metricDimension", "criteria", "suppressAlerts", "exportMetric"];

/// The path of a field: `path.name`, or `path["na-me"]`. A name that is too long to be shown has none of its own.
fn child(path: &str, name: &str) -> String {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name != quote::text(name) {
        path.to_owned()
    } else if !name.is_empty() && name.bytes().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{path}.{name}")
    } else {
        format!("{path}[{}]", Value::from(name))
    }
}

/// Finds what is wrong with a behaviour.
struct Finder<'w> {
    faults: Vec<Fault>,
    warnings: &'w mut Vec<Fault>,
}

impl Finder<'_> {
    fn fault(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.faults.push(Fault { path: path.into(), text: text.into() });
    }

    fn warning(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.warnings.push(Fault { path: path.into(), text: text.into() });
    }

    /// Warns of fields that there are not: a misspelt one would be left out without a word.
    fn fields(&mut self, fields: &Map<String, Value>, known: &[&str], path: &str) {
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let meant = nearest(name, known.iter().copied());
            let meant = meant.map_or_else(String::new, |meant| format!("; is `{meant}` meant?"));
            self.warning(
                child(path, name),
                format!("`{}` is no field here, and passed over{meant}", quote::text(name)),
            );
        }
    }

    /// What a behaviour means; `None` only with a fault noted.
    fn meaning(&mut self, fields: &Map<String, Value>, criteria: &Value, path: &str) -> Option<Meaning> {
        self.fields(fields, &FIELDS, path);
        match fields.get("name") {
            Some(Value::String(name)) if is_name(name) => {}
            Some(Value::Null) | None => self.fault(format!("{path}.name"), "is missing"),
            Some(other) => {
                let text = format!("{} is no name: 1 to 128 letters, digits, `:`, `_` or `-`", quote::json(other));
                self.fault(format!("{path}.name"), text);
            }
        }
        let metric = self.metric(fields.get("metric"), &format!("{path}.metric"))?;
        let has_dimension = self.dimension(fields.get("metricDimension"), &format!("{path}.metricDimension"));
        let criteria = self.criteria(criteria, &metric, &format!("{path}.criteria"))?;
        let metric = match metric {
            Named::Known(metric) => metric,
            Named::CloudSide(_) => return Some(Meaning::NotJudged("only the service measures this metric")),
            Named::Unknown => return None,
        };
        if has_dimension {
            return Some(Meaning::NotJudged("only the service knows the dimensions of a metric"));
        }
        Some(criteria.meaning(metric))
    }

    /// Whether there is a `MetricDimension`, which must have a name and may have an operator.
    fn dimension(&mut self, value: Option<&Value>, path: &str) -> bool {
        let Some(value) = value.filter(|value| !value.is_null()) else { return false };
        if !value.get("dimensionName").is_some_and(Value::is_string) {
            self.fault(path, format!("{} has no dimensionName, a string", quote::json(value)));
        }
        if let Some(operator) = value.get("operator").filter(|operator| !operator.is_null()) {
            self.one_of(Some(operator), &["IN", "NOT_IN"], &format!("{path}.operator"));
        }
        true
    }

    fn metric(&mut self, value: Option<&Value>, path: &str) -> Option<Named> {
        let name = match value {
            Some(Value::String(name)) => name,
            Some(Value::Null) | None => {
                self.fault(path, "is missing");
                return None;
            }
            Some(other) => {
                self.fault(path, format!("{} is no string", quote::json(other)));
                return None;
            }
        };
        let metric = Named::find(name);
        let meant = nearest_metric(name);
        let hint = meant.map_or_else(String::new, |meant| format!("; is `{meant}` meant?"));
        match metric {
            Named::Unknown => {
                let name = quote::json(&Value::from(name.as_str()));
                self.fault(path, format!("{name} is no metric of the service, and no name of a custom one{hint}"));
            }
            Named::Known(Metric::Custom(_)) if meant.is_some() => {
                self.warning(path, format!("{} is taken as the name of a custom metric{hint}", quote::text(name)));
            }
            Named::Known(_) | Named::CloudSide(_) => {}
        }
        Some(metric)
    }
}

/// `path: text`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}
