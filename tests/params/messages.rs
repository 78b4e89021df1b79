//! Every message once, word for word: transcripts in `tests/params/golden/*.txt`, and the same runs with `--format json`
//! in `*.json` beside them.
//!
//! In a transcript, `$` is the command line, `<` what is on standard input, `!` a line of standard error.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};
use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::{ARN, compare, connector, definition, golden_dir, right_parameters, validate};

/// One run: what it is about, its arguments, and what is on its standard input.
struct Case {
    title: &'static str,
    args: Vec<String>,
    stdin: String,
}

/// A run with these arguments alone.
fn flags(title: &'static str, args: &[&str]) -> Case {
    Case { title, args: args.iter().map(|&arg| arg.to_owned()).collect(), stdin: String::new() }
}

/// A run with this on standard input.
fn input(title: &'static str, stdin: impl Display) -> Case {
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

/// Runs all cases in both formats, checks that the formats agree, and holds them against the golden files `name`.txt and
/// `name`.json.
fn golden(name: &str, cases: Vec<Case>) {
    let mut transcript = String::new();
    let mut verdicts = Map::new();
    for Case { title, args, stdin } in cases {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = validate(&args).stdin(stdin.as_str()).finish();
        let (stdout, stderr) = (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
        let code = run.status.code().unwrap();
        assert!(stdout.is_empty() != stderr.is_empty(), "{title}: {stdout}{stderr}");
        let line =
            args.iter().fold("$ device-defender validate-params".to_owned(), |line, arg| line + " " + &typed(arg));
        let (stdin_lines, stderr_lines) = (marked("<", &stdin), marked("!", &stderr));
        writeln!(transcript, "# {title}\n{line}\n{stdin_lines}{stdout}{stderr_lines}=> {code}\n").unwrap();

        let json = validate(&[&args[..], &["--format", "json"]].concat()).stdin(stdin).finish();
        assert_eq!(json.status.code(), Some(code), "{title}");
        if !stderr.starts_with("error: ") {
            // Else it shows the command line's usage, in which --format now has a place.
            assert_eq!(String::from_utf8(json.stderr).unwrap(), stderr, "{title}");
        }
        if let Ok(verdict) = serde_json::from_slice::<Value>(&json.stdout) {
            check_shape(&verdict);
            assert_eq!(verdict["valid"], json!(code == 0), "{title}");
            for (list, label) in [("problems", "problem: "), ("warnings", "warning: ")] {
                let told: Vec<&str> = stdout.lines().filter(|line| line.starts_with(label)).collect();
                let findings = verdict[list].as_array().unwrap();
                assert_eq!(told.len(), findings.len(), "{title}: {stdout}");
                for (line, finding) in told.into_iter().zip(findings) {
                    assert!(line.contains(finding["name"].as_str().unwrap()), "{title}: {line}: {finding}");
                }
            }
            assert!(verdicts.insert(title.to_owned(), verdict).is_none(), "{title} is there twice");
        } else {
            assert!(json.stdout.is_empty() && stdout.is_empty(), "{title}");
        }
    }
    compare(&format!("{name}.txt"), &transcript);
    if !verdicts.is_empty() {
        compare(&format!("{name}.json"), &(serde_json::to_string_pretty(&verdicts).unwrap() + "\n"));
    }
}

/// The fields of the JSON document, and those of the objects in its lists, as the man page has them.
pub(crate) const FIELDS: [(&str, &[&str]); 5] = [
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
    for (list, fields) in &FIELDS[1..] {
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
            case("nothing but zeros", "000"),
            case("empty", ""),
            case("a line break at the end", "300\n"),
            case("white space at the front", " 300"),
            case("a no-break space", "300\u{a0}"),
            case("a plus sign", "+300"),
            case("a minus sign", "-300"),
            case("digits of another script", "\u{663}\u{660}\u{660}"),
            case("a fraction", "300.0"),
            case("a unit", "5m"),
            case("a letter that is not seen", "300\u{200b}"),
            case("the most that can be waited for", "4294967295"),
            case("more than can be waited for", "4294967296"),
            case("four hundred digits", &"9".repeat(400)),
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
            case("two slashes", "//"),
            case("a line break at the end", "/host_proc\r\n"),
            case("white space", "/host proc"),
            case("a dot", "/host.proc"),
            case("a letter beyond ASCII", "/h\u{f6}st"),
            case("a letter that looks like another", "/h\u{43e}st_proc"),
            case("an escape sequence", "/\u{1b}[31mproc"),
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
                "misspelt names",
                json!({
                    "SampleIntervalSecs": "600", "ProcDestinationPathResourceId": "my:proc", "procDestinationPath": "/host_proc"
                }),
            ),
            input("a misspelt name beside the right one", parameters(&[("sampleintervalseconds", json!("300"))])),
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
fn messages_about_what_cannot_be_judged() {
    golden(
        "failures",
        vec![
            flags("neither a file nor a value", &[]),
            flags("a file and a value", &["connector.json", INTERVAL, "300"]),
            flags("--probe without a path", &[INTERVAL, "300", "--probe"]),
            flags("no such file", &["tests/params/golden/none.json"]),
            flags("a directory", &["tests/params"]),
            input("empty", ""),
            input("cut off", "{\n  \"SampleIntervalSeconds\":\n"),
            input("a comma too many", "{\n  \"SampleIntervalSeconds\": \"600\",\n}\n"),
            input("YAML", "SampleIntervalSeconds: '600'\n"),
            input("two documents", "{}\n{}\n"),
            input("nested too deep", "[".repeat(128)),
            input("a list", "[]"),
            input("a string", "\"600\""),
            input("an empty object", "{}"),
            input("an object of another kind", json!({ "Arn": "a", "Id": "b", "LatestVersion": "c", "Name": "d" })),
            input("connectors that are no list", json!({ "Connectors": { "0": "a" } })),
        ],
    );
}

/// The messages that stand in these files of the source: all strings that have a space, but those of comments, with `.*`
/// for what is filled in.
fn messages_in(source: &str) -> Vec<Regex> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//") && !line.contains("reason =");
    let code = source.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    let code = Regex::new(r"(?m) // .*$").unwrap().replace_all(&code, "").into_owned();
    let string = Regex::new(r#"(?s)"((?:[^"\\]|\\.)*)""#).unwrap();
    let filled_in = Regex::new(r"\\\{[^}]*\\\}").unwrap();
    let texts =
        string.captures_iter(&code).map(|found| found[1].replace("\\\"", "\"")).filter(|text| text.contains(' '));
    let patterns = texts.map(|text| filled_in.replace_all(&regex::escape(&text), ".*").replace(r"\\n", r"\n"));
    patterns.map(|pattern| Regex::new(&pattern).unwrap()).collect()
}

#[test]
fn every_message_in_the_source_is_in_a_golden_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts = fs::read_dir(golden_dir()).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let golden: String = texts.map(|text| text.replace("\\\"", "\"")).collect();
    let mut found = 0;
    for file in ["params.rs", "params/definition.rs", "commands/validate_params/probe.rs"] {
        for message in messages_in(&fs::read_to_string(root.join("src").join(file)).unwrap()) {
            found += 1;
            assert!(message.is_match(&golden), "src/{file}: no golden case for {message}");
        }
    }
    assert!(found > 60, "only {found}: is that all?");
}
