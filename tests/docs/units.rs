//! The unit files pass the checks of `systemd-analyze`, and packages ship them and the config file as they are generated.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};

use super::{PROGRAM, PROJECT, assert_files, files};
use crate::support::system;

/// The highest accepted exposure as rated by `systemd-analyze security`, times 10: 0 is best, 100 worst.
const MAX_EXPOSURE: &str = "--threshold=12";

/// Writes the unit files to a directory, those of a Greengrass core to a directory in it. They run the program under test.
fn units(dir: &Path) -> Vec<PathBuf> {
    let core = dir.join("core");
    fs::create_dir(&core).unwrap();
    let system =
        r#"{"certificateFilePath": "/c/100% \"a\".pem", "privateKeyPath": "/c/a;b#c.key", "rootCaPath": "/c/é.pem"}"#;
    fs::write(core.join("config.yaml"), format!("system: {system}\n")).unwrap();
    let root = ["--greengrass-root".as_ref(), core.as_os_str()];
    [units_for(dir, &[]), units_for(&core.join("units"), &root)].concat()
}

fn units_for(dir: &Path, args: &[&OsStr]) -> Vec<PathBuf> {
    let status = Command::new(PROGRAM).args(["generate", "units"]).arg(dir).args(args).status().unwrap();
    assert!(status.success());
    let write = |(name, text): (String, String)| {
        let path = dir.join(name);
        fs::write(&path, text.replace("/usr/bin/device-defender", PROGRAM)).unwrap();
        path
    };
    files(dir).into_iter().map(write).collect()
}

/// Returns the output of `systemd-analyze`, which must succeed.
fn analyze(args: &[&str], unit: &Path) -> String {
    let pages = tempfile::tempdir().unwrap(); // the units name man pages, which systemd looks up
    symlink(Path::new(PROJECT).join("man"), pages.path().join("man1")).unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(args).arg(unit).env("MANPATH", pages.path());
    let output = command.output().unwrap_or_else(|e| panic!("systemd-analyze, from the Debian package systemd: {e}"));
    assert!(output.status.success(), "{command:?}\n{output:?}");
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn systemd_accepts_the_units_without_warnings() {
    let dir = tempfile::tempdir().unwrap();
    for unit in units(dir.path()) {
        assert_eq!(analyze(&["verify"], &unit), "", "{}", unit.display());
    }
}

#[test]
fn services_are_hardened() {
    let dir = tempfile::tempdir().unwrap();
    for unit in units(dir.path()) {
        if unit.extension().is_some_and(|extension| extension == "service") {
            analyze(&["security", "--offline=true", MAX_EXPOSURE], &unit);
            assert!(fs::read_to_string(&unit).unwrap().contains("\nSocketBindDeny=any\n")); // is not part of the rating
        }
    }
}

#[test]
fn packages_ship_the_files_that_generate_prints() {
    let dir = tempfile::tempdir().unwrap();
    system(Command::new(PROGRAM).args(["generate", "units"]).arg(dir.path()));
    assert_files("packaging/systemd", files(dir.path()));
    let config = system(Command::new(PROGRAM).args(["generate", "config"]));
    let committed = Data::read_from(&Path::new(PROJECT).join("packaging/config.toml"), Some(DataFormat::Text)).raw();
    Assert::new().action_env("SNAPSHOTS").eq(config, committed);
}
