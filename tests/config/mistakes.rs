//! Mistakes in a config file: each with its line, all at once.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::publish;
use crate::support::{Device, Run};

/// Runs a command that has nearly all settings and needs none.
fn watch(device: &Device) -> Run {
    let args = ["watch", "--print", "--count", "1", "--config", "config.toml"];
    Run::new(device.root(), &args)
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, told: &[&str]) {
    let device = Device::new();
    device.write("config.toml", text);
    let told: String = told.iter().flat_map(|line| ["config.toml, ", *line, "\n"]).collect();
    watch(&device).code(78).stderr(&told).prints_nothing();
}

#[cfg(full)]
#[test]
fn keys_that_nobody_knows() {
    refused(
        "endpont = 'a'\nthing_name = 'a'\n[service]\nendpoint = 'a'\n",
        &[
            "line 1: unknown key `endpont`; did you mean `endpoint`?",
            "line 2: unknown key `thing_name`; did you mean `thing-name`?",
            "line 3: unknown key `service`",
        ],
    );
    refused(
        "name = 'a'\nroot = 'a'\nkey = 'a'\nwait = true\nfile = 'a'\n",
        &[
            "line 1: unknown key `name`; did you mean `thing-name`?",
            "line 2: unknown key `root`; did you mean `greengrass-root`?",
            "line 3: unknown key `key`; did you mean `key-file`?",
            "line 4: unknown key `wait`; did you mean `no-wait`?",
            "line 5: unknown key `file`",
        ],
    );
    refused(
        "once = true\nreport = 'a'\nconfig = 'a'\nsince = 'boot'\nverbose = true\nhelp = true\n",
        &[
            "line 1: `once` is not a setting; --once is for the command line only",
            "line 2: `report` is not a setting; --report is for the command line only",
            "line 3: `config` is not a setting; --config is for the command line only",
            "line 4: `since` is not a setting; --since is for the command line only",
            "line 5: `verbose` is not a setting; --verbose is for the command line only",
            "line 6: `help` is not a setting; --help is for the command line only",
        ],
    );
    refused("\"a\\u001b[2J\" = 1", &["line 1: unknown key `a\\u{1b}[2J`"]);
}

#[test]
fn values_of_the_wrong_kind() {
    let text = "expected text or a whole number, found";
    refused(
        "\n\nproc = true\nnetns = 1.5\nstate-dir = ['a']\nthing-name = 2026-11-01\nexclude-interface = [1.5]\n\
         max-bytes = 99999999999999999999\nno-wait = 'true'\nsource = {}\nexclude-interface-2 = []\nca-file = 5\nno-wait-2 = 1\n",
        &[
            "line 3: proc: expected text, found true or false",
            &format!("line 4: netns: {text} a number with a fraction"),
            "line 5: state-dir: expected text, found a list",
            &format!("line 6: thing-name: {text} a date or time"),
            "line 7: exclude-interface: expected text or a list of texts, found a list with values that are not text",
            &format!("line 8: max-bytes: {text} a number that is too large"),
            "line 9: no-wait: expected true or false, found text",
            &format!("line 10: source: {text} a table"),
            "line 11: unknown key `exclude-interface-2`; did you mean `exclude-interface`?",
            "line 12: ca-file: expected text, found a number",
            "line 13: unknown key `no-wait-2`; did you mean `no-wait`?",
        ],
    );
    let list = "line 1: exclude-interface: expected text or a list of texts, found";
    refused("exclude-interface = ['lo', 1]", &[&format!("{list} a list with values that are not text")]);
    refused("exclude-interface = 1", &[&format!("{list} a number")]);
    refused("exclude-interface = true", &[&format!("{list} true or false")]);
}

/// Values are judged by the rules of the flags.
#[test]
fn values_that_are_wrong() {
    let device = Device::new();
    device.write(
        "config.toml",
        "netns = 'other'\nsource = 'files'\nexclude-interface = ['lo', '[']\nnames = 'Long'\nmax-bytes = -1\n\
         compat = 'conector'\nsplay = 'soon'\ninterval = 0\n",
    );
    let told = "source `files` (config.toml, line 2: source): must be one of auto, proc, netlink\n\
        netns `other` (config.toml, line 1: netns): expected auto, self, or a process ID\n\
        exclude interface `[` (config.toml, line 3: exclude-interface): Pattern syntax error near position 0: invalid range pattern\n\
        names `Long` (config.toml, line 4: names): must be one of long, short; did you mean `long`?\n\
        max bytes `-1` (config.toml, line 5: max-bytes): expected a whole number\n\
        compat `conector` (config.toml, line 6: compat): must be connector; did you mean `connector`?\n\
        splay `soon` (config.toml, line 7: splay): expected seconds (300) or a duration (5m)\n\
        interval `0` (config.toml, line 8: interval): an interval is at least 1ms\n";
    watch(&device).code(78).stderr(told).prints_nothing();
}

/// Beside what is wrong in the file, what is missing and wrong elsewhere.
#[cfg(full)]
#[test]
fn all_that_is_wrong_is_reported_at_once() {
    let (_device, publish) = publish("endpont = 'a'\nport = 0\ncert-file = 'none.pem'\nkey-file = 'gw.key'\n");
    publish.clone().env("DEVICE_DEFENDER_TIMEOUT", "soon").ends(
        78,
        &[
            "config.toml, line 1: unknown key `endpont`; did you mean `endpoint`?",
            "port `0` (config.toml, line 2: port): ",
            "no endpoint: give --endpoint, the environment variable DEVICE_DEFENDER_ENDPOINT, endpoint in the config file, or",
            "no thing name: ",
            "timeout `soon` (environment variable DEVICE_DEFENDER_TIMEOUT)",
            "none.pem (",
        ],
    );
    // A wrong command line is worse.
    publish.set("--client-id", "#").ends(2, &["--client-id", "config.toml, line 1"]);
}

/// A value of the wrong kind is the only fault of its setting.
#[test]
fn what_is_given_is_not_missing() {
    let (_device, publish) = publish("endpoint = ['a']\nthing-name = 1.5\ncert-file = true\nkey-file = 5\n");
    let outcome = publish.outcome();
    outcome.is(
        78,
        &[
            "config.toml, line 1: endpoint: expected text or a whole number, found a list",
            "config.toml, line 2: thing-name: expected text or a whole number, found a number with a fraction",
            "config.toml, line 3: cert-file: expected text, found true or false",
            "config.toml, line 4: key-file: expected text, found a number",
        ],
    );
    assert_eq!(outcome.stderr.lines().count(), 4, "{}", outcome.stderr);
}

#[test]
fn what_is_not_toml() {
    let hint = "hint: a line is KEY = VALUE, with text in quotes, as in thing-name = \"gw\"";
    for (text, told) in [
        (&b"# a\nendpoint = a.example\n"[..], "line 2: "),
        (b"endpoint a.example", "line 1: key with no value, expected `=`"),
        (b"thing-name = 'a'\nthing-name = 'b'\n", "line 2: duplicate key"),
        (b"\n\nthing-name = 'a\n", "line 3: "),
        (b"\xef\xbb\xbf\nthing-name = 'a\xff'\n", "line 2: not UTF-8"),
        (b"\xff\xfet\0h\0", "line 1: UTF-16 text; convert it with iconv -f UTF-16 -t UTF-8"),
        (b"\xff\xfe\0\0h\0\0\0", "line 1: not text: it contains bytes of value 0"),
        (b"\0\xff\x12", "line 1: not text: it contains bytes of value 0"),
        (b"<!DOCTYPE html>", "line 1: an HTML page"),
    ] {
        let (device, publish) = publish("");
        fs::write(device.path("config.toml"), text).unwrap();
        let outcome = publish.ends(78, &[&format!("config.toml, {told}"), hint]);
        assert_eq!(outcome.stderr.lines().count(), 2, "what is in the file is not missing\n{}", outcome.stderr);
    }
    let nested = [b"a = ".to_vec(), b"[".repeat(60_000)].concat();
    let (device, publish) = publish("");
    fs::write(device.path("config.toml"), nested).unwrap();
    publish.ends(78, &["config.toml, line 1: "]);
    fs::write(device.path("config.toml"), b"\xef\xbb\xbf# marked\r\nendpoint = 'a.example'\r\n").unwrap();
    publish.ends(78, &["no thing name"]).says_nothing_of(&["no endpoint"]);
}

#[test]
fn a_file_that_was_given_must_be_a_file_that_can_be_read() {
    let device = Device::new();
    let told = |reason: &str| format!("config file config.toml (--config): {reason}");
    watch(&device).code(66).stderr(&told("No such file or directory (os error 2)")).prints_nothing();
    for make in [
        (|path| fs::create_dir(path).unwrap()) as fn(&std::path::Path),
        |path| mkfifo(path, Mode::S_IRWXU).unwrap(),
        |path| symlink("/dev/zero", path).unwrap(),
    ] {
        let device = Device::new();
        make(&device.path("config.toml"));
        watch(&device).code(66).stderr(&told("not a regular file")).prints_nothing();
    }
    device.write("config.toml", " ".repeat((1 << 16) + 1));
    watch(&device).code(66).stderr(&told("larger than 65536 bytes")).prints_nothing();

    device.write("config.toml", "");
    fs::set_permissions(device.path("config.toml"), Permissions::from_mode(0o600)).unwrap();
    let run = Run::new(device.root(), &["collect"]).env("DEVICE_DEFENDER_CONFIG", "config.toml").by_nobody();
    let output = run.finish();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let variable = "device-defender: config file config.toml (environment variable DEVICE_DEFENDER_CONFIG): permission denied: it \
                    belongs to user root";
    assert!(output.status.code() == Some(66) && stderr.starts_with(variable), "{stderr}");
}
