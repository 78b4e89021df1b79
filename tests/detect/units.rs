//! The units of the README: systemd takes them as they stand.

use crate::support::{Dir, PROGRAM};
use std::fs;
use std::process::Command;

#[test]
fn systemd_finds_nothing_wrong_with_the_units_of_the_readme() {
    const PLACE: &str = "# /etc/systemd/system/";
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let block = readme.split("```ini\n").find(|block| block.contains("device-defender-detect.timer")).unwrap();
    let dir = Dir::new();
    let mut names = Vec::new();
    for unit in block.split("```").next().unwrap().split(PLACE).skip(1) {
        let (name, text) = unit.split_once('\n').unwrap();
        dir.write(name, text.replace("/usr/bin/device-defender", PROGRAM));
        names.push(name);
    }
    assert_eq!(names.len(), 3);
    let output = Command::new("systemd-analyze").arg("verify").args(names).current_dir(dir.root()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}
