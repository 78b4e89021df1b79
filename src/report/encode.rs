//! A report as bytes: JSON (RFC 8259), UTF-8, integers without fraction or exponent; or CBOR (RFC 8949), maps and lists of
//! definite length, text keys, integers in their shortest form. Both in one fixed order of fields.

use std::io::{self, Write};

use super::Report;
use super::document::{Part, WithNames};
use super::json;
use super::names::Names;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// On one line.
    Json,
    Cbor,
}

impl Encoding {
    /// Writes `report`; no newline follows.
    pub fn write(self, report: &Report<'_>, names: &Names, out: impl Write) -> io::Result<()> {
        self.write_part(&Part::report(report, names), names, out)
    }

    pub(super) fn write_part(self, part: &Part<'_>, names: &Names, mut out: impl Write) -> io::Result<()> {
        match self {
            Self::Json => json::write(part, names, &mut out),
            Self::Cbor => ciborium::into_writer(&WithNames(part, names), out).map_err(|error| match error {
                ciborium::ser::Error::Io(error) => error,
                ciborium::ser::Error::Value(text) => io::Error::other(text),
            }),
        }
    }
}

/// A report as JSON with an indent of two blanks. A report that cannot be encoded is a bug.
pub fn pretty_json(report: &Report<'_>, names: &Names) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&WithNames(&Part::report(report, names), names))
}
