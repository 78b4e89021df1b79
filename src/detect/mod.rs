//! Detect: a security profile judged on the device, as AWS IoT Device Defender Detect judges it in the cloud.
//!
//! Pure: the text of a profile and what was observed go in, verdicts come out. Nothing here knows a terminal, a clock or
//! a file.
//!
//! ```text
//! profile ──> Profile ──> Behavior ─┐
//!                                   ├─> judge ──> Judgement ──> stream::Stream ──> Event
//! report ───> Observation ──────────┘
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`metric`] | the metrics that there are |
//! | [`profile`] | the JSON of a security profile; what is wrong with it, and where |
//! | [`criterion`] | operators and their values: what is normal |
//! | [`measured`] | what a metric was measured to be, and exact comparison |
//! | [`observation`] | a report of ours as measured values |
//! | [`document`] | a report of anyone, read from JSON or CBOR |
//! | [`reports`] | one report after another from a stream of bytes |
//! | [`judge`] | one behaviour against one observation |
//! | [`stream`] | report after report: windows, datapoints in a row, alarms |
//!
//! Source: AWS IoT Device Defender developer guide, "Detect", and the AWS IoT API (`Behavior`, `BehaviorCriteria`,
//! `MetricValue`). A criterion describes what is *normal*; a behaviour is violated by a measurement that does not meet it.

pub mod criterion;
pub mod document;
pub mod judge;
pub mod measured;
pub mod metric;
pub mod observation;
pub mod profile;
pub(crate) mod quote;
pub mod reports;
pub mod stream;
