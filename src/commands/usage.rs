//! What clap prints: help, version and usage errors.

use std::error::Error as _;
use std::ffi::OsString;

use clap::builder::{StyledStr, Styles};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory};

use super::{parse, report};
use crate::cli::Cli;
use crate::config::SettingError;
use crate::error::Error;
use crate::exit::Exit;
use crate::sourced::{Origin, must_be_one_of};
use crate::terminal::{Color, StdoutError, Terminal, Verbosity, check_stdout};
use crate::text::{escape, nearest, nearest_setting};

/// What people type that does not exist, and what to use instead: commands, words and the tip. The command `""` is the
/// program itself; the word `""` stands for any that is not a flag, and `WORD` in a tip for the word that was typed.
const TIPS: &[(&[&str], &[&str], &str)] = &[
    (&[""], &["version"], "use '--version'"),
    (&[""], &["completion", "completions"], "use 'device-defender generate completions SHELL'"),
    (&["collect", "detect", "publish", "validate-params", "watch"], &["--json"], "use '--format json'"),
    (
        &["collect", "detect", "publish", "validate-params", "watch"],
        &["-o", "--out", "--output"],
        "use '--format json' to choose the format, or '> FILE' to write to a file",
    ),
    (&["collect", "detect"], &["--table", "--tables"], "use '-t' or '--format table'"),
    (&["collect", "publish", "watch"], &["--cbor"], "use '--format cbor'"),
    (
        &["collect"],
        &["--interval", "-i"],
        "use 'device-defender watch --print --interval', which prints reports periodically",
    ),
    (&["publish"], &["--count", "--interval", "-i"], "use 'device-defender watch', which sends reports periodically"),
    (&["publish"], &["--print"], "use '--dry-run'"),
    (&["publish", "watch"], &["--broker", "--host"], "use '--endpoint'"),
    (&["publish", "watch"], &["-p"], "use '--port'"),
    (&["watch"], &["--once"], "use 'device-defender publish', which sends one report"),
    (&["watch"], &["--dry-run"], "use '--print', or 'device-defender publish --dry-run'"),
    (&["watch"], &["--check"], "use 'device-defender publish --check'"),
    (
        &["collect", "detect", "generate", "publish", "validate-params", "watch"],
        &["--version", "-V"],
        "use 'device-defender --version'",
    ),
    (&["detect"], &[""], "use '--profile WORD' for a security profile, or '--report WORD' for saved reports"),
];

/// The commands that a build may be without.
const OPTIONAL: [(&str, bool); 2] = [("detect", cfg!(feature = "detect")), ("generate", cfg!(feature = "generate"))];

/// Shows clap's output: help, version, or a usage error.
pub(super) fn show(error: &clap::Error, args: &[OsString]) -> Exit {
    let terminal = Terminal::new(Color::Never, Verbosity::Normal);
    if let Some(error) = invalid_value(error) {
        return report(&Error::Settings(vec![error]), &terminal);
    }
    if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Without styles, every escape sequence in the text is foreign.
        let plain = parse(args, Styles::plain()).err();
        Terminal::usage(&plain.map_or_else(String::new, |error| usage_text(error, args)));
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
fn usage_text(mut error: clap::Error, args: &[OsString]) -> String {
    let tip = tip(&error, args);
    if tip.is_some() || error.kind() == ErrorKind::UnknownArgument {
        // clap suggests flags that are hardly similar, and then its usage line is that of the flag.
        let has_suggested = error.remove(ContextKind::SuggestedArg).is_some();
        if has_suggested || tip.is_some() {
            error.remove(ContextKind::Usage);
        }
        error.remove(ContextKind::SuggestedSubcommand);
        error.remove(ContextKind::Suggested);
    }
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
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

/// The tip for a word that clap does not know.
fn tip(error: &clap::Error, args: &[OsString]) -> Option<String> {
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return None,
    };
    let Some(ContextValue::String(word)) = error.get(kind) else { return None };
    if OPTIONAL.contains(&(word, false)) {
        return Some(format!("this build is without '{word}'; use a build with all features"));
    }
    let mut program = Cli::command();
    program.build(); // also the arguments that are built only for the command that runs
    let commands = || args.iter().skip(1);
    let command = commands().find_map(|arg| program.find_subcommand(arg));
    let name = command.map_or("", Command::get_name);
    let is_meant = |(commands, words, _): &&(&[&str], &[&str], &str)| {
        commands.contains(&name) && (words.contains(&word.as_str()) || words.contains(&"") && !word.starts_with('-'))
    };
    if let Some((_, _, tip)) = TIPS.iter().find(is_meant) {
        return Some(tip.replace("WORD", word));
    }
    let command = commands().fold(&program, |command, arg| command.find_subcommand(arg).unwrap_or(command));
    let flags: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
    let flag = word.strip_prefix("--")?;
    let meant = nearest_setting(flag, &flags).filter(|&meant| meant != flag)?; // it is the same after `--`
    Some(format!("a similar argument exists: '--{meant}'"))
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
        (ErrorKind::ValueValidation, _) => error.source()?.to_string(),
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(valid))) => {
            let meant = nearest(value, valid.iter().map(String::as_str));
            must_be_one_of(valid, meant)
        }
        _ => return None,
    };
    let name = flag.trim_matches(['-', '<', '>']).replace('-', " ").to_lowercase();
    Some(SettingError::value(&name, &Origin::Flag(flag.to_owned()), value, &reason))
}
