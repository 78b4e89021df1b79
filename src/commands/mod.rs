//! What the program does: parse the command line, run the command, show a failure once.

mod collect;
mod deliver;
mod detect;
mod gather;
mod generate;
mod publish;
mod resolve;
mod since;
mod validate_params;
mod watch;

use std::env;
use std::ffi::OsString;
use std::process;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Failure};
use crate::terminal::{Color, Terminal, Verbosity};

/// Runs the program with these arguments, the first of which is its name.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let (cli, matches) = match parse(&args) {
        Ok(parsed) => parsed,
        Err(error) => return show_usage(&error, &args),
    };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    };
    let terminal = Terminal::new(cli.global.color, verbosity);
    let of_command = matches.subcommand().map_or(&matches, |(_, matches)| matches);
    let outcome = match &cli.command {
        Command::Collect(args) => collect::run(args, &terminal),
        Command::Publish(args) => publish::run(args, of_command, &terminal),
        Command::Watch(args) => watch::run(args, of_command, &terminal),
        Command::ValidateParams(args) => validate_params::run(args, &terminal),
        Command::Detect(args) => detect::run(args, of_command, &terminal),
        Command::Generate(args) => generate::run(args),
    };
    outcome.unwrap_or_else(|failure| {
        terminal.failure(&failure);
        failure.exit
    })
}

/// Makes a panic, which is a bug of ours, end the process with its own exit code and a plain message.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let failure =
            Failure::new(Exit::Bug, format!("bug: {panic}")).hint("please report this, with the command line");
        Terminal::new(Color::Never, Verbosity::Normal).failure(&failure);
        #[expect(clippy::exit, reason = "a panic cannot return to main")]
        process::exit(i32::from(Exit::Bug.code()));
    }));
}

/// The command line: as our types have it, and as clap does, which knows where each value came from.
fn parse(args: &[OsString]) -> Result<(Cli, ArgMatches), clap::Error> {
    let mut command = Cli::command();
    let is_never = |pair: &[OsString]| matches!(pair, [flag, when] if flag == "--color" && when == "never");
    if args.windows(2).any(is_never) || args.iter().any(|arg| arg == "--color=never") {
        command = command.color(clap::ColorChoice::Never); // help and usage errors are shown before the flag is parsed
    }
    let matches = command.try_get_matches_from_mut(args)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok((cli, matches))
}

/// Shows what clap has to say: help, version, or an error.
fn show_usage(error: &clap::Error, args: &[OsString]) -> Exit {
    let terminal = Terminal::new(Color::Never, Verbosity::Normal);
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    match (error.print(), variable_refused(error, args)) {
        (Err(e), _) if asked_for && e.kind() != std::io::ErrorKind::BrokenPipe => {
            let failure = Failure::new(Exit::Output, format!("standard output: {e}"));
            terminal.failure(&failure);
            failure.exit
        }
        _ if asked_for => Exit::Done,
        (_, Some(variable)) => {
            terminal.warning(format_args!("this value is that of the environment variable {variable}"));
            Exit::Settings
        }
        _ => Exit::Usage,
    }
}

/// The environment variable whose value clap refuses, if the value was not on the command line.
fn variable_refused(error: &clap::Error, args: &[OsString]) -> Option<String> {
    if error.kind() == ErrorKind::InvalidUtf8 && args.iter().all(|arg| arg.to_str().is_some()) {
        let mut ours = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        return ours.find(|(name, value)| name.starts_with(VARIABLE) && value.to_str().is_none()).map(|(name, _)| name);
    }
    let Some(ContextValue::String(arg)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = arg.split([' ', '=']).next()?;
    let given = |arg: &OsString| arg.to_str().is_some_and(|arg| arg.split('=').next() == Some(flag));
    let refused = matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue);
    let name = flag.strip_prefix("--").filter(|_| refused && !args.iter().any(given))?;
    Some(format!("{VARIABLE}{}", name.replace('-', "_").to_ascii_uppercase()))
}

/// What the names of our environment variables begin with; the rest is the name of the flag.
const VARIABLE: &str = "DEVICE_DEFENDER_";
