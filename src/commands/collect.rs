//! `collect`: print the metrics document of this device.

use std::io::Write;
use std::path::Path;
use std::time::Duration;
use std::{env, thread};

use glob::Pattern;
use nix::unistd::geteuid;

use super::gather;
use crate::cli::{CollectArgs, Format, Since};
use crate::collector::counters::Interfaces;
use crate::collector::owners::Owners;
use crate::collector::{Collector, Sample};
use crate::exit::{Exit, Failure};
use crate::report::budget::{self, TooSmall};
use crate::report::json::{self, Layout};
use crate::report::table::{self, View};
use crate::report::traffic::{self, NetworkStats};
use crate::report::{Encoding, Report, cbor};
use crate::state::{self, State};
use crate::terminal::Terminal;
use crate::thing::{NotAThingName, ThingName};

/// Runs `collect`.
///
/// # Errors
/// [`Failure`] with what keeps the report from being made or written.
pub(super) fn run(args: &CollectArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    check_usage(args, terminal)?;
    let state = match args.since {
        Since::Report => load_state(args.thing_name.as_ref(), args.state_dir.as_deref(), terminal)?,
        Since::Boot | Since::Ago(_) => None,
    };
    let collector = gather::open_collector(&args.report.source, terminal)?;
    let custom = gather::custom_metrics(&args.report.source)?;

    let before = match args.since {
        Since::Boot => {
            terminal.step("network_stats: all that the counters show, since each interface appeared");
            Sample { counters: Some(Interfaces::new()), ..Sample::default() }
        }
        Since::Report => Sample { counters: baseline(&collector, state.as_ref(), terminal), ..Sample::default() },
        Since::Ago(duration) => first_look(&collector, duration, terminal),
    };
    let mut sample = collector.sample();
    sample.add_problems(before.problems);
    gather::tell(&sample, &collector, terminal)?;
    let network_stats =
        network_stats(before.counters.as_ref(), &sample, &args.report.source.exclude_interface, terminal);
    let now = gather::unix_time();
    let report_id = state.map_or(now, |state| state.next_report_id(now));
    let report = Report::build(&sample, gather::style(&args.report), report_id, network_stats, custom);
    print(report, args, &collector, terminal)?;
    Ok(gather::exit_of(&sample, args.report.source.strict))
}

/// Looks at the counters and waits.
pub(super) fn first_look(collector: &Collector, duration: Duration, terminal: &Terminal) -> Sample {
    let mut before = collector.sample_counters();
    if !before.problems.is_empty() {
        before.counters = None; // an interface whose row was skipped would look new, and all it ever carried count
    }
    terminal.step(format_args!("waiting {}", humantime::format_duration(duration)));
    thread::sleep(duration);
    before
}

/// The traffic from `before` to `sample`; `None` when either is unknown.
pub(super) fn network_stats(
    before: Option<&Interfaces>,
    sample: &Sample,
    exclude: &[Pattern],
    terminal: &Terminal,
) -> Option<NetworkStats> {
    for pattern in exclude {
        let excluded = sample.counters.iter().flatten().filter(|(name, _)| pattern.matches(name)).count();
        terminal.step(format_args!("--exclude-interface {pattern}: {excluded} interfaces"));
    }
    Some(NetworkStats::new(traffic::since(before?, sample.counters.as_ref()?), exclude))
}

/// Refuses combinations of flags that make no sense together.
fn check_usage(args: &CollectArgs, terminal: &Terminal) -> Result<(), Failure> {
    match args.format {
        Format::Cbor if terminal.stdout_is_terminal() => {
            Err(usage("CBOR is not for terminals; redirect it, as in `--format cbor > report.cbor`"))
        }
        Format::Table if args.report.max_bytes.is_some() => Err(usage("--max-bytes is for JSON and CBOR, not tables")),
        Format::Json | Format::Cbor if args.processes => Err(usage("--processes is for --format table")),
        Format::Json | Format::Cbor | Format::Table => Ok(()),
    }
}

/// A failure that says how the command is used.
fn usage(text: &str) -> Failure {
    Failure::new(Exit::Usage, text).hint("see device-defender collect --help")
}

/// Reads the state that `--since report` counts from. A file that cannot be used is told, and is none.
///
/// # Errors
/// [`Exit::Settings`] when it is not clear whose state is meant.
pub(super) fn load_state(
    thing_name: Option<&ThingName>,
    state_dir: Option<&Path>,
    terminal: &Terminal,
) -> Result<Option<State>, Failure> {
    let dir = state::directory(state_dir, |name| env::var_os(name))
        .ok_or_else(|| Failure::new(Exit::Settings, "no state directory: HOME is not set").hint("give --state-dir"))?;
    let thing = match (thing_name, env::var_os("AWS_IOT_THING_NAME").filter(|name| !name.is_empty())) {
        (Some(thing), _) => thing.clone(),
        (None, Some(name)) => name.to_str().ok_or(NotAThingName).and_then(str::parse).map_err(|error| {
            let name = name.display();
            Failure::new(Exit::Settings, format!("environment variable AWS_IOT_THING_NAME: `{name}`: {error}"))
        })?,
        (None, None) => only_thing(&dir)?,
    };
    terminal.step(format_args!("thing {thing}, state in {}", dir.display()));
    match State::load(&dir, &thing) {
        Ok(Some(state)) => Ok(Some(state)),
        Ok(None) => {
            let dir = dir.display();
            terminal
                .warning(format_args!("no network_stats: no report of thing {thing} was sent yet (no state in {dir})"));
            Ok(None)
        }
        Err(error) => {
            terminal.warning(format_args!("no network_stats: {error}"));
            Ok(None)
        }
    }
}

/// The thing that has a state file, when there is just one.
fn only_thing(dir: &Path) -> Result<ThingName, Failure> {
    let found = match state::things(dir) {
        Err(e) => format!("{}: {e}", dir.display()),
        Ok(things) => match things.as_slice() {
            [thing] => return Ok(thing.clone()),
            [] => format!("no state in {}", dir.display()),
            [a, b] => format!("{} has the state of {a} and of {b}", dir.display()),
            [a, b, ..] => format!("{} has the state of {a}, of {b} and of others", dir.display()),
        },
    };
    let failure = Failure::new(Exit::Settings, format!("no thing name given, and {found}"));
    Err(failure.hint("give --thing-name, the name that reports are sent under"))
}

/// The counters at the last accepted report; `None` when there are none to count from, which has been told then.
pub(super) fn baseline(collector: &Collector, state: Option<&State>, terminal: &Terminal) -> Option<Interfaces> {
    let state = state?;
    match state.baseline(&collector.root.identity()) {
        Ok(baseline) => {
            let taken_at = state.baseline.as_ref().map_or("an unknown time", |baseline| &baseline.taken_at);
            terminal.step(format_args!("network_stats: since the report accepted at {taken_at}"));
            Some(baseline)
        }
        Err(error) => {
            terminal.warning(format_args!("no network_stats: {error}"));
            None
        }
    }
}

/// Writes the report in the format that is asked for, cut to size if that is.
fn print(
    mut report: Report<'_>,
    args: &CollectArgs,
    collector: &Collector,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let names = gather::names(&args.report);
    if let Some(max) = args.report.max_bytes {
        let (encoding, newline) = match args.format {
            Format::Cbor => (Encoding::Cbor, 0),
            Format::Json | Format::Table => (Encoding::Json, 1),
        };
        let cut =
            budget::fit(&mut report, encoding, names, max.saturating_sub(newline)).map_err(|TooSmall { needed }| {
                let needed = needed.saturating_add(newline);
                usage(&format!("--max-bytes {max} is too small: the report takes {needed} bytes with its lists empty"))
            })?;
        gather::tell_cut(cut, max, terminal);
    }
    let owners = if args.processes { Some(find_owners(collector, usage, terminal)?) } else { None };
    terminal.result(|out| match args.format {
        Format::Json => {
            let on_terminal = Layout::Terminal { indent: args.report.max_bytes.is_none() };
            let layout = if terminal.stdout_is_terminal() { on_terminal } else { Layout::Line };
            json::write(&report, names, layout, &mut *out)?;
            out.write_all(b"\n")
        }
        Format::Cbor => cbor::write(&report, names, out),
        Format::Table => {
            let covers = covers(args, collector);
            let view = View { width: terminal.width(), owners: owners.as_ref(), traffic_covers: &covers };
            table::write(&report, view, out)
        }
    })
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

/// What the traffic covers, in words.
fn covers(args: &CollectArgs, collector: &Collector) -> String {
    match args.since {
        Since::Report => "since the last accepted report".to_owned(),
        Since::Ago(duration) => format!("within {}", humantime::format_duration(duration)),
        Since::Boot => match uptime(collector) {
            Some(uptime) => format!("since boot ({} ago)", humantime::format_duration(uptime)),
            None => "since boot".to_owned(),
        },
    }
}

/// How long the machine has been up: in whole minutes once it is one.
fn uptime(collector: &Collector) -> Option<Duration> {
    let seconds = collector.uptime()?;
    let part_of_minute = if seconds < 60 { 0 } else { seconds.checked_rem(60)? };
    Some(Duration::from_secs(seconds.checked_sub(part_of_minute)?))
}
