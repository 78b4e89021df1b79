//! What the program talks to in tests: a real broker with mutual TLS, a stand-in for Device Defender behind it, and a peer
//! that does what no broker would. All of it is made anew for each test, on free ports of loopback addresses, and is gone
//! when it is dropped.
//!
//! Needs `mosquitto`, `openssl` and `faketime`. A test that cannot run here fails and says what is missing.

pub(crate) mod mosquitto;
pub(crate) mod peer;
pub(crate) mod pki;
pub(crate) mod service;
pub(crate) mod wire;

use std::env;
use std::io::ErrorKind;
use std::process::{Child, Command};
use std::time::Duration;

/// How long anything here may take before it counts as hung. Far above what any takes.
pub(crate) const NEVER: Duration = Duration::from_secs(60);

/// A command of the system, looked for where administrators have it too.
pub(crate) fn tool(name: &str) -> Command {
    let path = env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"));
    command
}

/// Starts a command. Fails, with the package to install, when it does not exist.
pub(crate) fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => {
            panic!("{command:?} is not installed; these tests need mosquitto, openssl and faketime")
        }
        _ => panic!("{command:?}: {error}"),
    })
}
