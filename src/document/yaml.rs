//! How YAML is read: bounded, because an alias can repeat a part of the document any number of times.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, MessageFormatter, Options, Tagged, UserMessageFormatter};

use super::Node;

/// The most values that aliases may add to a document, and that may be kept for them.
const MAX_REPEATED: usize = 10_000;

pub(super) fn parse(text: &[u8]) -> Result<Value, String> {
    match serde_saphyr::from_slice_with_options(text, options()) {
        Ok(Node(value)) => Ok(value),
        Err(error) => Err(format!("read as YAML: {}", describe(&error))),
    }
}

/// Parses the parts of a document at these paths, and skips what else is in its objects, which may be anything.
pub(crate) fn parse_parts(text: &[u8], paths: &[&[&str]]) -> Result<Value, String> {
    let mut options = options();
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.merge_keys = MergeKeyPolicy::AsOrdinary;
    options.leading_zero_numbers_as_strings = true; // a thing name may be 007
    let parse = |deserializer: serde_saphyr::Deserializer<'_, '_>| Parts(paths).deserialize(deserializer);
    serde_saphyr::with_deserializer_from_slice_with_options(text, options, parse).map_err(|error| describe(&error))
}

/// A value and its tag.
pub(super) fn tagged<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<(T, Option<String>), D::Error> {
    Tagged::deserialize(deserializer).map(|Tagged(value, tag)| (value, tag))
}

/// At most 64 levels, 150,000 values, 8 MiB of text, 1000 aliases, and [`MAX_REPEATED`] values from them.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: 150_000,
            max_total_scalar_bytes: 8 << 20,
            max_aliases: 1000,
            max_recorded_anchor_events: MAX_REPEATED,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPEATED,
        },
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

/// The values at the ends of these paths, none of which begins with another one.
struct Parts<'p>(&'p [&'p [&'p str]]);

impl<'de> DeserializeSeed<'de> for Parts<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Parts<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value, M::Error> {
        let mut object = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let below = self.0.iter().filter_map(|path| path.split_first().filter(|(first, _)| **first == name));
            let below: Vec<&[&str]> = below.map(|(_, rest)| rest).collect();
            let value = match below.first() {
                None => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Some([]) => map.next_value::<Node>()?.0,
                Some(_) => map.next_value_seed(Parts(&below))?,
            };
            super::insert(&mut object, name, value)?;
        }
        Ok(Value::Object(object))
    }
}

/// An error in one line, without the part of the document that it is about, which may hold secrets.
fn describe(error: &Error) -> String {
    let text = match exceeded_limit(error) {
        Some(limit) => Cow::Borrowed(limit),
        None => UserMessageFormatter.format_message(innermost(error)),
    };
    let text = text.lines().next().unwrap_or_default();
    match error.location() {
        Some(place) => format!("{text} at line {}, column {}", place.line(), place.column()),
        None => text.to_owned(),
    }
}

/// The error itself, without where an alias repeated it.
fn innermost(error: &Error) -> &Error {
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => innermost(error),
        error => error,
    }
}

/// The limit of [`options`] that a document exceeds.
fn exceeded_limit(error: &Error) -> Option<&'static str> {
    match innermost(error) {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => Some("nested too deeply"),
        Error::Budget {
            breach: BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } | BudgetBreach::ScalarBytes { .. },
            ..
        } => Some("too large"),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => Some("too many anchors or aliases"),
        _ => None,
    }
}
