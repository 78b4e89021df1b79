//! `detect`: verdicts on reports and on this device, through the built program and by the library.
//!
//! | module | what holds |
//! |---|---|
//! | [`verdicts`] | every metric with every operator, at the bound, below and above it |
//! | [`profiles`] | exports with all their fields; every fault of a profile, with its place; what only the cloud can judge |
//! | [`warnings`] | what of a profile is put up with, and told |
//! | [`documents`] | reports of every agent: JSON, CBOR, long, short and mixed names, incomplete ones |
//! | [`streams`] | windows, gaps, restarts, datapoints in a row, several things |
//! | [`device`] | this device: a baseline, `--since`, the size of its report, processes |
//! | [`pipe`] | `watch --print` piped into it |
//! | [`output`] | exit codes, formats, streams as they happen, foreign text |
//! | [`units`] | the systemd units of the README |
//! | [`properties`] | what holds for any profile and any report |
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail; helpers are no tests to clippy"
)]

#[path = "../common/mod.rs"]
mod common;
mod device;
mod documents;
mod output;
mod pipe;
mod profiles;
mod properties;
mod streams;
mod units;
mod verdicts;
mod warnings;

use std::fs;
use std::path::{Path, PathBuf};

use common::Run;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with files for one test.
struct Dir(TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A directory with this profile, as `profile.json`.
    fn with_profile(profile: &Value) -> Self {
        let dir = Self::new();
        dir.write("profile.json", profile.to_string());
        dir
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), content).unwrap();
    }

    /// A run of `detect` in it, with `profile.json`.
    fn detect(&self, args: &[&str]) -> Run {
        Run::new(self.path(), &[&["detect", "--profile", "profile.json"], args].concat())
    }

    /// A run with these reports on standard input.
    fn judge(&self, reports: impl Into<Vec<u8>>, args: &[&str]) -> Run {
        self.detect(&[&["--report", "-", "--format", "json"], args].concat()).stdin(reports)
    }
}

impl Run {
    /// Gives it this on standard input.
    fn stdin(mut self, stdin: impl Into<Vec<u8>>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Runs it, checks how it ended, and returns what it printed.
    fn text(self) -> String {
        String::from_utf8(self.output()).unwrap()
    }

    /// Runs it, checks how it ended, and returns the one document it printed.
    fn json(self) -> Value {
        serde_json::from_slice(&self.output()).unwrap()
    }

    /// Runs it, checks how it ended, and returns the documents it printed, one a line.
    fn lines(self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A behaviour `b` of this metric.
fn behavior(metric: &str, operator: &str, value: &Value) -> Value {
    json!({"name": "b", "metric": metric, "criteria": {"comparisonOperator": operator, "value": value}})
}

/// What the program says of these behaviours and this report: the document, whatever the exit code.
fn verdicts_on(behaviors: &[Value], report: &Value) -> Value {
    let output = Dir::with_profile(&json!(behaviors)).judge(report.to_string(), &[]).finish();
    assert!([0, 1, 65].contains(&output.status.code().unwrap()), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// What it says of one behaviour.
fn verdict_on(behavior: Value, report: &Value) -> Value {
    verdicts_on(&[behavior], report)["behaviors"][0].clone()
}

/// Where the saved trees are.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}
