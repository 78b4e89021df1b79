//! Exit codes, and what goes to which stream.

use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use serde_json::{Value, json};

use crate::params::{ARN, connector, definition, right_parameters, validate};
use crate::support::{Dir, Run, program};

/// What is neither a definition nor an answer nor parameters is called so.
const UNKNOWN_SHAPE: &str =
    "expected a connector definition with its connectors, a template that has one, or a Parameters object";

/// The hint that follows.
const HINT: &str = "
hint: give the output of `aws greengrass get-connector-definition-version --connector-definition-id ID \
                    --connector-definition-version-id VERSION`, a template as `cdk synth` prints it, or an object with the \
                    parameters; as JSON or YAML";

#[test]
fn a_verdict_is_0_or_1_in_either_format_and_says_nothing_on_standard_error() {
    let right = definition(&[connector(ARN, &right_parameters())]);
    let warned = right.to_string().replace("600", "601");
    let wrong = right.to_string().replace("600", "299");
    let other = right.to_string().replace("DeviceDefender", "SNS");
    for (code, stdin) in
        [(0, right.to_string()), (0, warned), (1, wrong), (1, other), (1, r#"{"Parameters":[]}"#.to_owned())]
    {
        for format in ["text", "json"] {
            for quiet in [&[][..], &["-q"], &["-v"]] {
                let run = validate(&[&["-", "--format", format], quiet].concat()).code(code).stdin(stdin.as_str());
                assert!(!run.output().is_empty());
            }
        }
    }
}

#[test]
fn the_command_line_wants_a_file_or_values_and_not_both() {
    let interval = ["--sample-interval-seconds", "300"];
    for args in [
        &[][..],
        &["--probe"],
        &["--format", "json"],
        &["-", interval[0], interval[1]],
        &[interval[0], interval[1], "connector.json"],
        &["-", "--proc-destination-path", "/a"],
        &["-", "--proc-destination-path-resource-id", "a"],
        &["-", "-"],
        &["a.json", "b.json"],
        &[""],
        &["--sample-interval-seconds"],
        &[interval[0], interval[1], interval[0], interval[1]],
        &["-", "--format", "yaml"],
        &["-", "--frob"],
    ] {
        let run = validate(args).finish();
        let told = String::from_utf8(run.stderr).unwrap();
        assert_eq!((run.status.code(), run.stdout.is_empty()), (Some(2), true), "{args:?}: {told}");
        let is_usage = told.starts_with("error: ") || told.starts_with("device-defender: ");
        assert!(is_usage && (told.contains("--help") || told.contains("(--format): must be")), "{args:?}: {told}");
    }
}

#[test]
fn probe_without_a_path_is_a_usage_error_whatever_else_is_given() {
    for args in [
        &["--sample-interval-seconds", "300"][..],
        &["--sample-interval-seconds", "5", "--format", "json"],
        &["--proc-destination-path-resource-id", ""],
        &["--proc-destination-path-resource-id", "a", "--sample-interval-seconds", "600"],
    ] {
        let told = "--probe requires a path\nhint: give --proc-destination-path, or a definition that has one";
        assert!(validate(&[args, &["--probe"]].concat()).code(2).stderr(told).output().is_empty(), "{args:?}");
    }
    // A file must have a path anyway: it is missed, and that is the verdict.
    let verdict = validate(&["-", "--probe", "--format", "json"]).code(1).stdin(r#"{"Parameters":{}}"#).json();
    assert_eq!((&verdict["valid"], &verdict["probe"]), (&json!(false), &json!([])));
}

/// Gives a document that is no definition to `validate-params`, in either format.
#[track_caller]
fn refused(stdin: &[u8], told: &str) {
    println!("{}", String::from_utf8_lossy(stdin));
    for format in ["text", "json"] {
        let run = validate(&["-", "--format", format]).stdin(stdin);
        run.code(65).stderr(&format!("standard input: {told}{HINT}")).prints_nothing();
    }
}

#[cfg(feature = "yaml")]
#[test]
fn what_is_neither_json_nor_yaml_is_reported_with_line_and_column() {
    refused(b"", "empty");
    refused(b"\xff\xfe{\0}\0", "UTF-16 text; convert it with iconv -f UTF-16 -t UTF-8");
    refused(b"\0\xff\x12", "not text: it contains bytes of value 0");
    refused(b"{\"a\": \0}", "not text: it contains bytes of value 0");
    refused(b"\n <html>", "an HTML page, such as a login or error page, instead of the file");
    for (stdin, told) in [
        ("a: 'b", "unclosed quote at line 1, column 4"),
        ("a: b\nc: d\na: e\n", "duplicate mapping key `a` is not allowed here at line 3, column 1"),
        ("a: [b\nc: d\n", "illegal placement of ':' indicator at line 2, column 2"),
        ("a: b\n--- \nc: d\n", "only single YAML document expected but multiple found at line 3, column 1"),
        ("a: *b\n", "reference to unknown value at line 1, column 4"),
        ("{a: b", "unclosed bracket '{' at line 1, column 1"),
    ] {
        refused(stdin.as_bytes(), &format!("read as YAML: {told}"));
    }
    for (stdin, told) in [
        (&b"{\"a\": 1,\n \"b\" 2}"[..], "expected `:` at line 2 column 6"),
        (b"{\"a\": \xff}", "expected value at line 1 column 7"),
        (b"{\"a\": \"\xff\"}", "invalid unicode code point at line 1 column 8"),
        (b"{\"a\": \"\n\"}", "control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0"),
        (b"{\n  \"SampleIntervalSeconds\":\n", "EOF while parsing a value at line 3 column 0"),
        (b"{\n  \"SampleIntervalSeconds\": \"600\",\n}\n", "trailing comma at line 3 column 1"),
        (b"{} {}", "trailing characters at line 1 column 4"),
        (b"{}\n{}\n", "trailing characters at line 2 column 1"),
        (&[b'['; 1000], "recursion limit exceeded at line 1 column 128"),
        ("{\"a\":".repeat(1000).as_bytes(), "recursion limit exceeded at line 1 column 636"),
    ] {
        refused(stdin, &format!("not JSON: {told}"));
    }
}

#[cfg(feature = "yaml")]
#[test]
fn json_of_no_known_shape_is_refused() {
    for document in [
        json!(null),
        json!(true),
        json!(600),
        json!("600"),
        json!([]),
        json!([{ "Id": "a" }]),
        json!({ "Resources": { "A": { "Type": "AWS::IoT::SecurityProfile" } }, "Parameters": { "ProcDestinationPath": {} } }),
        json!({}),
        json!({ "a": 1 }),
        json!({ "Definition": {} }),
        json!({ "Definition": [] }),
        json!({ "InitialVersion": null }),
        json!({ "Connectors": null }),
        json!({ "Connectors": {} }),
        json!({ "Connectors": { "0": "a" } }),
        json!({ "Arn": "a", "Id": "b", "LatestVersion": "c", "Name": "d" }),
        json!({ "Definition": { "Connectors": "a" } }),
    ] {
        refused(document.to_string().as_bytes(), UNKNOWN_SHAPE);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_reported_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("dir.json")).unwrap();
    symlink("loop.json", dir.path().join("loop.json")).unwrap();
    symlink("none.json", dir.path().join("dangling.json")).unwrap();
    fs::write(dir.path().join("big.json"), " ".repeat((1 << 20) + 1)).unwrap();
    fs::write(dir.path().join("file.json"), "{}").unwrap();
    let run = |file, format| Run::new(dir.path(), &["validate-params", file, "--format", format]);
    for (file, told) in [
        ("none.json", "none.json: No such file or directory (os error 2)"),
        ("dangling.json", "dangling.json: No such file or directory (os error 2)"),
        ("dir.json", "dir.json: Is a directory (os error 21)"),
        ("file.json/a", "file.json/a: Not a directory (os error 20)"),
        ("loop.json", "loop.json: Too many levels of symbolic links (os error 40)"),
        ("big.json", "big.json: larger than 1048576 bytes"),
        ("\u{1b}[2J.json", "\\u{1b}[2J.json: No such file or directory (os error 2)"),
    ] {
        for format in ["text", "json"] {
            run(file, format).code(66).stderr(told).prints_nothing();
        }
    }
    let mut no_text = Run::new(dir.path(), &["validate-params"]).code(66);
    no_text.command.arg(std::ffi::OsStr::from_bytes(b"\xff.json"));
    assert!(no_text.stderr("\u{fffd}.json: No such file or directory (os error 2)").output().is_empty());

    // The largest file that is read: it is judged.
    fs::write(dir.path().join("big.json"), " ".repeat((1 << 20) - 2) + "{}").unwrap();
    run("big.json", "json").code(65).stderr(&format!("big.json: {UNKNOWN_SHAPE}{HINT}")).prints_nothing();
}

#[test]
fn a_file_that_this_user_must_not_read_is_reported() {
    let dir = Dir::new();
    dir.write("secret.json", "{}");
    fs::set_permissions(dir.path("secret.json"), Permissions::from_mode(0o000)).unwrap();
    let run = Run::new(dir.root(), &["validate-params", "secret.json"]).by_nobody();
    run.code(66).stderr("secret.json: Permission denied (os error 13)").prints_nothing();
}

#[test]
fn a_full_disk_is_reported_and_a_reader_that_is_gone_is_not() {
    for format in ["text", "json"] {
        for (interval, code) in [("600", 0), ("5", 1)] {
            let run = || validate(&["--sample-interval-seconds", interval, "--format", format]);
            run().fails_on_a_full_disk();
            // Who asks for the exit code of a check must get it, whether or not the text was wanted.
            run().code(code).without_a_reader();
        }
    }
}

#[test]
fn standard_input_that_is_closed_is_empty() {
    let line = r#"exec "$0" validate-params - <&-"#;
    let output = Command::new("sh").env_clear().args(["-c", line, program()]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("device-defender: standard input: empty\n"), "{told}");
    assert_eq!(output.status.code(), Some(65));
}

#[test]
fn labels_are_colored_only_when_asked_and_json_never_is() {
    let args = ["--sample-interval-seconds", "0299", "--proc-destination-path", "/proc"];
    let plain = validate(&args).code(1).text();
    let colored = validate(&[&args[..], &["--color", "always"]].concat()).code(1).text();
    assert!(!plain.contains('\u{1b}') && colored.contains("\u{1b}[31mproblem\u{1b}[0m: "), "{colored}");
    assert!(colored.contains("\u{1b}[33mwarning\u{1b}[0m: ") && colored.contains("\u{1b}[31mnot valid\u{1b}[0m: "));
    let without: String = ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"]
        .iter()
        .fold(colored, |text, code| text.replace(code, ""));
    assert_eq!(without, plain);
    let json = validate(&[&args[..], &["--color", "always", "--format", "json"]].concat()).code(1).text();
    assert!(!json.contains('\u{1b}') && json.ends_with("}\n") && json.matches('\n').count() == 1);
    let verdict: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(verdict["valid"], json!(false));
}
