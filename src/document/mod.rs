//! Documents as operators have them: JSON or YAML, printed by the AWS CLI or part of a CloudFormation template.
//!
//! A text that begins with `{` or `[` is JSON, any other text is YAML. Both are read into the same value: a YAML tag such as
//! `!Sub` becomes the function `Fn::Sub` that it stands for. The API writes names in camelCase and CloudFormation in
//! PascalCase, so [`field`] accepts both.
//!
//! An object must not have a name twice: which of two values counts depends on the reader.

mod function;
#[cfg_attr(not(feature = "yaml"), path = "without_yaml.rs")]
pub(crate) mod yaml;

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

use crate::sniff;
pub(crate) use function::{Text, function};

pub(crate) type Object = Map<String, Value>;

/// Why a text is not a document, with the line and column if they are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DocumentError(String);

/// The most objects in JSON. An object of the smallest size takes about 600 bytes of memory.
const MAX_OBJECTS: usize = 50_000;

/// Parses a JSON or YAML document.
///
/// # Errors
/// [`DocumentError`] for any other text, and if the document exceeds the bounds: 128 levels and 50,000 objects in JSON,
/// those of `yaml::options` in YAML.
pub fn parse(text: &[u8]) -> Result<Value, DocumentError> {
    let text = sniff::text(text).map_err(|kind| DocumentError(kind.to_owned()))?;
    if text.trim_ascii().is_empty() {
        return Err(DocumentError("empty".to_owned()));
    }
    if !is_json(text) {
        return yaml::parse(text).map_err(DocumentError);
    }
    if memchr::memchr_iter(b'{', text).count() > MAX_OBJECTS {
        return Err(DocumentError(format!("too large: more than {MAX_OBJECTS} objects")));
    }
    serde_json::from_slice(text).map(|Node(value)| value).map_err(|error| {
        let not_json = if error.is_data() { "" } else { "not JSON: " }; // with a repeated name it is JSON
        DocumentError(format!("{not_json}{error}"))
    })
}

/// Whether a text is meant to be JSON. The flow style of YAML begins with a bracket, too, but its first name or value is
/// rarely in double quotes.
fn is_json(text: &[u8]) -> bool {
    let is_bracket = |byte: &u8| matches!(byte, b'{' | b'[');
    let mut marks = text.iter().filter(|byte| !byte.is_ascii_whitespace()).peekable();
    marks.peek().is_some_and(|first| is_bracket(first))
        && marks
            .find(|mark| !is_bracket(mark))
            .is_none_or(|mark| matches!(mark, b'"' | b'0'..=b'9' | b'-' | b'}' | b']' | b'/'))
}

/// A field by its name in camelCase, which may also be in PascalCase, with the name that the document has.
pub(crate) fn field<'v>(fields: &'v Object, name: &str) -> Option<(&'v str, &'v Value)> {
    let found = |name: &str| fields.get_key_value(name).filter(|(_, value)| !is_missing(value));
    found(name).or_else(|| found(&pascal_case(name))).map(|(name, value)| (name.as_str(), value))
}

/// Whether a value counts as missing: `null`, or CloudFormation's `AWS::NoValue`.
pub(crate) fn is_missing(value: &Value) -> bool {
    value.is_null() || value.get("Ref").and_then(Value::as_str) == Some("AWS::NoValue")
}

/// A name with its first letter in lower case.
pub(crate) fn camel_case(name: &str) -> String {
    with_first(name, char::to_ascii_lowercase)
}

/// A name with its first letter in upper case.
pub(crate) fn pascal_case(name: &str) -> String {
    with_first(name, char::to_ascii_uppercase)
}

fn with_first(name: &str, change: impl FnOnce(&char) -> char) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| change(&first)).into_iter().chain(letters).collect()
}

/// A value in which no object has a name twice and YAML tags are functions.
struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (Untagged(value), tag) = yaml::tagged(deserializer)?;
        Ok(Self(match tag.as_deref().and_then(function::of_tag) {
            Some(function) => Value::Object(Map::from_iter([(function, value)])),
            None => value,
        }))
    }
}

struct Untagged(Value);

impl<'de> Deserialize<'de> for Untagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Value, S::Error> {
        let mut list = Vec::new();
        while let Some(Node(value)) = seq.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value, M::Error> {
        let mut object = Map::new();
        while let Some((name, Node(value))) = map.next_entry()? {
            insert(&mut object, name, value)?;
        }
        Ok(Value::Object(object))
    }
}

fn insert<E: Error>(object: &mut Object, name: String, value: Value) -> Result<(), E> {
    match object.entry(name) {
        Entry::Occupied(entry) => Err(E::custom(format_args!("`{}` is given more than once", entry.key()))),
        Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(())
        }
    }
}
