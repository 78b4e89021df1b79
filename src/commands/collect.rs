//! `collect`: print the metrics document of this device.

use std::io::Write;
use std::time::Duration;

use super::{gather, since};
use crate::cli::{CollectArgs, Format, Since};
use crate::collector::counters::Interfaces;
use crate::collector::{Collector, Sample};
use crate::exit::{Exit, Failure};
use crate::report::json::{self, Layout};
use crate::report::table::{self, View};
use crate::report::{Encoding, Report, cbor};
use crate::state;
use crate::terminal::Terminal;

/// Runs `collect`.
///
/// # Errors
/// [`Failure`] with what keeps the report from being made or written.
pub(super) fn run(args: &CollectArgs, terminal: &Terminal) -> Result<Exit, Failure> {
    check_usage(args, terminal)?;
    let state = match args.since {
        Since::Report => since::load_state(args.thing_name.as_ref(), args.state_dir.as_deref(), terminal)?,
        Since::Boot | Since::Ago(_) => None,
    };
    let collector = gather::open_collector(&args.report.source, terminal)?;
    let custom = gather::custom_metrics(&args.report.source)?;

    let before = match args.since {
        Since::Boot => {
            terminal.step("network_stats: all that the counters show, since each interface appeared");
            Sample { counters: Some(Interfaces::new()), ..Sample::default() }
        }
        Since::Report => {
            Sample { counters: since::known_baseline(&collector, state.as_ref(), terminal), ..Sample::default() }
        }
        Since::Ago(duration) => since::first_look(&collector, duration, terminal),
    };
    let mut sample = collector.sample();
    sample.add_problems(before.problems);
    gather::tell(&sample, &collector, terminal)?;
    let exclude = &args.report.source.exclude_interface;
    since::tell_excluded(&sample, exclude, terminal);
    let network_stats = since::network_stats(before.counters.as_ref(), sample.counters.as_ref(), exclude);
    let last_report_id = state.map_or(0, |state| state.last_report_id);
    let report_id = state::next_report_id(last_report_id, gather::unix_time());
    let report = Report::build(&sample, gather::style(&args.report), report_id, network_stats, custom);
    print(report, args, &collector, terminal)?;
    Ok(gather::exit_of(&sample, args.report.source.strict))
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
        gather::fit(&mut report, encoding, &args.report, (max, newline), terminal)
            .map_err(|failure| failure.hint("see device-defender collect --help"))?;
    }
    let owners = if args.processes { Some(gather::find_owners(collector, usage, terminal)?) } else { None };
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
