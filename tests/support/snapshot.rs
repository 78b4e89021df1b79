//! Comparison with snapshots: files, or texts in the source (`snapbox::str![]`).
//!
//! `SNAPSHOTS=overwrite cargo test` writes them after a change that is meant; read the difference before it is committed.

use std::path::Path;

use regex::Regex;
use snapbox::{Assert, Data, IntoData, Redactions};

/// Compares a text with a snapshot. What differs each time stands in it as `[ID]` (of a report), `[TIME]` or `[PORT]`.
#[track_caller]
pub(crate) fn assert_snapshot(actual: impl Into<String>, expected: impl IntoData) {
    let mut redactions = Redactions::new();
    for (name, pattern) in [
        ("[ID]", r#"(?:"report_id":|"rid":|\b[Rr]eport )(?<redacted>\d{9,})"#),
        ("[TIME]", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        ("[PORT]", r"(?:localhost|127\.0\.0\.1):(?<redacted>\d+): "),
    ] {
        redactions.insert(name, Regex::new(pattern).unwrap()).unwrap();
    }
    let compare = Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV).normalize_paths(false);
    compare.redact_with(redactions).eq(actual.into(), expected);
}

/// Compares a text with the snapshot in a file below `tests`.
#[track_caller]
pub(crate) fn assert_snapshot_of(file: &str, actual: impl Into<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    // A file that is missing fails the test, and is written with SNAPSHOTS=overwrite.
    assert_snapshot(actual, Data::read_from(&path, Some(snapbox::data::DataFormat::Text)));
}
