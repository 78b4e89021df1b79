//! Alarms that begin and end: JSON in the shape of AWS's violation events, or a line for people.

use std::io::{self, Write};

use colored::Colorize;
use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Value, json};

use super::behaviors::ProfileBehavior;
use super::verdict::VERSION;
use super::verdict_table::observed;
use crate::cli::DetectFormat;
use crate::detect::alarms::{AlarmChange, AlarmEvent, AlarmStart};
use crate::detect::judge::{Judgment, Verdict};
use crate::detect::measured::Measured;
use crate::detect::observation::Observation;
use crate::detect::profile::Behavior;
use crate::report::display::identify;
use crate::terminal::Terminal;
use crate::text::escape;

/// The most elements of a list in a line for people.
const SHOWN: usize = 8;

/// A violation event (AWS IoT Device Defender developer guide, "Sending alerts": the message to the SNS topic).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventMessage<'a> {
    version: u32,
    /// Milliseconds since 1970, if the report has a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    violation_event_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thing_name: Option<&'a str>,
    behavior: &'a Behavior,
    violation_event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_value: Option<Value>,
    violation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    security_profile_name: Option<&'a str>,
}

pub(super) struct EventContext<'a> {
    pub(super) thing: Option<&'a str>,
    pub(super) observation: &'a Observation,
    /// The number of the behavior among all, from 1.
    pub(super) number: usize,
    pub(super) entry: &'a ProfileBehavior,
    pub(super) judgment: &'a Judgment<'a>,
}

impl EventContext<'_> {
    pub(super) fn write(
        &self,
        event: &AlarmEvent,
        format: DetectFormat,
        terminal: &Terminal,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let text = match format {
            DetectFormat::Table => self.line(event.change),
            DetectFormat::Json => terminal.json_line(&self.message(event))?,
        };
        writeln!(out, "{text}")
    }

    fn message(&self, event: &AlarmEvent) -> EventMessage<'_> {
        EventMessage {
            version: VERSION,
            violation_event_time: self.observation.time().and_then(|seconds| seconds.checked_mul(1000)),
            thing_name: self.thing,
            behavior: &self.entry.behavior,
            violation_event_type: event.change.name(),
            metric_value: self.measured(event.change).map(|measured| self.entry.metric_value(measured)),
            violation_id: self.violation_id(event.began),
            security_profile_name: self.entry.profile.as_deref(),
        }
    }

    /// The same for the beginning and the end of an alarm, and different for any other alarm: where it began, and a digest of
    /// what it is about, in the service's pattern `[a-zA-Z0-9-]{1,128}`.
    fn violation_id(&self, began: AlarmStart) -> String {
        let began = match began {
            AlarmStart::Id(id) => id.to_string(),
            AlarmStart::Number(number) => format!("number{number}"),
        };
        // Profiles and behaviors may have the same names, or none.
        let about = json!([self.thing, self.entry.profile, self.entry.behavior.name, self.number]).to_string();
        let digest = digest(&SHA256, about.as_bytes());
        let digest = digest.as_ref().first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
        format!("{began}-{digest:032x}")
    }

    /// The measurement behind a change; `None` if its absence is the cause.
    fn measured(&self, change: AlarmChange) -> Option<&Measured> {
        self.judgment.measured.as_deref().filter(|_| change != AlarmChange::Invalidated)
    }

    fn line(&self, change: AlarmChange) -> String {
        let Self { thing, observation, entry, judgment, .. } = self;
        let time = observation.report_id.map_or_else(|| "report without an id".to_owned(), identify);
        let measured = match &judgment.verdict {
            Verdict::Violated(offending) if change != AlarmChange::Invalidated => Some(offending),
            _ => self.measured(change),
        };
        let change = match change {
            AlarmChange::InAlarm => change.name().red(),
            AlarmChange::Cleared => change.name().green(),
            AlarmChange::Invalidated => change.name().yellow(),
        };
        let (name, metric) = (entry.full_name(*thing), escape(&entry.behavior.metric));
        let observed = observed(entry, measured, judgment.covers, SHOWN);
        let normal = escape(&entry.behavior.in_words());
        format!("{time} {change} {name}: {metric}: {observed} (normal: {normal})")
    }
}
