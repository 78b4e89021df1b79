//! `--custom-metrics`: every type in every shape, every limit with its message, all faults at once.

use std::fs;
use std::process::Command;

use ciborium::Value as Cbor;

use crate::cli::idle;
use crate::support::{Outcome, Run, assert_snapshot, fixtures};

/// The four types, in the plain shape.
const PLAIN: &str = r#"{
    "cpu": 12.5,
    "bytes": {"number": -3},
    "sizes": {"number_list": [1, -2.5, 123456789012345, 0]},
    "users": {"string_list": ["root", "a_b-c:d/e.f", "9", ""]},
    "peers": {"ip_list": ["192.0.2.1", "2001:DB8:0::0001", "::ffff:192.0.2.1"]},
    "none": {"number_list": []}
}"#;

/// The same in the report's own shape.
const OWN: &str = r#"{"cpu":[{"number":12.5}],"bytes":[{"number":-3}],"sizes":[{"number_list":[1,-2.5,123456789012345,0]}],
    "users":[{"string_list":["root","a_b-c:d/e.f","9",""]}],"none":[{"number_list":[]}],
    "peers":[{"ip_list":["192.0.2.1","2001:db8::1","::ffff:192.0.2.1"]}]}"#;

/// What both are in the report.
const REPORTED: &str = r#"{"bytes":[{"number":-3}],"cpu":[{"number":12.5}],"none":[{"number_list":[]}],"peers":[{"ip_list":["192.0.2.1","2001:db8::1","::ffff:192.0.2.1"]}],"sizes":[{"number_list":[1,-2.5,123456789012345,0]}],"users":[{"string_list":["root","a_b-c:d/e.f","9",""]}]}"#;

/// A run of `collect` with these custom metrics on standard input.
fn given(custom: &str) -> Run {
    idle(&["--custom-metrics", "-"]).stdin(custom)
}

/// The custom metrics of a report, as they stand in it.
fn reported(run: Run) -> String {
    let report = String::from_utf8(run.output()).unwrap();
    let custom = ["\"custom_metrics\":", "\"cmet\":"].into_iter().find_map(|name| report.split_once(name));
    custom.unwrap().1.strip_suffix("}\n").unwrap().to_owned()
}

/// Checks that these custom metrics are refused with 65 and, each behind the name of the input, these words.
fn refused(custom: &str, faults: &[&str]) {
    let lines: Vec<String> = faults.iter().map(|fault| format!("custom metrics: standard input: {fault}")).collect();
    assert!(given(custom).code(65).stderr(&lines.join("\n")).output().is_empty());
}

#[test]
fn every_type_is_taken_in_both_shapes() {
    for custom in [PLAIN, OWN] {
        assert_eq!(reported(given(custom)), REPORTED);
        for args in [&["--names", "short"][..], &["--compat", "connector"], &["--max-bytes", "5000"]] {
            let args = [args, &["--custom-metrics", "-"]].concat();
            assert_eq!(reported(idle(&args).stdin(custom)), REPORTED, "{args:?}");
        }
    }
    assert_eq!(reported(given("{}")), "{}");
    assert_eq!(reported(given(REPORTED)), REPORTED, "what is reported can be given again");
}

#[test]
fn in_cbor_integers_stay_integers_and_addresses_text() {
    let cbor = idle(&["--custom-metrics", "-", "--format", "cbor"]).stdin(PLAIN).output();
    let report: Cbor = ciborium::from_reader(cbor.as_slice()).unwrap();
    let member = |map: &Cbor, name: &str| {
        let entries = map.as_map().unwrap().clone();
        entries.into_iter().find(|(key, _)| key.as_text() == Some(name)).unwrap().1
    };
    let value = |name, kind| member(&member(&member(&report, "custom_metrics"), name).as_array().unwrap()[0], kind);
    assert_eq!(value("bytes", "number"), Cbor::Integer((-3).into()));
    assert_eq!(value("cpu", "number"), Cbor::Float(12.5));
    assert_eq!(value("sizes", "number_list").as_array().unwrap()[2], Cbor::Integer(123_456_789_012_345_u64.into()));
    assert_eq!(value("peers", "ip_list").as_array().unwrap()[1], Cbor::Text("2001:db8::1".to_owned()));
}

#[test]
fn a_table_shows_them_too() {
    let args = ["--custom-metrics", "-", "--format", "table"];
    let table = String::from_utf8(idle(&args).stdin(PLAIN).output()).unwrap();
    let custom = table.split_once("\nCustom metrics: 6\n").unwrap().1;
    for row in ["bytes  -3", "cpu    12.5", "none", "peers  192.0.2.1 2001:db8::1 ::ffff:192.0.2.1"] {
        assert!(custom.lines().any(|line| line == row), "{row:?} is not in\n{custom}");
    }
}

#[test]
fn they_may_come_from_a_file_or_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("metrics.json");
    fs::write(&file, PLAIN).unwrap();
    assert_eq!(reported(idle(&["--custom-metrics", file.to_str().unwrap()])), REPORTED);

    let pipe = dir.path().join("pipe"); // as in --custom-metrics <(command)
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, PLAIN).unwrap()
    });
    assert_eq!(reported(idle(&["--custom-metrics", pipe.to_str().unwrap()])), REPORTED);
    writer.join().unwrap();
}

#[test]
fn a_file_that_cannot_be_read_is_66() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("directory")).unwrap();
    let huge = fs::File::create(dir.path().join("huge")).unwrap();
    huge.set_len(1 << 40).unwrap();
    let proc = fixtures().join("idle/proc");
    for (file, reason) in [
        ("gone", "No such file or directory (os error 2)"),
        ("directory", "Is a directory (os error 21)"),
        ("directory/gone/-", "No such file or directory (os error 2)"),
        ("huge", "larger than 1048576 bytes"),
        ("/dev/zero", "larger than 1048576 bytes"),
    ] {
        let run = Run::new(dir.path(), &["collect", "--custom-metrics", file, "--proc", proc.to_str().unwrap()]);
        assert!(run.code(66).stderr(&format!("custom metrics: {file}: {reason}")).output().is_empty());
    }
    let largest = format!("{{{}}}", " ".repeat((1 << 20) - 2));
    assert_eq!(reported(given(&largest)), "{}");
    given(&format!("{largest} ")).code(66).stderr("custom metrics: standard input: larger than 1048576 bytes").output();
}

#[test]
fn what_is_no_json_object_is_reported_with_line_and_column() {
    for (text, fault) in [
        ("", "empty"),
        (" \n", "empty"),
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("{\"a\": 1,\n \"b\": }", "expected value at line 2 column 7"),
        ("{\"a\": 1}\n\n x", "trailing characters at line 3 column 2"),
        ("{\"a\": 1,}", "trailing comma at line 1 column 9"),
        ("{a: 1}", "key must be a string at line 1 column 2"),
        ("{\"a\": 01}", "invalid number at line 1 column 8"),
        ("{\"a\": NaN}", "expected value at line 1 column 7"),
        ("{\"a\": 1e999}", "metric `a`: 1e999 is too large"),
        ("{\"a\": 1e-999}", "metric `a`: 1e-999 is too close to 0"),
        ("\u{feff}{", "EOF while parsing an object at line 1 column 1"),
        ("\u{0}", "not text: it contains bytes of value 0"),
        ("<!DOCTYPE html>", "an HTML page, such as a login or error page, instead of the file"),
        ("a: 1", "expected value at line 1 column 1"),
    ] {
        refused(text, &[fault]);
    }
    assert_eq!(reported(given("\u{feff}{}")), "{}");
    for text in ["[1]", "1", "null", "\"text\"", "true"] {
        let output = given(text).finish();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(65));
        assert!(told.contains("expected an object of metric names and values at line 1 column "), "{told}");
    }
    let deep = "[".repeat(100_000);
    let told = given(&format!("{{\"a\": {deep}")).finish();
    assert_eq!(told.status.code(), Some(65));
    assert!(String::from_utf8(told.stderr).unwrap().contains("EOF while parsing a list at line 1 column "));
    let output = idle(&["--custom-metrics", "-"]).stdin(&b"{\"a\xff\": 1}"[..]).finish();
    assert_eq!(output.status.code(), Some(65));
    assert!(String::from_utf8(output.stderr).unwrap().contains(" at line 1 column "));
}

const NAME: &str = "a name is 1 to 128 letters, digits, `:`, `_` or `-`";

#[test]
fn a_name_has_its_limits() {
    let longest = "x".repeat(128);
    let fits = format!(r#"{{"{longest}": 1, "A-z:0_9": 1, "AWS:x": 1, "aws": 1, "xaws:": 1, "0": 1}}"#);
    assert!(reported(given(&fits)).contains(&longest));
    let long = "x".repeat(129);
    for (name, shown) in [
        ("", ""),
        (&*long, &*long),
        ("a b", "a b"),
        ("a.b", "a.b"),
        ("a/b", "a/b"),
        ("ü", "ü"),
        (r"\u001b[31m", r"\u{1b}[31m"),
        (r"\u0000", r"\u{0}"),
        (r"a\nhint: all is well", r"a\u{a}hint: all is well"),
    ] {
        refused(&format!(r#"{{"{name}": 1}}"#), &[&format!("metric `{shown}`: {NAME}")]);
    }
    let ours = "metric `aws:cpu`: a name must not begin with `aws:`, which is reserved for AWS";
    refused(r#"{"aws:cpu": 1}"#, &[ours]);
    refused(r#"{"a": 1, "b": 2, "a": 1, "a": 3}"#, &["metric `a`: given more than once"; 2]);
}

#[test]
fn a_number_has_its_limits() {
    let too_many =
        |number: &str| format!("{number} has more than 15 significant digits, the most that the service stores");
    for number in ["1234567890123456", "-1234567890123456", "0.1234567890123456", "18446744073709551615"] {
        refused(&format!(r#"{{"a": {number}}}"#), &[&format!("metric `a`: {}", too_many(number))]);
    }
    for (number, written) in [
        ("123456789012345", "123456789012345"),
        ("-999999999999999", "-999999999999999"),
        ("1230000000000000000", "1230000000000000000"),
        ("0.123456789012345", "0.123456789012345"),
        ("0.000000000000000000123456789012345", "1.23456789012345e-19"),
        ("1e300", "1e300"),
        ("-0", "0"),
        ("0", "0"),
    ] {
        for shape in [format!(r#"{{"a": {number}}}"#), format!(r#"{{"a": [{{"number": {number}}}]}}"#)] {
            let text = reported(given(&shape));
            assert_eq!(text.replace("e+", "e"), format!(r#"{{"a":[{{"number":{written}}}]}}"#));
        }
    }
}

#[test]
fn every_fault_is_reported_at_once_with_its_place() {
    let custom = r#"{
            "bad name": 1,
            "null": null,
            "text": "1",
            "bool": true,
            "empty": {},
            "two": {"number": 1, "ip_list": []},
            "list": [1],
            "lists": [{"number": 1}, {"number": 2}],
            "nested": [[{"number": 1}]],
            "none": [],
            "type": {"integer": 1},
            "number": {"number": "1"},
            "numbers": {"number_list": 1},
            "digits": {"number_list": [1, "2", 1234567890123456, null]},
            "strings": {"string_list": ["fine", "not fine", 3, "a,b"]},
            "ips": {"ip_list": ["192.0.2.1", "192.0.2.1:80", "192.0.2.0/24", "fe80::1%eth0", "[::1]", "example.com", 1]},
            "aws:both wrong": {"number": []}
        }"#;
    let outcome = Outcome::of(given(custom));
    assert_eq!((outcome.code, outcome.stdout.len()), (Some(65), 0));
    assert_snapshot(
        outcome.stderr,
        snapbox::str![[r#"
device-defender: custom metrics: standard input: metric `bad name`: a name is 1 to 128 letters, digits, `:`, `_` or `-`
device-defender: custom metrics: standard input: metric `null`: a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, as in {"number_list": [1, 2]}, alone or as the only element of a list
device-defender: custom metrics: standard input: metric `text`: a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, as in {"number_list": [1, 2]}, alone or as the only element of a list
device-defender: custom metrics: standard input: metric `bool`: a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, as in {"number_list": [1, 2]}, alone or as the only element of a list
device-defender: custom metrics: standard input: metric `empty`: a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, as in {"number_list": [1, 2]}, alone or as the only element of a list
device-defender: custom metrics: standard input: metric `two`: a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, as in {"number_list": [1, 2]}, alone or as the only element of a list
device-defender: custom metrics: standard input: metric `list`: a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, as in {"number_list": [1, 2]}, alone or as the only element of a list
device-defender: custom metrics: standard input: metric `lists`: a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, as in {"number_list": [1, 2]}, alone or as the only element of a list
device-defender: custom metrics: standard input: metric `nested`: a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, as in {"number_list": [1, 2]}, alone or as the only element of a list
device-defender: custom metrics: standard input: metric `none`: a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, as in {"number_list": [1, 2]}, alone or as the only element of a list
device-defender: custom metrics: standard input: metric `type`: `integer` is not a type; a value is a number, or an object with one of `number`, `number_list`, `string_list`, `ip_list`, as in {"number_list": [1, 2]}, alone or as the only element of a list
device-defender: custom metrics: standard input: metric `number`: "1" is not a number
device-defender: custom metrics: standard input: metric `numbers`: `number_list` must be a list
device-defender: custom metrics: standard input: metric `digits`: `number_list`, element 2: "2" is not a number; `number_list`, element 3: 1234567890123456 has more than 15 significant digits, the most that the service stores; `number_list`, element 4: null is not a number
device-defender: custom metrics: standard input: metric `strings`: `string_list`, element 2: "not fine" has ' '; only letters, digits, `:`, `_`, `-`, `/` and `.` are allowed; `string_list`, element 3: 3 is not a string; `string_list`, element 4: "a,b" has ','; only letters, digits, `:`, `_`, `-`, `/` and `.` are allowed
device-defender: custom metrics: standard input: metric `ips`: `ip_list`, element 2: "192.0.2.1:80" is not an IPv4 or IPv6 address (without port, `/length` and `%zone`); `ip_list`, element 3: "192.0.2.0/24" is not an IPv4 or IPv6 address (without port, `/length` and `%zone`); `ip_list`, element 4: "fe80::1%eth0" is not an IPv4 or IPv6 address (without port, `/length` and `%zone`); `ip_list`, element 5: "[::1]" is not an IPv4 or IPv6 address (without port, `/length` and `%zone`); `ip_list`, element 6: "example.com" is not an IPv4 or IPv6 address (without port, `/length` and `%zone`); `ip_list`, element 7: 1 is not a string
device-defender: custom metrics: standard input: metric `aws:both wrong`: a name is 1 to 128 letters, digits, `:`, `_` or `-`
device-defender: custom metrics: standard input: metric `aws:both wrong`: [] is not a number

"#]],
    );
}

#[test]
fn nothing_is_printed_when_they_are_wrong_and_a_missing_tree_is_worse() {
    assert!(idle(&["--custom-metrics", "-", "-q"]).stdin("{").finish().stdout.is_empty());
    Run::new(&fixtures(), &["collect", "--proc", "gone", "--custom-metrics", "-"])
        .stdin("{")
        .code(66)
        .stderr("gone: no such directory\nhint: check the path")
        .output();
}
