//! `collect`: print the metrics document of this device.

use std::io::Write;
use std::time::Duration;

use super::{baseline, pipeline};
use crate::cli::{CollectArgs, Format, Since};
use crate::collector::Collector;
use crate::config::{self, SettingError};
use crate::error::Error;
use crate::exit::Exit;
use crate::report::display::{self, View};
use crate::report::encode::{Encoding, pretty_json};
use crate::report::{Options, Report};
use crate::terminal::Terminal;
use crate::text::escape_json;
use crate::warning::Warnings;

pub(super) fn run(
    args: &CollectArgs,
    mut errors: Vec<SettingError>,
    terminal: &Terminal,
    warnings: &mut Warnings,
) -> Result<Exit, Error> {
    validate_args(args, terminal)?;
    let since = config::checked("since", args.since.clone(), &mut errors);
    config::report::check_report(&args.report, &mut errors);
    let thing_name = config::given_thing_name(args.thing_name.as_ref());
    let thing_name = thing_name.and_then(|given| config::checked("thing name", given, &mut errors));
    let Some(since) = since.filter(|_| errors.is_empty()) else { return Err(Error::Settings(errors)) };
    let options = pipeline::options(&args.report);
    let state = match since {
        Since::Report => baseline::load_state(thing_name, args.state_dir.as_ref(), terminal, warnings)?,
        Since::Boot | Since::Ago(_) => None,
    };
    let collector = pipeline::open(&args.report.source, terminal, warnings)?;
    let custom = pipeline::custom_metrics(&args.report.source)?;
    let baseline = baseline::counters(since, &collector, state.as_ref(), terminal, warnings);
    let sample = pipeline::sample(&collector, terminal, warnings)?;
    pipeline::trace_excluded(&sample, &options, terminal);
    let last_report_id = state.map_or(0, |state| state.last_report_id);
    let mut report = pipeline::build(&sample, baseline.as_ref(), last_report_id, custom, &options, warnings);
    if let Some(max) = options.max_bytes {
        let (encoding, newline) = match args.format() {
            Format::Cbor => (Encoding::Cbor, 0),
            Format::Json | Format::Table => (Encoding::Json, 1),
        };
        pipeline::fit(&mut report, encoding, &options, (max, newline), warnings)?;
    }
    let owners = if args.processes { Some(pipeline::find_owners(&collector, "collect", warnings)?) } else { None };
    terminal.warn_all(warnings);
    let covers = if args.format() == Format::Table { covers(since, &collector) } else { String::new() };
    let view = View { width: terminal.width(), owners: owners.as_ref(), traffic_covers: &covers };
    print(&report, args.format(), &options, view, terminal)?;
    Ok(warnings.exit(args.report.source.strict))
}

fn validate_args(args: &CollectArgs, terminal: &Terminal) -> Result<(), Error> {
    let usage = |message: &str| Err(Error::usage("collect", message));
    match args.format() {
        Format::Cbor if terminal.is_interactive => {
            usage("CBOR is not printed to a terminal; redirect it, as in `--format cbor > report.cbor`")
        }
        Format::Table if args.report.max_bytes.is_some() => usage("--max-bytes is for JSON and CBOR, not tables"),
        Format::Json | Format::Cbor if args.processes => usage("--processes requires --format table"),
        Format::Json | Format::Cbor | Format::Table => Ok(()),
    }
}

fn print(
    report: &Report<'_>,
    format: Format,
    options: &Options,
    view: View<'_>,
    terminal: &Terminal,
) -> Result<(), Error> {
    let on_terminal = terminal.is_interactive;
    terminal.write(|out| match format {
        Format::Json if on_terminal && options.max_bytes.is_none() => {
            writeln!(out, "{}", escape_json(&pretty_json(report, options.names)?))
        }
        Format::Json if on_terminal => {
            let mut json = Vec::new();
            Encoding::Json.write(report, options.names, &mut json)?;
            writeln!(out, "{}", escape_json(&String::from_utf8_lossy(&json)))
        }
        Format::Json => {
            Encoding::Json.write(report, options.names, &mut *out)?;
            out.write_all(b"\n")
        }
        Format::Cbor => Encoding::Cbor.write(report, options.names, out),
        Format::Table => display::write(report, view, out),
    })?;
    Ok(())
}

/// The period that the traffic covers, for the table; the uptime from a minute on in whole minutes.
fn covers(since: Since, collector: &Collector) -> String {
    match since {
        Since::Report => "since the last accepted report".to_owned(),
        Since::Ago(duration) => format!("within {}", humantime::format_duration(duration)),
        Since::Boot => collector.uptime().map_or_else(
            || "since boot".to_owned(),
            |seconds| {
                let shown = if seconds < 60 { seconds } else { seconds - seconds % 60 };
                format!("since boot ({} ago)", humantime::format_duration(Duration::from_secs(shown)))
            },
        ),
    }
}
