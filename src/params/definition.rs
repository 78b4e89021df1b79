//! Connector definitions as operators have them: given to `aws greengrass create-connector-definition`, returned by
//! `get-connector-definition-version`, in a CloudFormation template, or the bare `Parameters` object (AWS IoT Greengrass
//! version 1 API).
//!
//! Every list of `Connectors` is checked, wherever it is in the document.

use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Parameter, ParameterFault, ProcDestinationPath, SampleInterval, check_name, check_text};
use crate::document::{Text, field, function, is_missing};
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
    /// What is known only when a template is deployed is `${…}`.
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

/// The document is not a known kind of definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a connector definition with its connectors, a template that has one, or a Parameters object")]
pub struct UnknownShape;

impl Definition {
    pub fn check(document: &Value) -> Result<Self, UnknownShape> {
        let mut definition = Self::default();
        let mut lists = Vec::new();
        find_lists(document, &mut lists);
        if lists.is_empty() {
            definition.check_alone(document)?;
        }
        let mut has_computed = false;
        for connector in lists.into_iter().flatten().filter(|connector| !is_missing(connector)) {
            if function(connector).is_some() {
                has_computed = true;
                definition.problem("Connectors", Some(connector), COMPUTED, DEPLOYED_REMEDY);
                definition.connectors.push(Connector::default());
                continue;
            }
            if arn_of(connector).is_none() {
                definition.problem("ConnectorArn", None, "is missing", ARN_REMEDY);
            }
            definition.check_connector(connector);
        }
        let found = |message, remedy| Finding::new(None, "definition", None, ParameterFault::new(message, remedy));
        match definition.checked().count() {
            0 if has_computed => {}
            0 => definition.problems.push(found(
                "has no DeviceDefender connector",
                "give the definition that has the connector …/connectors/DeviceDefender/versions/3",
            )),
            1 => {}
            _ => definition.warnings.push(found(
                "has several DeviceDefender connectors",
                "keep one for each group; watch --params uses the first",
            )),
        }
        Ok(definition)
    }

    /// Checks a single connector, which may have been copied without its ARN, or bare parameters.
    fn check_alone(&mut self, document: &Value) -> Result<(), UnknownShape> {
        let object = document.as_object().filter(|object| !object.contains_key("Resources")).ok_or(UnknownShape)?;
        if ["connectorArn", "parameters"].iter().any(|name| field(object, name).is_some()) {
            self.check_connector(document);
        } else if object.keys().any(|name| nearest(name).is_some()) {
            self.check_parameters(object, Connector { checked: true, ..Connector::default() });
        } else {
            return Err(UnknownShape);
        }
        Ok(())
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
        let arn = arn_of(connector);
        let [id, parameters] = ["id", "parameters"].map(|name| Some(field(connector.as_object()?, name)?.1));
        let [id, text] = [id, arn].map(|value| Text::of(value?));
        let parsed = arn.map(|_| text.as_ref().ok_or("is not a string").and_then(parse_arn));
        let mut found = Connector { id: id.map(|id| id.text), ..Connector::default() };
        match parsed {
            None => found.checked = parameters.is_some(),
            Some(Ok(Arn { name, version })) => {
                found.checked = name == NAME;
                if found.checked && version.is_some_and(|version| !VERSIONS.contains(&version)) {
                    let fault = ParameterFault::new("names an unknown version", "versions 1, 2 and 3 are known");
                    self.warn("ConnectorArn", arn, fault);
                }
            }
            Some(Err(COMPUTED)) => {
                let names = parameters.and_then(Value::as_object).into_iter().flat_map(Map::keys);
                found.checked = names.into_iter().any(|name| nearest(name).is_some());
                if found.checked {
                    let remedy = "make sure that it becomes …/connectors/DeviceDefender/versions/3";
                    self.warn("ConnectorArn", arn, ParameterFault::new(COMPUTED, remedy));
                }
            }
            Some(Err(message)) => {
                found.checked = text.as_ref().is_some_and(|arn| arn.text.contains(NAME));
                self.problem("ConnectorArn", arn, message, ARN_REMEDY);
            }
        }
        found.arn = text.map(|arn| arn.text);
        match parameters {
            _ if !found.checked => self.connectors.push(found),
            Some(Value::Object(parameters)) => self.check_parameters(parameters, found),
            other => {
                let message = if other.is_some() { "is not an object" } else { "is missing" };
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
            match value.map(|value| (value, Text::of(value))) {
                Some((_, Some(Text { text, is_known: true }))) => self.check_value(&mut connector, parameter, &text),
                Some((computed, Some(_))) => {
                    self.broken_rule(parameter, Some(computed), ParameterFault::new(COMPUTED, DEPLOYED_REMEDY));
                }
                Some((other, None)) => self.check_non_string(parameter, other),
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
        const NUMBER: &str = "is a number, not a string";
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

/// What is wrong with a value that a function of CloudFormation computes.
const COMPUTED: &str = "is set when the stack is deployed";

const DEPLOYED_REMEDY: &str =
    "check the deployed definition, as aws greengrass get-connector-definition-version prints it";

/// Adds every list of connectors in a document.
fn find_lists<'v>(value: &'v Value, lists: &mut Vec<&'v [Value]>) {
    match value {
        Value::Object(object) => match field(object, "connectors") {
            Some((_, Value::Array(list))) => lists.push(list),
            Some((_, computed)) if function(computed).is_some() => lists.push(std::slice::from_ref(computed)),
            _ => object.values().for_each(|value| find_lists(value, lists)),
        },
        Value::Array(list) if list.iter().any(|connector| arn_of(connector).is_some()) => lists.push(list),
        Value::Array(list) => list.iter().for_each(|value| find_lists(value, lists)),
        _ => {}
    }
}

fn arn_of(connector: &Value) -> Option<&Value> {
    Some(field(connector.as_object()?, "connectorArn")?.1)
}

struct Arn<'t> {
    name: &'t str,
    /// `None` if it is known only when the stack is deployed.
    version: Option<u64>,
}

/// Parses `arn:PARTITION:greengrass:REGION:ACCOUNT:/connectors/NAME/versions/N`. Region and account may be empty, as in AWS's
/// own examples. Of an ARN that is partly known, the end is enough.
fn parse_arn(Text { text, is_known }: &Text) -> Result<Arn<'_>, &'static str> {
    let parse = || {
        let (start, resource) = text.split_once("/connectors/")?;
        let (name, version) = resource.split_once("/versions/")?;
        if !is_known {
            return Some(Arn { name, version: version.parse().ok() });
        }
        let fields: Vec<&str> = start.splitn(6, ':').collect();
        let ["arn", partition, "greengrass", region, account, ""] = fields.as_slice() else { return None };
        let is_word = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let well_formed = partition.starts_with("aws") && is_word(partition) && is_word(region);
        let well_formed = well_formed && is_number(account) && is_number(version);
        let named = !name.is_empty() && !name.contains('/');
        Some(Arn { name, version: Some(version.parse().ok()?) }).filter(|_| well_formed && named)
    };
    parse().ok_or(if *is_known { "is not the ARN of a connector" } else { COMPUTED })
}

fn known(name: &str) -> Option<Parameter> {
    Parameter::ALL.into_iter().find(|parameter| parameter.name() == name)
}

/// The parameter that a wrong name most likely means, in any case.
fn nearest(name: &str) -> Option<Parameter> {
    known(text::nearest(name, Parameter::ALL.into_iter().map(Parameter::name))?)
}
