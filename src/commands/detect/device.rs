//! This device, judged now.

use std::time::{Duration, SystemTime};

use super::table::{self, View};
use super::{Judged, exit_of, traffic_wanted, usage, verdict};
use crate::cli::{DetectArgs, DetectFormat, Since};
use crate::collector::counters::Interfaces;
use crate::collector::{Collector, Sample};
use crate::commands::{collect, gather};
use crate::detect::judge::{Covers, Judgement, Verdict, judge};
use crate::detect::measured::Measured;
use crate::detect::metric::Metric;
use crate::detect::observation::Observation;
use crate::detect::profile::{Meaning, span};
use crate::exit::{Exit, Failure};
use crate::report::Encoding;
use crate::report::budget;
use crate::report::json::{self, Layout};
use crate::report::names::LONG;
use crate::report::{Report, Style};
use crate::state::State;
use crate::terminal::Terminal;

/// The payload that AWS IoT takes, as its agents have it.
const PAYLOAD: usize = 128_000;

/// Judges this device.
///
/// # Errors
/// [`Failure`] with what keeps a report from being made, or the verdicts from being written.
pub(super) fn run(args: &DetectArgs, judged: &[Judged], terminal: &Terminal) -> Result<Exit, Failure> {
    let state = load_state(args, judged, terminal)?;
    let collector = gather::open_collector(&args.source, terminal)?;
    let custom = gather::custom_metrics(&args.source)?;
    let (before, covers) = look_before(args.since, &collector, state.as_ref(), terminal);
    let mut sample = collector.sample();
    sample.add_problems(before.problems);
    gather::tell(&sample, &collector, terminal)?;
    let network_stats =
        collect::network_stats(before.counters.as_ref(), &sample, &args.source.exclude_interface, terminal);
    let last_report_id = state.map_or(0, |state| state.last_report_id);
    let report_id = gather::unix_time().max(last_report_id.saturating_add(1));
    let report = Report::build(&sample, Style::Plain, report_id, network_stats, custom);

    let mut observation = Observation::of_report(&report);
    let is_wanted =
        |judged: &Judged| matches!(&judged.behavior.meaning, Meaning::Rule(rule) if rule.metric == Metric::MessageSize);
    if judged.iter().any(is_wanted)
        && let Some(size) = message_size(&report)
    {
        observation.add(Metric::MessageSize, Measured::count(size));
    }
    let judgements: Vec<Judgement> =
        judged.iter().map(|judged| judge(&judged.behavior, &observation, &covers)).collect();
    hint_at_since(judged, &judgements, terminal);
    let owners = if args.processes { Some(collect::find_owners(&collector, usage, terminal)?) } else { None };
    match args.format {
        DetectFormat::Json => verdict::print(Some(report_id), judged, &judgements, terminal)?,
        DetectFormat::Table => {
            let owners = owners.as_ref().map(|owners| table::Whose { owners, report: &report });
            let view = View { width: terminal.width(), whose: owners.as_ref() };
            terminal.result(|out| table::write(Some(report_id), judged, &judgements, &view, out))?;
        }
    }
    Ok(match exit_of(&judgements) {
        Exit::No => Exit::No,
        exit => match gather::exit_of(&sample, args.source.strict) {
            Exit::Done => exit,
            strict => strict,
        },
    })
}

/// Reads the state that traffic is counted from: when `--since report` asks for it, and by default when a behaviour is
/// about traffic and it is clear whose state that is.
fn load_state(args: &DetectArgs, judged: &[Judged], terminal: &Terminal) -> Result<Option<State>, Failure> {
    let load = || collect::load_state(args.thing_name.as_ref(), args.state_dir.as_deref(), terminal);
    match args.since {
        Some(Since::Report) => load(),
        None if traffic_wanted(judged).is_some() => Ok(load().unwrap_or_else(|failure| {
            for message in failure.messages {
                terminal.step(format_args!("no network_stats: {message}"));
            }
            None
        })),
        Some(Since::Boot | Since::Ago(_)) | None => Ok(None),
    }
}

/// Takes the look at the counters that traffic is counted from, and says what it will cover.
fn look_before(
    since: Option<Since>,
    collector: &Collector,
    state: Option<&State>,
    terminal: &Terminal,
) -> (Sample, Covers) {
    let known = |counters| Sample { counters, ..Sample::default() };
    match since {
        Some(Since::Boot) => {
            let covers = collector.uptime().map(Covers::Seconds);
            let unknown = || Covers::Unknown("how long the machine has been up cannot be read".to_owned());
            (known(Some(Interfaces::new())), covers.unwrap_or_else(unknown))
        }
        Some(Since::Ago(duration)) => {
            (collect::first_look(collector, duration, terminal), Covers::Seconds(duration.as_secs()))
        }
        Some(Since::Report) | None => match collect::baseline(collector, state, terminal) {
            None => (Sample::default(), Covers::Unknown("there is nothing to count traffic from".to_owned())),
            counters => (known(counters), since_baseline(state, collector, terminal)),
        },
    }
}

/// How long ago the baseline was taken: by the clock, as the state file has no other time, but no longer than the machine
/// has been up. So a clock that was set right meanwhile does no harm, and after a reboot, when the counters began anew, it
/// is the time since then.
fn since_baseline(state: Option<&State>, collector: &Collector, terminal: &Terminal) -> Covers {
    let baseline = state.and_then(|state| state.baseline.as_ref());
    let taken_at = baseline.and_then(|baseline| humantime::parse_rfc3339(&baseline.taken_at).ok());
    let Some(by_clock) = taken_at.and_then(|taken_at| SystemTime::now().duration_since(taken_at).ok()) else {
        let text = "when the last report was accepted is not known, or in the future";
        return Covers::Unknown(text.to_owned());
    };
    let uptime = collector.uptime().map_or(Duration::MAX, Duration::from_secs);
    let seconds = by_clock.min(uptime).as_secs();
    terminal.step(format_args!("network_stats: covers {}, by the clock and the uptime", span(seconds)));
    Covers::Seconds(seconds)
}

/// The bytes of the report as `publish` sends it: JSON with long names, cut to what the service takes. `None` when it
/// cannot be cut to that.
fn message_size(report: &Report<'_>) -> Option<u64> {
    let mut report = report.clone();
    budget::fit(&mut report, Encoding::Json, &LONG, PAYLOAD).ok()?;
    let mut text = Vec::new();
    json::write(&report, &LONG, Layout::Line, &mut text).ok()?;
    u64::try_from(text.len()).ok()
}

/// Says what would make behaviours about traffic judged that are not.
fn hint_at_since(judged: &[Judged], judgements: &[Judgement], terminal: &Terminal) {
    let is_unjudged = |(judged, judgement): &(&Judged, &Judgement)| {
        matches!(&judged.behavior.meaning, Meaning::Rule(rule) if rule.metric.is_delta())
            && matches!(judgement.verdict, Verdict::NotJudged(_))
    };
    let unjudged = judged.iter().zip(judgements).filter(is_unjudged);
    let longest = unjudged.filter_map(|(judged, _)| match &judged.behavior.meaning {
        Meaning::Rule(rule) => Some(rule.duration.unwrap_or(300)),
        _ => None,
    });
    if let Some(longest) = longest.max() {
        terminal.warning(format_args!(
            "not every behavior about traffic is judged; --since {} counts traffic for that long",
            span(longest).replace(' ', "")
        ));
    }
}
