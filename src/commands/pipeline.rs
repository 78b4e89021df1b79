//! The road from flags to a report, the same for every command: open a collector, take a sample, build the report, cut it
//! to size. What counts as traffic's start is in [`super::baseline`].

use nix::unistd::geteuid;

use crate::cli::{Compat, NamesArg, ReportArgs, SourceArg, SourceArgs};
use crate::collector::counters::Interfaces;
use crate::collector::proc::numbers::Endian;
use crate::collector::proc::owners::Owners;
use crate::collector::proc::root::{Netns, ProcRoot};
use crate::collector::{Collector, Problem, Sample, SocketSource, Source};
use crate::config;
use crate::error::{Error, InputError, InputErrorKind};
use crate::files;
use crate::report::budget::{self, Cut, FitError};
use crate::report::custom::{CustomError, CustomMetrics};
use crate::report::encode::Encoding;
use crate::report::{Options, Report, Style, names};
use crate::sniff;
use crate::sourced::{Origin, Sourced};
use crate::state;
use crate::terminal::Terminal;
use crate::time::unix_seconds;
use crate::warning::{WarningKind, Warnings};

/// The most bytes of a JSON file that are read; a whole report takes 128000.
const MAX_INPUT: u64 = 1 << 20;

/// The options of a report, of settings that were checked.
pub(super) fn options(args: &ReportArgs) -> Options {
    Options {
        style: match args.compat.as_ref().and_then(Sourced::valid) {
            None => Style::Plain,
            Some(Compat::Connector) => Style::Connector,
        },
        names: match args.names.valid() {
            None | Some(NamesArg::Long) => &names::LONG,
            Some(NamesArg::Short) => &names::SHORT,
        },
        max_bytes: args.max_bytes.as_ref().and_then(Sourced::valid).copied(),
        exclude_interfaces: excluded(&args.source),
    }
}

/// The interfaces that are left out of the traffic.
pub(super) fn excluded(args: &SourceArgs) -> Vec<glob::Pattern> {
    args.exclude_interface.iter().filter_map(Sourced::valid).cloned().collect()
}

pub(super) fn open(args: &SourceArgs, terminal: &Terminal, warnings: &mut Warnings) -> Result<Collector, Error> {
    let netns = args.netns.valid().copied().unwrap_or(Netns::Auto);
    let unusable = |error| Error::Root { error, origin: args.proc.origin.clone() };
    let mut collector = Collector::new(config::path(&args.proc), netns).map_err(unusable)?;
    collector.sockets_from = sockets_from(args, &collector.root)?;
    let root = &collector.root;
    let whose = if root.own_namespace { ", the network namespace of this process" } else { "" };
    terminal.debug(format_args!("reading {}{whose}", root.net.display()));
    if collector.endian != Endian::NATIVE {
        terminal.debug(format_args!("its routes were written by a {} machine", collector.endian));
    }
    for (path, reason) in &root.passed_over {
        let instead = format!("{}: {reason}; reading {} instead", path.display(), root.net.display());
        if root.is_fallback {
            let remedy =
                "this shows the network namespace of this process, not the host's: is the mount made with hidepid=?";
            let subject = format!("{}: {reason}", path.display());
            warnings.add(WarningKind::Namespace, subject, format!("{instead}; {remedy}"));
        } else {
            terminal.debug(instead);
        }
    }
    Ok(collector)
}

/// The kernel can be asked only about the namespace of this process, and is asked only if no other source was given.
fn sockets_from(args: &SourceArgs, root: &ProcRoot) -> Result<SocketSource, Error> {
    let reason = match &args.proc.origin {
        Origin::Default if root.own_namespace => None,
        Origin::Default => Some("--netns asks for another one".to_owned()),
        origin => Some(format!("{} is to be read ({origin})", root.root.display())),
    };
    match (args.source.valid().unwrap_or(&SourceArg::Auto), reason) {
        (SourceArg::Netlink, Some(reason)) => Err(Error::NetlinkElsewhere { reason }),
        (SourceArg::Netlink, None) => Ok(SocketSource::Kernel),
        (SourceArg::Auto, None) => Ok(SocketSource::KernelOrFiles),
        (SourceArg::Auto, Some(_)) | (SourceArg::Proc, _) => Ok(SocketSource::Files),
    }
}

pub(super) fn sample(collector: &Collector, terminal: &Terminal, warnings: &mut Warnings) -> Result<Sample, Error> {
    let mut sample = collector.sample();
    if collector.sockets_from == SocketSource::Kernel
        && let Some(refusal) = sample.refusals.drain(..).next()
    {
        return Err(Error::Netlink(refusal));
    }
    for refusal in &sample.refusals {
        terminal.debug(format_args!("{refusal}; reading {} instead", collector.root.net.display()));
    }
    for table in &sample.tables {
        let what = if let Source::SockDiag(_) = table.from { "sockets" } else { "rows" };
        let rows = match (table.rows, table.repeated) {
            (None, _) => "does not exist, so empty".to_owned(),
            (Some(rows), 0) => format!("{rows} {what}"),
            (Some(rows), repeated) => format!("{rows} {what}, {repeated} repeated {what} dropped"),
        };
        terminal.debug(format_args!("{}: {rows}", table.from));
    }
    warn_of(&sample.problems, warnings);
    if sample.is_unreadable() {
        return Err(Error::NoTable { net: collector.root.net.clone() });
    }
    Ok(sample)
}

/// A sample for a report of the host that nobody looks at, or for its verdicts: where only the namespace of this process
/// could be read instead of the host's, nothing is known.
pub(super) fn sample_of_host(
    collector: &Collector,
    terminal: &Terminal,
    warnings: &mut Warnings,
) -> Result<Sample, Error> {
    let mut sample = sample(collector, terminal, warnings)?;
    if collector.root.is_fallback {
        let text = "the report has no ports, connections and traffic, because the host's could not be read; --netns self \
                    reads those of the network namespace of this process";
        warnings.add(WarningKind::Namespace, "left out", text);
        (sample.tcp, sample.udp, sample.counters) = (None, None, None);
    }
    Ok(sample)
}

pub(super) fn warn_of(problems: &[Problem], warnings: &mut Warnings) {
    for problem in problems {
        let (kind, text) = match problem {
            Problem::Unknown { .. } => (WarningKind::TableUnknown, format!("{problem}; what it holds is left out")),
            Problem::NoNames { .. } => (WarningKind::Names, problem.to_string()),
            Problem::Row { .. } | Problem::MoreRows { .. } => (WarningKind::RowSkipped, problem.to_string()),
            Problem::NoCounters { .. } => (WarningKind::NoTraffic, format!("no network_stats: {problem}")),
        };
        warnings.add(kind, problem.key(), text);
    }
}

/// Builds the report of a sample, with the traffic since `baseline` and an id above `last_report_id`.
pub(super) fn build<'s>(
    sample: &'s Sample,
    baseline: Option<&Interfaces>,
    last_report_id: u64,
    custom: Option<CustomMetrics>,
    options: &Options,
    warnings: &mut Warnings,
) -> Report<'s> {
    let report_id = state::next_report_id(last_report_id, unix_seconds());
    let report = Report::build(sample, baseline, report_id, custom, options);
    if baseline.is_some() && sample.counters.is_some() && report.network_stats.is_none() {
        warnings.no_traffic("the counters of the interfaces add up to more than 64 bits hold");
    }
    report
}

/// Prints how many interfaces each pattern excludes.
pub(super) fn trace_excluded(sample: &Sample, options: &Options, terminal: &Terminal) {
    for pattern in &options.exclude_interfaces {
        let excluded = sample.counters.iter().flatten().filter(|(name, _)| pattern.matches(name)).count();
        terminal.debug(format_args!("--exclude-interface {pattern}: {excluded} interfaces"));
    }
}

/// Cuts a report's lists so that it takes at most `max` bytes, `newline` of them for what is written after it.
pub(super) fn fit(
    report: &mut Report<'_>,
    encoding: Encoding,
    options: &Options,
    (max, newline): (usize, usize),
    warnings: &mut Warnings,
) -> Result<(), Error> {
    let cut =
        budget::fit(report, encoding, options.names, max.saturating_sub(newline)).map_err(|error| match error {
            FitError::TooSmall { needed } => Error::MaxBytes { max, needed: needed + newline },
            FitError::Encode(_) => Error::Bug(error.to_string()),
        })?;
    if cut != Cut::default() {
        let Cut { tcp_ports, udp_ports, connections } = cut;
        let text = format!(
            "cut to {max} bytes: left out {tcp_ports} listening TCP ports, {udp_ports} listening UDP ports, {connections} \
             connections; the totals are true"
        );
        warnings.add(WarningKind::Cut, "", text);
    }
    Ok(())
}

pub(super) fn custom_metrics(args: &SourceArgs) -> Result<Option<CustomMetrics>, Error> {
    let Some(path) = args.custom_metrics.as_ref().map(config::path) else { return Ok(None) };
    let input = format!("custom metrics: {}", files::input_name(path));
    let text = files::read_input(path, MAX_INPUT).map_err(|error| InputError::unreadable(&input, &error))?;
    let text = sniff::text(&text).map_err(|kind| InputError::invalid(&input, kind))?;
    if text.trim_ascii().is_empty() {
        return Err(InputError::invalid(input, "empty").into());
    }
    match CustomMetrics::parse(text) {
        Ok(metrics) => Ok(Some(metrics)),
        Err(CustomError::Json(error)) => {
            let kind = InputErrorKind::Json(error.classify());
            Err(InputError { kind, ..InputError::invalid(input, error) }.into())
        }
        Err(CustomError::Faults(faults)) => {
            let faults = faults.into_iter().map(|fault| (format!("metric `{}`", fault.metric), fault.text)).collect();
            Err(InputError { faults, ..InputError::invalid(input, "") }.into())
        }
    }
}

/// Reads the custom metrics where waiting is not an option: a pipe or a device is refused.
pub(super) fn custom_metrics_without_waiting(args: &SourceArgs) -> Result<Option<CustomMetrics>, Error> {
    if let Some(path) = args.custom_metrics.as_ref().map(config::path)
        && path.metadata().is_ok_and(|metadata| !metadata.is_file())
    {
        let error = std::io::Error::other("not a regular file");
        return Err(InputError::unreadable(format!("custom metrics: {}", path.display()), &error).into());
    }
    custom_metrics(args)
}

/// Finds the processes that own the sockets, for `command`.
pub(super) fn find_owners(collector: &Collector, command: &str, warnings: &mut Warnings) -> Result<Owners, Error> {
    let root = &collector.root.root;
    if !collector.root.is_procfs {
        let message = format!("--processes: {} is not a proc file system, and a copy has no processes", root.display());
        return Err(Error::usage(command, message));
    }
    let owners = Owners::find(root).map_err(|source| Error::Processes { root: root.clone(), source })?;
    if owners.hidden > 0 {
        let remedy =
            if geteuid().is_root() { "they have more privileges than this one" } else { "run as root to see all" };
        let text = format!("{} processes could not be inspected; {remedy}", owners.hidden);
        warnings.add(WarningKind::Processes, "", text);
    }
    Ok(owners)
}
