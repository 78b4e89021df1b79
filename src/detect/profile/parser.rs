//! What the parsers of behaviors and of their criteria share: faults with their paths.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::detect::quote;
use crate::text::{did_you_mean, nearest};

pub(super) type Object = Map<String, Value>;

/// What is wrong with a profile, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ProfileFault {
    pub(crate) path: String,
    /// What is wrong and what is expected. May quote foreign text.
    pub(crate) message: String,
}

/// A field and its path. `null` counts as missing.
pub(super) fn field<'v>(fields: &'v Object, name: &str, path: &str) -> Option<(&'v Value, String)> {
    let value = fields.get(name).filter(|value| !value.is_null())?;
    Some((value, format!("{path}.{name}")))
}

/// The path of a field: `path.name`, or `path["na-me"]`. For a name that is too long to show, the path of its parent.
pub(super) fn child(path: &str, name: &str) -> String {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name != quote(name) {
        path.to_owned()
    } else if !name.is_empty() && name.bytes().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{path}.{name}")
    } else {
        format!("{path}[{}]", Value::from(name))
    }
}

/// Parses one behavior and collects its faults. What cannot be parsed is `None`, with a fault noted.
pub(super) struct ProfileParser<'w> {
    pub(super) faults: Vec<ProfileFault>,
    pub(super) warnings: &'w mut Vec<ProfileFault>,
}

impl ProfileParser<'_> {
    pub(super) fn fault(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.faults.push(ProfileFault { path: path.into(), message: message.into() });
    }

    pub(super) fn warning(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(ProfileFault { path: path.into(), message: message.into() });
    }

    /// Returns what was read from `value`, or notes that it was not as expected.
    pub(super) fn expected<T>(&mut self, expected: &str, read: Option<T>, value: &Value, path: &str) -> Option<T> {
        if read.is_none() {
            self.fault(path, format!("expected {expected}, found {}", quote(value)));
        }
        read
    }

    pub(super) fn required<'v>(&mut self, fields: &'v Object, name: &str, path: &str) -> Option<(&'v Value, String)> {
        let found = field(fields, name, path);
        if found.is_none() {
            self.fault(format!("{path}.{name}"), "missing");
        }
        found
    }

    /// Warns of unknown fields, so that a misspelled one is not silently missing.
    pub(super) fn warn_unknown(&mut self, fields: &Object, known: &[&str], path: &str) {
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let hint = did_you_mean(nearest(name, known.iter().copied()));
            self.warning(child(path, name), format!("unknown field `{}`, ignored{hint}", quote(name)));
        }
    }

    pub(super) fn one_of(&mut self, value: &Value, known: &[&str], path: &str) {
        if !value.as_str().is_some_and(|text| known.contains(&text)) {
            self.fault(path, format!("must be one of {}; found {}", known.join(", "), quote(value)));
        }
    }
}
