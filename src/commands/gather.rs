//! From the flags that every reporting command has to a collector and the parts of a report: what is said on the way, and
//! what `--strict` makes of it.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::geteuid;

use crate::cli::{Compat, NamesArg, ReportArgs, SourceArgs};
use crate::collector::owners::Owners;
use crate::collector::proc_root::Netns;
use crate::collector::sockets::Endian;
use crate::collector::{Collector, Problem, Sample};
use crate::exit::{Exit, Failure};
use crate::report::budget::{self, Cut, TooSmall};
use crate::report::custom::{CustomError, CustomMetrics};
use crate::report::names::{self, Names};
use crate::report::{Encoding, Report, Style};
use crate::terminal::Terminal;

/// The most bytes of a JSON file that are read; a whole report takes 128000.
const MAX_INPUT: u64 = 1 << 20;

/// Opens the collector that the flags ask for.
///
/// # Errors
/// [`Exit::NoInput`] when there is nothing to read.
pub(super) fn open_collector(args: &SourceArgs, terminal: &Terminal) -> Result<Collector, Failure> {
    let collector = Collector::new(&args.proc, args.netns)
        .map_err(|error| Failure::new(Exit::NoInput, error.to_string()).hint(error.hint()))?;
    let root = &collector.root;
    let whose = if root.own_namespace { ", this process's own network namespace" } else { "" };
    terminal.step(format_args!("reading {}{whose}", root.net.display()));
    if collector.endian != Endian::NATIVE {
        terminal.step(format_args!("its routes show that a {} machine wrote it", collector.endian));
    }
    for (path, reason) in &root.passed_over {
        let instead = format!("{}: {reason}; reading {} instead", path.display(), root.net.display());
        if root.own_namespace && args.netns == Netns::Auto && root.root != Path::new("/proc") {
            let remedy =
                "this shows this process's network namespace, not the host's: is the mount made with hidepid=?";
            terminal.warning(format_args!("{instead}; {remedy}"));
        } else {
            terminal.step(instead);
        }
    }
    Ok(collector)
}

/// Tells what was read and what could not be.
///
/// # Errors
/// [`Exit::NoInput`] when every table of the report is unknown.
pub(super) fn tell(sample: &Sample, collector: &Collector, terminal: &Terminal) -> Result<(), Failure> {
    for table in &sample.tables {
        let rows = match (table.rows, table.repeated) {
            (None, _) => "not there, so empty".to_owned(),
            (Some(rows), 0) => format!("{rows} rows"),
            (Some(rows), repeated) => format!("{rows} rows, {repeated} repeated ones dropped"),
        };
        terminal.step(format_args!("{}: {rows}", table.path.display()));
    }
    for problem in &sample.problems {
        match problem {
            Problem::Unknown { .. } => terminal.warning(format_args!("{problem}; what it holds is left out")),
            Problem::NoNames { .. } | Problem::Row { .. } | Problem::MoreRows { .. } => terminal.warning(problem),
        }
    }
    if sample.tcp.is_none() && sample.udp.is_none() && sample.counters.is_none() {
        let net = collector.root.net.display();
        return Err(Failure::new(Exit::NoInput, format!("{net}: no table of the report could be read")));
    }
    Ok(())
}

/// How a run ends that has done its work: with `--strict`, problems on the way count.
pub(super) fn exit_of(sample: &Sample, strict: bool) -> Exit {
    let has = |kind: fn(&Problem) -> bool| strict && sample.problems.iter().any(kind);
    if has(|problem| matches!(problem, Problem::Unknown { .. })) {
        Exit::NoInput
    } else if has(|problem| matches!(problem, Problem::Row { .. })) {
        Exit::Input
    } else {
        Exit::Done
    }
}

/// Reads the custom metrics, if a file of them is given.
///
/// # Errors
/// [`Exit::NoInput`] when it cannot be read, [`Exit::Input`] with every fault in it.
pub(super) fn custom_metrics(args: &SourceArgs) -> Result<Option<CustomMetrics>, Failure> {
    let Some(path) = args.custom_metrics.as_deref() else { return Ok(None) };
    let name = input_name(path);
    let text = read(path).map_err(|e| Failure::new(Exit::NoInput, format!("custom metrics: {name}: {e}")))?;
    match CustomMetrics::parse(&text) {
        Ok(metrics) => Ok(Some(metrics)),
        Err(CustomError::Json(e)) => Err(Failure::new(Exit::Input, format!("custom metrics: {name}: {e}"))),
        Err(CustomError::Faults(faults)) => {
            let messages = faults.iter().map(|fault| format!("custom metrics: {name}: {fault}")).collect();
            Err(Failure { exit: Exit::Input, messages, hint: None })
        }
    }
}

/// The same where waiting is out of the question: a pipe or a device is refused.
///
/// # Errors
/// As [`custom_metrics`].
pub(super) fn custom_metrics_of_file(args: &SourceArgs) -> Result<Option<CustomMetrics>, Failure> {
    match args.custom_metrics.as_deref().and_then(|path| Some((path, path.metadata().ok()?))) {
        Some((path, about)) if !about.is_file() => {
            let message = format!("custom metrics: {}: not a regular file", path.display());
            Err(Failure::new(Exit::NoInput, message))
        }
        _ => custom_metrics(args),
    }
}

/// The variable in which a Greengrass nucleus hands the thing name to components.
pub(super) const AWS_THING_NAME: &str = "AWS_IOT_THING_NAME";

/// Its value; an empty one counts as unset.
pub(super) fn aws_thing_name() -> Option<OsString> {
    env::var_os(AWS_THING_NAME).filter(|name| !name.is_empty())
}

/// What a file, or `-`, is called in messages.
pub(super) fn input_name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Reads a file, or standard input for `-`.
///
/// # Errors
/// What the system says, or that there are more than 1048576 bytes.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut text)?;
    } else {
        File::open(path)?.take(MAX_INPUT + 1).read_to_end(&mut text)?;
    }
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_INPUT) {
        return Err(io::Error::other(format!("larger than {MAX_INPUT} bytes")));
    }
    Ok(text)
}

/// Cuts a report's lists so that it takes at most `max` bytes, `newline` of them for what is written behind it, and tells
/// what was cut.
///
/// # Errors
/// [`Exit::Usage`] when even empty lists are too much.
pub(super) fn fit(
    report: &mut Report<'_>,
    encoding: Encoding,
    args: &ReportArgs,
    (max, newline): (usize, usize),
    terminal: &Terminal,
) -> Result<(), Failure> {
    let for_report = max.saturating_sub(newline);
    let cut = budget::fit(report, encoding, names(args), for_report).map_err(|TooSmall { needed }| {
        let needed = needed.saturating_add(newline);
        let message = format!("--max-bytes {max} is too small: the report takes {needed} bytes with its lists empty");
        Failure::new(Exit::Usage, message)
    })?;
    tell_cut(cut, max, terminal);
    Ok(())
}

/// Tells which lists were cut to fit `max` bytes.
fn tell_cut(cut: Cut, max: usize, terminal: &Terminal) {
    let Cut { tcp_ports, udp_ports, connections } = cut;
    if cut != Cut::default() {
        terminal.warning(format_args!(
            "cut to {max} bytes: left out {tcp_ports} listening TCP ports, {udp_ports} listening UDP ports, \
             {connections} connections; the totals are true"
        ));
    }
}

/// Finds who owns the sockets. `usage` makes the failure of a command line that asks for what cannot be.
///
/// # Errors
/// [`Exit::Usage`] for a copy, which has no processes, [`Exit::NoInput`] when they cannot be listed.
pub(super) fn find_owners(
    collector: &Collector,
    usage: fn(&str) -> Failure,
    terminal: &Terminal,
) -> Result<Owners, Failure> {
    let root = &collector.root.root;
    if !collector.root.is_procfs {
        return Err(usage(&format!(
            "--processes: {} is no proc file system, and a copy has no processes",
            root.display()
        )));
    }
    let owners = Owners::find(root)
        .map_err(|e| Failure::new(Exit::NoInput, format!("{}: processes cannot be listed: {e}", root.display())))?;
    if owners.hidden > 0 {
        let remedy =
            if geteuid().is_root() { "they have more privileges than this one" } else { "run as root to see all" };
        terminal.warning(format_args!("{} processes could not be looked into; {remedy}", owners.hidden));
    }
    Ok(owners)
}

/// The field names the flags ask for.
pub(super) fn names(args: &ReportArgs) -> &'static Names {
    match args.names {
        NamesArg::Long => &names::LONG,
        NamesArg::Short => &names::SHORT,
    }
}

/// The style the flags ask for.
pub(super) fn style(args: &ReportArgs) -> Style {
    match args.compat {
        None => Style::Plain,
        Some(Compat::Connector) => Style::Connector,
    }
}

/// Seconds since 1970; 1 where the clock says it is earlier, as on a device whose clock was never set.
pub(super) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs().max(1))
}
