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

use crate::cli::{DetectArgs, DetectFormat};
use crate::config;
use crate::error::Error;
use crate::exit::Exit;
use crate::files;
use crate::sourced::Sourced;
use crate::terminal::Terminal;
use crate::warning::Warnings;

pub(super) fn run(args: &DetectArgs, terminal: &Terminal, warnings: &mut Warnings) -> Result<Exit, Error> {
    validate_args(args)?;
    let mut errors = Vec::new();
    let since = args.since.clone().and_then(|given| config::checked("since", given, &mut errors));
    config::checked("source", args.source.source.clone(), &mut errors);
    let thing_name = args.thing_name.clone().and_then(|given| config::checked("thing name", given, &mut errors));
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
    let inputs = args.profile.iter().chain(&args.report).chain(&args.source.custom_metrics);
    if inputs.filter(|path| files::is_stdin(path)).count() > 1 {
        return usage("standard input can be read only once, so only one file can be `-`");
    }
    if args.learn && args.asks_for_table() {
        return usage("--learn prints JSON, so --format table cannot be used with it");
    }
    if args.processes && args.format() == DetectFormat::Json {
        return usage("--processes requires --format table");
    }
    // Their environment variables may be set for other commands, so only flags are refused.
    let state_dir = args.state_dir.as_ref().is_some_and(Sourced::is_flag);
    let (proc, source) = (args.source.proc.is_flag(), args.source.source.is_flag());
    for (is_flag, flag) in [(proc, "--proc"), (source, "--source"), (state_dir, "--state-dir")] {
        if args.report.is_some() && is_flag {
            return usage(&format!("{flag} cannot be used with --report, which reads nothing from this device"));
        }
    }
    Ok(())
}
