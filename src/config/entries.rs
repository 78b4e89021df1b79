//! The text of a config file: TOML, of which settings use keys and values at the top.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::sniff;

/// A key of a config file and what it is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    /// From 1.
    pub line: usize,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Switch(bool),
    Text(String),
    /// A whole number, in decimal digits.
    Number(String),
    /// Of texts.
    List(Vec<String>),
    /// What no setting takes, in words.
    Other(&'static str),
}

/// The text is not TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct SyntaxError {
    pub line: usize,
    pub reason: String,
}

/// Takes the text of a config file apart. Entries are in the order of the file.
pub fn parse(text: &[u8]) -> Result<Vec<Entry>, SyntaxError> {
    let text = sniff::text(text).map_err(|kind| SyntaxError { line: 1, reason: kind.to_owned() })?;
    let newlines = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count();
    let line = |at: usize| 1 + newlines(text.get(..at).unwrap_or(text));
    let text = std::str::from_utf8(text)
        .map_err(|error| SyntaxError { line: line(error.valid_up_to()), reason: "not UTF-8".to_owned() })?;
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(text.len(), |Range { start, .. }| start);
        SyntaxError { line: line(at), reason: error.message().to_owned() }
    })?;
    let mut entries: Vec<(Spanned<_>, Spanned<DeValue<'_>>)> = table.into_inner().into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let (mut at, mut line) = (0, 1);
    let entry = |(key, value): (Spanned<_>, Spanned<DeValue<'_>>)| {
        let start = key.span().start;
        line += text.as_bytes().get(at..start).map_or(0, newlines);
        at = start;
        Entry { key: String::from(key.into_inner()), line, value: Value::of(value.get_ref()) }
    };
    Ok(entries.into_iter().map(entry).collect())
}

impl Value {
    fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Boolean(is_set) => Self::Switch(*is_set),
            DeValue::Array(list) => {
                let texts: Option<Vec<String>> = list
                    .iter()
                    .map(|value| match Self::of(value.get_ref()) {
                        Self::Text(text) => Some(text),
                        _ => None,
                    })
                    .collect();
                texts.map_or(Self::Other("a list with values that are not text"), Self::List)
            }
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Self::Number(number.to_string()),
                Err(_) => Self::Other("a number that is too large"),
            },
            DeValue::Float(_) => Self::Other("a number with a fraction"),
            DeValue::Datetime(_) => Self::Other("a date or time"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }

    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Switch(_) => "true or false",
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::List(_) => "a list",
            Self::Other(kind) => kind,
        }
    }
}

/// A text as TOML writes it. What JSON escapes, TOML escapes alike, and DEL, which JSON does not.
pub fn quote(text: &str) -> String {
    serde_json::json!(text).to_string().replace('\u{7f}', "\\u007f")
}
