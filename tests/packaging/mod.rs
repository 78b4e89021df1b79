//! What is in `packaging`.

mod debian;
mod greengrass;
mod init;

use std::process::Command;

use crate::support::output;

/// Runs a play in a root directory of its own, which must succeed without a word on standard error, and returns what it
/// prints.
fn play(unshare: &mut Command) -> String {
    let output = output(unshare);
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success() && stderr.is_empty(), "{}\n{stdout}\n{stderr}", output.status);
    stdout
}
