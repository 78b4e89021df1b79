//! Alarms as they begin and end: JSON in the shape of the violation events that AWS sends, or a line for people.

use std::io::{self, Write};

use colored::Colorize;
use serde::Serialize;
use serde_json::Value;

use super::{Judged, table};
use crate::cli::DetectFormat;
use crate::detect::judge::{Judgement, Verdict};
use crate::detect::stream::{Began, Change, Event};
use crate::escape::{escape, escape_json};
use crate::report::table::identify;

/// The most elements of a list that are shown in a line for people.
const SHOWN: usize = 8;

/// A violation event (AWS IoT Device Defender developer guide, "Sending alerts": the message to the SNS topic).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    /// Milliseconds since 1970, from the report's id, where that is a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    violation_event_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thing_name: Option<&'a str>,
    behavior: Behavior<'a>,
    violation_event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric_value: Option<Value>,
    violation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    security_profile_name: Option<&'a str>,
}

#[derive(Serialize)]
struct Behavior<'a> {
    name: &'a str,
    metric: &'a str,
    criteria: &'a Value,
}

/// What an event is about.
pub(super) struct About<'a> {
    pub(super) thing: Option<&'a str>,
    pub(super) report_id: Option<u64>,
    pub(super) time: Option<u64>,
    pub(super) judged: &'a Judged,
    pub(super) judgement: &'a Judgement,
}

/// Writes an event.
///
/// # Errors
/// What `out` returns.
pub(super) fn write(
    event: &Event,
    about: &About<'_>,
    format: DetectFormat,
    on_terminal: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        DetectFormat::Table => write_line(event.change, about, out),
        DetectFormat::Json => {
            let mut text = serde_json::to_string(&message(event, about))?;
            if on_terminal {
                text = escape_json(&text);
            }
            writeln!(out, "{text}")
        }
    }
}

fn message<'a>(event: &Event, about: &About<'a>) -> Message<'a> {
    let behavior = &about.judged.behavior;
    let measured = about.judgement.measured.as_ref();
    Message {
        violation_event_time: about.time.and_then(|seconds| seconds.checked_mul(1000)),
        thing_name: about.thing,
        behavior: Behavior { name: &behavior.name, metric: &behavior.metric, criteria: &behavior.criteria },
        violation_event_type: event.change.name(),
        metric_value: measured.map(|measured| measured.metric_value(about.judged.is_counted())),
        violation_id: violation_id(event, about.thing),
        security_profile_name: about.judged.profile.as_deref(),
    }
}

/// The same for the event that begins an alarm and the one that ends it: the thing, the id of the report that it began with
/// or, without one, its number, and which behaviour, counted from 1.
fn violation_id(event: &Event, thing: Option<&str>) -> String {
    let began = match event.began {
        Began::Id(id) => id.to_string(),
        Began::Number(number) => format!("number{number}"),
    };
    let behavior = event.behavior.saturating_add(1);
    match thing {
        Some(thing) => format!("{thing}-{began}-{behavior}"),
        None => format!("{began}-{behavior}"),
    }
}

fn write_line(change: Change, about: &About<'_>, out: &mut dyn Write) -> io::Result<()> {
    let time = about.report_id.map_or_else(|| "report without an id".to_owned(), identify);
    let change = match change {
        Change::InAlarm => change.name().red(),
        Change::Cleared => change.name().green(),
    };
    let behavior = &about.judged.behavior;
    let names = [about.thing, about.judged.label.as_deref(), Some(behavior.name.as_str())];
    let names: Vec<String> = names.into_iter().flatten().map(table::shown).collect();
    let observed = match &about.judgement.verdict {
        Verdict::Violated(offending) if offending.is_list() => {
            let offending = Judgement { measured: Some(offending.clone()), ..about.judgement.clone() };
            table::observed(about.judged, &offending, SHOWN)
        }
        _ => table::observed(about.judged, about.judgement, SHOWN),
    };
    let normal = escape(&behavior.in_words());
    writeln!(out, "{time} {change} {}: {}: {observed} (normal: {normal})", names.join(" "), escape(&behavior.metric))
}
