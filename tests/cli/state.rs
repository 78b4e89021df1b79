//! The state file that `--since report` reads: what is made of one that is broken, foreign or not there, whose it is, and
//! where it is looked for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::stat::Mode;
use serde_json::{Value, json};

use crate::cli::since::{EARLIER, NOW, with_baseline};
use crate::support::{Device, Run, traffic};

#[test]
fn a_state_file_that_cannot_be_used_is_reported_and_never_fatal() {
    let whole = with_baseline(EARLIER).to_string();
    let with = |field: &str, value: Value| {
        let mut state = with_baseline(EARLIER);
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
        (
            r#"{"version": 2, "things": {"gw": {"id": "1"}}}"#.to_owned(),
            "the file has version 2, this program reads version 1\n".to_owned(),
        ),
        (" ".repeat((8 << 20) + 1), "larger than 8388608 bytes\n".to_owned()),
        (with("version", json!(0)), "the file has version 0, this program reads version 1\n".to_owned()),
    ] {
        let device = Device::with(NOW);
        device.write("state/gw.json", &content);
        println!("{}", content.chars().take(200).collect::<String>());
        let output = device.collect(&["--thing-name", "gw"]).finish();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{told}");
        let expected = format!("device-defender: warning: no network_stats: state/gw.json: {fault}");
        assert!(told.starts_with(&expected) && told.lines().count() == 1, "{told}expected: {expected}");
        assert_eq!(traffic(&serde_json::from_slice(&output.stdout).unwrap()), None);
        let quiet = device.collect(&["--thing-name", "gw", "-q", "--strict"]).json();
        assert_eq!(traffic(&quiet), None);
    }
}

#[test]
fn what_stands_in_place_of_a_state_file_is_reported() {
    type Stranger = (&'static str, fn(PathBuf), &'static str);
    let strangers: [Stranger; 3] = [
        ("a directory", |path| fs::create_dir(path).unwrap(), "not a regular file"),
        ("a pipe", |path| nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap(), "not a regular file"),
        ("a link", |path| symlink("/dev/zero", path).unwrap(), "a symbolic link, which is not followed"),
    ];
    for (what, put, fault) in strangers {
        let device = Device::with(NOW);
        put(device.path("state/gw.json"));
        let tells = format!("warning: no network_stats: state/gw.json: {fault}");
        assert_eq!(device.traffic_since(&tells), None, "{what}");
    }
    let none = "warning: no network_stats: no report of thing gw was sent yet (no state in state)";
    let device = Device::with(NOW);
    assert_eq!(device.traffic_since(none), None, "no file");
    fs::remove_dir(device.path("state")).unwrap();
    assert_eq!(device.traffic_since(none), None, "no directory");
    let mut null = with_baseline(EARLIER);
    null["baseline"] = Value::Null;
    let device = Device::with(NOW);
    device.save(&null);
    let none = "warning: no network_stats: no report of this thing was accepted yet";
    assert_eq!(device.traffic_since(none), None, "sent, but never accepted");
}

#[test]
fn fields_that_a_later_version_adds_are_passed_over() {
    let device = Device::with(NOW);
    let mut state = with_baseline(EARLIER);
    state["comment"] = json!("by hand");
    state["baseline"]["uptime"] = json!(5);
    state["baseline"]["interfaces"]["eth0"]["errors"] = json!(5);
    device.save(&state);
    assert_eq!(device.traffic_since(""), Some([10, 1, 30, 3]));
}

#[test]
fn the_report_id_is_greater_than_the_last_one() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let id = |state: &Value| {
        let device = Device::with(NOW);
        device.save(state);
        device.collect(&["-q", "--thing-name", "gw"]).json()["header"]["report_id"].as_u64().unwrap()
    };
    for ahead in [1_000_000, 1 << 40] {
        let mut state = with_baseline(EARLIER);
        state["last_report_id"] = json!(now + ahead);
        assert_eq!(id(&state), now + ahead + 1);
        state["baseline"] = Value::Null; // not accepted, but used all the same
        assert_eq!(id(&state), now + ahead + 1);
    }
    for last in [0, 1, now - 1000] {
        let mut state = with_baseline(EARLIER);
        state["last_report_id"] = json!(last);
        assert!((now..now + 1000).contains(&id(&state)), "{last}");
    }
}

#[test]
fn the_thing_is_the_one_that_is_named_or_the_only_one() {
    let device = Device::with(NOW);
    let none = "no thing name given, and no state in state\n\
         hint: give --thing-name, the name that reports are sent under";
    device.collect(&[]).code(78).stderr(none).output();
    device.write("state/notes.txt", "");
    device.write("state/bad#name.json", "");
    device.collect(&[]).code(78).stderr(none).output();

    device.save(&with_baseline(EARLIER));
    let delta = Some([10, 1, 30, 3]);
    assert_eq!(traffic(&device.collect(&[]).json()), delta, "the only one");

    let mut other = with_baseline(&[]);
    other["thing_name"] = json!("ax");
    device.write("state/ax.json", other.to_string());
    let two = "no thing name given, and state has the state of ax and of gw\n\
         hint: give --thing-name, the name that reports are sent under";
    device.collect(&[]).code(78).stderr(two).output();
    let all = Some([50, 5, 70, 7]);
    let greengrass = |name| device.collect(&[]).env("AWS_IOT_THING_NAME", name);
    assert_eq!(traffic(&greengrass("gw").json()), delta);
    assert_eq!(traffic(&greengrass("ax").json()), all);
    assert_eq!(traffic(&greengrass("ax").env("DEVICE_DEFENDER_THING_NAME", "gw").json()), delta);
    greengrass("").code(78).stderr(two).output();
    let wrong = "thing name `a/b` (environment variable AWS_IOT_THING_NAME): a thing name has 1 to 128 bytes, and no control characters, `/`, `+` or `#`";
    greengrass("a/b").code(78).stderr(wrong).output();
    let flag = |name| device.collect(&["--thing-name", name]).env("DEVICE_DEFENDER_THING_NAME", "ax");
    assert_eq!(traffic(&flag("gw").env("AWS_IOT_THING_NAME", "ax").json()), delta);
    assert_eq!(traffic(&device.collect(&["--thing-name", "ax"]).env("AWS_IOT_THING_NAME", "a/b").json()), all);

    // Without --since report nothing of this matters.
    Run::new(device.root(), &["collect", "--proc", "proc", "--state-dir", "gone"]).output();
}

#[test]
fn the_state_directory_is_given_or_systemds() {
    let device = Device::with(NOW);
    device.save(&with_baseline(EARLIER));
    let run = || Run::new(device.root(), &["collect", "--proc", "proc", "--since", "report"]);
    let delta = Some([10, 1, 30, 3]);
    for (name, value) in
        [("DEVICE_DEFENDER_STATE_DIR", "state"), ("STATE_DIRECTORY", "state"), ("STATE_DIRECTORY", "state:proc")]
    {
        assert_eq!(traffic(&run().env(name, value).json()), delta, "{name}={value}");
    }
    assert_eq!(traffic(&device.collect(&[]).env("STATE_DIRECTORY", "proc").json()), delta);
    let both = run().env("DEVICE_DEFENDER_STATE_DIR", "state").env("STATE_DIRECTORY", "proc");
    assert_eq!(traffic(&both.json()), delta);
    let empty = run().env("DEVICE_DEFENDER_STATE_DIR", "").env("STATE_DIRECTORY", "state");
    assert_eq!(traffic(&empty.json()), delta);
}

#[test]
fn a_user_has_a_state_directory_of_their_own() {
    let device = Device::with(NOW);
    fs::create_dir_all(device.path("home/.local/state/device-defender")).unwrap();
    fs::create_dir_all(device.path("xdg/device-defender")).unwrap();
    let run = |variables: &[(&str, String)]| {
        let run = Run::new(device.root(), &["collect", "--proc", "proc", "--since", "report"]);
        variables.iter().fold(run, |run, (name, value)| run.env(name, value)).by_nobody()
    };
    let path = |name: &str| device.path(name).to_str().unwrap().to_owned();
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
        run(variables).code(78).stderr(&tells).output();
    }
    device.write("xdg/device-defender/gw.json", with_baseline(EARLIER).to_string());
    assert_eq!(traffic(&run(&[home, xdg]).json()), Some([10, 1, 30, 3]));
}
