//! Completion scripts: what `clap_complete` makes of the command line, and mends for what version 4.6 gets wrong.

use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::Shell as Target;

use crate::cli::{Cli, Shell};

/// What the script for fish lacks: the values of an argument without a flag.
const FISH_SHELLS: &str = "complete -c device-defender -n \"__fish_device_defender_using_subcommand generate; and \
                           __fish_seen_subcommand_from completions\" -f -a \"bash zsh fish\"\n";

/// The completion script for a shell.
pub(super) fn script(shell: Shell) -> String {
    let target = match shell {
        Shell::Bash => Target::Bash,
        Shell::Zsh => Target::Zsh,
        Shell::Fish => Target::Fish,
    };
    let mut program = Cli::command();
    program.build(); // also the arguments that are built only for the command that runs
    let mut program = program.mut_subcommands(without_files);
    let mut script = Vec::new();
    clap_complete::generate(target, &mut program, "device-defender", &mut script);
    let script = String::from_utf8_lossy(&script);
    match shell {
        Shell::Bash => script
            // The `-` in the program's name is written in two ways, so that no subcommand is found.
            .replace("device__subcmd__defender", "device__defender")
            // bash makes `--format=j` three words.
            .replace("prev=\"$3\"\n", "prev=\"$3\"\n    [[ $prev == = ]] && prev=\"${COMP_WORDS[COMP_CWORD-2]}\"\n"),
        Shell::Zsh => script.into_owned(),
        // `help` counts as the command after `help`, so that none is completed.
        Shell::Fish => script.replace(" help\" -f -a ", "\" -f -a ") + FISH_SHELLS,
    }
}

/// Keeps the shells from completing values that they know nothing about, such as numbers, as files.
fn without_files(command: Command) -> Command {
    let is_unknown = |arg: &Arg| arg.get_value_hint() == ValueHint::Unknown && arg.get_possible_values().is_empty();
    let hint = |arg: Arg| if is_unknown(&arg) { arg.value_hint(ValueHint::Other) } else { arg };
    command.mut_args(hint).mut_subcommands(without_files)
}
