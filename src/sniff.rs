//! Names files of another kind than expected for what they are.

/// What these bytes are, with the next step, if they are not text in UTF-8.
pub(crate) fn foreign_kind(bytes: &[u8]) -> Option<&'static str> {
    let start = bytes.trim_ascii_start();
    let starts = |tag: &str| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()));
    let is_half_zero = matches!(bytes, [first, second, ..] if (*first == 0) != (*second == 0));
    if is_half_zero || bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        Some("UTF-16 text; convert it with iconv -f UTF-16 -t UTF-8")
    } else if starts("<!doctype html") || starts("<html") {
        Some("an HTML page, such as a login or error page, instead of the file")
    } else {
        None
    }
}
