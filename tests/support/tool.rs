//! Commands of the system that the tests need.

use std::env;
use std::io::ErrorKind;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// How long anything may take before it counts as hung. Far above what any takes.
pub(crate) const NEVER: Duration = Duration::from_secs(60);

/// A command of the system, looked up where administrators have it too.
pub(crate) fn tool(name: &str) -> Command {
    let path = env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"));
    command
}

/// Starts a command. Fails, with what to do, when it does not exist.
pub(crate) fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => panic!("{command:?} is not installed; tests/run installs what the tests need"),
        _ => panic!("{command:?}: {error}"),
    })
}

/// Runs a command to its end, whatever that is.
pub(crate) fn output(command: &mut Command) -> Output {
    spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped())).wait_with_output().unwrap()
}

/// Runs a command that must succeed, and returns what it prints.
pub(crate) fn system(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = output(command);
    assert!(status.success(), "{command:?}: {status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}
