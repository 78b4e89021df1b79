//! Verdicts as one JSON document.

use std::io::Write;

use serde::Serialize;
use serde_json::Value;

use super::Judged;
use crate::detect::judge::{Covers, Judgement, Verdict};
use crate::detect::metric::{Metric, Named};
use crate::detect::profile::{Behavior, Fault, Meaning};
use crate::escape::escape_json;
use crate::exit::Failure;
use crate::terminal::Terminal;

/// The document.
#[derive(Serialize)]
struct Verdicts<'a> {
    report_id: Option<u64>,
    violated: bool,
    behaviors: Vec<Line<'a>>,
}

/// A behaviour.
#[derive(Serialize)]
struct Line<'a> {
    profile: Option<&'a str>,
    behavior: &'a str,
    metric: &'a str,
    criteria: &'a Value,
    verdict: &'static str,
    observed: Option<Value>,
    offending: Option<Value>,
    covers_seconds: Option<u64>,
    reason: Option<&'a str>,
    faults: Vec<FaultLine<'a>>,
}

/// What is wrong with a behaviour.
#[derive(Serialize)]
struct FaultLine<'a> {
    path: &'a str,
    message: &'a str,
}

/// Prints the verdicts: on one line, indented on a terminal.
///
/// # Errors
/// When they cannot be written.
pub(super) fn print(
    report_id: Option<u64>,
    judged: &[Judged],
    judgements: &[Judgement],
    terminal: &Terminal,
) -> Result<(), Failure> {
    let violated = judgements.iter().any(|judgement| matches!(judgement.verdict, Verdict::Violated(_)));
    let behaviors = judged.iter().zip(judgements).map(|(judged, judgement)| Line::new(judged, judgement)).collect();
    let verdicts = Verdicts { report_id, violated, behaviors };
    terminal.result(|out| {
        if terminal.stdout_is_terminal() {
            out.write_all(escape_json(&serde_json::to_string_pretty(&verdicts)?).as_bytes())?;
        } else {
            serde_json::to_writer(&mut *out, &verdicts)?;
        }
        out.write_all(b"\n")
    })
}

impl<'a> Line<'a> {
    fn new(judged: &'a Judged, judgement: &'a Judgement) -> Self {
        let Judged { behavior, .. } = judged;
        let is_counted = is_counted(behavior);
        let (offending, reason) = match &judgement.verdict {
            Verdict::Violated(offending) => (Some(offending.metric_value(is_counted)), None),
            Verdict::NotJudged(reason) => (None, Some(reason.as_str())),
            Verdict::Conforms | Verdict::Invalid => (None, None),
        };
        let faults: &[Fault] = match &behavior.meaning {
            Meaning::Invalid(faults) => faults,
            Meaning::Rule(_) | Meaning::NotJudged(_) => &[],
        };
        Self {
            profile: judged.profile.as_deref().or(judged.label.as_deref()),
            behavior: &behavior.name,
            metric: &behavior.metric,
            criteria: &behavior.criteria,
            verdict: judgement.verdict.name(),
            observed: judgement.measured.as_ref().map(|measured| measured.metric_value(is_counted)),
            offending,
            covers_seconds: match judgement.covers {
                Some(Covers::Seconds(seconds)) => Some(seconds),
                _ => None,
            },
            reason: match judgement.covers {
                Some(Covers::Assumed(_)) if reason.is_none() => Some(ASSUMED),
                _ => reason,
            },
            faults: faults.iter().map(|Fault { path, text }| FaultLine { path, message: text }).collect(),
        }
    }
}

/// What is said of a single report whose traffic is judged.
pub(super) const ASSUMED: &str =
    "a single report does not tell what its traffic covers; taken to be the whole duration";

/// Whether the number of a behaviour is a `count` of AWS's `MetricValue`, rather than a `number`.
pub(super) fn is_counted(behavior: &Behavior) -> bool {
    !matches!(Named::find(&behavior.metric), Named::Known(Metric::Custom(_)))
}
