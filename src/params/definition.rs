//! Connector definitions as operators have them: given to `aws greengrass create-connector-definition`, returned by
//! `get-connector-definition-version`, or the bare `Parameters` object (AWS IoT Greengrass version 1 API).

use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Parameter, ParameterFault, ProcDestinationPath, SampleInterval, check_name, check_text};
use crate::text;

const NAME: &str = "DeviceDefender";

const VERSIONS: RangeInclusive<u64> = 1..=3;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Definition {
    /// Its connectors, in order. A bare `Parameters` object is one connector without an ARN.
    pub connectors: Vec<Connector>,
    /// What makes it invalid, by connector, and then by parameter.
    pub problems: Vec<Finding>,
    /// What does not make it invalid.
    pub warnings: Vec<Finding>,
}

/// One connector of a definition. Serialized for `validate-params --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Connector {
    pub id: Option<String>,
    pub arn: Option<String>,
    /// Whether it is a Device Defender connector; the others are not checked.
    pub checked: bool,
    /// `None` unless valid.
    #[serde(skip)]
    pub sample_interval: Option<SampleInterval>,
    /// `None` unless valid.
    #[serde(skip)]
    pub proc_destination_path: Option<ProcDestinationPath>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The connector, counted from 0; `None` for the definition as a whole.
    pub connector: Option<usize>,
    /// The name of the parameter or field, as in the file if it is there.
    pub name: String,
    /// The parameter whose rule is broken.
    pub parameter: Option<Parameter>,
    /// The value in the file; `None` without one.
    pub value: Option<Value>,
    pub fault: ParameterFault,
}

/// The document is JSON, but not a known kind of definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a connector definition, an answer of get-connector-definition-version, or a Parameters object")]
pub struct UnknownShape;

impl Definition {
    pub fn check(document: &Value) -> Result<Self, UnknownShape> {
        let mut definition = Self::default();
        let object = document.as_object().ok_or(UnknownShape)?;
        let inner = ["Definition", "InitialVersion"].iter().find_map(|name| object.get(*name)?.as_object());
        let object = inner.unwrap_or(object);
        if let Some(list) = object.get("Connectors") {
            for connector in list.as_array().ok_or(UnknownShape)? {
                if connector.get("ConnectorArn").is_none() {
                    definition.problem("ConnectorArn", None, "is missing", ARN_REMEDY);
                }
                definition.check_connector(connector);
            }
        } else if object.contains_key("ConnectorArn") || object.contains_key("Parameters") {
            definition.check_connector(&Value::Object(object.clone())); // it may have been copied without its ARN
        } else if object.keys().any(|name| nearest(name).is_some()) {
            definition.check_parameters(object, Connector { checked: true, ..Connector::default() });
        } else {
            return Err(UnknownShape);
        }
        let found = |message, remedy| Finding::new(None, "definition", None, ParameterFault::new(message, remedy));
        match definition.checked().count() {
            0 => definition.problems.push(found(
                "has no DeviceDefender connector",
                "give the definition that has the connector …/connectors/DeviceDefender/versions/3",
            )),
            1 => {}
            _ => definition
                .warnings
                .push(found("has several DeviceDefender connectors", "keep one: a group has one instance of it")),
        }
        Ok(definition)
    }

    /// Checks single values; those that are `None` are not missed.
    pub(crate) fn check_values(values: &[(Parameter, Option<&str>)]) -> Self {
        let mut definition = Self::default();
        let mut connector = Connector { checked: true, ..Connector::default() };
        for (parameter, value) in values.iter().filter_map(|&(parameter, value)| Some((parameter, value?))) {
            definition.check_value(&mut connector, parameter, value);
        }
        definition.connectors.push(connector);
        definition
    }

    /// That of the first checked connector, if valid.
    pub fn sample_interval(&self) -> Option<SampleInterval> {
        self.checked().next()?.sample_interval
    }

    pub fn proc_destination_path(&self) -> Option<&ProcDestinationPath> {
        self.checked().next()?.proc_destination_path.as_ref()
    }

    pub(crate) fn checked(&self) -> impl Iterator<Item = &Connector> {
        self.connectors.iter().filter(|connector| connector.checked)
    }

    fn check_connector(&mut self, connector: &Value) {
        let text = |name: &str| connector.get(name)?.as_str().map(str::to_owned);
        let mut found = Connector { id: text("Id"), arn: text("ConnectorArn"), ..Connector::default() };
        let (arn, parameters) = (connector.get("ConnectorArn"), connector.get("Parameters"));
        match arn.map(parse_arn) {
            None => found.checked = parameters.is_some(),
            Some(Ok((name, version))) => {
                found.checked = name == NAME;
                if found.checked && !VERSIONS.contains(&version) {
                    let fault = ParameterFault::new("names an unknown version", "versions 1, 2 and 3 are known");
                    self.warn("ConnectorArn", arn, fault);
                }
            }
            Some(Err(message)) => {
                found.checked = arn.and_then(Value::as_str).is_some_and(|arn| arn.contains(NAME));
                self.problem("ConnectorArn", arn, message, ARN_REMEDY);
            }
        }
        match parameters {
            _ if !found.checked => self.connectors.push(found),
            Some(Value::Object(parameters)) => self.check_parameters(parameters, found),
            other => {
                let message = if other.is_some() { "is not a JSON object" } else { "is missing" };
                self.problem("Parameters", other, message, "give an object with the three parameters");
                self.connectors.push(found);
            }
        }
    }

    /// Checks a whole `Parameters` object: the three that must be there, misspelt or not, and then the others.
    fn check_parameters(&mut self, parameters: &Map<String, Value>, mut connector: Connector) {
        let unknown = parameters.keys().filter(|name| known(name).is_none());
        let mut strange: Vec<(&String, Option<Parameter>)> = unknown.map(|name| (name, nearest(name))).collect();
        for parameter in Parameter::ALL {
            let mut value = parameters.get(parameter.name());
            let misspelt = strange.iter().position(|(_, meant)| value.is_none() && *meant == Some(parameter));
            if let Some((name, _)) = misspelt.map(|place| strange.remove(place)) {
                value = parameters.get(name);
                self.problem(name, None, "is misspelled", &format!("call it {}", parameter.name()));
            }
            match value {
                Some(Value::String(value)) => self.check_value(&mut connector, parameter, value),
                Some(other) => self.check_non_string(parameter, other),
                None => {
                    let remedy = format!("add \"{}\": \"{}\"", parameter.name(), parameter.example());
                    self.broken_rule(parameter, None, ParameterFault::new("is missing", remedy));
                }
            }
        }
        for (name, _) in strange {
            self.warn(name, None, ParameterFault::new("is not a parameter of this connector", "remove it"));
        }
        self.connectors.push(connector);
    }

    fn check_value(&mut self, connector: &mut Connector, parameter: Parameter, text: &str) {
        let value = Value::from(text);
        match connector.set(parameter, text) {
            Ok(warnings) => warnings.into_iter().for_each(|fault| self.warn(parameter.name(), Some(&value), fault)),
            Err(fault) => self.broken_rule(parameter, Some(&value), fault),
        }
    }

    /// Reports a value that is not a string, and what else is wrong with it if it is a number.
    fn check_non_string(&mut self, parameter: Parameter, value: &Value) {
        const NUMBER: &str = "is a JSON number, not a string";
        let give_string = format!("give a string, such as \"{}\"", parameter.example());
        let checked = value.as_number().map(|number| Connector::default().set(parameter, &number.to_string()));
        let (message, remedy) = match checked {
            None => ("is not a string", give_string),
            Some(Ok(_)) => (NUMBER, format!("put it in quotes: \"{value}\"")),
            Some(Err(_)) => (NUMBER, give_string),
        };
        self.broken_rule(parameter, Some(value), ParameterFault::new(message, remedy));
        if let Some(Err(fault)) = checked {
            self.broken_rule(parameter, Some(value), fault);
        }
    }

    /// Adds a problem of the connector that is being checked, as the next two functions do.
    fn problem(&mut self, name: &str, value: Option<&Value>, message: &str, remedy: &str) {
        let fault = ParameterFault::new(message, remedy);
        self.problems.push(Finding::new(Some(self.connectors.len()), name, value, fault));
    }

    fn warn(&mut self, name: &str, value: Option<&Value>, fault: ParameterFault) {
        self.warnings.push(Finding::new(Some(self.connectors.len()), name, value, fault));
    }

    fn broken_rule(&mut self, parameter: Parameter, value: Option<&Value>, fault: ParameterFault) {
        let finding = Finding::new(Some(self.connectors.len()), parameter.name(), value, fault);
        self.problems.push(Finding { parameter: Some(parameter), ..finding });
    }
}

impl Connector {
    /// Parses a value and keeps it if it is valid; returns warnings about it, or the most specific fault.
    pub fn set(&mut self, parameter: Parameter, value: &str) -> Result<Vec<ParameterFault>, ParameterFault> {
        match parameter {
            Parameter::SampleIntervalSeconds => {
                let interval = SampleInterval::parse(value)?;
                self.sample_interval = Some(interval);
                Ok(interval.warnings(value))
            }
            Parameter::ProcDestinationPathResourceId => {
                check_text(value, parameter)?;
                check_name(value, "use only letters (a to z), digits, `_` and `-`").map(|()| Vec::new())
            }
            Parameter::ProcDestinationPath => {
                let path = ProcDestinationPath::parse(value)?;
                let warnings = path.warnings();
                self.proc_destination_path = Some(path);
                Ok(warnings)
            }
        }
    }
}

impl Finding {
    fn new(connector: Option<usize>, name: &str, value: Option<&Value>, fault: ParameterFault) -> Self {
        Self { connector, name: name.to_owned(), parameter: None, value: value.cloned(), fault }
    }
}

const ARN_REMEDY: &str = "give arn:aws:greengrass:REGION::/connectors/DeviceDefender/versions/3";

/// Parses `arn:PARTITION:greengrass:REGION:ACCOUNT:/connectors/NAME/versions/N` into name and version. Region and account
/// may be empty, as in AWS's own examples.
fn parse_arn(value: &Value) -> Result<(&str, u64), &'static str> {
    let text = value.as_str().ok_or("is not a string")?;
    let parse = || {
        let fields: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "greengrass", region, account, resource] = fields.as_slice() else { return None };
        let is_word = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let (name, version) = resource.strip_prefix("/connectors/")?.split_once("/versions/")?;
        let well_formed = partition.starts_with("aws") && is_word(partition) && is_word(region);
        let well_formed = well_formed && is_number(account) && is_number(version);
        let named = !name.is_empty() && !name.contains('/');
        Some((name, version.parse().ok()?)).filter(|_| well_formed && named)
    };
    parse().ok_or("is not the ARN of a connector")
}

fn known(name: &str) -> Option<Parameter> {
    Parameter::ALL.into_iter().find(|parameter| parameter.name() == name)
}

/// The parameter that a wrong name most likely means, in any case.
fn nearest(name: &str) -> Option<Parameter> {
    known(text::nearest(name, Parameter::ALL.into_iter().map(Parameter::name))?)
}
