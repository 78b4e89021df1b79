//! What `watch` is to do, put together from flags, environment and a connector definition. What is wrong here never heals
//! by itself, so it ends the program before it begins.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::cli::{PayloadFormat, ReportArgs, SourceArgs, WatchArgs};
use crate::commands::{resolve, validate_params};
use crate::delivery::settings::{Fault, Settings};
use crate::exit::{Exit, Failure};
use crate::params::Parameter;
use crate::params::definition::Definition;
use crate::terminal::Terminal;

/// The shortest interval that the service takes by default.
const SHORTEST: Duration = Duration::from_secs(300);

/// What is to be done.
pub(super) struct Plan {
    pub(super) interval: Duration,
    /// The wait before the first report, where it is given.
    pub(super) splay: Option<Duration>,
    pub(super) report: ReportArgs,
    /// Where reports go; `None` for standard output.
    pub(super) settings: Option<Settings>,
}

/// Puts it together.
///
/// # Errors
/// All that is wrong, at once.
pub(super) fn make(args: &WatchArgs, matches: &ArgMatches, terminal: &Terminal) -> Result<Plan, Failure> {
    check_usage(args)?;
    let mut faults = Vec::new();
    let definition = match args.params.as_deref().map(read_params).transpose() {
        Ok(definition) => definition,
        Err(found) => {
            faults.extend(found);
            None
        }
    };
    let report = ReportArgs {
        source: SourceArgs { proc: proc(args, matches, definition.as_ref(), terminal), ..args.report.source.clone() },
        ..args.report.clone()
    };
    let interval = interval(args, matches, definition.as_ref()).unwrap_or_else(|fault| {
        faults.push(fault);
        SHORTEST
    });
    let settings = if args.print {
        None
    } else {
        let inputs = resolve::inputs(&args.delivery, matches, terminal, &mut faults);
        inputs.check(&mut faults).0
    };
    if !faults.is_empty() {
        return Err(resolve::failure(faults));
    }
    let places = resolve::places(&args.delivery, &report.source, matches);
    for line in settings.iter().flat_map(|settings| settings.summary.iter().chain(&places)) {
        terminal.step(line);
    }
    Ok(Plan { interval, splay: args.splay, report, settings })
}

/// Refuses combinations of flags that make no sense together.
fn check_usage(args: &WatchArgs) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::new(Exit::Usage, text).hint("see device-defender watch --help"));
    if args.report.source.custom_metrics.as_deref() == Some(Path::new("-")) {
        return usage("watch reads the custom metrics again each time, and cannot from standard input");
    }
    if args
        .report
        .source
        .custom_metrics
        .as_deref()
        .and_then(|path| path.metadata().ok())
        .is_some_and(|about| !about.is_file())
    {
        return usage("watch reads the custom metrics again each time, from a file, not a pipe or directory");
    }
    if args.params.as_deref() == Some(Path::new("-")) {
        return usage("watch reads nothing from standard input: --params takes a file");
    }
    if args.print && args.delivery.format == PayloadFormat::Cbor {
        return usage("--print prints JSON");
    }
    Ok(())
}

/// A connector definition without a fault.
fn read_params(path: &Path) -> Result<Definition, Vec<Fault>> {
    let definition = validate_params::read_definition(path).map_err(|failure| {
        failure.messages.into_iter().map(|text| Fault { exit: failure.exit, text }).collect::<Vec<_>>()
    })?;
    if definition.problems.is_empty() {
        return Ok(definition);
    }
    let fault = |name: &str, message: &str| Fault {
        exit: Exit::Settings,
        text: format!("{}: {name} {message}; see device-defender validate-params", path.display()),
    };
    Err(definition.problems.iter().map(|problem| fault(&problem.name, &problem.fault.message)).collect())
}

/// The /proc path: of the flag or its variable, else of the connector definition if it exists here, else /proc.
fn proc(args: &WatchArgs, matches: &ArgMatches, definition: Option<&Definition>, terminal: &Terminal) -> PathBuf {
    let given = matches.value_source("proc") != Some(ValueSource::DefaultValue);
    let path = definition.and_then(|definition| definition.values(Parameter::ProcDestinationPath).next());
    match path.map(PathBuf::from).filter(|_| !given) {
        Some(path) if path.exists() => path,
        Some(path) => {
            let instead = args.report.source.proc.display();
            terminal.notice(format_args!(
                "ProcDestinationPath {} is not there, as it was only inside Greengrass; reading {instead}",
                path.display()
            ));
            args.report.source.proc.clone()
        }
        None => args.report.source.proc.clone(),
    }
}

/// The interval: of the flag or its variable, else of the connector definition, else 300 s.
fn interval(args: &WatchArgs, matches: &ArgMatches, definition: Option<&Definition>) -> Result<Duration, Fault> {
    let seconds = definition.and_then(|definition| definition.values(Parameter::SampleIntervalSeconds).next());
    let (text, origin, exit) = match (&args.interval, matches.value_source("interval"), seconds) {
        (Some(text), Some(ValueSource::EnvVariable), _) => {
            (text.as_str(), "environment variable DEVICE_DEFENDER_INTERVAL", Exit::Settings)
        }
        (Some(text), _, _) => (text.as_str(), "--interval", Exit::Usage),
        (None, _, Some(seconds)) => (seconds, "SampleIntervalSeconds", Exit::Settings),
        (None, _, None) => return Ok(SHORTEST),
    };
    let fault = |reason: &str| Fault { exit, text: format!("interval `{text}` ({origin}): {reason}") };
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = if is_number {
        text.parse().map(Duration::from_secs).map_err(|_| fault("too long"))
    } else {
        humantime::parse_duration(text)
            .map_err(|error| fault(&format!("no seconds, and no duration such as 5m: {error}")))
    };
    match parsed? {
        interval if interval < Duration::from_millis(1) => Err(fault("an interval is at least 1ms")),
        interval if interval < SHORTEST && !args.allow_short_interval && !args.print => Err(fault(
            "the service takes a report every 5 minutes; with --allow-short-interval it can be shorter, for a broker of \
             your own or a raised quota",
        )),
        interval => Ok(interval),
    }
}
