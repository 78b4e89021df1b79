//! What a file holds never drives the terminal, and never floods it.

use std::fmt::Write as _;

use crate::params::patterns::check_value;
use device_defender::internals::params::Parameter;
use serde_json::{Value, json};

use crate::params::{ARN, connector, definition, right_parameters, validate};

/// What a terminal may act upon, or a reader may be misled by: the escape character and its eight-bit kin, line and page
/// breaks, deletion; marks and overrides of direction, invisible letters, tags.
const HARMFUL: [&str; 32] = [
    "\0", "\u{7}", "\u{8}", "\t", "\n", "\u{b}", "\u{c}", "\r", "\u{1b}[2J", "\u{1b}]0;title\u{7}", "\u{1b}P",
    "\u{7f}", "\u{84}", "\u{85}", "\u{90}", "\u{9b}31m", "\u{9d}", "\u{ad}", "\u{61c}", "\u{200b}", "\u{200e}",
    "\u{200f}", "\u{2028}", "\u{2029}", "\u{202a}", "\u{202e}", "\u{2066}", "\u{2069}", "\u{2060}", "\u{feff}",
    "\u{fff9}", "\u{e0041}",
];

/// Whether a character may stand in what is written for people.
fn is_harmless(c: char) -> bool {
    let invisible = [0xad, 0x61c, 0x180e, 0xfeff];
    let ranges = [0x200b..=0x200f, 0x2028..=0x202e, 0x2060..=0x206f, 0xfff9..=0xfffb, 0xe0000..=0xe007f];
    let code = u32::from(c);
    c == '\n' || !(c.is_control() || invisible.contains(&code) || ranges.iter().any(|range| range.contains(&code)))
}

/// Definitions that have this text at every place where a text can be.
fn everywhere(text: &str) -> Vec<Value> {
    let right = right_parameters();
    let parameters = |name: &str, value: &str| {
        let mut parameters = right.clone();
        parameters[name] = value.into();
        parameters
    };
    let skipped = format!("arn:aws:greengrass:::/connectors/{text}/versions/1");
    vec![
        json!({ "Parameters": parameters("SampleIntervalSeconds", text) }),
        json!({ "Parameters": parameters("ProcDestinationPath-ResourceId", text) }),
        json!({ "Parameters": parameters("ProcDestinationPath", text) }),
        json!({ "Parameters": parameters("ProcDestinationPath", &format!("/a{text}")) }),
        json!({ "Parameters": parameters(text, text) }),
        json!({ "Parameters": parameters(&format!("SampleIntervalSeconds{text}"), "600") }),
        json!({ "Parameters": { "SampleIntervalSeconds": [text], "ProcDestinationPath": { text: text } } }),
        json!({ "ConnectorArn": ARN, "Parameters": text }),
        definition(&[connector(text, &right), connector(ARN, &right)]),
        definition(&[connector(&skipped, &right), connector(ARN, &right)]),
        definition(&[connector(&format!("{ARN}{text}"), &right)]),
        definition(&[json!({ "Id": text, "ConnectorArn": { text: text } })]),
    ]
}

/// What is written for people about a document, whatever the verdict.
fn told(document: &Value) -> String {
    let run = validate(&["-"]).stdin(document.to_string()).finish();
    let code = run.status.code();
    assert!(matches!(code, Some(0 | 1)) && run.stderr.is_empty(), "{document}: {code:?}");
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn no_text_of_a_file_reaches_the_terminal_as_it_is() {
    for harmful in HARMFUL {
        for document in everywhere(harmful) {
            let told = told(&document);
            assert!(told.chars().all(is_harmless), "{document}: {told:?}");
            let kinds =
                ["problem: ", "warning: ", "skipped: ", "  rule: ", "  pattern: ", "  remedy: ", "valid", "not valid"];
            let forged = told.lines().find(|line| !kinds.iter().any(|kind| line.starts_with(kind)));
            assert_eq!(forged, None, "{document}: {told}");
        }
    }
}

#[test]
fn a_value_that_is_escaped_can_still_be_read() {
    for (value, shown) in [
        ("300\u{1b}[31m", r#""300\u001b[31m""#),
        ("300\n", r#""300\n""#),
        ("3\u{202e}00", r#""3\u{202e}00""#),
        ("3\u{9b}00", r#""3\u{9b}00""#),
        ("\"300\"", r#""\"300\"""#),
        ("trois cents \u{e9}t\u{e9}s", "\"trois cents \u{e9}t\u{e9}s\""),
    ] {
        let told = validate(&["--sample-interval-seconds", value]).code(1).text();
        assert!(told.starts_with(&format!("problem: SampleIntervalSeconds: {shown} ")), "{told}");
        // JSON has the value itself.
        let verdict = validate(&["--sample-interval-seconds", value, "--format", "json"]).code(1).json();
        assert_eq!(verdict["problems"][0]["value"], json!(value));
    }
}

/// The longest line that may be written about one thing, however long the thing is.
const LONG: usize = 250;

fn has_no_long_line(document: &Value) {
    let told = told(document);
    let longest = told.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= LONG, "{longest} characters in a line: {}", told.chars().take(300).collect::<String>());
}

#[test]
fn a_long_value_is_cut() {
    for long in ["9".repeat(100_000), "\u{202e}".repeat(1000), "/a".repeat(5000), "\u{1f600}".repeat(1000)] {
        let mut parameters = right_parameters();
        parameters["SampleIntervalSeconds"] = long.as_str().into();
        has_no_long_line(&json!({ "Parameters": parameters }));
        parameters["SampleIntervalSeconds"] = json!([long]);
        has_no_long_line(&json!({ "Parameters": parameters }));
        has_no_long_line(&definition(&[connector(&format!("{ARN}{long}"), &right_parameters())]));
        let verdict =
            validate(&["-", "--format", "json"]).stdin(json!({ "Parameters": long }).to_string()).code(1).json();
        assert_eq!(verdict["problems"][0]["value"], json!(long));
    }
    let exactly = "9".repeat(98); // a hundred characters with its quotes
    let told = validate(&["--sample-interval-seconds", &exactly]).code(1).text();
    assert!(told.starts_with(&format!("problem: SampleIntervalSeconds: \"{exactly}\" matches")), "{told}");
    let told = validate(&["--sample-interval-seconds", &format!("{exactly}9")]).code(1).text();
    assert!(told.starts_with(&format!("problem: SampleIntervalSeconds: \"{exactly}9\u{2026}\" matches")), "{told}");
}

#[test]
fn a_long_name_or_arn_is_cut_too() {
    let long = "a".repeat(10_000);
    let mut parameters = right_parameters();
    parameters[&long] = json!("1");
    has_no_long_line(&json!({ "Parameters": parameters }));
    let skipped = format!("arn:aws:greengrass:::/connectors/{long}/versions/1");
    has_no_long_line(&definition(&[connector(&skipped, &right_parameters()), connector(ARN, &right_parameters())]));
}

#[test]
fn a_long_number_is_cut_too() {
    let told = validate(&["-"]).code(1).stdin(format!("{{\"SampleIntervalSeconds\":{}}}", "6".repeat(300))).text();
    let longest = told.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= LONG, "{longest} characters in a line");
}

#[test]
fn a_number_is_to_be_put_in_quotes_only_if_it_is_right_in_quotes() {
    let mut advised = 0;
    for (parameter, number) in [
        (Parameter::SampleIntervalSeconds, "600"),
        (Parameter::SampleIntervalSeconds, "60"),
        (Parameter::SampleIntervalSeconds, "-600"),
        (Parameter::SampleIntervalSeconds, "600.0"),
        (Parameter::SampleIntervalSeconds, "6e2"),
        (Parameter::SampleIntervalSeconds, "4294967296"),
        (Parameter::ProcDestinationPath, "600"),
        (Parameter::ProcDestinationPathResourceId, "7"),
        (Parameter::ProcDestinationPathResourceId, "0.5"),
    ] {
        let stdin = format!("{{\"{parameter}\":{number}}}");
        let verdict = validate(&["-", "--format", "json"]).code(1).stdin(stdin).json();
        let problems = verdict["problems"].as_array().unwrap();
        let ours = problems.iter().find(|problem| problem["name"] == parameter.name()).unwrap();
        let quoted = ours["remedy"].as_str().unwrap().strip_prefix("put it in quotes: \"");
        if let Some(quoted) = quoted.and_then(|rest| rest.strip_suffix('"')) {
            advised += 1;
            assert!(
                check_value(parameter, quoted).is_ok(),
                "{number} is advised to be {quoted:?}, which is wrong: {ours}"
            );
        }
    }
    assert!(advised >= 2, "600 and 7 need nothing but quotes");
}

#[test]
fn large_files_are_judged() {
    let many_parameters: String = (0..40_000).fold(String::new(), |mut text, n| {
        write!(text, "\"k{n}\":\"1\",").unwrap();
        text
    });
    let many_connectors = format!("{},", connector(ARN, &right_parameters())).repeat(4000);
    for (what, text) in [
        ("many parameters", format!("{{\"Parameters\":{{{}}}}}", many_parameters.trim_end_matches(','))),
        ("many connectors", format!("{{\"Connectors\":[{}]}}", many_connectors.trim_end_matches(','))),
        ("a long name", json!({ "Parameters": { "S".repeat(1_000_000): "1" } }).to_string()),
        ("a long value", json!({ "Parameters": { "SampleIntervalSeconds": "9".repeat(1_000_000) } }).to_string()),
    ] {
        let run = validate(&["-"]).stdin(text).finish();
        assert!(matches!(run.status.code(), Some(0 | 1)) && run.stderr.is_empty(), "{what}");
    }
}
