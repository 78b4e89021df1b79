//! Sets `LONG_VERSION`, what `--version` prints: the version, the commit, the target, and the features that are left
//! out.
//!
//! Sets the condition `full` where no feature is left out.
//!
//! Links the unwinder statically, where that was tried: only a panic needs it, and loading `libgcc_s.so` takes a twentieth of
//! the time of `collect` on an idle device. Builds for musl do so anyway.
//!
//! The commit is that of the variable `DEVICE_DEFENDER_COMMIT`, which packagers set who build without git, or else `HEAD`.
//! Without either it is left out. Nothing else of the machine or the time goes in, so builds stay reproducible.

use std::env;
use std::path::Path;
use std::process::Command;

/// The optional features.
const FEATURES: [&str; 4] = ["detect", "generate", "greengrass", "yaml"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEVICE_DEFENDER_COMMIT");
    let given = env::var("DEVICE_DEFENDER_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(head).map_or_else(String::new, |commit| format!("commit {commit}, "));
    let [version, target] = ["CARGO_PKG_VERSION", "TARGET"].map(|name| env::var(name).unwrap_or_default());
    println!("cargo::rustc-check-cfg=cfg(full)");
    let is_left_out = |name: &&str| env::var_os(format!("CARGO_FEATURE_{}", name.to_uppercase())).is_none();
    let left_out: String = FEATURES.into_iter().filter(is_left_out).flat_map(|name| [", without ", name]).collect();
    if left_out.is_empty() {
        println!("cargo::rustc-cfg=full");
    }
    if target == "x86_64-unknown-linux-gnu" {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
    println!("cargo::rustc-env=LONG_VERSION={version} ({commit}target {target}{left_out})");
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
