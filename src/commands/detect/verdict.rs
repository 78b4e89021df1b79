//! The verdicts on one report: how they are printed, and the exit code.

use std::io::Write;

use colored::Colorize;
use serde::Serialize;
use serde_json::Value;

use super::behaviors::ProfileBehavior;
use super::verdict_table::{OwnerLookup, Row, Total, write_rows};
use crate::cli::DetectFormat;
use crate::detect::alarms::BehaviorState;
use crate::detect::judge::{ASSUMED, Coverage, Judgment, Verdict, judge};
use crate::detect::observation::Observation;
use crate::detect::profile::{Meaning, ProfileFault};
use crate::error::Error;
use crate::exit::Exit;
use crate::report::display::identify;
use crate::terminal::{Stdout, Terminal};

/// The version of the JSON output. It rises when a field changes its meaning or is removed.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize)]
struct Verdicts<'a> {
    version: u32,
    #[serde(rename = "thingName")] // as in the events
    thing_name: Option<&'a str>,
    report_id: Option<u64>,
    violated: bool,
    behaviors: Vec<BehaviorLine<'a>>,
}

/// The first line of a stream's events, if there are such behaviors.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NeverJudged<'a> {
    version: u32,
    never_judged: Vec<BehaviorLine<'a>>,
}

#[derive(Serialize)]
struct BehaviorLine<'a> {
    profile: Option<&'a str>,
    behavior: &'a str,
    metric: &'a str,
    criteria: &'a Value,
    verdict: &'static str,
    observed: Option<Value>,
    offending: Option<Value>,
    covers_seconds: Option<u64>,
    reason: Option<&'a str>,
    faults: &'a [ProfileFault],
}

/// Whether `-q` prints this verdict. What only the service can judge is unknown here whatever the device does, so that would be
/// news every time.
pub(super) fn is_news(entry: &ProfileBehavior, verdict: &Verdict, state: Option<&BehaviorState>) -> bool {
    match verdict {
        Verdict::Violated(_) | Verdict::Invalid => true,
        Verdict::NotJudged(_) => entry.behavior.rule().is_some(),
        Verdict::Conforms => state.is_some_and(BehaviorState::in_alarm),
    }
}

pub(super) fn show(
    thing_name: Option<&str>,
    report_id: Option<u64>,
    behaviors: &[ProfileBehavior],
    judgments: &[Judgment<'_>],
    owners: Option<&OwnerLookup<'_>>,
    format: DetectFormat,
    terminal: &Terminal,
) -> Result<(), Error> {
    let is_shown = |(entry, judgment): &(&ProfileBehavior, &Judgment<'_>)| {
        !terminal.is_quiet() || is_news(entry, &judgment.verdict, None)
    };
    let entries: Vec<_> = behaviors.iter().zip(judgments).filter(is_shown).collect();
    if terminal.is_quiet() && entries.is_empty() {
        terminal.write(|_| Ok(()))?;
        return Ok(());
    }
    match format {
        DetectFormat::Json => {
            let violated = judgments.iter().any(Judgment::is_violated);
            let behaviors = entries.into_iter().map(|(entry, judgment)| BehaviorLine::new(entry, judgment)).collect();
            terminal.write_json(&Verdicts { version: VERSION, thing_name, report_id, violated, behaviors })?;
        }
        DetectFormat::Table => {
            let id = report_id.map_or_else(|| "without an id".to_owned(), identify);
            let rows: Vec<_> =
                entries.into_iter().map(|(entry, judgment)| Row::new(entry, judgment, None, owners)).collect();
            let mut total = Total { rows: rows.len(), ..Total::default() };
            total.add(judgments.iter().map(|judgment| &judgment.verdict).collect());
            terminal.write(|out| {
                writeln!(out, "{} {id}\n", "Report".bold())?;
                write_rows(&rows, &total, terminal.width(), out)
            })?;
        }
    }
    Ok(())
}

/// Writes the behaviors that no report of a stream can be judged by, if any, as a line of JSON.
pub(super) fn show_never_judged(behaviors: &[ProfileBehavior], terminal: &Terminal) -> Result<Stdout, Error> {
    let nothing = Observation::default();
    let entries = behaviors.iter().filter(|entry| entry.behavior.rule().is_none());
    let judged = entries.map(|entry| (entry, judge(&entry.behavior, &nothing, &Coverage::Assumed)));
    let judged: Vec<_> =
        judged.filter(|(entry, judgment)| !terminal.is_quiet() || is_news(entry, &judgment.verdict, None)).collect();
    if judged.is_empty() {
        return Ok(Stdout::Open);
    }
    let never_judged = judged.iter().map(|(entry, judgment)| BehaviorLine::new(entry, judgment)).collect();
    let line = NeverJudged { version: VERSION, never_judged };
    Ok(terminal.write(|out| writeln!(out, "{}", terminal.json_line(&line)?))?)
}

impl<'a> BehaviorLine<'a> {
    fn new(entry: &'a ProfileBehavior, judgment: &'a Judgment<'_>) -> Self {
        let behavior = &entry.behavior;
        let (offending, reason) = match &judgment.verdict {
            Verdict::Violated(offending) => (Some(entry.metric_value(offending)), None),
            Verdict::NotJudged(reason) => (None, Some(reason.as_ref())),
            Verdict::Conforms | Verdict::Invalid => (None, None),
        };
        let faults = if let Meaning::Invalid(faults) = &behavior.meaning { faults.as_slice() } else { &[] };
        Self {
            profile: entry.profile.as_deref().or(entry.label.as_deref()),
            behavior: &behavior.name,
            metric: &behavior.metric,
            criteria: &behavior.criteria,
            verdict: judgment.verdict.name(),
            observed: judgment.measured.as_ref().map(|measured| entry.metric_value(measured)),
            offending,
            covers_seconds: judgment.covers,
            reason: reason.or(judgment.assumed.then_some(ASSUMED)),
            faults,
        }
    }
}

/// The exit code: a violation first, then a fault of the input, then an invalid behavior.
pub(super) fn exit_of(violated: bool, input: Exit, behaviors: &[ProfileBehavior]) -> Exit {
    let has_invalid = behaviors.iter().any(|entry| matches!(entry.behavior.meaning, Meaning::Invalid(_)));
    match (violated, input, has_invalid) {
        (true, _, _) => Exit::CheckFailed,
        (false, Exit::Success, true) => Exit::Input,
        (false, input, _) => input,
    }
}
