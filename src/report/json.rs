//! A report as JSON (RFC 8259): UTF-8, integers without fraction or exponent, fields in a fixed order.

use std::io::{self, Write};

use super::Report;
use super::document::Named;
use super::names::Names;
use crate::escape::escape_json;

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// On one line.
    Line,
    /// For a terminal: on one line or indented, and harmless, as JSON by itself escapes no more than it must.
    Terminal {
        /// Whether it is written over several lines, with an indent of two blanks.
        indent: bool,
    },
}

/// Writes `report`; no newline follows.
///
/// # Errors
/// What `out` returns.
pub fn write(report: &Report<'_>, names: &Names, layout: Layout, mut out: impl Write) -> io::Result<()> {
    let document = Named(report, names);
    let text = match layout {
        Layout::Line => return serde_json::to_writer(out, &document).map_err(io::Error::from),
        Layout::Terminal { indent: true } => serde_json::to_string_pretty(&document)?,
        Layout::Terminal { indent: false } => serde_json::to_string(&document)?,
    };
    out.write_all(escape_json(&text).as_bytes())
}
