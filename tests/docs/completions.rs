//! The shell completions in `completions/`.

use std::path::Path;
use std::process::Command;

use super::{PROGRAM, PROJECT, assert_files};

#[test]
fn completions_match_the_command_line() {
    let script = |(name, shell): (&str, &str)| {
        let output = Command::new(PROGRAM).args(["generate", "completions", shell]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        (name.to_owned(), String::from_utf8(output.stdout).unwrap())
    };
    let files = [("device-defender.bash", "bash"), ("_device-defender", "zsh"), ("device-defender.fish", "fish")];
    assert_files("completions", files.map(script).into());
}

#[test]
fn bash_parses_its_completions() {
    let script = Path::new(PROJECT).join("completions/device-defender.bash");
    let bash = Command::new("bash").arg("-n").arg(script).output().unwrap();
    assert!(bash.status.success(), "{bash:?}");
}
