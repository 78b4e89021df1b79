//! The parameters of AWS's Greengrass Device Defender connector.
//!
//! The patterns are those of the AWS IoT Greengrass (version 1) developer guide, page "Device Defender connector"; a whole
//! value must match. A value is parsed once, into a type that only holds valid ones.

pub(crate) mod definition;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A parameter of the connector. Problems are reported in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parameter {
    SampleIntervalSeconds,
    /// The ID of the Greengrass resource that gives access to `/proc`.
    ProcDestinationPathResourceId,
    ProcDestinationPath,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterFault {
    /// What is wrong, phrased to follow the value.
    pub message: String,
    pub remedy: String,
}

/// The seconds between two reports: at least 300, at most 2^32 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleInterval(u32);

/// The path of a proc mount: `/` and one name made of letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcDestinationPath(PathBuf);

impl Parameter {
    pub const ALL: [Self; 3] =
        [Self::SampleIntervalSeconds, Self::ProcDestinationPathResourceId, Self::ProcDestinationPath];

    pub fn name(self) -> &'static str {
        match self {
            Self::SampleIntervalSeconds => "SampleIntervalSeconds",
            Self::ProcDestinationPathResourceId => "ProcDestinationPath-ResourceId",
            Self::ProcDestinationPath => "ProcDestinationPath",
        }
    }

    /// The documented pattern, character for character.
    pub fn pattern(self) -> &'static str {
        match self {
            Self::SampleIntervalSeconds => "^[0-9]*(?:3[0-9][0-9]|[4-9][0-9]{2}|[1-9][0-9]{3,})$",
            Self::ProcDestinationPathResourceId => "[a-zA-Z0-9_-]+",
            Self::ProcDestinationPath => r"\/[a-zA-Z0-9_-]+",
        }
    }

    /// The pattern in words.
    pub fn rule(self) -> &'static str {
        match self {
            Self::SampleIntervalSeconds => "a string of the digits 0 to 9, a number of seconds, 300 or more",
            Self::ProcDestinationPathResourceId => "a string of letters a to z, digits, `_` and `-`, at least one",
            Self::ProcDestinationPath => "a string of `/` and one name of letters a to z, digits, `_` and `-`",
        }
    }

    /// A valid value, for remedies.
    pub fn example(self) -> &'static str {
        match self {
            Self::SampleIntervalSeconds => "300",
            Self::ProcDestinationPathResourceId => "my-proc-resource",
            Self::ProcDestinationPath => "/host_proc",
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ParameterFault {
    fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}

/// The possible `durationSeconds` of a behavior (AWS IoT Device Defender developer guide).
const DURATIONS: [u32; 5] = [300, 600, 900, 1800, 3600];

impl SampleInterval {
    /// Parses a number of seconds. The pattern matches ASCII digits with a value of 300 or more, with any number of
    /// leading zeros. In addition, this refuses values beyond 32 bits (136 years). The error is the most specific fault.
    pub fn parse(value: &str) -> Result<Self, ParameterFault> {
        const DIGITS: &str = "write the seconds with the digits 0 to 9 only, such as \"300\"";
        check_text(value, Parameter::SampleIntervalSeconds)?;
        if let Some(c) = value.chars().find(|c| !c.is_ascii_digit()) {
            let message = if value.starts_with(['+', '-']) {
                "has a sign".to_owned()
            } else if value.chars().any(|c| c.is_numeric() && !c.is_ascii()) {
                "has digits other than the ASCII digits 0 to 9".to_owned()
            } else {
                format!("has {c:?}, which is not a digit")
            };
            return Err(ParameterFault::new(message, DIGITS));
        }
        let digits = value.trim_start_matches('0');
        let (message, remedy) = match digits.parse() {
            Ok(seconds) if seconds >= 300 => return Ok(Self(seconds)),
            Err(_) if digits.len() > 9 => ("matches the pattern, but exceeds 136 years", "give 3600 or less"),
            _ => ("is below 300", "give \"300\" or more: the service takes a report every 5 minutes"),
        };
        Err(ParameterFault::new(message, remedy))
    }

    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }

    pub(crate) fn warnings(self, value: &str) -> Vec<ParameterFault> {
        let divides_a_duration = DURATIONS.iter().any(|duration| duration.is_multiple_of(self.0));
        let exact = format!("write \"{}\"", self.0);
        let other = "use a divisor of 300, 600, 900, 1800 or 3600, such as \"600\"";
        let warnings = [
            (value.starts_with('0'), "has leading zeros", exact.as_str()),
            (!self.0.is_multiple_of(60), "is not a whole number of minutes", "use a multiple of 60"),
            (!divides_a_duration, "does not divide any durationSeconds that a behavior can have", other),
        ];
        let warnings = warnings.into_iter().filter(|(applies, ..)| *applies);
        warnings.map(|(_, message, remedy)| ParameterFault::new(message, remedy)).collect()
    }
}

impl ProcDestinationPath {
    /// The error is the most specific fault.
    pub fn parse(value: &str) -> Result<Self, ParameterFault> {
        const ONE_NAME: &str = "give `/` and one name, such as \"/host_proc\"; collect --proc accepts any path";
        check_text(value, Parameter::ProcDestinationPath)?;
        let (message, remedy) = match value.strip_prefix('/') {
            None => ("does not begin with `/`", ONE_NAME),
            Some("") => ("has no name after its `/`", ONE_NAME),
            Some(name) if name.ends_with('/') => ("ends with `/`", "remove the last `/`"),
            Some(name) if name.contains('/') => ("has more than one level", ONE_NAME),
            Some(name) => return check_name(name, ONE_NAME).map(|()| Self(PathBuf::from(value))),
        };
        Err(ParameterFault::new(message, remedy))
    }

    pub fn as_path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn warnings(&self) -> Vec<ParameterFault> {
        let advice = "use another name, such as \"/host_proc\": the connector's documentation advises against /proc";
        let is_proc = self.0 == Path::new("/proc");
        if is_proc { vec![ParameterFault::new("hides the connector's own /proc", advice)] } else { Vec::new() }
    }
}

/// Finds mistakes that are easy to overlook in any value: nothing at all, and white space.
fn check_text(value: &str, parameter: Parameter) -> Result<(), ParameterFault> {
    if value.is_empty() {
        return Err(ParameterFault::new("is empty", format!("give a value, such as \"{}\"", parameter.example())));
    }
    if value.ends_with(['\n', '\r']) {
        return Err(ParameterFault::new("ends with a line break", "remove the line break"));
    }
    match value.chars().find(|c| c.is_whitespace()) {
        Some(' ') => Err(ParameterFault::new("has a space", "remove it")),
        Some(c) => Err(ParameterFault::new(format!("has white space ({})", code_point(c)), "remove it")),
        None => Ok(()),
    }
}

/// A character in Unicode's notation, such as U+00E9.
fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

fn check_name(name: &str, remedy: &str) -> Result<(), ParameterFault> {
    match name.chars().find(|&c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
        Some(c) if c.is_ascii() => Err(ParameterFault::new(format!("has {c:?}"), remedy)),
        Some(c) => Err(ParameterFault::new(format!("has {c:?} ({}), which is not ASCII", code_point(c)), remedy)),
        None => Ok(()),
    }
}
