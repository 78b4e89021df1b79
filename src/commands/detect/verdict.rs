//! Verdicts as one JSON document.

use serde::Serialize;
use serde_json::Value;

use super::{Judged, is_any_violated};
use crate::detect::judge::{Judgement, Verdict};
use crate::detect::profile::{Fault, Meaning};
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
    let behaviors = judged.iter().zip(judgements).map(|(judged, judgement)| Line::new(judged, judgement)).collect();
    let verdicts = Verdicts { report_id, violated: is_any_violated(judgements), behaviors };
    terminal.document(&verdicts)
}

impl<'a> Line<'a> {
    fn new(judged: &'a Judged, judgement: &'a Judgement) -> Self {
        let Judged { behavior, .. } = judged;
        let is_counted = judged.is_counted();
        let (offending, reason) = match &judgement.verdict {
            Verdict::Violated(offending) => (Some(offending.metric_value(is_counted)), None),
            Verdict::NotJudged(reason) => (None, Some(reason.as_str())),
            Verdict::Conforms | Verdict::Invalid => (None, None),
        };
        let assumed = judgement.assumed.then_some(ASSUMED);
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
            covers_seconds: judgement.covers,
            reason: reason.or(assumed),
            faults: faults.iter().map(|Fault { path, text }| FaultLine { path, message: text }).collect(),
        }
    }
}

/// What is said of a single report whose traffic is judged.
pub(super) const ASSUMED: &str =
    "a single report does not tell what its traffic covers; taken to be the whole duration";
