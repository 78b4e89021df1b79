//! Names files of another kind than expected for what they are.

use crate::files::without_byte_order_mark;

/// The most bytes of a file that are looked at.
const START: usize = 1024;

/// The text of a file that is to be one, without a byte order mark.
///
/// # Errors
/// What the file is instead, as [`foreign_kind`] says.
pub(crate) fn text(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let text = without_byte_order_mark(bytes);
    foreign_kind(text).map_or(Ok(text), Err)
}

/// What these bytes are, with the next step, if they are not text in UTF-8.
pub(crate) fn foreign_kind(bytes: &[u8]) -> Option<&'static str> {
    let bytes = bytes.get(..START).unwrap_or(bytes);
    let start = bytes.trim_ascii_start();
    let starts = |tag: &str| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()));
    if is_utf16(bytes) {
        Some("UTF-16 text; convert it with iconv -f UTF-16 -t UTF-8")
    } else if bytes.contains(&0) {
        Some("not text: it contains bytes of value 0")
    } else if starts("<!doctype html") || starts("<html") {
        Some("an HTML page, such as a login or error page, instead of the file")
    } else {
        None
    }
}

/// Whether bytes are UTF-16: with a byte order mark, or beginning with ASCII, of which every second byte is 0.
fn is_utf16(bytes: &[u8]) -> bool {
    let is_ascii = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let begins_with = |is_unit: &dyn Fn(u8, u8) -> bool| {
        let mut units = bytes.chunks_exact(2).take(4);
        units.len() > 0 && units.all(|unit| matches!(unit, [first, second] if is_unit(*first, *second)))
    };
    match bytes {
        [0xff, 0xfe, 0, 0, ..] => false, // UTF-32
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        _ => {
            begins_with(&|high, low| high == 0 && is_ascii(low)) || begins_with(&|low, high| high == 0 && is_ascii(low))
        }
    }
}
