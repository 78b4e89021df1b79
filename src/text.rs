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

/// The known name of a setting that another one most likely means: the only one that has it as a word, as `thing-name` has
/// `name`, or else the nearest.
pub(crate) fn nearest_setting<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let has_word = |known: &&str| known.split(['-', '_']).any(|word| word.eq_ignore_ascii_case(name));
    let mut having = known.iter().copied().filter(has_word);
    match having.next() {
        Some(only) if having.all(|other| other == only) => Some(only),
        _ => nearest(name, known.iter().copied()),
    }
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
/// characters that are invisible or change the direction of text.
pub fn escape(text: &str) -> String {
    replace_harmful(text, |c, safe| safe.extend(c.escape_unicode()))
}

/// A foreign name as it is shown among others: in quotes and escaped, unless it is a plain word. So a process named
/// `sshd(1) nginx` looks like one, and a name of blanks does not look like none.
pub fn quote(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() && !is_harmful(c) || "-_.:/@+".contains(c);
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("\"{}\"", escape(&name.replace('\\', r"\\").replace('"', "\\\"")))
}

fn replace_harmful(text: &str, replace: impl Fn(char, &mut String)) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) { replace(c, &mut safe) } else { safe.push(c) }
    }
    safe
}

/// Whether a character has one of Unicode's properties `Cc` (control), `Cf` (format), `Zl`, `Zp` (line and paragraph
/// separators) or `Default_Ignorable_Code_Point` (shown as nothing). A test compares this list with the one of the `regex`
/// crate.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}
