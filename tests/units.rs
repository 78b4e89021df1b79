//! systemd takes the unit files that the program generates, without a word, and finds little that they leave open.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_device-defender");

/// What `systemd-analyze security` calls the exposure, times 10: 0 is none, 100 all.
const MOST_EXPOSED: &str = "--threshold=12";

/// The generated unit files in a directory, with the program that is under test in them.
fn units(dir: &Path) -> Vec<PathBuf> {
    assert!(Command::new(PROGRAM).args(["generate", "units"]).arg(dir).status().unwrap().success());
    let mut units: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    units.sort();
    for unit in &units {
        let text = fs::read_to_string(unit).unwrap();
        fs::write(unit, text.replace("/usr/bin/device-defender", PROGRAM)).unwrap();
    }
    units
}

/// Runs `systemd-analyze` and returns all it says; it must end well.
fn analyze(args: &[&str], unit: &Path) -> String {
    let pages = tempfile::tempdir().unwrap(); // where man looks for the pages that the units name
    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("man"), pages.path().join("man1")).unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(args).arg(unit).env("MANPATH", pages.path());
    let output = command.output().unwrap_or_else(|error| panic!("systemd-analyze (Debian package systemd): {error}"));
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{command:?}\n{said}");
    said
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let dir = tempfile::tempdir().unwrap();
    for unit in units(dir.path()) {
        assert_eq!(analyze(&["verify"], &unit), "", "{}", unit.display());
    }
}

#[test]
fn the_services_are_hardened() {
    let dir = tempfile::tempdir().unwrap();
    let services = ["device-defender.service", "device-defender-publish.service"];
    for service in
        units(dir.path()).into_iter().filter(|unit| services.contains(&unit.file_name().unwrap().to_str().unwrap()))
    {
        analyze(&["security", "--offline=true", MOST_EXPOSED], &service);
    }
}
