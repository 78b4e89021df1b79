//! The environment variables that are named like this program's own.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, Command};

use crate::cli;
use crate::sourced::PREFIX;
use crate::text::nearest_setting;

/// A warning for each variable that begins like those of this program and is none of any command, sorted.
pub(crate) fn warnings() -> Vec<String> {
    let is_ours = |name: &OsStr| name.as_bytes().starts_with(PREFIX.as_bytes());
    let set = env::vars_os().filter(|(name, value)| is_ours(name) && !value.is_empty());
    let mut names: Vec<String> = set.map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let commands = cli::commands_with_settings();
    let known = commands.iter().flat_map(Command::get_arguments).filter_map(Arg::get_env).filter_map(OsStr::to_str);
    let known: Vec<&str> = known.filter_map(|name| name.strip_prefix(PREFIX)).collect();
    names.sort_unstable();
    let unknown = names.iter().filter_map(|name| name.strip_prefix(PREFIX)).filter(|name| !known.contains(name));
    unknown
        .map(|name| {
            let meant = nearest_setting(name, &known);
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {PREFIX}{meant}?"));
            format!("environment variable {PREFIX}{name}: not a setting of this program, so it has no effect{meant}")
        })
        .collect()
}
