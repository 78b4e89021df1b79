//! Security profiles: the output of `aws iot describe-security-profile`, CloudFormation templates, or lists of behaviors.
//!
//! A profile is any object with `behaviors`, wherever it is in the document; without one, the document is a list of behaviors
//! or a single behavior. Names may be in PascalCase, as in templates.
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
use super::shorten;
use crate::document::{self, DocumentError, Object, Text, camel_case};
use crate::text::did_you_mean;
use criteria::Criteria;
pub(crate) use criteria::DURATIONS;
pub use parser::ProfileFault;
use parser::{ProfileParser, child, element, field, or_root, set_by};

#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// `securityProfileName`; `None` for behaviors without a profile, or if the name is set when a template is deployed.
    pub(crate) name: Option<String>,
    /// The name of the field that has the profile: in a template, the logical ID of the resource.
    pub(crate) id: Option<String>,
    /// In the order of the profile.
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

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error("not a security profile: expected an object with `behaviors`, a template, or a list of behaviors")]
    Shape,
    /// The output of `list-security-profiles` or `list-security-profiles-for-target`.
    #[error("a list of security profiles, without their behaviors")]
    OnlyNames,
    #[error("{path}: {fault}")]
    Computed { path: String, fault: String },
    /// Nothing could ever be violated.
    #[error("the profile has no behaviors")]
    Empty,
}

impl Profile {
    /// Parses all profiles of a document. One without behaviors has a warning that says so.
    ///
    /// # Errors
    /// [`ProfileError`] if there is no behavior at all.
    pub fn parse_all(text: &[u8]) -> Result<Vec<Self>, ProfileError> {
        let document = document::parse(text)?;
        let mut profiles = Vec::new();
        find(&document, "", None, &mut profiles)?;
        if profiles.is_empty() {
            let error = if lists_names(&document) { ProfileError::OnlyNames } else { ProfileError::Shape };
            profiles.push(Self::new(None, None, behaviors(&document, "").ok_or(error)?, ""));
        }
        if profiles.iter().all(|profile| profile.behaviors.is_empty()) {
            Err(ProfileError::Empty)
        } else {
            Ok(profiles)
        }
    }

    fn new(name: Option<String>, id: Option<&str>, behaviors: Vec<(String, &Value)>, path: &str) -> Self {
        let mut warnings = Vec::new();
        if behaviors.is_empty() {
            let message = "this profile has no behaviors, so nothing can violate it".to_owned();
            warnings.push(ProfileFault { path: or_root(path).to_owned(), message });
        }
        let behaviors =
            behaviors.into_iter().map(|(path, value)| Behavior::parse(value, &path, &mut warnings)).collect();
        Self { name, id: id.map(str::to_owned), behaviors, warnings }
    }
}

/// Adds the profiles in `value`, which is in the field `id`.
fn find(value: &Value, path: &str, id: Option<&str>, profiles: &mut Vec<Profile>) -> Result<(), ProfileError> {
    match value {
        Value::Object(fields) => {
            if let Some((list, path)) = field(fields, "behaviors", path) {
                if let Some(function) = document::function(list) {
                    return Err(ProfileError::Computed { path, fault: set_by(function) });
                }
                let name = document::field(fields, "securityProfileName").and_then(|(_, name)| name.as_str());
                let behaviors = behaviors(list, &path).ok_or(ProfileError::Shape)?;
                profiles.push(Profile::new(name.map(str::to_owned), id, behaviors, &path));
                return Ok(());
            }
            if is_without_behaviors(fields) {
                profiles.push(Profile::new(None, id, Vec::new(), path));
                return Ok(());
            }
            fields.iter().try_for_each(|(name, value)| {
                let id = if name == "Properties" { id } else { Some(name.as_str()) };
                find(value, &child(path, name), id, profiles)
            })
        }
        Value::Array(list) => {
            list.iter().enumerate().try_for_each(|(index, value)| find(value, &element(path, index), id, profiles))
        }
        _ => Ok(()),
    }
}

/// Whether this is a profile without the field `behaviors`: a resource of a template, or what the API describes. A violation
/// has the name of a profile, too, and one `behavior`.
fn is_without_behaviors(fields: &Object) -> bool {
    let has = |name| document::field(fields, name).is_some();
    if fields.get("Type").and_then(Value::as_str) == Some("AWS::IoT::SecurityProfile") {
        let properties = fields.get("Properties").and_then(Value::as_object);
        return properties.is_none_or(|properties| document::field(properties, "behaviors").is_none());
    }
    has("securityProfileName") && !has("behavior")
}

/// The behaviors of a list, or a single behavior, with their paths.
fn behaviors<'v>(value: &'v Value, path: &str) -> Option<Vec<(String, &'v Value)>> {
    match value {
        Value::Array(list) => {
            Some(list.iter().enumerate().map(|(index, value)| (element(path, index), value)).collect())
        }
        Value::Object(fields)
            if document::field(fields, "metric").or(document::field(fields, "criteria")).is_some() =>
        {
            Some(vec![(path.to_owned(), value)])
        }
        _ => None,
    }
}

/// Whether a document names profiles, as `list-security-profiles` does.
fn lists_names(document: &Value) -> bool {
    ["securityProfileIdentifiers", "securityProfileTargetMappings"].iter().any(|name| document.get(*name).is_some())
}

impl Behavior {
    fn parse(value: &Value, path: &str, warnings: &mut Vec<ProfileFault>) -> Self {
        let mut parser = ProfileParser { faults: Vec::new(), warnings };
        let meaning = parser.meaning(value, path).filter(|_| parser.faults.is_empty());
        let mut fields = match in_camel_case(value) {
            Value::Object(fields) => fields,
            _ => Object::new(),
        };
        let text = |value: Option<Value>| value.as_ref().and_then(Text::of).map_or_else(String::new, |text| text.text);
        Self {
            path: or_root(path).to_owned(),
            name: text(fields.remove("name")),
            metric: text(fields.remove("metric")),
            criteria: fields.remove("criteria").unwrap_or_default(),
            other: fields,
            meaning: meaning.unwrap_or(Meaning::Invalid(parser.faults)),
        }
    }

    /// A behavior that is not in a profile.
    pub(crate) fn of_rule(rule: Rule) -> Self {
        Self {
            path: String::new(),
            name: String::new(),
            metric: rule.metric.to_string(),
            criteria: Value::Null,
            other: Object::new(),
            meaning: Meaning::Rule(rule),
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

/// A value with the names of all fields in camelCase, as the API writes them, without those that count as missing.
fn in_camel_case(value: &Value) -> Value {
    match value {
        Value::Object(fields) if document::function(value).is_none() => {
            let fields = fields.iter().filter(|(_, value)| !document::is_missing(value));
            fields.map(|(name, value)| (camel_case(name), in_camel_case(value))).collect()
        }
        Value::Array(list) => list.iter().map(in_camel_case).collect(),
        value => value.clone(),
    }
}

/// Seconds in words, such as `5m`.
pub(crate) fn span(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

const FIELDS: [&str; 6] = ["name", "metric", "metricDimension", "criteria", "suppressAlerts", "exportMetric"];

impl ProfileParser<'_> {
    fn meaning(&mut self, behavior: &Value, path: &str) -> Option<Meaning> {
        let fields = self.object(behavior, path)?;
        self.warn_unknown(fields, &FIELDS, path);
        if let Some((name, path)) = self.required(fields, "name", path) {
            let text = self.expected("a string", Text::of(name), name, &path);
            if text.is_some_and(|name| name.is_known && !is_name(&name.text)) {
                let expected = "the service accepts only 1 to 128 letters, digits, `:`, `_` or `-`";
                self.warning(path, format!("{expected}, found {}", shorten(name)));
            }
        }
        let (metric, metric_path) = self.required(fields, "metric", path)?;
        let metric = self.expected("a string", metric.as_str(), metric, &metric_path)?;
        let metric = self.metric(metric, &metric_path);
        let dimension = field(fields, "metricDimension", path);
        if let Some((dimension, path)) = &dimension {
            self.dimension(dimension, path);
        }
        if let (Some((_, path)), MetricName::DeviceSide(Metric::Custom(_))) = (&dimension, &metric) {
            self.fault(path, "does not apply to a custom metric");
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
        let name = value.as_object().and_then(|fields| Text::of(field(fields, "dimensionName", path)?.0));
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
                self.fault(path, format!("{} {wrong}{hint}", shorten(Value::from(name))));
            }
            MetricName::DeviceSide(Metric::Custom(_)) if meant.is_some() => {
                self.warning(path, format!("{} is taken as the name of a custom metric{hint}", shorten(name)));
            }
            MetricName::DeviceSide(_) | MetricName::CloudSide(_) => {}
        }
        metric
    }
}
