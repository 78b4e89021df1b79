//! A setting's value together with where it came from, so that every message can name the flag, variable or file to change.
//!
//! A value that cannot be parsed is kept as an error instead of ending the parse, so that all settings are checked before
//! any is reported: see [`crate::config`].

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PathBufValueParser, PossibleValue, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, Command, ValueEnum};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody gave it.
    Default,
    /// The command line: this flag, with its dashes.
    Flag(String),
    /// This environment variable.
    Environment(String),
    /// This field of a file.
    File { file: PathBuf, field: &'static str },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File { file, field } => write!(f, "{}: {field}", file.display()),
        }
    }
}

/// A value as it was given, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourced<T> {
    /// The value, or why the text is not one.
    pub value: Result<T, String>,
    pub origin: Origin,
    text: OsString,
}

impl<T> Sourced<T> {
    /// Parses `text`, which came from `origin`.
    pub(crate) fn parse(text: &OsStr, origin: Origin, parse: impl FnOnce(&OsStr) -> Result<T, String>) -> Self {
        Self { value: parse(text), origin, text: text.to_owned() }
    }

    /// The text as it may be shown: user names and passwords before a host, and the attributes of a PKCS #11 URI, which can
    /// hold a PIN, are left out.
    pub(crate) fn shown(&self) -> String {
        let text = self.text.to_string_lossy();
        if text.starts_with("pkcs11:") {
            return "pkcs11:…".to_owned();
        }
        match text.rsplit_once('@') {
            Some((_, host)) => format!("…@{host}"),
            None => text.into_owned(),
        }
    }

    pub(crate) fn is_flag(&self) -> bool {
        matches!(self.origin, Origin::Flag(_))
    }
}

/// Parses UTF-8 text with `parse`.
pub(crate) fn utf8<T, E: fmt::Display>(text: &OsStr, parse: fn(&str) -> Result<T, E>) -> Result<T, String> {
    parse(text.to_str().ok_or("not UTF-8")?).map_err(|error| error.to_string())
}

/// Parses UTF-8 text with `T`'s own `FromStr`.
pub(crate) fn from_str<T: FromStr<Err: fmt::Display>>(text: &OsStr) -> Result<T, String> {
    utf8(text, str::parse)
}

/// Takes any text as a path.
#[expect(clippy::unnecessary_wraps, reason = "the signature is that of a parser")]
pub(crate) fn from_path(text: &OsStr) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

/// The environment variable that stands in for a flag.
pub(crate) fn environment_variable(flag: &str) -> String {
    format!("DEVICE_DEFENDER_{}", flag.trim_start_matches('-').replace('-', "_").to_ascii_uppercase())
}

/// A clap value parser that never refuses: it notes the outcome of `parse` and where clap found the text.
pub(crate) fn sourced<T>(parse: fn(&OsStr) -> Result<T, String>) -> SourcedParser<T> {
    SourcedParser { parse, is_path: false, values: Vec::new }
}

/// Like [`sourced`], for one of a few values, which help and completions list.
pub(crate) fn sourced_enum<T: ValueEnum>() -> SourcedParser<T> {
    let values = || T::value_variants().iter().filter_map(T::to_possible_value).collect();
    SourcedParser { parse: one_of, is_path: false, values }
}

fn one_of<T: ValueEnum>(text: &OsStr) -> Result<T, String> {
    let value = text.to_str().and_then(|text| T::from_str(text, false).ok());
    let known = || T::value_variants().iter().filter_map(T::to_possible_value).map(|value| value.get_name().to_owned());
    value.ok_or_else(|| format!("must be one of {}", known().collect::<Vec<_>>().join(", ")))
}

/// Like [`sourced`], but refuses an empty text, which is not a path.
pub(crate) fn sourced_path(parse: fn(&OsStr) -> Result<PathBuf, String>) -> SourcedParser<PathBuf> {
    SourcedParser { parse, is_path: true, values: Vec::new }
}

#[derive(Debug, Clone)]
pub(crate) struct SourcedParser<T> {
    parse: fn(&OsStr) -> Result<T, String>,
    is_path: bool,
    /// All values, if they are few.
    values: fn() -> Vec<PossibleValue>,
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for SourcedParser<T> {
    type Value = Sourced<T>;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, text: &OsStr) -> Result<Sourced<T>, clap::Error> {
        self.parse_ref_(command, arg, text, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        text: &OsStr,
        source: ValueSource,
    ) -> Result<Sourced<T>, clap::Error> {
        if self.is_path {
            PathBufValueParser::new().parse_ref(command, arg, text)?;
        }
        let variable = arg.and_then(Arg::get_env).unwrap_or_default().to_string_lossy();
        let origin = match source {
            ValueSource::DefaultValue => Origin::Default,
            ValueSource::EnvVariable => Origin::Environment(variable.into_owned()),
            _ => Origin::Flag(format!("--{}", arg.and_then(Arg::get_long).unwrap_or_default())),
        };
        Ok(Sourced::parse(text, origin, self.parse))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = (self.values)();
        if values.is_empty() { None } else { Some(Box::new(values.into_iter())) }
    }
}
