//! A report as CBOR (RFC 8949): maps and lists of definite length, text keys, integers in their shortest form.

use std::io::{self, Write};

use super::Report;
use super::document::Named;
use super::names::Names;

/// Writes `report`.
///
/// # Errors
/// What `out` returns.
pub fn write(report: &Report<'_>, names: &Names, out: impl Write) -> io::Result<()> {
    ciborium::into_writer(&Named(report, names), out).map_err(|error| match error {
        ciborium::ser::Error::Io(error) => error,
        ciborium::ser::Error::Value(text) => io::Error::other(text),
    })
}
