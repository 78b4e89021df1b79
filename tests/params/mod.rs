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

mod exits;
mod hostile;
mod messages;
mod patterns;
mod probe;
mod rules;
mod shapes;

use std::path::Path;
use std::sync::LazyLock;

use device_defender::internals::params::Parameter;
use regex::Regex;
use serde_json::{Value, json};

use crate::support::Run;

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
