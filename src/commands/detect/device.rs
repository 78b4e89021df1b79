//! This device, judged now.

use std::ffi::OsStr;
use std::time::{Duration, SystemTime};

use super::table;
use super::{Judged, exit_of, is_any_violated, show, usage};
use crate::cli::{DetectArgs, Since};
use crate::collector::counters::Interfaces;
use crate::collector::{Collector, Problem, Sample};
use crate::commands::{gather, since};
use crate::detect::judge::{Covers, Judgement, judge};
use crate::detect::measured::Measured;
use crate::detect::metric::Metric;
use crate::detect::observation::Observation;
use crate::detect::profile::{Meaning, span};
use crate::exit::{Exit, Failure};
use crate::report::Encoding;
use crate::report::budget::{self, MAX_BYTES};
use crate::report::json::{self, Layout};
use crate::report::names::LONG;
use crate::report::{Report, Style};
use crate::state::{self, State};
use crate::terminal::Terminal;

/// Judges this device.
///
/// # Errors
/// [`Failure`] with what keeps a report from being made, or the verdicts from being written.
pub(super) fn run(args: &DetectArgs, judged: &[Judged], terminal: &Terminal) -> Result<Exit, Failure> {
    let (state, no_state) = load_state(args, judged, terminal)?;
    let collector = gather::open_collector(&args.source, terminal)?;
    check_since(args.since, &collector)?;
    let custom = gather::custom_metrics(&args.source)?;
    let (before, covers) = look_before(args.since, &collector, state.as_ref(), no_state, terminal);
    let mut sample = collector.sample();
    sample.add_problems(before.problems);
    gather::tell(&sample, &collector, terminal)?;
    let exclude = &args.source.exclude_interface;
    since::tell_excluded(&sample, exclude, terminal);
    let network_stats = since::network_stats(before.counters.as_ref(), sample.counters.as_ref(), exclude);
    let last_report_id = state.map_or(0, |state| state.last_report_id);
    let report_id = state::next_report_id(last_report_id, gather::unix_time());
    let report = Report::build(&sample, Style::Plain, report_id, network_stats, custom);

    let mut observation = Observation::of_report(&report);
    doubt_skipped_rows(&mut observation, &sample);
    if judged.iter().any(|judged| judged.metric() == Some(&Metric::MessageSize))
        && let Some(size) = message_size(&report)
    {
        observation.add(Metric::MessageSize, Measured::count(size));
    }
    let judgements: Vec<Judgement> =
        judged.iter().map(|judged| judge(&judged.behavior, &observation, &covers)).collect();
    hint_at_since(judged, &judgements, &collector, terminal);
    let owners = if args.processes { Some(gather::find_owners(&collector, usage, terminal)?) } else { None };
    let whose = owners.as_ref().map(|owners| table::Whose { owners, report: &report });
    show(Some(report_id), judged, &judgements, whose.as_ref(), args.format, terminal)?;
    Ok(exit_of(is_any_violated(&judgements), gather::exit_of(&sample, args.source.strict), judged))
}

/// Refuses to wait for the traffic of what does not change.
fn check_since(since: Option<Since>, collector: &Collector) -> Result<(), Failure> {
    if !matches!(since, Some(Since::Ago(_))) || collector.root.is_procfs {
        return Ok(());
    }
    let root = collector.root.root.display();
    Err(usage(&format!("--since: {root} is no proc file system, and the counters of a copy stand still")))
}

/// Reads the state that traffic is counted from: when `--since report` asks for it, and by default when a behaviour is
/// about traffic. Then, unless it was said whose state that is, not knowing it is no failure but a reason, which is
/// returned beside.
fn load_state(
    args: &DetectArgs,
    judged: &[Judged],
    terminal: &Terminal,
) -> Result<(Option<State>, Option<String>), Failure> {
    let load = || since::load_state(args.thing_name.as_ref(), args.state_dir.as_deref(), terminal);
    let is_said = args.thing_name.is_some() || args.state_dir.is_some() || gather::aws_thing_name().is_some();
    match args.since {
        Some(Since::Boot | Since::Ago(_)) => Ok((None, None)),
        None if !judged.iter().any(Judged::is_about_traffic) => Ok((None, None)),
        None if !is_said => {
            Ok(load().map_or_else(|failure| (None, Some(failure.messages.join("; "))), |state| (state, None)))
        }
        Some(Since::Report) | None => Ok((load()?, None)),
    }
}

/// Notes which measurements lack what was in rows that were skipped.
fn doubt_skipped_rows(observation: &mut Observation, sample: &Sample) {
    for problem in &sample.problems {
        let Problem::Row { path, .. } = problem else { continue };
        let metrics = match path.file_name().and_then(OsStr::to_str) {
            Some("tcp" | "tcp6") => {
                &[Metric::TcpPortCount, Metric::TcpPorts, Metric::ConnectionCount, Metric::Destinations][..]
            }
            Some("udp" | "udp6") => &[Metric::UdpPortCount, Metric::UdpPorts],
            Some("dev") => &[Metric::BytesIn, Metric::BytesOut, Metric::PacketsIn, Metric::PacketsOut],
            _ => &[],
        };
        for metric in metrics {
            observation.add_partial(metric.clone(), format!("rows of {} were not understood", path.display()));
        }
    }
}

/// Takes the look at the counters that traffic is counted from, and says what it will cover.
fn look_before(
    wanted: Option<Since>,
    collector: &Collector,
    state: Option<&State>,
    no_state: Option<String>,
    terminal: &Terminal,
) -> (Sample, Covers) {
    let known = |counters| Sample { counters, ..Sample::default() };
    match wanted {
        Some(Since::Boot) => {
            // A network namespace, and an interface, may be younger than the boot.
            let text = "since when the counters count is not known; --since 300s counts for 5m";
            (known(Some(Interfaces::new())), Covers::Unknown(text.to_owned()))
        }
        Some(Since::Ago(duration)) => {
            (since::first_look(collector, duration, terminal), Covers::Seconds(duration.as_secs()))
        }
        Some(Since::Report) | None => match since::known_baseline(collector, state, terminal) {
            None => {
                let reason = no_state.unwrap_or_else(|| "there is nothing to count traffic from".to_owned());
                (Sample::default(), Covers::Unknown(reason))
            }
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
    budget::fit(&mut report, Encoding::Json, &LONG, MAX_BYTES).ok()?;
    let mut text = Vec::new();
    json::write(&report, &LONG, Layout::Line, &mut text).ok()?;
    u64::try_from(text.len()).ok()
}

/// Says what would make behaviours about traffic judged that are not.
fn hint_at_since(judged: &[Judged], judgements: &[Judgement], collector: &Collector, terminal: &Terminal) {
    let unjudged = judged.iter().zip(judgements).filter(|(_, judgement)| !judgement.is_judged());
    let wanted = unjudged.filter_map(|(judged, _)| match &judged.behavior.meaning {
        Meaning::Rule(rule) if rule.metric.is_delta() => Some(rule.duration.unwrap_or(300)),
        _ => None,
    });
    if let Some(longest) = wanted.max().filter(|_| collector.root.is_procfs) {
        terminal.warning(format_args!(
            "not every behavior about traffic is judged; --since {} counts traffic for that long",
            span(longest).replace(' ', "")
        ));
    }
}
