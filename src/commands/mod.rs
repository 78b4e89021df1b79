//! What the program does: parse the command line, run the command, report an error once.

mod baseline;
mod collect;
#[cfg(feature = "detect")]
mod detect;
#[cfg(feature = "generate")]
mod generate;
mod pipeline;
mod publish;
mod publisher;
mod steps;
mod usage;
mod validate_params;
mod watch;

use std::ffi::OsString;
use std::process;

use clap::builder::Styles;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command, Lazy};
use crate::config::{self, SettingError};
use crate::error::Error;
use crate::exit::Exit;
use crate::progress;
use crate::terminal::{Color, Terminal, Verbosity};
use crate::warning::Warnings;

/// Runs the program with these arguments, the first of which is its name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let (mut cli, matches) = match parse(&args, Styles::default()) {
        Ok(parsed) => parsed,
        Err(error) => return usage::show(&error, &args),
    };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    };
    let terminal = Terminal::new(cli.global.color, verbosity);
    if !matches!(cli.command, Command::Watch(_)) {
        progress::erase_on_signals(&terminal); // watch handles signals itself
    }
    let mut warnings = Warnings::default();
    for warning in config::variables::warnings() {
        terminal.warn(warning);
    }
    let matches = matches.subcommand().map(|(_, matches)| matches);
    let outcome = match &mut cli.command {
        Command::Collect(Lazy(args)) => read_config(args, matches, &terminal)
            .and_then(|errors| collect::run(args, errors, &terminal, &mut warnings)),
        Command::Publish(Lazy(args)) => read_config(args, matches, &terminal)
            .and_then(|errors| publish::run(args, errors, &terminal, &mut warnings)),
        Command::Watch(Lazy(args)) => {
            read_config(args, matches, &terminal).and_then(|errors| watch::run(args, errors, &terminal))
        }
        Command::ValidateParams(Lazy(args)) => validate_params::run(args, &terminal),
        // Saved reports are not about this device.
        #[cfg(feature = "detect")]
        Command::Detect(Lazy(args)) if args.report.is_some() => detect::run(args, Vec::new(), &terminal, &mut warnings),
        #[cfg(feature = "detect")]
        Command::Detect(Lazy(args)) => {
            read_config(args, matches, &terminal).and_then(|errors| detect::run(args, errors, &terminal, &mut warnings))
        }
        #[cfg(feature = "generate")]
        Command::Generate(Lazy(args)) => generate::run(args, &terminal),
    };
    terminal.warn_all(&mut warnings);
    outcome.unwrap_or_else(|error| report(&error, &terminal))
}

/// Adds the settings of the config file to the arguments of a command. Returns the errors that are to be reported with those
/// of the other settings.
fn read_config<A: Args>(
    args: &mut A,
    matches: Option<&ArgMatches>,
    terminal: &Terminal,
) -> Result<Vec<SettingError>, Error> {
    let Some(matches) = matches else { return Ok(Vec::new()) };
    let applied = config::file::apply(args, matches)?;
    if let Some(note) = applied.note {
        terminal.debug(note);
    }
    if let Some(warning) = applied.warning {
        terminal.warn(warning);
    }
    Ok(applied.errors)
}

fn report(error: &Error, terminal: &Terminal) -> Exit {
    for message in error.messages() {
        terminal.error(message);
    }
    if let Some(hint) = error.hint() {
        terminal.error(format_args!("hint: {hint}"));
    }
    error.exit()
}

/// Makes a panic, which is a bug, end the process with its own exit code and a plain message.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let exit = report(&Error::Bug(panic.to_string()), &Terminal::new(Color::Never, Verbosity::Normal));
        #[expect(clippy::exit, reason = "a panic cannot return to main")]
        process::exit(i32::from(exit.code()));
    }));
}

fn parse(args: &[OsString], styles: Styles) -> Result<(Cli, ArgMatches), clap::Error> {
    let mut command = Cli::command().styles(styles);
    let is_never = |pair: &[OsString]| matches!(pair, [flag, when] if flag == "--color" && when == "never");
    if args.windows(2).any(is_never) || args.iter().any(|arg| arg == "--color=never") {
        command = command.color(clap::ColorChoice::Never); // help and usage errors are shown before the flag is parsed
    }
    let matches = command.try_get_matches_from_mut(args)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok((cli, matches))
}
