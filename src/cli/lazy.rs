//! Arguments that are built only for the command that runs: building those of all took as long as `collect` needs for all
//! else on an idle device.

use std::env;

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, Id};

#[derive(Debug)]
pub(crate) struct Lazy<T>(pub(crate) T);

impl<T: FromArgMatches> FromArgMatches for Lazy<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    /// Unlike the default, does not copy all values first.
    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches_mut(matches).map(Self)
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
            // The options of every command are there already. Help shows them after the command's own.
            let global = command.get_arguments().filter(|arg| arg.is_global_set()).map(|arg| arg.get_id().clone());
            let global: Vec<Id> = global.collect();
            let command = global.into_iter().fold(command, |command, id| command.mut_arg(id, |arg| arg)); // moves it
            // A variable that is set but empty counts as unset.
            let is_empty = |arg: &Arg| arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
            if command.get_arguments().any(is_empty) {
                command.mut_args(|arg| if is_empty(&arg) { arg.env(None::<&str>) } else { arg })
            } else {
                command
            }
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
