//! `detect`: verdicts on reports and on this device, through the built program and by the library.
//!
//! | module | what holds |
//! |---|---|
//! | [`verdicts`] | every metric with every operator, at the bound, below and above it |
//! | [`profiles`] | exports with all their fields; every fault of a profile, with its place; what only the cloud can judge |
//! | [`shapes`] | every shape that a profile comes in: JSON, YAML, templates, lists, single behaviors |
//! | [`warnings`] | what of a profile is accepted with a warning |
//! | [`documents`] | reports of every agent: JSON, CBOR, long, short and mixed names, incomplete ones |
//! | [`odd_reports`] | reports that the service would reject, odd numbers, fields that are there twice, many faults |
//! | [`framing`] | which form a stream has, and that no report speaks for another thing |
//! | [`streams`] | windows, gaps, restarts, datapoints in a row, several things |
//! | [`events`] | what identifies an alarm; alarms of devices that fall silent |
//! | [`fleet`] | many things: which are remembered, and the table at the end |
//! | [`device`] | this device: a baseline, `--since`, the size of its report, processes |
//! | [`pipe`] | `watch --print` piped into it |
//! | [`learn`] | `--learn`: profiles from reports, and that these conform to them |
//! | [`output`] | exit codes, formats, streams as they happen, foreign text |
//! | [`quiet`] | `-q`: what cron mails |
//! | [`units`] | the systemd units of the man page |
//! | [`oracle`] | a second implementation of the report parser |
//! | [`windows`] | any stream against a second, simple implementation of windows; their cost |
//! | [`properties`] | what holds for any profile and any report |

mod device;
mod documents;
mod events;
mod fleet;
mod framing;
mod learn;
mod odd_reports;
mod oracle;
mod output;
mod pipe;
mod profiles;
mod properties;
mod quiet;
mod shapes;
mod streams;
mod units;
mod verdicts;
mod warnings;
mod windows;

use serde_json::{Value, json};

use crate::schema::assert_valid;
use crate::support::{Dir, Run};

impl Dir {
    /// A directory with this profile, as `profile.json`.
    fn with_profile(profile: &Value) -> Self {
        let dir = Self::new();
        dir.write("profile.json", profile.to_string());
        dir
    }

    /// A run of `detect` in it, with `profile.json`.
    fn detect(&self, args: &[&str]) -> Run {
        Run::new(self.root(), &[&["detect", "--profile", "profile.json"], args].concat())
    }

    /// A run with these reports on standard input.
    fn judge(&self, reports: impl Into<Vec<u8>>, args: &[&str]) -> Run {
        self.detect(&[&["--report", "-", "--format", "json"], args].concat()).stdin(reports)
    }
}

/// A line as `mosquitto_sub -F %j` prints it.
fn message(thing: &str, report: &str) -> String {
    let topic = format!("$aws/things/{thing}/defender/metrics/json");
    let message = json!({"tst": "2026-11-25T23:19:41.189762Z+0000", "topic": topic, "qos": 0, "retain": 0,
                         "payloadlen": report.len(), "payload": report});
    format!("{message}\n")
}

/// The metrics that are counted on the device.
const COUNTS: [&str; 7] = [
    "aws:all-bytes-in",
    "aws:all-bytes-out",
    "aws:all-packets-in",
    "aws:all-packets-out",
    "aws:num-listening-tcp-ports",
    "aws:num-listening-udp-ports",
    "aws:num-established-tcp-connections",
];

/// A behavior `b` of this metric.
fn behavior(metric: &str, operator: &str, value: &Value) -> Value {
    json!({"name": "b", "metric": metric, "criteria": {"comparisonOperator": operator, "value": value}})
}

/// A profile of only port 22, with so many datapoints to alarm and to clear.
fn only_22(to_alarm: u64, to_clear: u64) -> Value {
    let mut behavior = behavior("aws:listening-tcp-ports", "in-port-set", &json!({"ports": [22]}));
    behavior["criteria"]["consecutiveDatapointsToAlarm"] = json!(to_alarm);
    behavior["criteria"]["consecutiveDatapointsToClear"] = json!(to_clear);
    json!([behavior])
}

/// What the program says of these behaviors and this report: the document, whatever the exit code.
fn verdicts_on(behaviors: &[Value], report: &Value) -> Value {
    let output = Dir::with_profile(&json!(behaviors)).judge(report.to_string(), &[]).finish();
    assert!([0, 1, 65].contains(&output.status.code().unwrap()), "{output:?}");
    let verdicts = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert_valid("verdicts", &verdicts);
    verdicts
}

/// What it says of one behavior.
fn verdict_on(behavior: Value, report: &Value) -> Value {
    verdicts_on(&[behavior], report)["behaviors"][0].clone()
}
