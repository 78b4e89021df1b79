//! The config file in its usual place, in an `/etc` of the test's own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use crate::support::{
    Device, NET, Outcome, Part, Run, copy_program, in_namespaces, is_root, output, powerless, private_etc,
};

const FILE: &str = "/etc/device-defender/config.toml";

/// Runs the program in this mount namespace, as root or as a user without rights.
fn collect(part: &Part) -> Run {
    Run::new(&part.dir, &["collect", "-v"])
}

#[test]
fn the_usual_file_is_read_if_it_is_there() {
    in_namespaces(NET, |part| {
        let etc = private_etc(part);
        Outcome::of(collect(part)).says_nothing_of(&["config.toml", "warning"]);
        fs::create_dir(etc.join("device-defender")).unwrap();
        Outcome::of(collect(part)).says_nothing_of(&["config.toml", "warning"]);

        let device = Device::new();
        let proc = device.path("proc");
        fs::write(FILE, format!("proc = \"{}\"\n", proc.display())).unwrap();
        let outcome = Outcome::of(collect(part));
        outcome.says(&[&format!("settings from {FILE}: proc\n"), &format!("reading {}/net", proc.display())]);
        let other = part.dir.join("other.toml");
        fs::write(&other, "").unwrap();
        let outcome = Outcome::of(collect(part).env("DEVICE_DEFENDER_CONFIG", other));
        outcome.says(&["other.toml: nothing that this command needs"]);
        outcome.says_nothing_of(&[FILE]);

        // What is there must be right.
        fs::write(FILE, "proc = 1.5\n").unwrap();
        let told = format!("{FILE}, line 1: proc: expected text, found a number with a fraction\n");
        Run::new(&part.dir, &["collect"]).code(78).stderr(&told).prints_nothing();
        fs::remove_file(FILE).unwrap();
        symlink("/dev/null", FILE).unwrap();
        let told = format!("config file {FILE} (default): not a regular file\n");
        Run::new(&part.dir, &["collect"]).code(66).stderr(&told).prints_nothing();
    });
}

#[test]
fn a_user_who_may_not_read_the_usual_file_is_warned() {
    assert!(is_root(), "this test makes a file that other users cannot read: run it as root");
    in_namespaces(NET, |part| {
        let directory: PathBuf = private_etc(part).join("device-defender");
        fs::create_dir(&directory).unwrap();
        fs::write(FILE, "nonsense = 1\n").unwrap();
        let program = part.dir.join("device-defender");
        copy_program(&program);
        for (path, denied) in [(PathBuf::from(FILE), "it"), (directory, "the directory /etc/device-defender")] {
            fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
            let output = output(powerless(&program).arg("collect").env_clear());
            let told = format!(
                "device-defender: warning: {FILE}: permission denied: {denied} belongs to user root and group root (mode \
                 0700); this process runs as user nobody; run as root, or grant that user access; going on without its \
                 settings\n"
            );
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() && stderr == told, "{stderr}");
            assert!(output.stdout.starts_with(b"{\"header\""));
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
    });
}
