//! Foreign text in messages and tables: not too long. Whoever shows it makes it harmless.

use serde_json::Value;

/// How much of foreign text is quoted, in characters.
const QUOTED: usize = 60;

/// The same of a name; no right one is longer.
const NAME: usize = 128;

/// A value as JSON.
pub(super) fn json(value: &Value) -> String {
    text(&value.to_string())
}

/// A text, without quotes.
pub(super) fn text(text: &str) -> String {
    cut(text, QUOTED)
}

/// A name.
pub(crate) fn name(text: &str) -> String {
    cut(text, NAME)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
