//! What the parsers of behaviors and of their criteria share: faults with their paths.

use serde::Serialize;
use serde_json::Value;

use crate::detect::shorten;
use crate::document::{self, Object, camel_case, pascal_case};
use crate::text::{did_you_mean, nearest};

/// What is wrong with a profile, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ProfileFault {
    pub(crate) path: String,
    /// What is wrong and what is expected. May quote foreign text.
    pub(crate) message: String,
}

/// A field and its path, by its name in camelCase. `null` counts as missing.
pub(super) fn field<'v>(fields: &'v Object, name: &str, path: &str) -> Option<(&'v Value, String)> {
    let (name, value) = document::field(fields, name)?;
    Some((value, format!("{path}.{name}")))
}

/// A name in camelCase as it is, or in PascalCase if the other names are.
fn in_style_of(fields: &Object, name: &str) -> String {
    let is_pascal_case = fields.keys().next().is_some_and(|other| other.starts_with(|c: char| c.is_ascii_uppercase()));
    if is_pascal_case { pascal_case(name) } else { name.to_owned() }
}

/// The path of a field: `path.name`, or `path["na-me"]`. For a name that is too long to show, the path of its parent.
pub(super) fn child(path: &str, name: &str) -> String {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name != shorten(name) {
        path.to_owned()
    } else if !name.is_empty() && name.bytes().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{path}.{name}")
    } else {
        format!("{}[{}]", or_root(path), Value::from(name))
    }
}

/// The path of an element of a list.
pub(super) fn element(path: &str, index: usize) -> String {
    format!("{}[{index}]", or_root(path))
}

/// A path, which is empty for the document as a whole, as `jq` writes it.
pub(super) fn or_root(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
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
        self.or_fault(read, value, path, || format!("expected {expected}, found {}", shorten(value)))
    }

    /// Returns what was read from `value`, or notes what is wrong with it.
    pub(super) fn or_fault<T>(
        &mut self,
        read: Option<T>,
        value: &Value,
        path: &str,
        wrong: impl FnOnce() -> String,
    ) -> Option<T> {
        if read.is_none() {
            self.fault(path, document::function(value).map_or_else(wrong, set_by));
        }
        read
    }

    /// The fields of an object that is written out, not made by a function.
    pub(super) fn object<'v>(&mut self, value: &'v Value, path: &str) -> Option<&'v Object> {
        let fields = value.as_object().filter(|_| document::function(value).is_none());
        self.expected("an object", fields, value, path)
    }

    pub(super) fn required<'v>(&mut self, fields: &'v Object, name: &str, path: &str) -> Option<(&'v Value, String)> {
        let found = field(fields, name, path);
        if found.is_none() {
            self.fault(format!("{path}.{}", in_style_of(fields, name)), "missing");
        }
        found
    }

    /// Warns of unknown fields, so that a misspelled one is not silently missing.
    pub(super) fn warn_unknown(&mut self, fields: &Object, known: &[&str], path: &str) {
        for name in fields.keys() {
            let camel_case = camel_case(name);
            let is_known = known.contains(&camel_case.as_str());
            if is_known && *name != camel_case && fields.contains_key(&camel_case) {
                self.warning(child(path, name), format!("ignored, because `{camel_case}` is given, too"));
            } else if !is_known {
                let meant = nearest(name, known.iter().copied()).map(|meant| in_style_of(fields, meant));
                let hint = did_you_mean(meant.as_deref());
                self.warning(child(path, name), format!("unknown field `{}`, ignored{hint}", shorten(name)));
            }
        }
    }

    pub(super) fn one_of(&mut self, value: &Value, known: &[&str], path: &str) {
        let read = value.as_str().filter(|text| known.contains(text));
        let wrong = || format!("must be one of {}; found {}", known.join(", "), shorten(value));
        self.or_fault(read, value, path, wrong);
    }
}

/// What is wrong with a value that this function of CloudFormation computes.
pub(super) fn set_by(function: &str) -> String {
    let function = shorten(function);
    format!("{function} sets this when the stack is deployed; check what aws iot describe-security-profile prints")
}
