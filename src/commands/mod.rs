//! What the program does: parse the command line, run the command, report an error once.

mod baseline;
mod collect;
mod detect;
mod generate;
mod pipeline;
mod publish;
mod publisher;
mod steps;
mod validate_params;
mod watch;

use std::error::Error as _;
use std::ffi::OsString;
use std::num::{IntErrorKind, ParseIntError};
use std::process;

use clap::builder::{StyledStr, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command, Lazy};
use crate::config::SettingError;
use crate::error::Error;
use crate::exit::Exit;
use crate::sourced::Origin;
use crate::terminal::{Color, StdoutError, Terminal, Verbosity, check_stdout};
use crate::text::{did_you_mean, escape, nearest};
use crate::warning::Warnings;

/// Runs the program with these arguments, the first of which is its name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match parse(&args, Styles::default()) {
        Ok(cli) => cli,
        Err(error) => return show_usage(&error, &args),
    };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    };
    let terminal = Terminal::new(cli.global.color, verbosity);
    let mut warnings = Warnings::default();
    let outcome = match &cli.command {
        Command::Collect(Lazy(args)) => collect::run(args, &terminal, &mut warnings),
        Command::Publish(Lazy(args)) => publish::run(args, &terminal, &mut warnings),
        Command::Watch(Lazy(args)) => watch::run(args, &terminal),
        Command::ValidateParams(Lazy(args)) => validate_params::run(args, &terminal),
        Command::Detect(Lazy(args)) => detect::run(args, &terminal, &mut warnings),
        Command::Generate(Lazy(args)) => generate::run(args, &terminal),
    };
    terminal.warn_all(&mut warnings);
    outcome.unwrap_or_else(|error| report(&error, &terminal))
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

fn parse(args: &[OsString], styles: Styles) -> Result<Cli, clap::Error> {
    let mut command = Cli::command().styles(styles);
    let is_never = |pair: &[OsString]| matches!(pair, [flag, when] if flag == "--color" && when == "never");
    if args.windows(2).any(is_never) || args.iter().any(|arg| arg == "--color=never") {
        command = command.color(clap::ColorChoice::Never); // help and usage errors are shown before the flag is parsed
    }
    let matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Shows clap's output: help, version, or a usage error.
fn show_usage(error: &clap::Error, args: &[OsString]) -> Exit {
    let terminal = Terminal::new(Color::Never, Verbosity::Normal);
    if let Some(error) = invalid_value(error) {
        return report(&Error::Settings(vec![error]), &terminal);
    }
    if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Without styles, every escape sequence in the text is foreign.
        let plain = parse(args, Styles::plain()).err();
        Terminal::usage(&plain.map_or_else(String::new, usage_text));
        return Exit::Usage;
    }
    match check_stdout().and_then(|()| error.print().map_err(StdoutError)) {
        Err(StdoutError(source)) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            report(&StdoutError(source).into(), &terminal)
        }
        _ => Exit::Success,
    }
}

/// The text of a usage error without styles, with what it quotes escaped.
fn usage_text(mut error: clap::Error) -> String {
    let escape_styled = |text: &StyledStr| StyledStr::from(escape(&text.ansi().to_string()));
    let quoted: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, ContextValue::String(escape(text)))),
            ContextValue::Strings(texts) => {
                Some((kind, ContextValue::Strings(texts.iter().map(|text| escape(text)).collect())))
            }
            ContextValue::StyledStr(text) if kind != ContextKind::Usage => {
                Some((kind, ContextValue::StyledStr(escape_styled(text))))
            }
            ContextValue::StyledStrs(texts) => {
                Some((kind, ContextValue::StyledStrs(texts.iter().map(escape_styled).collect())))
            }
            _ => None,
        })
        .collect();
    for (kind, value) in quoted {
        error.insert(kind, value);
    }
    error.render().ansi().to_string()
}

/// The error of a value that clap refused, in the words of the values that this program checks itself.
fn invalid_value(error: &clap::Error) -> Option<SettingError> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg)?.split([' ', '=']).next()?;
    let value = text(ContextKind::InvalidValue).filter(|value| !value.is_empty())?;
    let reason = match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::ValueValidation, _) => {
            let source = error.source()?;
            match source.downcast_ref().map(ParseIntError::kind) {
                None => source.to_string(),
                Some(IntErrorKind::Zero) => "expected a number above 0".to_owned(),
                Some(IntErrorKind::PosOverflow) => "too large".to_owned(),
                Some(_) => "expected a whole number".to_owned(),
            }
        }
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(valid))) => {
            let meant = nearest(value, valid.iter().map(String::as_str));
            let one_of = if valid.len() > 1 { "one of " } else { "" };
            format!("must be {one_of}{}{}", valid.join(", "), did_you_mean(meant))
        }
        _ => return None,
    };
    let name = flag.trim_matches(['-', '<', '>']).replace('-', " ").to_lowercase();
    Some(SettingError::value(&name, &Origin::Flag(flag.to_owned()), value, &reason))
}
