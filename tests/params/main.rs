//! `validate-params`: the connector's parameters, by the library and through the built program.
//!
//! | module | what holds |
//! |---|---|
//! | [`patterns`] | a value is taken exactly when the platform's pattern, run by the crate `regex`, matches all of it |
//! | [`messages`] | every message, word for word, as text and as JSON |
//! | [`shapes`] | the definition in the platform's documentation is valid in every shape an operator may have it in |
//! | [`exits`] | exit codes, and what goes to which stream |
//! | [`hostile`] | no text of a file drives the terminal or floods it |
//! | [`probe`] | what `--probe` finds, in a file system made for it |
//! | [`rules`] | made-up definitions are judged as a plain restatement of the rules judges them |
//!
//! To rewrite the files in `tests/params/golden` after a change that is meant:
//!
//! ```sh
//! UPDATE=1 cargo test --test params
//! ```
//!
//! and then read the difference.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail; helpers are no tests to clippy"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/copy.rs"]
mod copy;
mod exits;
mod hostile;
mod messages;
mod patterns;
mod probe;
mod rules;
mod shapes;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use common::Run;
use device_defender::params::Parameter;
use proptest::test_runner::Config;
use regex::Regex;
use serde_json::{Value, json};

/// The connector as the platform's documentation gives it: no region, no account.
const ARN: &str = "arn:aws:greengrass:::/connectors/DeviceDefender/versions/3";

/// The parameters and the patterns that the platform's documentation has for them.
const PATTERNS: [(Parameter, &str); 3] = [
    (Parameter::SampleIntervalSeconds, "^[0-9]*(?:3[0-9][0-9]|[4-9][0-9]{2}|[1-9][0-9]{3,})$"),
    (Parameter::ProcDestinationPathResourceId, "[a-zA-Z0-9_-]+"),
    (Parameter::ProcDestinationPath, r"\/[a-zA-Z0-9_-]+"),
];

/// The patterns, matched whole, by another engine than ours.
fn oracles() -> &'static [(Parameter, Regex); 3] {
    static ORACLES: LazyLock<[(Parameter, Regex); 3]> = LazyLock::new(|| {
        PATTERNS.map(|(parameter, pattern)| (parameter, Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap()))
    });
    &ORACLES
}

/// A configuration of so many cases that leaves no files behind.
fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// The parameters in the platform's documentation.
fn right_parameters() -> Value {
    json!({
        "SampleIntervalSeconds": "600",
        "ProcDestinationPath": "/host_proc",
        "ProcDestinationPath-ResourceId": "my-proc-resource",
    })
}

/// A definition version of these connectors.
fn definition(connectors: &[Value]) -> Value {
    json!({ "Connectors": connectors })
}

/// A connector.
fn connector(arn: &str, parameters: &Value) -> Value {
    json!({ "Id": "my-connector", "ConnectorArn": arn, "Parameters": parameters })
}

/// `validate-params` with these arguments, in a directory where relative names mean files of this crate.
fn validate(args: &[&str]) -> Run {
    Run::new(Path::new(env!("CARGO_MANIFEST_DIR")), &[&["validate-params"], args].concat())
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

    /// Runs it, checks how it ended, and returns the JSON document it printed.
    fn json(self) -> Value {
        serde_json::from_slice(&self.output()).unwrap()
    }
}

/// Where the golden files are.
fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/params/golden")
}

/// Holds a text against a golden file, or makes it the golden file when asked to.
fn compare(name: &str, now: &str) {
    let path = golden_dir().join(name);
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs::write(&path, now).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let same = now.lines().zip(golden.lines()).take_while(|(now, golden)| now == golden).count();
    let at = |text: &str| text.split_inclusive('\n').nth(same).unwrap_or("(nothing)").to_owned();
    assert!(
        now == golden,
        "tests/params/golden/{name}:{}\n  is:     {:?}\n  golden: {:?}\n\
         If this is meant: UPDATE=1 cargo test --test params",
        same + 1,
        at(now),
        at(&golden)
    );
}
