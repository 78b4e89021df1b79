//! Every message once, word for word: transcripts in `tests/params/golden/*.txt`. The same runs with `--format json` must
//! have the same findings; one JSON document is a snapshot too.
//!
//! In a transcript, `$` is the command line (left out if it is just `-`), `<` what is on standard input, `!` a line of
//! standard error. [`check_findings`] checks what follows from the findings, and leaves it out.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};
use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::{Value, json};

use crate::params::{ARN, PATTERNS, connector, definition, right_parameters, validate};
use crate::schema::assert_valid;
use crate::support::{assert_snapshot, assert_snapshot_of};

/// The rules of the parameters, in the order of [`PATTERNS`].
const RULES: [&str; 3] = [
    "a string of the digits 0 to 9, a number of seconds, 300 or more",
    "a string of letters a to z, digits, `_` and `-`, at least one",
    "a string of `/` and one name of letters a to z, digits, `_` and `-`",
];

/// One run: what it is about, its arguments, and what is on its standard input.
pub(super) struct Case {
    title: &'static str,
    args: Vec<String>,
    stdin: String,
}

/// A run with these arguments alone.
fn flags(title: &'static str, args: &[&str]) -> Case {
    Case { title, args: args.iter().map(|&arg| arg.to_owned()).collect(), stdin: String::new() }
}

/// A run with this on standard input.
pub(super) fn input(title: &'static str, stdin: impl Display) -> Case {
    Case { stdin: format!("{stdin}"), ..flags(title, &["-"]) }
}

/// Right parameters, with some changed, added, or (when null is given) taken out.
fn parameters(changes: &[(&str, Value)]) -> Value {
    let mut parameters = right_parameters();
    let object = parameters.as_object_mut().unwrap();
    for (name, value) in changes {
        match value {
            Value::Null => drop(object.remove(*name)),
            value => drop(object.insert((*name).to_owned(), value.clone())),
        }
    }
    parameters
}

/// The lines of a text, each behind a mark.
fn marked(mark: &str, text: &str) -> String {
    text.lines().fold(String::new(), |mut lines, line| {
        writeln!(lines, "{}", format!("{mark} {line}").trim_end()).unwrap();
        lines
    })
}

/// An argument as one would type it, more or less.
fn typed(arg: &str) -> String {
    let plain = !arg.is_empty() && arg.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    if plain { arg.to_owned() } else { format!("{arg:?}") }
}

/// Runs all cases in both formats, checks that the formats agree, and compares the transcript with `golden/NAME.txt`.
pub(super) fn golden(name: &str, cases: Vec<Case>) {
    let mut transcript = String::new();
    for Case { title, args, stdin } in cases {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = validate(&args).stdin(stdin.as_str()).finish();
        let (stdout, stderr) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
        let code = run.status.code().unwrap();
        assert!(stdout.is_empty() != stderr.is_empty(), "{title}: {stdout}{stderr}");
        writeln!(transcript, "# {title}").unwrap();
        if args != ["-"] {
            let typed = args.iter().map(|arg| " ".to_owned() + &typed(arg)).collect::<String>();
            writeln!(transcript, "$ device-defender validate-params{typed}").unwrap();
        }
        transcript += &marked("<", &stdin);

        let json = validate(&[&args[..], &["--format", "json"]].concat()).stdin(stdin).finish();
        assert_eq!(json.status.code(), Some(code), "{title}");
        if !stderr.starts_with("error: ") {
            // Else it shows the command line's usage, in which --format now has a place.
            assert_eq!(String::from_utf8(json.stderr).unwrap(), stderr, "{title}");
        }
        if stdout.is_empty() {
            assert!(json.stdout.is_empty(), "{title}");
            writeln!(transcript, "{}=> {code}\n", marked("!", &stderr)).unwrap();
            continue;
        }
        let verdict: Value = serde_json::from_slice(&json.stdout).unwrap();
        check_shape(&verdict);
        assert_eq!(verdict["valid"], json!(code == 0), "{title}");
        writeln!(transcript, "{}", check_findings(&verdict, &stdout)).unwrap();
    }
    assert_snapshot_of(&format!("params/golden/{name}.txt"), transcript);
}

/// Checks that the text has the findings of the JSON document, each with all its fields, and no others, and that its last
/// line counts them. Returns the text without that line, and with a mark for the rule and the pattern of a parameter.
fn check_findings(verdict: &Value, text: &str) -> String {
    let is_finding = |line: &&str| {
        ["problem: ", "warning: ", "  rule: ", "  pattern: ", "  remedy: "].iter().any(|label| line.starts_with(label))
    };
    let mut lines = text.lines().filter(is_finding);
    for (list, label) in [("problems", "problem: "), ("warnings", "warning: ")] {
        for finding in verdict[list].as_array().unwrap() {
            let head = lines.next().unwrap_or_default();
            let [name, message] = ["name", "message"].map(|field| finding[field].as_str().unwrap());
            assert!(head.starts_with(label) && head.contains(name) && head.ends_with(message), "{head}: {finding}");
            for field in ["rule", "pattern", "remedy"] {
                if let Some(value) = finding[field].as_str() {
                    let line = lines.next().unwrap_or_default().trim();
                    let (label, shown) = line.split_once(':').unwrap();
                    assert_eq!((label, shown.trim()), (field, value), "{finding}");
                }
            }
        }
    }
    assert_eq!(lines.next(), None, "{verdict}");
    let count = |list: &str, one: &str| match verdict[list].as_array().unwrap().len() {
        0 => format!("no {one}s"),
        1 => format!("1 {one}"),
        several => format!("{several} {one}s"),
    };
    let valid = if verdict["problems"] == json!([]) { "valid" } else { "not valid" };
    let counted = format!("{valid}: {}, {}\n", count("problems", "problem"), count("warnings", "warning"));
    let told = text.strip_suffix(&counted).unwrap_or_else(|| panic!("{text}does not end with {counted}")).to_owned();
    PATTERNS.iter().zip(RULES).fold(told, |told, ((parameter, pattern), rule)| {
        told.replace(&format!("\n  rule:    {rule}\n  pattern: {pattern}\n"), &format!(" [RULE OF {parameter}]\n"))
    })
}

#[test]
fn the_json_document_has_every_field() {
    let other = connector("arn:aws:greengrass:us-west-2::/connectors/SNS/versions/4", &json!({}));
    let wrong = parameters(&[("SampleIntervalSeconds", json!(60)), ("procDestinationPath", json!("/a"))]);
    let warned = parameters(&[("SampleIntervalSeconds", json!("0301"))]);
    let connectors = [other, connector(ARN, &wrong), connector(ARN, &warned)];
    let json = validate(&["-", "--format", "json"]).stdin(definition(&connectors).to_string()).code(1).text();
    assert_snapshot(
        json.replace("},{", "},\n{").replace("\":[{", "\":[\n{"),
        snapbox::str![[r#"
{"version":1,"valid":false,"connectors":[
{"id":"my-connector","arn":"arn:aws:greengrass:us-west-2::/connectors/SNS/versions/4","checked":false},
{"id":"my-connector","arn":"arn:aws:greengrass:::/connectors/DeviceDefender/versions/3","checked":true},
{"id":"my-connector","arn":"arn:aws:greengrass:::/connectors/DeviceDefender/versions/3","checked":true}],"problems":[
{"connector":1,"name":"SampleIntervalSeconds","value":60,"message":"is a number, not a string","rule":"a string of the digits 0 to 9, a number of seconds, 300 or more","pattern":"^[0-9]*(?:3[0-9][0-9]|[4-9][0-9]{2}|[1-9][0-9]{3,})$","remedy":"give a string, such as \"300\""},
{"connector":1,"name":"SampleIntervalSeconds","value":60,"message":"is below 300","rule":"a string of the digits 0 to 9, a number of seconds, 300 or more","pattern":"^[0-9]*(?:3[0-9][0-9]|[4-9][0-9]{2}|[1-9][0-9]{3,})$","remedy":"give \"300\" or more: the service takes a report every 5 minutes"}],"warnings":[
{"connector":1,"name":"procDestinationPath","value":null,"message":"is not a parameter of this connector","rule":null,"pattern":null,"remedy":"remove it"},
{"connector":2,"name":"SampleIntervalSeconds","value":"0301","message":"has leading zeros","rule":null,"pattern":null,"remedy":"write \"301\""},
{"connector":2,"name":"SampleIntervalSeconds","value":"0301","message":"is not a whole number of minutes","rule":null,"pattern":null,"remedy":"use a multiple of 60"},
{"connector":2,"name":"SampleIntervalSeconds","value":"0301","message":"does not divide any durationSeconds that a behavior can have","rule":null,"pattern":null,"remedy":"use a divisor of 300, 600, 900, 1800 or 3600, such as \"600\""},
{"connector":null,"name":"definition","value":null,"message":"has several DeviceDefender connectors","rule":null,"pattern":null,"remedy":"keep one for each group; watch --params uses the first"}],"probe":null}

"#]],
    );
}

/// The fields of the JSON document, and those of the objects in its lists, as the man page has them.
pub(crate) const FIELDS: [(&str, &[&str]); 6] = [
    ("version", &[]),
    ("valid", &[]),
    ("connectors", &["id", "arn", "checked"]),
    ("problems", &["connector", "name", "value", "message", "rule", "pattern", "remedy"]),
    ("warnings", &["connector", "name", "value", "message", "rule", "pattern", "remedy"]),
    ("probe", &["path", "usable", "exists", "procfs", "net", "own_namespace", "hidepid", "problem", "remedy"]),
];

/// Checks that a document has exactly the documented fields, of the documented types.
pub(crate) fn check_shape(verdict: &Value) {
    let keys = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let set = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|&name| name.to_owned()).collect() };
    assert_eq!(keys(verdict), set(&FIELDS.map(|(name, _)| name)), "{verdict}");
    assert!(verdict["valid"].is_boolean());
    assert_valid("validate-params", verdict);
    for (list, fields) in &FIELDS[2..] {
        if *list == "probe" && verdict[list].is_null() {
            continue;
        }
        for entry in verdict[list].as_array().unwrap() {
            assert_eq!(keys(entry), set(fields), "{list}: {entry}");
            for (name, value) in entry.as_object().unwrap() {
                let right = match name.as_str() {
                    "name" | "message" | "path" => value.is_string(),
                    "remedy" if *list != "probe" => value.is_string(),
                    "checked" | "usable" | "exists" | "procfs" | "hidepid" => value.is_boolean(),
                    "connector" => value.is_u64() || value.is_null(),
                    "own_namespace" => value.is_boolean() || value.is_null(),
                    "value" => true,
                    _ => value.is_string() || value.is_null(),
                };
                assert!(right, "{list}: {name}: {value}");
            }
        }
    }
}

#[test]
fn the_man_page_names_the_fields_of_the_json_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/device-defender-validate-params.1");
    let page = fs::read_to_string(path).unwrap().replace("\\-", "-");
    let section = page.split(".SH ").find(|section| section.starts_with("\"JSON OUTPUT\"")).unwrap();
    let mut named = Vec::new();
    for entry in section.split(".TP\n").skip(1) {
        let (fields_named, text) = entry.split_once('\n').unwrap();
        for name in fields_named.trim_start_matches("\\fB").trim_end_matches("\\fR").split(", ") {
            let (_, fields) = FIELDS.iter().find(|(known, _)| *known == name).unwrap();
            let all = fields.iter().fold("(?s)".to_owned(), |all, field| all + r"\b" + field + r"\b.*");
            assert!(Regex::new(&all).unwrap().is_match(text), "{name}, in this order: {fields:?}: {text}");
            named.push(name);
        }
    }
    assert_eq!(named, FIELDS.map(|(name, _)| name));
}

const INTERVAL: &str = "--sample-interval-seconds";
const PATH: &str = "--proc-destination-path";
const RESOURCE_ID: &str = "--proc-destination-path-resource-id";

#[test]
fn messages_about_an_interval() {
    let case = |title, value: &str| flags(title, &[INTERVAL, value]);
    golden(
        "interval",
        vec![
            case("the least one", "300"),
            case("below it", "299"),
            case("empty", ""),
            case("a line break at the end", "300\n"),
            case("white space at the front", " 300"),
            case("a no-break space", "300\u{a0}"),
            case("a plus sign", "+300"),
            case("digits of another script", "\u{663}\u{660}\u{660}"),
            case("a unit", "5m"),
            case("a letter that is not seen", "300\u{200b}"),
            case("the most that can be waited for", "4294967295"),
            case("more than can be waited for", "4294967296"),
            case("leading zeros", "0300"),
            case("no whole number of minutes, and no part of a window", "301"),
            case("no whole number of minutes, but a part of a window", "450"),
            case("longer than every window", "7200"),
        ],
    );
}

#[test]
fn messages_about_a_path() {
    let case = |title, value: &str| flags(title, &[PATH, value]);
    golden(
        "path",
        vec![
            case("right", "/host_proc"),
            case("/proc itself", "/proc"),
            case("empty", ""),
            case("nothing but a slash", "/"),
            case("no slash at the front", "host_proc"),
            case("a slash at the end", "/host_proc/"),
            case("two levels", "/host/proc"),
            case("a line break at the end", "/host_proc\r\n"),
            case("white space", "/host proc"),
            case("a dot", "/host.proc"),
            case("a letter beyond ASCII", "/h\u{f6}st"),
        ],
    );
}

#[test]
fn messages_about_a_resource_id() {
    let case = |title, value: &str| flags(title, &[RESOURCE_ID, value]);
    golden(
        "resource_id",
        vec![
            case("right", "my-proc-resource"),
            case("right, and like a flag", "--probe"),
            case("empty", ""),
            case("a line break at the end", "my-proc-resource\n"),
            case("white space", "my proc"),
            case("a colon, which other Greengrass ids may have", "my:proc"),
            case("a letter beyond ASCII", "r\u{e9}source"),
        ],
    );
}

#[test]
fn messages_about_a_parameters_object() {
    golden(
        "parameters",
        vec![
            input(
                "all wrong at once, and always in the same order",
                json!({
                    "ProcDestinationPath": "/", "ProcDestinationPath-ResourceId": "", "SampleIntervalSeconds": "5"
                }),
            ),
            input(
                "numbers instead of strings",
                json!({
                    "SampleIntervalSeconds": 600, "ProcDestinationPath-ResourceId": 7, "ProcDestinationPath": -1.5
                }),
            ),
            input("a number that would be wrong in quotes, too", parameters(&[("SampleIntervalSeconds", json!(60))])),
            input(
                "other types instead of strings",
                json!({
                    "SampleIntervalSeconds": ["600"], "ProcDestinationPath-ResourceId": true, "ProcDestinationPath": { "a": "/b" }
                }),
            ),
            input(
                "null instead of a string",
                r#"{"SampleIntervalSeconds":null,"ProcDestinationPath":"/host_proc","ProcDestinationPath-ResourceId":"my-proc-resource"}"#,
            ),
            input("two missing", json!({ "SampleIntervalSeconds": "600" })),
            input("an empty object that is called Parameters", json!({ "Parameters": {} })),
            input(
                "misspelled names",
                json!({
                    "SampleIntervalSecs": "600", "ProcDestinationPathResourceId": "my:proc", "procDestinationPath": "/host_proc"
                }),
            ),
            input("a misspelled name beside the right one", parameters(&[("sampleintervalseconds", json!("300"))])),
            input("an unknown one", parameters(&[("IsolationMode", json!("GreengrassContainer"))])),
            input(
                "a value that is there twice: the last one counts",
                r#"{"Parameters":{"SampleIntervalSeconds":"600","SampleIntervalSeconds":"5","ProcDestinationPath":"/host_proc","ProcDestinationPath-ResourceId":"my-proc-resource"}}"#,
            ),
        ],
    );
}

#[test]
fn messages_about_connectors() {
    let right = right_parameters();
    let other = connector("arn:aws:greengrass:us-west-2::/connectors/SNS/versions/4", &json!({ "DefaultSNSArn": "a" }));
    let ours = connector(ARN, &right);
    let with_arn = |arn: &str| definition(&[connector(arn, &right)]);
    let long = "arn:aws:greengrass:us-west-2:123456789012:/connectors/DeviceDefender/versions/none-that-there-ever-was";
    golden(
        "connectors",
        vec![
            input("ours among others", definition(&[other.clone(), ours.clone(), other.clone()])),
            input("none", definition(&[])),
            input("only others", definition(std::slice::from_ref(&other))),
            input(
                "two of ours, both wrong",
                definition(&[
                    connector(ARN, &parameters(&[("SampleIntervalSeconds", json!("5"))])),
                    other,
                    connector(
                        ARN,
                        &parameters(&[("ProcDestinationPath", json!("/proc")), ("SampleIntervalSeconds", Value::Null)]),
                    ),
                ]),
            ),
            input(
                "a version that is not known",
                with_arn("arn:aws:greengrass:::/connectors/DeviceDefender/versions/4"),
            ),
            input("an ARN without a version", with_arn("arn:aws:greengrass:::/connectors/DeviceDefender")),
            input(
                "an ARN of another service",
                with_arn("arn:aws:lambda:us-west-2:123456789012:function:DeviceDefender"),
            ),
            input("a long ARN that is wrong at its end", with_arn(long)),
            input("an ARN with a line break", with_arn(&format!("{ARN}\n"))),
            input("no ARN at all, but a name", definition(&[connector("DeviceDefender", &right)])),
            input("an ARN that is no string", json!({ "ConnectorArn": 3, "Parameters": right })),
            input(
                "something wrong, and not even ours",
                definition(&[connector("arn:aws:greengrass", &right), ours.clone()]),
            ),
            input("a connector without ARN and parameters", definition(&[json!({ "Id": "a" }), ours])),
            input("no parameters", definition(&[json!({ "Id": "a", "ConnectorArn": ARN })])),
            input("parameters that are no object", definition(&[connector(ARN, &json!("600"))])),
        ],
    );
}

#[test]
fn messages_about_the_command_line() {
    golden(
        "failures",
        vec![
            flags("neither a file nor a value", &[]),
            flags("a file and a value", &["connector.json", INTERVAL, "300"]),
        ],
    );
}
