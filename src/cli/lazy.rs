//! Arguments that are built only for the command that runs: building those of all took as long as `collect` needs for all
//! else on an idle device.

use std::env;
use std::ops::Deref;

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

/// The arguments of a command.
#[derive(Debug)]
pub struct Lazy<T>(T);

impl<T> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: FromArgMatches> FromArgMatches for Lazy<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Args> Args for Lazy<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| {
            // What the arguments' own comment says is about them, not about the command.
            let about = command.get_about().cloned().unwrap_or_default();
            let long_about = command.get_long_about().cloned().unwrap_or_default();
            let command = T::augment_args(command).about(about).long_about(long_about);
            command.mut_args(|arg| if has_empty_variable(&arg) { arg.env(None::<&str>) } else { arg })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Whether an argument's environment variable is set but empty, which counts as unset.
fn has_empty_variable(arg: &Arg) -> bool {
    arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty())
}
