//! Arguments that are built only for the command that runs: building those of all took as long as `collect` needs for all
//! else on an idle device.

use std::env;

use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Id};

#[derive(Debug)]
pub(crate) struct Lazy<T>(pub(crate) T);

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
            // The options of every command are there already. Help shows them after the command's own.
            let global = command.get_arguments().filter(|arg| arg.is_global_set()).map(|arg| arg.get_id().clone());
            let global: Vec<Id> = global.collect();
            let command = global.into_iter().fold(command, |command, id| command.mut_arg(id, |arg| arg)); // moves it
            // A variable that is set but empty counts as unset.
            command.mut_args(|arg| match arg.get_env().and_then(env::var_os) {
                Some(value) if value.is_empty() => arg.env(None::<&str>),
                _ => arg,
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
