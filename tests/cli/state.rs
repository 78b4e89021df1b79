//! The state file that `--since report` reads: what is made of one that is broken, foreign or not there, whose it is, and
//! where it is looked for.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::Run;
use crate::copy::copy_program;
use crate::since::{BEFORE, Machine, NOW, state, traffic};

#[test]
fn a_state_file_that_cannot_be_used_is_told_and_never_fatal() {
    let whole = state(BEFORE).to_string();
    let with = |field: &str, value: Value| {
        let mut state = state(BEFORE);
        state[field] = value;
        state.to_string()
    };
    let no_file = "not a state file: ";
    for (content, fault) in [
        (String::new(), format!("{no_file}EOF while parsing a value at line 1 column 0")),
        (
            whole.strip_suffix('}').unwrap().to_owned(),
            format!("{no_file}EOF while parsing an object at line 1 column "),
        ),
        (whole.chars().take(20).collect(), format!("{no_file}EOF while parsing ")),
        (format!("{whole}x"), format!("{no_file}trailing characters at line 1 column ")),
        ("\u{0}".repeat(4096), format!("{no_file}expected value at line 1 column 1")),
        ("\u{1b}[31m".to_owned(), format!("{no_file}expected value at line 1 column 1")),
        ("[]".to_owned(), format!("{no_file}invalid length 0, expected ")),
        ("{}".to_owned(), format!("{no_file}missing field `")),
        ("{\"header\":{}}".to_owned(), format!("{no_file}missing field `")),
        (with("last_report_id", json!(-1)), format!("{no_file}invalid value: integer `-1`, expected u64 at line 1 ")),
        (with("last_report_id", json!(1.5)), format!("{no_file}invalid type: floating point `1.5`, expected u64 at ")),
        (with("baseline", json!({})), format!("{no_file}missing field `")),
        (whole.replace("\"bytes_in\":40", "\"bytes_in\":-40"), format!("{no_file}invalid value: integer `-40`")),
        (whole.replace("\"bytes_in\":40,", ""), format!("{no_file}missing field `bytes_in` at line 1 ")),
        (with("thing_name", json!("other")), "the file belongs to the thing `other`\n".to_owned()),
        (with("thing_name", json!("\u{1b}[31m")), "the file belongs to the thing `\\u{1b}[31m`\n".to_owned()),
        (with("version", json!(2)), "the file has version 2, this program reads version 1\n".to_owned()),
        (with("version", json!(0)), "the file has version 0, this program reads version 1\n".to_owned()),
    ] {
        let machine = Machine::new(NOW);
        machine.write("state/gw.json", &content);
        let output = machine.collect(&["--thing-name", "gw"]).finish();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{told}");
        let expected = format!("device-defender: warning: no network_stats: state/gw.json: {fault}");
        assert!(told.starts_with(&expected) && told.lines().count() == 1, "{told}expected: {expected}");
        assert_eq!(traffic(&serde_json::from_slice(&output.stdout).unwrap()), None);
        let quiet = machine.collect(&["--thing-name", "gw", "-q", "--strict"]).report();
        assert_eq!(traffic(&quiet), None);
    }
}

#[test]
fn a_state_file_of_a_newer_layout_is_told_as_newer() {
    let machine = Machine::new(NOW);
    machine.write("state/gw.json", r#"{"version": 2, "things": {"gw": {"id": "1"}}}"#);
    let newer = "warning: no network_stats: state/gw.json: the file has version 2, this program reads version 1";
    assert_eq!(machine.traffic(newer), None);
}

#[test]
fn what_stands_in_place_of_a_state_file_is_told() {
    type Stranger = (&'static str, fn(PathBuf), &'static str);
    let strangers: [Stranger; 3] = [
        ("a directory", |path| fs::create_dir(path).unwrap(), "not a regular file"),
        ("a loop", |path| symlink("gw.json", path).unwrap(), "Too many levels of symbolic links (os error 40)"),
        ("no end", |path| symlink("/dev/zero", path).unwrap(), "not a regular file"),
    ];
    for (what, put, fault) in strangers {
        let machine = Machine::new(NOW);
        put(machine.path("state/gw.json"));
        let tells = format!("warning: no network_stats: state/gw.json: {fault}");
        assert_eq!(machine.traffic(&tells), None, "{what}");
    }
    let none = "warning: no network_stats: no report of thing gw was sent yet (no state in state)";
    let machine = Machine::new(NOW);
    assert_eq!(machine.traffic(none), None, "no file");
    fs::remove_dir(machine.path("state")).unwrap();
    assert_eq!(machine.traffic(none), None, "no directory");
    let mut null = state(BEFORE);
    null["baseline"] = Value::Null;
    let machine = Machine::new(NOW);
    machine.remember(&null);
    let none = "warning: no network_stats: no report of this thing was accepted yet";
    assert_eq!(machine.traffic(none), None, "sent, but never accepted");
}

#[test]
fn fields_that_a_later_version_adds_are_passed_over() {
    let machine = Machine::new(NOW);
    let mut state = state(BEFORE);
    state["comment"] = json!("by hand");
    state["baseline"]["uptime"] = json!(5);
    state["baseline"]["interfaces"]["eth0"]["errors"] = json!(5);
    machine.remember(&state);
    assert_eq!(machine.traffic(""), Some([10, 1, 30, 3]));
}

#[test]
fn the_report_id_is_greater_than_the_last_one() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let id = |state: &Value| {
        let machine = Machine::new(NOW);
        machine.remember(state);
        machine.collect(&["-q", "--thing-name", "gw"]).report()["header"]["report_id"].as_u64().unwrap()
    };
    for ahead in [1_000_000, 1 << 40] {
        let mut state = state(BEFORE);
        state["last_report_id"] = json!(now + ahead);
        assert_eq!(id(&state), now + ahead + 1);
        state["baseline"] = Value::Null; // not accepted, but used all the same
        assert_eq!(id(&state), now + ahead + 1);
    }
    for last in [0, 1, now - 1000] {
        let mut state = state(BEFORE);
        state["last_report_id"] = json!(last);
        assert!((now..now + 1000).contains(&id(&state)), "{last}");
    }
}

#[test]
fn the_thing_is_the_one_that_is_named_or_the_only_one() {
    let machine = Machine::new(NOW);
    let none = "no thing name given, and no state in state\n\
         hint: give --thing-name, the name that reports are sent under";
    machine.collect(&[]).exits(78).tells(none).output();
    machine.write("state/notes.txt", "");
    machine.write("state/bad#name.json", "");
    machine.collect(&[]).exits(78).tells(none).output();

    machine.remember(&state(BEFORE));
    let delta = Some([10, 1, 30, 3]);
    assert_eq!(traffic(&machine.collect(&[]).report()), delta, "the only one");

    let mut other = state(&[]);
    other["thing_name"] = json!("ax");
    machine.write("state/ax.json", &other.to_string());
    let two = "no thing name given, and state has the state of ax and of gw\n\
         hint: give --thing-name, the name that reports are sent under";
    machine.collect(&[]).exits(78).tells(two).output();
    let all = Some([50, 5, 70, 7]);
    let greengrass = |name| machine.collect(&[]).env("AWS_IOT_THING_NAME", name);
    assert_eq!(traffic(&greengrass("gw").report()), delta);
    assert_eq!(traffic(&greengrass("ax").report()), all);
    assert_eq!(traffic(&greengrass("ax").env("DEVICE_DEFENDER_THING_NAME", "gw").report()), delta);
    greengrass("").exits(78).tells(two).output();
    let wrong = "environment variable AWS_IOT_THING_NAME: `a/b`: a thing name is 1 to 128 bytes without control characters, `/`, `+` and `#`";
    greengrass("a/b").exits(78).tells(wrong).output();
    let flag = |name| machine.collect(&["--thing-name", name]).env("DEVICE_DEFENDER_THING_NAME", "ax");
    assert_eq!(traffic(&flag("gw").env("AWS_IOT_THING_NAME", "ax").report()), delta);
    assert_eq!(traffic(&machine.collect(&["--thing-name", "ax"]).env("AWS_IOT_THING_NAME", "a/b").report()), all);

    // Without --since report nothing of this matters.
    Run::new(machine.dir(), &["collect", "--proc", "proc", "--state-dir", "gone"]).output();
}

#[test]
fn the_state_directory_is_given_or_systemds() {
    let machine = Machine::new(NOW);
    machine.remember(&state(BEFORE));
    let run = || Run::new(machine.dir(), &["collect", "--proc", "proc", "--since", "report"]);
    let delta = Some([10, 1, 30, 3]);
    for (name, value) in
        [("DEVICE_DEFENDER_STATE_DIR", "state"), ("STATE_DIRECTORY", "state"), ("STATE_DIRECTORY", "state:proc")]
    {
        assert_eq!(traffic(&run().env(name, value).report()), delta, "{name}={value}");
    }
    assert_eq!(traffic(&machine.collect(&[]).env("STATE_DIRECTORY", "proc").report()), delta);
    let both = run().env("DEVICE_DEFENDER_STATE_DIR", "state").env("STATE_DIRECTORY", "proc");
    assert_eq!(traffic(&both.report()), delta);
    let empty = run().env("DEVICE_DEFENDER_STATE_DIR", "").env("STATE_DIRECTORY", "state");
    assert_eq!(traffic(&empty.report()), delta);
}

#[test]
fn a_user_has_a_state_directory_of_their_own() {
    let machine = Machine::new(NOW);
    fs::create_dir_all(machine.path("home/.local/state/device-defender")).unwrap();
    fs::create_dir_all(machine.path("xdg/device-defender")).unwrap();
    let program = machine.path("device-defender"); // the original may stand where others may not go
    copy_program(&program);
    for path in [machine.dir(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let root = fs::metadata(machine.dir()).unwrap().uid() == 0;
    let run = |variables: &[(&str, String)]| {
        let mut run = Run::new(machine.dir(), &[]);
        run.command = Command::new(if root { "setpriv" } else { "env" });
        run.command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(machine.dir());
        run.command.envs(variables.iter().cloned());
        run.command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"].iter().filter(|_| root));
        run.command.arg(&program).args(["collect", "--proc", "proc", "--since", "report"]);
        run
    };
    let path = |name: &str| machine.path(name).to_str().unwrap().to_owned();
    let (home, xdg) = (("HOME", path("home")), ("XDG_STATE_HOME", path("xdg")));
    let hint = "hint: give --thing-name, the name that reports are sent under";
    let none = |dir: &str| format!("no thing name given, and no state in {}\n{hint}", path(dir));
    let relative = ("XDG_STATE_HOME", "xdg".to_owned());
    let by_default = "home/.local/state/device-defender";
    let no_home = "no state directory: HOME is not set\nhint: give --state-dir";
    for (variables, tells) in [
        (&[home.clone()][..], none(by_default)),
        (&[home.clone(), xdg.clone()], none("xdg/device-defender")),
        (&[home.clone(), relative], none(by_default)),
        (std::slice::from_ref(&xdg), none("xdg/device-defender")),
        (&[], no_home.to_owned()),
        (&[("HOME", String::new())], no_home.to_owned()),
    ] {
        run(variables).exits(78).tells(&tells).output();
    }
    fs::write(machine.path("xdg/device-defender/gw.json"), state(BEFORE).to_string()).unwrap();
    assert_eq!(traffic(&run(&[home, xdg]).report()), Some([10, 1, 30, 3]));
}
