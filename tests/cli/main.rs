//! The command line of `collect` from outside: streams and terminals, usage and environment, custom metrics, the
//! payload budget, and traffic since the last report.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail; helpers are no tests to clippy"
)]

mod budget;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/copy.rs"]
mod copy;
mod custom;
mod since;
mod state;
mod streams;
mod terminals;
mod usage;

use std::path::{Path, PathBuf};

use common::Run;
use serde_json::Value;

impl Run {
    /// Sets an environment variable.
    fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives it this on standard input.
    fn stdin(mut self, stdin: impl Into<Vec<u8>>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Runs it, checks how it ended, and returns the report it printed.
    fn report(self) -> Value {
        serde_json::from_slice(&self.output()).unwrap()
    }
}

/// Where the saved trees are.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A run of `collect` over the saved tree `idle`, which has one listening TCP port, one UDP port and one connection.
fn idle(args: &[&str]) -> Run {
    Run::new(&fixtures(), &[&["collect", "--proc", "idle/proc"], args].concat())
}
