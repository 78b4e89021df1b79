//! Variables that look like those of this program and set nothing.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::profile;
use crate::support::{Device, Dir, Run, fixtures};

#[cfg(full)]
#[test]
fn every_command_warns_of_variables_that_set_nothing() {
    let device = Device::new();
    device.write("profile.json", profile());
    let warning = "warning: environment variable DEVICE_DEFENDER_ENDPONT: not a setting of this program, so it has no effect; \
                   did you mean DEVICE_DEFENDER_ENDPOINT?\n";
    for args in [
        &["collect", "--proc", "proc"][..],
        &["detect", "--proc", "proc", "--profile", "profile.json"],
        &["validate-params", "--sample-interval-seconds", "300"],
        &["watch", "--print", "--count", "1", "--proc", "proc"],
        &["generate", "units", "units"],
    ] {
        let run = || Run::new(device.root(), args).env("DEVICE_DEFENDER_ENDPONT", "x");
        drop(run().stderr(warning).output());
        let mut quiet = run();
        quiet.command.arg("-q");
        drop(quiet.output());
    }
    let publish = device.publish().env("DEVICE_DEFENDER_ENDPONT", "x");
    publish.ends(78, &[warning, "no endpoint"]);
}

#[test]
fn variables_of_other_commands_are_known() {
    let collect = |variable: &str, value: &OsStr| {
        let run = Run::new(&fixtures(), &["collect", "--proc", "idle/proc"]).env(variable, value);
        let output = run.finish();
        assert_eq!(output.status.code(), Some(0), "{variable}");
        String::from_utf8(output.stderr).unwrap()
    };
    for (variable, value) in [
        ("DEVICE_DEFENDER_INTERVAL", "nonsense"),
        ("DEVICE_DEFENDER_NO_WAIT", "true"),
        ("DEVICE_DEFENDER_COMPAT", "connector"),
        ("DEVICE_DEFENDER", "x"),
        ("MY_DEVICE_DEFENDER_X", "x"),
        ("DEVICE_DEFENDER_ENDPONT", ""),
    ] {
        assert_eq!(collect(variable, OsStr::new(value)), "", "{variable}");
    }
    let told = |name: &str, rest: &str| {
        let told = "not a setting of this program, so it has no effect";
        format!("device-defender: warning: environment variable {name}: {told}{rest}\n")
    };
    for (name, rest) in [
        ("DEVICE_DEFENDER_STATE_DIRECTORY", ""),
        ("DEVICE_DEFENDER_CERTFILE", "; did you mean DEVICE_DEFENDER_CERT_FILE?"),
        ("DEVICE_DEFENDER_PROC_PATH", ""),
        ("DEVICE_DEFENDER_NAME", "; did you mean DEVICE_DEFENDER_THING_NAME?"),
        ("DEVICE_DEFENDER_FILE", ""),
        ("DEVICE_DEFENDER_", ""),
        ("DEVICE_DEFENDER_endpoint", "; did you mean DEVICE_DEFENDER_ENDPOINT?"),
    ] {
        assert_eq!(collect(name, OsStr::new("x")), told(name, rest));
    }
    assert_eq!(collect("DEVICE_DEFENDER_X", OsStr::from_bytes(b"\xff")), told("DEVICE_DEFENDER_X", ""));
    // All of them, sorted; without control characters.
    let dir = Dir::new();
    let run = Run::new(dir.root(), &["validate-params", "--sample-interval-seconds", "300"]);
    let run = run.env("DEVICE_DEFENDER_Z", "x").env("DEVICE_DEFENDER_A\u{1b}", "x");
    let stderr = String::from_utf8(run.finish().stderr).unwrap();
    assert_eq!(stderr, told("DEVICE_DEFENDER_A\\u{1b}", "") + &told("DEVICE_DEFENDER_Z", ""));
}
