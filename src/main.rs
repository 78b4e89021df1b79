//! Parses the command line, runs the command, shows an error once, and returns the exit code.

use std::process::ExitCode;

use device_defender::{main as run, report_panics};

fn main() -> ExitCode {
    report_panics();
    ExitCode::from(run(std::env::args_os()).code())
}
