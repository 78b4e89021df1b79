//! The config file: the settings that neither a flag nor a variable gives.
//!
//! A key is the name of a flag that has a variable. clap's own definitions say which these are, and their values go through
//! the parsers of the flags, as a command line of its own that is parsed into the arguments of a command.

use std::cell::LazyCell;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Id, ValueHint};

use super::SettingError;
use super::entries::{self, Entry, Value};
use crate::cli::{self, Global};
use crate::delivery::mqtt::values::parse_path;
use crate::exit::Exit;
use crate::files;
use crate::sourced::{Origin, PREFIX, Sourced, located};
use crate::text::{did_you_mean, nearest_setting};

/// Where the config file is by default.
pub(crate) const DEFAULT_FILE: &str = "/etc/device-defender/config.toml";

const SYNTAX: &str = "a line is KEY = VALUE, with text in quotes, as in thing-name = \"gw\"";

/// The most bytes of a config file that are read.
const MAX_FILE: u64 = 1 << 16;

/// What became of the config file.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// What was taken from it, for people.
    pub(crate) note: Option<String>,
    /// Why it was not read, although it may be there.
    pub(crate) warning: Option<String>,
    /// Keys that are wrong. Values that are wrong are in the arguments.
    pub(crate) errors: Vec<SettingError>,
}

/// Adds the settings of the config file to the arguments of a command, which were parsed into `matches`.
pub(crate) fn apply<A: Args>(args: &mut A, matches: &ArgMatches) -> Result<Applied, Vec<SettingError>> {
    let given = matches.get_one::<Sourced<PathBuf>>("config");
    let file = given.map_or(Path::new(DEFAULT_FILE), super::path);
    let origin = given.map_or(&Origin::Default, |given| &given.origin);
    let text = match files::read(file, MAX_FILE) {
        Ok(text) => text,
        Err(error) => {
            let reason = || files::explain(file, &error);
            return match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory if given.is_none() => Ok(Applied::default()),
                ErrorKind::PermissionDenied if given.is_none() => {
                    let warning = format!("{}: {}; going on without its settings", file.display(), reason());
                    Ok(Applied { warning: Some(warning), ..Applied::default() })
                }
                _ => {
                    let message = format!("config file {} ({origin}): {}", file.display(), reason());
                    Err(vec![SettingError::new(Exit::NoInput, "config file", message)])
                }
            };
        }
    };
    let entries = entries::parse(&text).map_err(|error| {
        let message = format!("{}, {error}", file.display());
        vec![SettingError::new(Exit::Settings, "config file", message).with_hint(SYNTAX)]
    })?;
    Ok(fill(args, matches, file, &entries))
}

/// Adds the entries of a file to arguments.
pub(crate) fn fill<A: Args>(args: &mut A, matches: &ArgMatches, file: &Path, entries: &[Entry]) -> Applied {
    let command = A::augment_args_for_update(Command::new("config").no_binary_name(true).disable_help_flag(true));
    let commands = LazyCell::new(cli::commands_with_settings);
    let (mut words, mut errors, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        let place = || format!("{}, line {}: ", file.display(), entry.line);
        let error = |reason: String| SettingError::new(Exit::Settings, &entry.key, format!("{}{reason}", place()));
        let Some(arg) = settings(&command).find(|arg| arg.get_long() == Some(&entry.key)) else {
            errors.extend(unknown(&entry.key, &commands).map(error));
            continue;
        };
        let source = matches.value_source(arg.get_id().as_str());
        if source.is_some_and(|source| source != ValueSource::DefaultValue) {
            continue;
        }
        match texts(entry, arg, file) {
            Ok(texts) => words.extend(texts.into_iter().map(|text| {
                let mut word = OsString::from(format!("--{}=", entry.key));
                word.push(located(file, entry.line, &text));
                word
            })),
            Err(reason) => errors.push(error(format!("{}: {reason}", entry.key))),
        }
        taken.push(entry.key.as_str());
    }
    // Every flag takes exactly the value that a word gives it, nothing else has an influence, and nothing is required.
    let groups: Vec<Id> = command.get_groups().map(|group| group.get_id().clone()).collect();
    let command = groups.into_iter().fold(command, |command, id| command.mut_group(id, |group| group.required(false)));
    let command = command.mut_args(|arg| {
        let arg = arg.env(None::<&str>).default_value(None::<&str>).value_delimiter(None);
        if matches!(arg.get_action(), ArgAction::SetTrue) { arg.action(ArgAction::Set).num_args(1) } else { arg }
    });
    let filled = command.try_get_matches_from(words).and_then(|matches| args.update_from_arg_matches(&matches));
    errors.extend(filled.err().map(|error| SettingError::new(Exit::Bug, "config file", error.to_string())));
    let taken = if taken.is_empty() { "nothing that this command needs".to_owned() } else { taken.join(", ") };
    Applied { note: Some(format!("settings from {}: {taken}", file.display())), warning: None, errors }
}

/// The flags that are settings: those with a variable of this program, but for the one that names the config file.
pub(crate) fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_ours = |arg: &&Arg| arg.get_env().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    command.get_arguments().filter(is_ours).filter(|arg| arg.get_id() != "config")
}

/// What is wrong with a key that a command does not know; `None` if another one of all commands does.
fn unknown(key: &str, commands: &[Command]) -> Option<String> {
    let keys: Vec<&str> = commands.iter().flat_map(settings).filter_map(Arg::get_long).collect();
    if keys.contains(&key) {
        return None;
    }
    let global = Global::augment_args(Command::new("global"));
    if commands.iter().chain([&global]).flat_map(Command::get_arguments).any(|arg| arg.get_long() == Some(key)) {
        return Some(format!("`{key}` is not a setting; --{key} is for the command line only"));
    }
    Some(format!("unknown key `{key}`{}", did_you_mean(nearest_setting(key, &keys))))
}

/// The texts that a flag would have, or what is wrong with the type of the value. Empty texts count as unset, as in variables.
fn texts(entry: &Entry, arg: &Arg, file: &Path) -> Result<Vec<OsString>, String> {
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let is_list = matches!(arg.get_action(), ArgAction::Append);
    let is_path = matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath);
    let texts = match &entry.value {
        Value::Switch(is_set) if is_switch => return Ok(vec![is_set.to_string().into()]),
        Value::Text(text) if is_list => text.split(',').map(str::to_owned).collect(),
        Value::Text(text) if !is_switch => vec![text.clone()],
        Value::Number(digits) if !is_switch && !is_list && !is_path => vec![digits.clone()],
        Value::List(texts) if is_list => texts.clone(),
        other => {
            let expected = match (is_switch, is_list, is_path) {
                (true, ..) => "true or false",
                (_, true, _) => "text or a list of texts",
                (.., true) => "text",
                _ => "text or a whole number",
            };
            return Err(format!("expected {expected}, found {}", other.kind()));
        }
    };
    let texts = texts.into_iter().filter(|text| !text.is_empty()).map(OsString::from);
    Ok(texts.map(|text| if is_path { relative_to(file, text) } else { text }).collect())
}

/// A path relative to the directory of the config file. URIs stay as they are.
fn relative_to(file: &Path, text: OsString) -> OsString {
    match (file.parent(), parse_path(&text)) {
        (Some(directory), Ok(path)) if path.is_relative() => directory.join(path).into_os_string(),
        _ => text,
    }
}
