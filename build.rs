//! Sets `LONG_VERSION`, what `--version` prints: the version, the commit and the target.
//!
//! The commit is that of the variable `DEVICE_DEFENDER_COMMIT`, which packagers set who build without git, or else `HEAD`.
//! Without either it is left out. Nothing else of the machine or the time goes in, so builds stay reproducible.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEVICE_DEFENDER_COMMIT");
    let given = env::var("DEVICE_DEFENDER_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(head).map_or_else(String::new, |commit| format!("commit {commit}, "));
    let [version, target] = ["CARGO_PKG_VERSION", "TARGET"].map(|name| env::var(name).unwrap_or_default());
    println!("cargo::rustc-env=LONG_VERSION={version} ({commit}target {target})");
}

/// The commit that is checked out. A package that was unpacked inside another repository has no `.git` of its own.
fn head() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    // Every move of HEAD is in its log; HEAD itself changes only with the branch.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"]) // the default length depends on how much of the history is there
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
