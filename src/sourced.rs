//! A setting's value together with where it came from, so that every message can name the flag, variable or file to change.
//!
//! A value that cannot be parsed is kept as an error instead of ending the parse, so that all settings are checked before
//! any is reported: see [`crate::config`].

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::num::{IntErrorKind, ParseIntError};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::builder::{OsStringValueParser, PathBufValueParser, PossibleValue, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, Command, ValueEnum};

use crate::text::{did_you_mean, nearest};

/// What the names of this program's own variables begin with.
pub(crate) const PREFIX: &str = "DEVICE_DEFENDER_";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody gave it.
    Default,
    /// The command line: this flag, with its dashes.
    Flag(String),
    /// This environment variable.
    Environment(String),
    /// This line of the config file.
    Config { file: PathBuf, line: usize, key: String },
    /// This field of a file.
    File { file: PathBuf, field: &'static str },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Config { file, line, key } => write!(f, "{}, line {line}: {key}", file.display()),
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

    /// The same with another value, if it has one.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: self.value.map(map), origin: self.origin, text: self.text }
    }

    pub(crate) fn is_flag(&self) -> bool {
        matches!(self.origin, Origin::Flag(_))
    }

    /// Whether it was given for this run, by a flag or a variable.
    pub(crate) fn is_explicit(&self) -> bool {
        matches!(self.origin, Origin::Flag(_) | Origin::Environment(_))
    }

    /// The value, unless it is wrong, which is reported by [`crate::config::checked`].
    pub(crate) fn valid(&self) -> Option<&T> {
        self.value.as_ref().ok()
    }
}

impl Sourced<bool> {
    /// Whether a flag without a value is set.
    pub(crate) fn is_set(&self) -> bool {
        self.value == Ok(true)
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
    format!("{PREFIX}{}", flag.trim_start_matches('-').replace('-', "_").to_ascii_uppercase())
}

/// A clap value parser for what only the command line gives. clap's own parsers do not name the flag of a text that is not
/// UTF-8.
pub(crate) fn parsed<T: Clone + Send + Sync + 'static>(
    parse: fn(&OsStr) -> Result<T, String>,
) -> impl TypedValueParser<Value = T> {
    OsStringValueParser::new().try_map(move |text| parse(&text))
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
    value.ok_or_else(|| {
        let known = T::value_variants().iter().filter_map(T::to_possible_value);
        let known: Vec<String> = known.map(|value| value.get_name().to_owned()).collect();
        let meant = nearest(&text.to_string_lossy(), known.iter().map(String::as_str));
        must_be_one_of(&known, meant)
    })
}

/// What is wrong with a value that is none of those allowed.
pub(crate) fn must_be_one_of(known: &[String], meant: Option<&str>) -> String {
    let one_of = if known.len() > 1 { "one of " } else { "" };
    format!("must be {one_of}{}{}", known.join(", "), did_you_mean(meant))
}

/// Parses a whole number.
pub(crate) fn whole_number<T: FromStr<Err = ParseIntError>>(text: &OsStr) -> Result<T, String> {
    utf8(text, |text| text.parse().map_err(|error| not_a_number(&error)))
}

/// Parses whether a flag without a value is set.
pub(crate) fn switch(text: &OsStr) -> Result<bool, String> {
    match text.as_bytes() {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// Why a text is no number.
fn not_a_number(error: &ParseIntError) -> &'static str {
    match error.kind() {
        IntErrorKind::Zero => "expected a number above 0",
        IntErrorKind::PosOverflow => "too large",
        _ => "expected a whole number",
    }
}

/// A text with the place in a file that it comes from. clap passes texts to value parsers, and nothing beside them; no
/// argument and no variable contains a NUL, so this cannot be mistaken for one of these.
pub(crate) fn located(file: &Path, line: usize, text: &OsStr) -> OsString {
    let mut located = OsString::from(format!("\0{line}\0"));
    located.push(file);
    located.push("\0");
    located.push(text);
    located
}

/// Takes apart what [`located`] made.
fn place(text: &OsStr) -> Option<(&Path, usize, &OsStr)> {
    let mut parts = text.as_bytes().strip_prefix(b"\0")?.splitn(3, |&byte| byte == 0);
    let line = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let file = Path::new(OsStr::from_bytes(parts.next()?));
    Some((file, line, OsStr::from_bytes(parts.next()?)))
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
        let flag = arg.and_then(Arg::get_long).unwrap_or_default();
        if let Some((file, line, text)) = place(text) {
            let origin = Origin::Config { file: file.to_owned(), line, key: flag.to_owned() };
            return Ok(Sourced::parse(text, origin, self.parse));
        }
        let variable = arg.and_then(Arg::get_env).unwrap_or_default().to_string_lossy();
        let origin = match source {
            ValueSource::DefaultValue => Origin::Default,
            ValueSource::EnvVariable => Origin::Environment(variable.into_owned()),
            _ => Origin::Flag(format!("--{flag}")),
        };
        Ok(Sourced::parse(text, origin, self.parse))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = (self.values)();
        if values.is_empty() { None } else { Some(Box::new(values.into_iter())) }
    }
}
