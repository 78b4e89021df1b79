//! Text from outside made safe to show: interface and process names, paths, answers from the network, anything that could
//! drive a terminal or mislead its reader.

/// How many characters of a text from the network are shown.
pub(crate) const MAX_SHOWN: usize = 200;

/// The most letters that may differ in a misspelled name. One in three in short names.
const MAX_DISTANCE: usize = 4;

/// The first `max` characters of a text, with `…` if there are more.
pub(crate) fn truncate(text: &str, max: usize) -> String {
    match text.char_indices().nth(max).and_then(|(end, _)| text.get(..end)) {
        Some(beginning) => format!("{beginning}…"),
        None => text.to_owned(),
    }
}

/// The known name that a misspelled one most likely means. Case does not count.
pub(crate) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let max = MAX_DISTANCE.min(name.len() / 3);
    let name = name.to_ascii_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&known.to_ascii_lowercase(), &name);
    let similar_length = known.filter(|known| known.len().abs_diff(name.len()) <= max); // a long name would take long
    similar_length.min_by_key(|known| distance(known)).filter(|known| distance(known) <= max)
}

/// The suffix of a message about a misspelled name.
pub(crate) fn did_you_mean(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"))
}

/// Escapes JSON for a terminal. JSON by itself escapes only the control characters below 32.
pub fn escape_json(text: &str) -> String {
    replace_harmful(text, |c, safe| match c {
        '\n' => safe.push(c),
        _ => safe.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
    })
}

/// Replaces what could drive a terminal or mislead a reader by its code point, `\u{1b}`: control characters, and
/// Unicode's format characters that are invisible or change the direction of text.
pub fn escape(text: &str) -> String {
    replace_harmful(text, |c, safe| safe.extend(c.escape_unicode()))
}

fn replace_harmful(text: &str, replace: impl Fn(char, &mut String)) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) { replace(c, &mut safe) } else { safe.push(c) }
    }
    safe
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
