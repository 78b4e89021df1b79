//! Connector definitions as operators have them: given to `aws greengrass create-connector-definition`, answered by
//! `get-connector-definition-version`, or the bare `Parameters` object (AWS IoT Greengrass version 1 API).

use serde_json::{Map, Value};
use strsim::damerau_levenshtein;

use super::{Fault, Parameter};

/// How many letters may be wrong in a misspelt name.
const MISSPELT: usize = 4;

/// The connector's name in its ARN.
const NAME: &str = "DeviceDefender";

/// The versions there were.
const VERSIONS: std::ops::RangeInclusive<u64> = 1..=3;

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Definition {
    /// Its connectors, in order. A bare `Parameters` object is one connector without an ARN.
    pub connectors: Vec<Connector>,
    /// What makes it invalid: by connector, and then by parameter.
    pub problems: Vec<Finding>,
    /// What does not.
    pub warnings: Vec<Finding>,
}

/// One connector of a definition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connector {
    /// Its `Id`.
    pub id: Option<String>,
    /// Its `ConnectorArn`.
    pub arn: Option<String>,
    /// Whether it is a Device Defender connector, and so was checked.
    pub checked: bool,
    /// The values that are strings, right or wrong, by parameter.
    pub values: Vec<(Parameter, String)>,
}

/// Something found, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which connector, counted from 0; `None` when it is about the file as a whole.
    pub connector: Option<usize>,
    /// The name of the parameter or field as it stands in the file, or as it should.
    pub name: String,
    /// The parameter whose rule it is about.
    pub parameter: Option<Parameter>,
    /// The value as it stands in the file; `None` when there is none.
    pub value: Option<Value>,
    /// What is wrong.
    pub fault: Fault,
}

/// It is JSON, but nothing of the kinds that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a connector definition nor an answer of get-connector-definition-version nor a Parameters object")]
pub struct UnknownShape;

impl Definition {
    /// Checks a whole document.
    ///
    /// # Errors
    /// [`UnknownShape`] when it has none of the fields that tell what it is.
    pub fn check(document: &Value) -> Result<Self, UnknownShape> {
        let mut definition = Self::default();
        let object = document.as_object().ok_or(UnknownShape)?;
        let inner = ["Definition", "InitialVersion"].iter().find_map(|name| object.get(*name)?.as_object());
        let object = inner.unwrap_or(object);
        if let Some(list) = object.get("Connectors") {
            for connector in list.as_array().ok_or(UnknownShape)? {
                definition.check_connector(connector, true);
            }
        } else if object.contains_key("ConnectorArn") || object.contains_key("Parameters") {
            definition.check_connector(&Value::Object(object.clone()), false);
        } else if object.keys().any(|name| nearest(name).is_some()) {
            definition.check_parameters(object, Connector { checked: true, ..Connector::default() });
        } else {
            return Err(UnknownShape);
        }
        definition.check_whole();
        Ok(definition)
    }

    /// Checks values given one by one; what is not given is not missed.
    #[must_use]
    pub fn check_values(values: impl IntoIterator<Item = (Parameter, String)>) -> Self {
        let mut definition = Self::default();
        let mut connector = Connector { checked: true, ..Connector::default() };
        connector.values.extend(values);
        for (parameter, value) in &connector.values {
            definition.check_value(0, *parameter, value);
        }
        definition.connectors.push(connector);
        definition
    }

    /// The checked connectors' values of a parameter.
    pub fn values(&self, wanted: Parameter) -> impl Iterator<Item = &str> {
        let values =
            self.connectors.iter().filter(|connector| connector.checked).flat_map(|connector| &connector.values);
        values.filter(move |(parameter, _)| *parameter == wanted).map(|(_, value)| value.as_str())
    }

    fn check_whole(&mut self) {
        let checked = self.connectors.iter().filter(|connector| connector.checked).count();
        let about_all = |message: &str, remedy: &str| Finding {
            connector: None,
            name: "definition".to_owned(),
            parameter: None,
            value: None,
            fault: Fault::new(message, remedy),
        };
        if checked == 0 {
            let remedy = "give the definition that has the connector …/connectors/DeviceDefender/versions/3";
            self.problems.push(about_all("has no DeviceDefender connector", remedy));
        } else if checked > 1 {
            self.warnings
                .push(about_all("has several DeviceDefender connectors", "keep one: a group has one instance of it"));
        }
    }

    /// Checks one connector. One that is not in a list may be cut out of a definition, without its ARN.
    fn check_connector(&mut self, connector: &Value, in_list: bool) {
        let index = self.connectors.len();
        let text = |name: &str| connector.get(name)?.as_str().map(str::to_owned);
        let mut found = Connector { id: text("Id"), arn: text("ConnectorArn"), ..Connector::default() };
        let (arn, parameters) = (connector.get("ConnectorArn"), connector.get("Parameters"));
        match arn.map(Arn::parse) {
            None => {
                found.checked = parameters.is_some();
                if in_list || parameters.is_none() {
                    self.problem(index, "ConnectorArn", None, "is missing", ARN_REMEDY);
                }
            }
            Some(Ok(arn)) => {
                found.checked = arn.name == NAME;
                if found.checked && !VERSIONS.contains(&arn.version) {
                    let value = connector.get("ConnectorArn").cloned();
                    let fault = Fault::new("names a version that is not known", "versions 1, 2 and 3 are known");
                    self.warnings.push(Finding {
                        connector: Some(index),
                        name: "ConnectorArn".to_owned(),
                        parameter: None,
                        value,
                        fault,
                    });
                }
            }
            Some(Err(message)) => {
                found.checked = arn.and_then(Value::as_str).is_some_and(|arn| arn.contains(NAME));
                self.problem(index, "ConnectorArn", arn, message, ARN_REMEDY);
            }
        }
        match parameters {
            _ if !found.checked => self.connectors.push(found),
            Some(Value::Object(parameters)) => self.check_parameters(parameters, found),
            other => {
                let message = if other.is_some() { "is no JSON object" } else { "is missing" };
                self.problem(index, "Parameters", other, message, "give an object with the three parameters");
                self.connectors.push(found);
            }
        }
    }

    /// Checks a whole `Parameters` object: the three that must be there, rightly spelt or not, and then what else there is.
    fn check_parameters(&mut self, parameters: &Map<String, Value>, mut connector: Connector) {
        let index = self.connectors.len();
        let unknown = parameters.keys().filter(|name| known(name).is_none());
        let mut strange: Vec<(&String, Option<Parameter>)> = unknown.map(|name| (name, nearest(name))).collect();
        for parameter in Parameter::ALL {
            let mut value = parameters.get(parameter.name());
            let misspelt = strange.iter().position(|(_, meant)| value.is_none() && *meant == Some(parameter));
            if let Some((name, _)) = misspelt.map(|place| strange.remove(place)) {
                value = parameters.get(name);
                self.problem(index, name, None, "is misspelt", &format!("call it {}", parameter.name()));
            }
            match value {
                Some(Value::String(value)) => {
                    connector.values.push((parameter, value.clone()));
                    self.check_value(index, parameter, value);
                }
                Some(other) => self.check_no_string(index, parameter, other),
                None => {
                    let remedy = format!("add \"{}\": \"{}\"", parameter.name(), parameter.example());
                    self.problems.push(Finding::about(index, parameter, None, Fault::new("is missing", remedy)));
                }
            }
        }
        for (name, _) in strange {
            let fault = Fault::new("is no parameter of this connector", "take it out");
            self.warnings.push(Finding {
                connector: Some(index),
                name: name.clone(),
                parameter: None,
                value: None,
                fault,
            });
        }
        self.connectors.push(connector);
    }

    fn check_value(&mut self, index: usize, parameter: Parameter, value: &str) {
        let finding = |fault| Finding::about(index, parameter, Some(Value::String(value.to_owned())), fault);
        let no_rule_broken = |fault| Finding { parameter: None, ..finding(fault) };
        match parameter.check(value) {
            Ok(warnings) => self.warnings.extend(warnings.into_iter().map(no_rule_broken)),
            Err(fault) => self.problems.push(finding(fault)),
        }
    }

    /// Tells of a value that is no string, and of a number also what else is wrong with it.
    fn check_no_string(&mut self, index: usize, parameter: Parameter, value: &Value) {
        let give_string = format!("give a string, such as \"{}\"", parameter.example());
        let judged = value.as_number().map(|number| parameter.check(&number.to_string()));
        let faults = match judged {
            None => vec![Fault::new("is not a string", give_string)],
            Some(Ok(_)) => vec![Fault::new(NUMBER, format!("put it in quotes: \"{value}\""))],
            Some(Err(fault)) => vec![Fault::new(NUMBER, give_string), fault],
        };
        let finding = |fault| Finding::about(index, parameter, Some(value.clone()), fault);
        self.problems.extend(faults.into_iter().map(finding));
    }

    fn problem(&mut self, index: usize, name: &str, value: Option<&Value>, message: &str, remedy: &str) {
        self.problems.push(Finding {
            connector: Some(index),
            name: name.to_owned(),
            parameter: None,
            value: value.cloned(),
            fault: Fault::new(message, remedy),
        });
    }
}

const NUMBER: &str = "is a JSON number, not a string";

const ARN_REMEDY: &str = "give arn:aws:greengrass:REGION::/connectors/DeviceDefender/versions/3";

/// What a connector's ARN says.
struct Arn {
    name: String,
    version: u64,
}

impl Arn {
    /// Parses `arn:PARTITION:greengrass:REGION:ACCOUNT:/connectors/NAME/versions/N`. Region and account may be empty, as
    /// in the platform's own examples.
    fn parse(value: &Value) -> Result<Self, &'static str> {
        let text = value.as_str().ok_or("is not a string")?;
        let parse = || {
            let fields: Vec<&str> = text.splitn(6, ':').collect();
            let ["arn", partition, "greengrass", region, account, resource] = fields.as_slice() else { return None };
            let is_word = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            let well_formed = partition.starts_with("aws") && is_word(partition) && is_word(region);
            let account_is_number = account.bytes().all(|b| b.is_ascii_digit());
            let (name, version) = resource.strip_prefix("/connectors/")?.split_once("/versions/")?;
            let digits = version.bytes().all(|b| b.is_ascii_digit());
            let version = version.parse().ok().filter(|_| digits && well_formed && account_is_number)?;
            (!name.is_empty() && !name.contains('/')).then(|| Self { name: name.to_owned(), version })
        };
        parse().ok_or("is not the ARN of a connector")
    }
}

impl Finding {
    fn about(connector: usize, parameter: Parameter, value: Option<Value>, fault: Fault) -> Self {
        Self { connector: Some(connector), name: parameter.name().to_owned(), parameter: Some(parameter), value, fault }
    }
}

/// The parameter of this name.
fn known(name: &str) -> Option<Parameter> {
    Parameter::ALL.into_iter().find(|parameter| parameter.name() == name)
}

/// The parameter that a wrong name most likely means, whatever its case.
fn nearest(name: &str) -> Option<Parameter> {
    let distance = |parameter: Parameter| {
        let wanted = parameter.name();
        let near = wanted.len().abs_diff(name.len()) <= MISSPELT; // else there is no need to spend time on it
        near.then(|| damerau_levenshtein(&name.to_ascii_lowercase(), &wanted.to_ascii_lowercase()))
    };
    let distances = Parameter::ALL.into_iter().filter_map(|parameter| Some((distance(parameter)?, parameter)));
    distances.min().filter(|(distance, _)| *distance <= MISSPELT).map(|(_, parameter)| parameter)
}
