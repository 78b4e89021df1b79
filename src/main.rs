//! Parses the command line, runs the command, shows an error once, and returns the exit code.

use std::process::ExitCode;

use device_defender::commands;

fn main() -> ExitCode {
    commands::report_panics();
    ExitCode::from(commands::main(std::env::args_os()).code())
}
