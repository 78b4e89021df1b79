//! The shell completions in `completions/`.

use std::path::Path;
use std::process::Command;

use super::{PROJECT, assert_files, generated};

#[test]
fn completions_match_the_command_line() {
    assert_files("completions", generated("completions"));
}

#[test]
fn bash_parses_its_completions() {
    let script = Path::new(PROJECT).join("completions/device-defender.bash");
    let bash = Command::new("bash").arg("-n").arg(script).output().unwrap();
    assert!(bash.status.success(), "{bash:?}");
}
