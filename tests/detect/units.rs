//! The units in the man page of `detect`: systemd takes them as they stand.

use crate::support::{Dir, program};
use std::fs;
use std::process::Command;

#[test]
fn systemd_finds_nothing_wrong_with_the_units_of_the_man_page() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/man/device-defender-detect.1")).unwrap();
    let page = page.replace("\\-", "-").replace("\\*(Aq", "'").replace("\\(aq", "'");
    let units: Vec<&str> = page.split(".nf\n").filter_map(|block| block.split(".fi").next()).collect();
    let units: Vec<&str> = units.into_iter().filter(|block| block.contains("[Unit]")).collect();
    let dir = Dir::new();
    let names = ["device-defender-detect.service", "device-defender-violated.service"];
    assert_eq!(units.len(), names.len());
    for (name, unit) in names.into_iter().zip(units) {
        dir.write(name, unit.replace("    ", "").replace("/usr/bin/device-defender", program()));
    }
    let output = Command::new("systemd-analyze").arg("verify").args(names).current_dir(dir.root()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}
