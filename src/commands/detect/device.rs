//! This device, judged now.

use std::time::{Duration, SystemTime};

use super::behaviors::ProfileBehavior;
use super::verdict::{exit_of, show};
use super::verdict_table::OwnerLookup;
use crate::cli::{DetectArgs, Since};
use crate::collector::counters::Interfaces;
use crate::collector::{Collector, Problem, Sample, Table};
use crate::commands::{baseline, pipeline};
use crate::config::aws_thing_name;
use crate::detect::judge::{Coverage, Judgment, judge};
use crate::detect::measured::Measured;
use crate::detect::metric::{Metric, TRAFFIC};
use crate::detect::observation::Observation;
use crate::detect::profile::span;
use crate::error::Error;
use crate::exit::Exit;
use crate::report::budget::{self, MAX_BYTES};
use crate::report::custom::CustomMetrics;
use crate::report::encode::Encoding;
use crate::report::names::LONG;
use crate::report::{Options, Report, Style};
use crate::state::State;
use crate::terminal::Terminal;
use crate::thing::ThingName;
use crate::warning::Warnings;

pub(super) fn run(
    args: &DetectArgs,
    since: Option<Since>,
    thing_name: Option<ThingName>,
    behaviors: &[ProfileBehavior],
    terminal: &Terminal,
    warnings: &mut Warnings,
) -> Result<Exit, Error> {
    let shown_name = shown_name(thing_name.as_ref());
    let device = Device::read(args, since, thing_name, behaviors, terminal, warnings)?;
    let report = device.report(warnings);
    let mut observation = device.observe(&report);
    if behaviors.iter().any(|entry| entry.metric() == Some(&Metric::MessageSize))
        && let Some(size) = message_size(&report)
    {
        observation.add(Metric::MessageSize, Measured::count(size));
    }
    let judge = |entry: &ProfileBehavior| judge(&entry.behavior, &observation, &device.covers);
    let judgments: Vec<Judgment<'_>> = behaviors.iter().map(judge).collect();
    let collector = &device.collector;
    let owners = if args.processes { Some(pipeline::find_owners(collector, "detect", warnings)?) } else { None };
    terminal.warn_all(warnings);
    hint_at_since(behaviors, &judgments, collector, terminal);
    let lookup = owners.as_ref().map(|owners| OwnerLookup { owners, report: &report });
    let thing = shown_name.as_ref().map(ThingName::as_str);
    show(thing, Some(report.report_id), behaviors, &judgments, lookup.as_ref(), args.format(), terminal)?;
    let strict = warnings.exit(args.source.strict);
    if terminal.is_quiet() && strict != Exit::Success {
        warnings.texts().for_each(|text| terminal.error(text));
    }
    let violated = judgments.iter().any(Judgment::is_violated);
    // A behavior that this device could have judged, had it been readable, must not look like one that conforms.
    let is_unread =
        |entry: &ProfileBehavior| entry.metric().is_some_and(|metric| observation.partial(metric).is_some());
    let is_missed = behaviors.iter().zip(&judgments).any(|(entry, judged)| !judged.is_judged() && is_unread(entry));
    let input = if is_missed { Exit::NoInput } else { strict };
    Ok(exit_of(violated, input, behaviors))
}

/// What was read of this device.
pub(super) struct Device {
    pub(super) collector: Collector,
    counted: Since,
    baseline: Option<Interfaces>,
    /// The time that the traffic covers.
    pub(super) covers: Coverage,
    sample: Sample,
    custom: Option<CustomMetrics>,
    options: Options,
    last_report_id: u64,
}

impl Device {
    /// Reads what `behaviors` are about.
    pub(super) fn read(
        args: &DetectArgs,
        since: Option<Since>,
        thing_name: Option<ThingName>,
        behaviors: &[ProfileBehavior],
        terminal: &Terminal,
        warnings: &mut Warnings,
    ) -> Result<Self, Error> {
        let (state, no_state) = load_state(args, thing_name, since, behaviors, terminal, warnings)?;
        let collector = pipeline::open(&args.source, terminal, warnings)?;
        check_since(since, &collector)?;
        let custom = pipeline::custom_metrics(&args.source)?;
        let options = Options {
            style: Style::Plain,
            names: &LONG,
            max_bytes: None,
            exclude_interfaces: pipeline::excluded(&args.source),
        };
        let counted = since.unwrap_or(Since::Report);
        let baseline = baseline::counters(counted, &collector, state.as_ref(), terminal, warnings);
        let covers = match (counted, &baseline) {
            // A network namespace, and an interface, may be younger than the boot.
            (Since::Boot, _) => unknown("the time that the counters cover is unknown; --since 300s counts for 5m"),
            (Since::Ago(duration), _) => Coverage::Seconds(duration.as_secs()),
            (Since::Report, Some(_)) => since_baseline(state.as_ref(), &collector, terminal),
            (Since::Report, None) => {
                no_state.map_or_else(|| unknown("there is nothing to count traffic from"), Coverage::Unknown)
            }
        };
        let sample = pipeline::sample_of_host(&collector, terminal, warnings)?;
        pipeline::trace_excluded(&sample, &options, terminal);
        let last_report_id = state.map_or(0, |state| state.last_report_id);
        Ok(Self { collector, counted, baseline, covers, sample, custom, options, last_report_id })
    }

    pub(super) fn report(&self, warnings: &mut Warnings) -> Report<'_> {
        let custom = self.custom.clone();
        pipeline::build(&self.sample, self.baseline.as_ref(), self.last_report_id, custom, &self.options, warnings)
    }

    /// The metrics of the report, and why some are incomplete or unknown.
    pub(super) fn observe(&self, report: &Report<'_>) -> Observation {
        let mut observation = Observation::of_report(report);
        if matches!(self.counted, Since::Ago(_)) && self.baseline.is_none() {
            doubt(&mut observation, Table::Dev, "the counters could not be read when the time began");
        } else if self.baseline.is_some() && self.sample.counters.is_some() && report.network_stats.is_none() {
            doubt(&mut observation, Table::Dev, "the counters add up to more than 64 bits hold");
        }
        doubt_unread(&mut observation, &self.sample, &self.collector);
        observation
    }
}

/// The thing that the output names.
pub(super) fn shown_name(thing_name: Option<&ThingName>) -> Option<ThingName> {
    thing_name.cloned().or_else(aws_name)
}

fn aws_name() -> Option<ThingName> {
    aws_thing_name()?.value.ok()
}

fn unknown(reason: &str) -> Coverage {
    Coverage::Unknown(reason.to_owned())
}

fn check_since(since: Option<Since>, collector: &Collector) -> Result<(), Error> {
    if !matches!(since, Some(Since::Ago(_))) || collector.root.is_procfs {
        return Ok(());
    }
    let root = collector.root.root.display();
    let message = format!("--since: {root} is not a proc file system, and the counters of a copy do not change");
    Err(Error::usage("detect", message))
}

/// Reads the state that traffic is counted from: when `--since report` asks for it, and by default when a behavior is about
/// traffic. By default, and unless thing or directory were given, a failure is only the reason, returned as the second part.
fn load_state(
    args: &DetectArgs,
    thing_name: Option<ThingName>,
    since: Option<Since>,
    behaviors: &[ProfileBehavior],
    terminal: &Terminal,
    warnings: &mut Warnings,
) -> Result<(Option<State>, Option<String>), Error> {
    match since {
        Some(Since::Boot | Since::Ago(_)) => return Ok((None, None)),
        None if !behaviors.iter().any(ProfileBehavior::is_about_traffic) => return Ok((None, None)),
        Some(Since::Report) | None => {}
    }
    let is_given = thing_name.is_some() || args.state_dir.is_some() || aws_thing_name().is_some();
    match baseline::load_state(thing_name, args.state_dir.as_ref(), terminal, warnings) {
        Err(error) if since.is_none() && !is_given => Ok((None, Some(error.to_string()))),
        state => Ok((state?, None)),
    }
}

/// Notes which measurements lack something because the device could not be read.
fn doubt_unread(observation: &mut Observation, sample: &Sample, collector: &Collector) {
    for problem in &sample.problems {
        match problem {
            Problem::Row { table, from, .. } => {
                doubt(observation, *table, &format!("rows of {from} were not understood"));
            }
            Problem::Unknown { table, from, error } => doubt(observation, *table, &format!("{from}: {error}")),
            Problem::MoreRows { .. } | Problem::NoCounters { .. } | Problem::NoNames { .. } => {}
        }
    }
    if collector.root.is_fallback {
        for table in Table::REPORTED {
            doubt(observation, table, "the network namespace of the host could not be read");
        }
    }
}

/// Notes for every metric that comes from this table, and for the size of the report, why it is incomplete or unknown.
fn doubt(observation: &mut Observation, table: Table, reason: &str) {
    let metrics = match table {
        Table::Tcp | Table::Tcp6 => {
            &[Metric::TcpPortCount, Metric::TcpPorts, Metric::ConnectionCount, Metric::Destinations][..]
        }
        Table::Udp | Table::Udp6 => &[Metric::UdpPortCount, Metric::UdpPorts],
        Table::Dev => &TRAFFIC,
        Table::IfInet6 | Table::FibTrie | Table::Route => return,
    };
    for metric in metrics.iter().chain([&Metric::MessageSize]) {
        observation.add_partial(metric.clone(), reason.to_owned());
    }
}

/// How long ago the baseline was taken: by the clock, because the state file has no other time, but no longer than the machine
/// has been up. So a clock that was set meanwhile does no harm, and after a reboot, when the counters started over, it is the
/// time since then.
fn since_baseline(state: Option<&State>, collector: &Collector, terminal: &Terminal) -> Coverage {
    let baseline = state.and_then(|state| state.baseline.as_ref());
    let taken_at = baseline.and_then(|baseline| humantime::parse_rfc3339(&baseline.taken_at).ok());
    let Some(by_clock) = taken_at.and_then(|taken_at| SystemTime::now().duration_since(taken_at).ok()) else {
        return unknown("the time of the last accepted report is unknown, or in the future");
    };
    let uptime = collector.uptime().map_or(Duration::MAX, Duration::from_secs);
    let seconds = by_clock.min(uptime).as_secs();
    terminal.debug(format_args!("network_stats: covers {}, by the clock and the uptime", span(seconds)));
    Coverage::Seconds(seconds)
}

/// The bytes of the report as `publish` sends it: JSON with long names, cut to what the service accepts. `None` when it
/// cannot be cut to that.
fn message_size(report: &Report<'_>) -> Option<u64> {
    let mut report = report.clone();
    budget::fit(&mut report, Encoding::Json, &LONG, MAX_BYTES).ok()?;
    let mut text = Vec::new();
    Encoding::Json.write(&report, &LONG, &mut text).ok()?;
    u64::try_from(text.len()).ok()
}

/// Suggests a duration for `--since` if some behaviors about traffic are not judged.
fn hint_at_since(
    behaviors: &[ProfileBehavior],
    judgments: &[Judgment<'_>],
    collector: &Collector,
    terminal: &Terminal,
) {
    let not_judged = behaviors.iter().zip(judgments).filter(|(_, judgment)| !judgment.is_judged());
    let rules = not_judged.filter_map(|(entry, _)| entry.behavior.rule()).filter(|rule| rule.metric.is_delta());
    let longest = rules.map(|rule| rule.duration.unwrap_or(300)).max();
    if let Some(longest) = longest.filter(|_| collector.root.is_procfs) {
        terminal.warn(format_args!(
            "some behaviors about traffic are not judged; --since {} measures traffic for long enough",
            span(longest).replace(' ', "")
        ));
    }
}
