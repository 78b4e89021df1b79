//! What `watch` is to do, from flags, environment and a connector definition. An error here never heals by itself, so it ends
//! the program before the first cycle.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{PayloadFormat, SourceArgs, WatchArgs};
use crate::commands::validate_params;
use crate::config::{self, SettingError};
use crate::delivery::Settings;
use crate::error::Error;
use crate::exit::Exit;
use crate::files;
use crate::params::definition::Definition;
use crate::params::{Parameter, ProcDestinationPath, SampleInterval};
use crate::sourced::{Origin, Sourced, from_path};
use crate::terminal::Terminal;

/// The shortest interval that the service accepts by default.
const SHORTEST: Duration = Duration::from_secs(300);

pub(super) struct Plan {
    pub(super) interval: Duration,
    /// The wait before the first report, if it was given.
    pub(super) splay: Option<Duration>,
    pub(super) source: SourceArgs,
    /// Where reports go; `None`: to standard output.
    pub(super) settings: Option<Settings>,
}

pub(super) fn make(args: &WatchArgs, mut errors: Vec<SettingError>, terminal: &Terminal) -> Result<Plan, Error> {
    validate_args(args)?;
    let definition = args.params.as_deref().and_then(|path| read_params(path, &mut errors));
    let source = SourceArgs { proc: proc_path(args, definition.as_ref(), terminal), ..args.report.source.clone() };
    config::report::check_report(&args.report, &mut errors);
    config::checked("allow short interval", args.allow_short_interval.clone(), &mut errors);
    let splay = args.splay.clone().and_then(|given| config::checked("splay", given, &mut errors));
    let mut settings = None;
    if !args.print {
        let config = config::delivery::resolve(&args.delivery, &mut errors);
        let paths = config::describe_paths(args.delivery.state_dir.as_ref(), &source.proc);
        let summary = config.summary.iter().chain(&paths).filter(|_| errors.is_empty());
        for line in config.notes.iter().chain(summary) {
            terminal.debug(line);
        }
        for warning in config.warnings {
            terminal.warn(warning.text);
        }
        settings = config.settings;
    }
    let is_component = settings.as_ref().is_some_and(|settings| settings.transport.is_greengrass());
    let interval = interval(args, definition.as_ref(), is_component, terminal, &mut errors);
    match interval {
        Some(interval) if errors.is_empty() => Ok(Plan { interval, splay, source, settings }),
        _ => Err(Error::Settings(errors)),
    }
}

fn validate_args(args: &WatchArgs) -> Result<(), Error> {
    let usage = |message: &str| Err(Error::usage("watch", message));
    let custom_metrics = args.report.source.custom_metrics.as_ref().map(config::path);
    if custom_metrics.is_some_and(files::is_stdin) {
        return usage("watch reads the custom metrics each time, which standard input does not allow");
    }
    if custom_metrics.and_then(|path| path.metadata().ok()).is_some_and(|metadata| !metadata.is_file()) {
        return usage("watch reads the custom metrics each time, from a file, not a pipe or directory");
    }
    if args.params.as_deref().is_some_and(files::is_stdin) {
        return usage("watch reads nothing from standard input: --params takes a file");
    }
    if args.print && args.delivery.format.is_flag() && args.delivery.format.valid() == Some(&PayloadFormat::Cbor) {
        return usage("--print prints JSON");
    }
    Ok(())
}

/// Reads a connector definition, which must be valid.
fn read_params(path: &Path, errors: &mut Vec<SettingError>) -> Option<Definition> {
    match validate_params::read_definition(path) {
        Ok(definition) => {
            let file = path.display();
            errors.extend(definition.problems.iter().map(|problem| {
                let message = &problem.fault.message;
                let message = format!("{file}: {} {message}; see device-defender validate-params", problem.name);
                SettingError::new(Exit::Settings, problem.name.clone(), message)
            }));
            Some(definition)
        }
        Err(error) => {
            let (exit, messages) = (error.exit(), error.messages());
            errors.extend(messages.into_iter().map(|message| SettingError::new(exit, "--params", message)));
            None
        }
    }
}

/// The /proc path: that of the flag or its variable, else that of the connector definition if it exists here, else that of
/// the config file, else /proc.
fn proc_path(args: &WatchArgs, definition: Option<&Definition>, terminal: &Terminal) -> Sourced<PathBuf> {
    let proc = &args.report.source.proc;
    let path = definition.and_then(Definition::proc_destination_path).map(ProcDestinationPath::as_path);
    let (false, Some(path), Some(file)) = (proc.is_explicit(), path, &args.params) else { return proc.clone() };
    if !path.exists() {
        terminal.notice(format_args!(
            "ProcDestinationPath {} does not exist here, as it did only inside Greengrass; reading {}",
            path.display(),
            config::path(proc).display()
        ));
        return proc.clone();
    }
    let origin = Origin::File { file: file.clone(), field: Parameter::ProcDestinationPath.name() };
    Sourced::parse(path.as_os_str(), origin, from_path)
}

/// The interval: that of the flag or its variable, else that of the connector definition, else that of the config file, else
/// 300 s. As a component of
/// Greengrass, an interval that is too short is raised, as AWS's component does.
fn interval(
    args: &WatchArgs,
    definition: Option<&Definition>,
    is_component: bool,
    terminal: &Terminal,
    errors: &mut Vec<SettingError>,
) -> Option<Duration> {
    let defined = definition.and_then(Definition::sample_interval).map(SampleInterval::duration);
    let Some(given) = args.interval.clone().filter(|given| given.is_explicit() || defined.is_none()) else {
        return Some(defined.unwrap_or(SHORTEST));
    };
    let (origin, shown) = (given.origin.clone(), given.shown());
    let interval = config::checked("interval", given, errors)?;
    if interval < SHORTEST && !args.allow_short_interval.is_set() && !args.print {
        if is_component {
            terminal.warn(format_args!(
                "interval {shown} ({origin}): raised to 300 seconds; the service takes no more reports"
            ));
            return Some(SHORTEST);
        }
        let reason = "the service takes one report every 5 minutes; --allow-short-interval permits a shorter interval, for a \
                      broker of your own or a raised quota";
        errors.push(SettingError::value("interval", &origin, &shown, reason));
        return None;
    }
    Some(interval)
}
