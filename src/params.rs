//! The parameters of AWS's Greengrass Device Defender connector, and what is right and wrong about their values.
//!
//! The patterns are those of the AWS IoT Greengrass (version 1) developer guide, page "Device Defender connector"; all
//! three are matched whole. A value is parsed once, into a type that can only hold a right one.

pub mod definition;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A parameter of the connector, in the order in which problems are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parameter {
    /// How many seconds lie between two reports.
    SampleIntervalSeconds,
    /// The id of the resource that `/proc` is.
    ProcDestinationPathResourceId,
    /// The path at which `/proc` is mounted for the connector.
    ProcDestinationPath,
}

/// Something wrong with a value, or something to think about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, as the rest of a sentence that begins with the value.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// The seconds between two reports: 300 or more, and few enough to be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleInterval(u32);

/// The path of a proc mount: `/` and one name of letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcDestinationPath(PathBuf);

/// The id of a Greengrass resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceId(String);

impl Parameter {
    /// All three.
    pub const ALL: [Self; 3] =
        [Self::SampleIntervalSeconds, Self::ProcDestinationPathResourceId, Self::ProcDestinationPath];

    /// The name in a connector definition.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SampleIntervalSeconds => "SampleIntervalSeconds",
            Self::ProcDestinationPathResourceId => "ProcDestinationPath-ResourceId",
            Self::ProcDestinationPath => "ProcDestinationPath",
        }
    }

    /// The pattern as the platform has it; the whole value must match.
    #[must_use]
    pub fn pattern(self) -> &'static str {
        match self {
            Self::SampleIntervalSeconds => "^[0-9]*(?:3[0-9][0-9]|[4-9][0-9]{2}|[1-9][0-9]{3,})$",
            Self::ProcDestinationPathResourceId => "[a-zA-Z0-9_-]+",
            Self::ProcDestinationPath => r"\/[a-zA-Z0-9_-]+",
        }
    }

    /// The pattern in words.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::SampleIntervalSeconds => "a string of the digits 0 to 9, a number of seconds, 300 or more",
            Self::ProcDestinationPathResourceId => "a string of letters a to z, digits, `_` and `-`, at least one",
            Self::ProcDestinationPath => "a string of `/` and one name of letters a to z, digits, `_` and `-`",
        }
    }

    /// A right value, for remedies.
    #[must_use]
    pub fn example(self) -> &'static str {
        match self {
            Self::SampleIntervalSeconds => "300",
            Self::ProcDestinationPathResourceId => "my-proc-resource",
            Self::ProcDestinationPath => "/host_proc",
        }
    }

    /// Checks a value. Right ones may still give rise to warnings.
    ///
    /// # Errors
    /// The [`Fault`] that is the very mistake made.
    pub fn check(self, value: &str) -> Result<Vec<Fault>, Fault> {
        match self {
            Self::SampleIntervalSeconds => SampleInterval::parse(value).map(|interval| interval.warnings(value)),
            Self::ProcDestinationPathResourceId => ResourceId::parse(value).map(|_| Vec::new()),
            Self::ProcDestinationPath => ProcDestinationPath::parse(value).map(|path| path.warnings()),
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Fault {
    fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}

/// The spans over which a security profile can judge traffic, in seconds (AWS IoT Device Defender developer guide,
/// `durationSeconds` of a behavior).
const WINDOWS: [u32; 5] = [300, 600, 900, 1800, 3600];

impl SampleInterval {
    /// The least number of seconds.
    pub const MIN: u32 = 300;

    /// Parses a number of seconds. The platform's pattern admits exactly the strings of ASCII digits whose value is 300
    /// or more, with any number of leading zeros. This refuses in addition what does not fit 32 bits, 136 years.
    ///
    /// # Errors
    /// The [`Fault`] that is the very mistake made.
    pub fn parse(value: &str) -> Result<Self, Fault> {
        const DIGITS: &str = "write the seconds with the digits 0 to 9 alone, such as \"300\"";
        check_text(value, Parameter::SampleIntervalSeconds)?;
        if value.starts_with(['+', '-']) {
            return Err(Fault::new("has a sign", DIGITS));
        }
        if value.chars().any(|c| c.is_numeric() && !c.is_ascii()) {
            return Err(Fault::new("has digits that are not the digits 0 to 9 of ASCII", DIGITS));
        }
        if let Some(c) = value.chars().find(|c| !c.is_ascii_digit()) {
            return Err(Fault::new(format!("has {c:?}, which is no digit"), DIGITS));
        }
        match value.trim_start_matches('0').parse::<u32>() {
            Ok(seconds) if seconds >= Self::MIN => Ok(Self(seconds)),
            Err(_) if value.trim_start_matches('0').len() > 9 => {
                Err(Fault::new("matches the pattern, but is longer than anyone can wait", "give 3600 or less"))
            }
            _ => Err(Fault::new("is below 300", "give \"300\" or more: the service takes a report every 5 minutes")),
        }
    }

    /// The interval.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }

    fn warnings(self, value: &str) -> Vec<Fault> {
        let mut warnings = Vec::new();
        if value.starts_with('0') {
            warnings.push(Fault::new("has leading zeros", format!("write \"{}\"", self.0)));
        }
        if self.0.checked_rem(60) != Some(0) {
            warnings.push(Fault::new("is no whole number of minutes", "take a multiple of 60"));
        }
        if !WINDOWS.iter().any(|window| window.checked_rem(self.0) == Some(0)) {
            let message = "divides none of the spans over which a security profile judges traffic";
            warnings.push(Fault::new(message, "take a divisor of 300, 600, 900, 1800 or 3600, such as \"600\""));
        }
        warnings
    }
}

impl ResourceId {
    /// Parses a resource id.
    ///
    /// # Errors
    /// The [`Fault`] that is the very mistake made.
    pub fn parse(value: &str) -> Result<Self, Fault> {
        check_text(value, Parameter::ProcDestinationPathResourceId)?;
        check_name(value, "use letters a to z, digits, `_` and `-` alone")?;
        Ok(Self(value.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProcDestinationPath {
    /// Parses a path.
    ///
    /// # Errors
    /// The [`Fault`] that is the very mistake made.
    pub fn parse(value: &str) -> Result<Self, Fault> {
        const ONE_NAME: &str = "give `/` and one name, such as \"/host_proc\"; collect --proc takes any path";
        check_text(value, Parameter::ProcDestinationPath)?;
        let Some(name) = value.strip_prefix('/') else {
            return Err(Fault::new("does not begin with `/`", ONE_NAME));
        };
        if name.is_empty() {
            return Err(Fault::new("has no name behind its `/`", ONE_NAME));
        }
        if name.ends_with('/') {
            return Err(Fault::new("ends with `/`", "leave the last `/` out"));
        }
        if name.contains('/') {
            return Err(Fault::new("has more than one level", ONE_NAME));
        }
        check_name(name, ONE_NAME)?;
        Ok(Self(PathBuf::from(value)))
    }

    /// The path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    fn warnings(&self) -> Vec<Fault> {
        let advice = "take another name, such as \"/host_proc\": the platform's documentation advises against /proc";
        let is_proc = self.0 == Path::new("/proc");
        if is_proc { vec![Fault::new("hides the /proc of the connector itself", advice)] } else { Vec::new() }
    }
}

/// Finds the mistakes that any value can have: none at all, and white space, which is easily not seen.
fn check_text(value: &str, parameter: Parameter) -> Result<(), Fault> {
    if value.is_empty() {
        return Err(Fault::new("is empty", format!("give a value, such as \"{}\"", parameter.example())));
    }
    if value.ends_with(['\n', '\r']) {
        return Err(Fault::new("ends with a line break", "take the line break out"));
    }
    if let Some(c) = value.chars().find(|c| c.is_whitespace()) {
        let message = if c == ' ' { "has a blank".to_owned() } else { format!("has white space ({})", code_point(c)) };
        return Err(Fault::new(message, "take it out"));
    }
    Ok(())
}

/// A character as Unicode writes its number.
fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// Finds a character that a name must not have.
fn check_name(name: &str, remedy: &str) -> Result<(), Fault> {
    match name.chars().find(|&c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
        Some(c) if c.is_ascii() => Err(Fault::new(format!("has {c:?}"), remedy)),
        Some(c) => Err(Fault::new(format!("has {c:?} ({}), which is not of ASCII", code_point(c)), remedy)),
        None => Ok(()),
    }
}
