//! Foreign text in messages and tables: not too long. Whoever shows it makes it harmless.

use serde_json::Value;

use crate::escape::shortened_to;

/// How much of foreign text is quoted, in characters.
const QUOTED: usize = 60;

/// The same of a name; no right one is longer.
const NAME: usize = 128;

/// A value as JSON.
pub(super) fn json(value: &Value) -> String {
    text(&value.to_string())
}

/// A text, in quotes.
pub(super) fn string(string: &str) -> String {
    text(&format!("{string:?}"))
}

/// A text, without quotes.
pub(super) fn text(text: &str) -> String {
    shortened_to(text, QUOTED)
}

/// A name.
pub(crate) fn name(text: &str) -> String {
    shortened_to(text, NAME)
}
