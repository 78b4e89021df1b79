//! `detect`: checks this device, or saved reports, against security profiles.

mod behaviors;
mod device;
mod event;
mod fleet;
mod learn;
mod read_ahead;
mod received;
mod stream;
mod verdict;
mod verdict_table;

use std::path::PathBuf;

use crate::cli::{DetectArgs, DetectFormat, SourceArgs};
use crate::config::{self, SettingError};
use crate::error::Error;
use crate::exit::Exit;
use crate::files;
use crate::sourced::Sourced;
use crate::terminal::Terminal;
use crate::warning::Warnings;

pub(super) fn run(
    args: &DetectArgs,
    mut errors: Vec<SettingError>,
    terminal: &Terminal,
    warnings: &mut Warnings,
) -> Result<Exit, Error> {
    validate_args(args)?;
    let since = args.since.clone().and_then(|given| config::checked("since", given, &mut errors));
    config::report::check_source(&args.source, &mut errors);
    let thing_name = config::given_thing_name(args.thing_name.as_ref());
    let thing_name = thing_name.and_then(|given| config::checked("thing name", given, &mut errors));
    if !errors.is_empty() {
        return Err(Error::Settings(errors));
    }
    if args.learn {
        return learn::run(args, since, thing_name, terminal, warnings);
    }
    let behaviors = behaviors::read_profiles(&args.profile, terminal)?;
    match &args.report {
        None => device::run(args, since, thing_name, &behaviors, terminal, warnings),
        Some(path) => received::run(path, args, thing_name.as_ref(), &behaviors, terminal),
    }
}

fn validate_args(args: &DetectArgs) -> Result<(), Error> {
    let usage = |message: &str| Err(Error::usage("detect", message));
    let custom_metrics = args.source.custom_metrics.as_ref();
    let inputs = args.profile.iter().map(PathBuf::as_path).chain(args.report.as_deref());
    if inputs.chain(custom_metrics.map(config::path)).filter(|path| files::is_stdin(path)).count() > 1 {
        return usage("standard input can be read only once, so only one file can be `-`");
    }
    if args.learn && args.asks_for_table() {
        return usage("--learn prints JSON, so --format table cannot be used with it");
    }
    if args.learn && custom_metrics.is_some_and(Sourced::is_flag) {
        return usage("--custom-metrics cannot be used with --learn, which does not learn them");
    }
    if args.processes && args.format() == DetectFormat::Json {
        return usage("--processes requires --format table");
    }
    // Their environment variables may be set for other commands, so only flags are refused.
    let SourceArgs { config, proc, netns, source, exclude_interface, .. } = &args.source;
    for (is_flag, flag) in [
        (config.as_ref().is_some_and(Sourced::is_flag), "--config"),
        (proc.is_flag(), "--proc"),
        (netns.is_flag(), "--netns"),
        (source.is_flag(), "--source"),
        (exclude_interface.iter().any(Sourced::is_flag), "--exclude-interface"),
        (custom_metrics.is_some_and(Sourced::is_flag), "--custom-metrics"),
        (args.state_dir.as_ref().is_some_and(Sourced::is_flag), "--state-dir"),
    ] {
        if args.report.is_some() && is_flag {
            return usage(&format!("{flag} cannot be used with --report, which reads nothing from this device"));
        }
    }
    Ok(())
}
