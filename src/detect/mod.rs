//! Evaluates a security profile on the device, with the rules of AWS IoT Device Defender Detect.
//!
//! Pure: the text of a profile and measurements go in, verdicts come out. Nothing here uses a terminal, a clock or a file.
//!
//! ```text
//! profile ──> Profile ──> Behavior ─┐
//!                                   ├─> judge ──> Judgment ──> alarms::DeviceState ──> AlarmEvent
//! report ───> Observation ──────────┘
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`metric`] | the metrics and their names |
//! | [`profile`] | security profiles in JSON, YAML and templates; their faults and where they are |
//! | [`criterion`] | operators and their values: what is normal |
//! | [`measured`] | measured values, and exact comparison of numbers |
//! | [`observation`] | the measured values of one report |
//! | [`report_parser`] | a report of any agent, from JSON or CBOR |
//! | [`framing`] | how the messages of a stream are separated, and whose they are |
//! | [`reports`] | many reports from one stream of bytes |
//! | [`judge`] | the verdict on one behavior and one observation |
//! | [`learn`] | a profile that reports conform to |
//! | [`recent`] | the state of many devices, the least recently seen ones forgotten |
//! | [`alarms`] | many reports of one device: windows, consecutive datapoints, alarms |
//! | [`window`] | the traffic of one metric of one device, summed over time |
//!
//! Source: AWS IoT Device Defender developer guide, "Detect", and the AWS IoT API (`Behavior`, `BehaviorCriteria`,
//! `MetricValue`). A criterion describes what is *normal*; a measurement that does not meet it violates the behavior.

pub(crate) mod alarms;
pub(crate) mod criterion;
mod framing;
pub(crate) mod judge;
pub(crate) mod learn;
pub(crate) mod measured;
pub(crate) mod metric;
pub(crate) mod observation;
pub(crate) mod profile;
pub(crate) mod recent;
pub(crate) mod report_parser;
pub(crate) mod reports;
mod window;

use std::fmt::Display;

use crate::text::truncate;

/// The most characters of a foreign text that messages show.
const SHOWN: usize = 60;

/// Foreign text as messages show it: at most [`SHOWN`] characters, not escaped.
fn shorten(text: impl Display) -> String {
    truncate(&text.to_string(), SHOWN)
}
