//! A copy of the program, for tests in which another user runs it.

use std::path::Path;
use std::process::Command;

use crate::common::PROGRAM;

/// Copies the program. Not with `fs::copy`: another test that starts a process meanwhile hands it the open file, and a
/// program that is open for writing cannot be run.
pub(crate) fn copy_program(to: &Path) {
    assert!(Command::new("cp").arg(PROGRAM).arg(to).status().unwrap().success());
}
