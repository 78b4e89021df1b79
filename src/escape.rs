//! Foreign text made harmless: interface and process names, paths, answers from the network, anything that could drive a
//! terminal or mislead its reader.

use std::fmt::Write;

/// How much of a text that may be as long as it likes is shown, in characters.
const SHOWN: usize = 200;

/// The first 200 characters of a text from outside.
#[must_use]
pub fn shortened(text: &str) -> String {
    shortened_to(text, SHOWN)
}

/// The first `most` characters of a text from outside.
#[must_use]
pub fn shortened_to(text: &str, most: usize) -> String {
    match text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)) {
        Some(beginning) => format!("{beginning}…"),
        None => text.to_owned(),
    }
}

/// The same for JSON that is meant for a terminal: JSON by itself escapes no more than the control characters below 32.
#[must_use]
pub fn escape_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Replaces what could drive a terminal or mislead a reader by its code point, `\u{1b}`: control characters, and those
/// that are invisible or change the direction of text (Unicode's format characters of these kinds).
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            let _infallible = write!(escaped, "{}", c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
