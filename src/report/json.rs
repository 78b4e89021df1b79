//! A report as JSON (RFC 8259): UTF-8, integers without fraction or exponent, fields in a fixed order.

use std::io::{self, Write};

use super::Report;
use super::document::Named;
use super::names::Names;
use crate::terminal::escape_json;

/// Writes `report` on one line, or for a terminal over several with an indent of two blanks; no newline follows.
///
/// # Errors
/// What `out` returns.
pub fn write(report: &Report<'_>, names: &Names, indent: bool, mut out: impl Write) -> io::Result<()> {
    let document = Named(report, names);
    if indent {
        let text = serde_json::to_string_pretty(&document)?;
        out.write_all(escape_json(&text).as_bytes())
    } else {
        serde_json::to_writer(out, &document).map_err(io::Error::from)
    }
}
