//! Which form a stream has, and that no report speaks for another thing.

use std::io::Write;
use std::process::Stdio;

use device_defender::internals::detect::{Metric, ReadError, Received, Reports};
use serde_json::{Value, json};

use crate::detect::{message, only_22};
use crate::support::broker::mosquitto::Broker;
use crate::support::{Dir, spawn, to_cbor, tool};

const BASE: u64 = 1_700_000_000;

/// A report of this time with this listening TCP port.
fn report(time: u64, port: u16) -> Value {
    json!({"header": {"report_id": BASE + time, "version": "1.0"},
           "metrics": {"listening_tcp_ports": {"total": 1, "ports": [{"port": port}]}}})
}

fn topic(thing: &str) -> String {
    format!("$aws/things/{thing}/defender/metrics/json")
}

/// A line as `mosquitto_sub -v` prints it.
fn after_topic(thing: &str, report: &str) -> String {
    format!("{} {report}\n", topic(thing))
}

/// A line as `mosquitto_sub -F '%x %t'` prints it.
fn hex(thing: &str, report: &[u8]) -> String {
    format!("{} {}\n", digits(report), topic(thing))
}

/// How a report of a thing is printed.
type Line = fn(&str, &Value) -> String;

fn digits(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}

/// The things and ids of the reports, `-` for a thing that is not known, and `!` for each error.
fn read(input: impl AsRef<[u8]>) -> String {
    let read = |item| match item {
        Ok(Received { thing, observation, .. }) => {
            let id = observation.report_id.map_or_else(String::new, |id| (id - BASE).to_string());
            thing.map_or_else(|| "-".to_owned(), |thing| thing.to_string()) + &id
        }
        Err(_) => "!".to_owned(),
    };
    Reports::new(input.as_ref()).map(read).collect::<Vec<String>>().join(" ")
}

#[test]
fn the_first_line_decides_the_form() {
    let bare = format!("{}\n", report(1, 22));
    let topic = after_topic("a", &report(2, 22).to_string());
    let json = message("b", &report(3, 22).to_string());
    let hex = hex("c", report(4, 22).to_string().as_bytes());
    let garbage = "garbage\n".to_owned();
    for (lines, expected) in [
        ([&bare, &topic, &json, &hex, &bare], "-1 ! ! ! -1"),
        ([&topic, &bare, &json, &garbage, &topic], "a2 ! ! ! a2"),
        ([&json, &bare, &topic, &hex, &json], "b3 ! ! ! b3"),
        ([&hex, &bare, &topic, &json, &hex], "c4 ! ! ! c4"),
        ([&garbage, &topic, &json, &hex, &bare], "! ! ! ! -1"),
        ([&"some/topic {}\n".to_owned(), &json, &garbage, &bare, &topic], "! ! ! ! a2"),
        ([&"some/topic\n".to_owned(), &json, &garbage, &bare, &topic], "! ! ! ! a2"),
    ] {
        let text: String = lines.into_iter().cloned().collect();
        assert_eq!(read(&text), expected, "{text}");
        assert_eq!(read(format!("\u{feff}{text}")), expected, "{text}");
        assert_eq!(read(format!("\n \r\n{}", text.replace('\n', "\r\n\n"))), expected, "{text}");
    }
}

#[test]
fn a_first_message_without_a_report_has_a_form() {
    assert_eq!(read(hex("a", b"") + &hex("b", report(1, 22).to_string().as_bytes())), "! b1");
    assert_eq!(read(message("a", "") + &message("b", &report(1, 22).to_string())), "! b1");
    assert_eq!(read(after_topic("a", "") + &after_topic("a", &report(1, 22).to_string())), "! a1");
}

#[test]
fn a_first_line_that_is_too_long_does_not_let_its_sender_choose_the_form() {
    let long = "x".repeat(3 << 20);
    let forged = message("victim", &report(1, 23).to_string());
    assert_eq!(
        read(after_topic("a", &format!("{long}\n{forged}{}", after_topic("a", &report(2, 22).to_string())))),
        "! ! a2"
    );
    let next = message("b", &report(3, 22).to_string());
    assert_eq!(read(message("a", &long) + &next), "! b3");
    assert_eq!(read(hex("a", long.as_bytes()) + &hex("b", report(4, 22).to_string().as_bytes())), "! b4");
}

#[test]
fn messages_of_many_things_are_separated() {
    let events = |stream: &str, args: &[&str]| {
        let lines = Dir::with_profile(&only_22(2, 1)).judge(stream, args).code(1).lines();
        let event =
            |event: &Value| (event["thingName"].as_str().unwrap().to_owned(), event["violationEventTime"].clone());
        lines.iter().map(event).collect::<Vec<_>>()
    };
    let expected = [("a".to_owned(), json!((BASE + 600) * 1000)), ("b b".to_owned(), json!((BASE + 900) * 1000))];
    let reports = [
        ("a", report(300, 23)),
        ("b b", report(299, 22)),
        ("a", report(600, 23)),
        ("b b", report(600, 23)),
        ("b b", report(900, 23)),
    ];
    let forms: [Line; 4] = [
        |thing, report| message(thing, &report.to_string()),
        |thing, report| format!("{}\n", json!({"payload": report, "topic": format!("site/{}", topic(thing))})), // %J, over a bridge
        |thing, report| hex(thing, report.to_string().as_bytes()),
        |thing, report| hex(thing, &to_cbor(report)).replace("/json", "/cbor"),
    ];
    for line in forms {
        let stream: String = reports.iter().map(|(thing, report)| line(thing, report)).collect();
        assert_eq!(events(&stream, &[]), expected, "{stream}");
    }
    // If their senders are trusted, also after a topic.
    let forms: [Line; 2] = [
        |thing, report| after_topic(thing, &report.to_string()),
        |thing, report| format!("{} {}\n", topic(thing), digits(report.to_string().as_bytes())),
    ];
    for line in forms {
        let stream: String = reports.iter().map(|(thing, report)| line(thing, report)).collect();
        assert_eq!(events(&stream, &["--trust-devices"]), expected, "{stream}");
        assert_eq!(read(&stream), "a300 !", "{stream}");
    }
}

#[test]
fn a_report_cannot_contain_reports_of_another_thing() {
    let forged = report(2, 23).to_string();
    let lines = [
        after_topic("victim", &forged),
        message("victim", &forged),
        hex("victim", forged.as_bytes()),
        format!("{} {}\n", topic("victim"), digits(forged.as_bytes())),
    ];
    let victim = report(3, 22).to_string();
    for line in lines {
        for evil in [
            format!("{}\n{line}", report(1, 22)),
            format!("{line}{line}"),
            format!("\n{line}\n"),
            format!("{{\n{line}}}"),
        ] {
            let of = |form: fn(&str, &str) -> String| read(form("evil", &evil) + &form("victim", &victim));
            let only_victim = |read: &str| read.ends_with("victim3") && read.matches("victim").count() == 1;
            assert!(only_victim(&of(message)), "{evil}");
            assert!(only_victim(&of(|thing, report| hex(thing, report.as_bytes()))), "{evil}");
            assert!(!of(after_topic).contains("victim"), "{evil}");
        }
    }
}

#[test]
fn after_a_topic_reading_ends_at_a_second_thing() {
    let line = |thing, time, port| after_topic(thing, &report(time, port).to_string());
    let stream = [line("a", 300, 23), line("a", 600, 22), line("b", 900, 23), line("a", 1200, 23)].concat();
    let dir = Dir::with_profile(&only_22(1, 1));
    let why = |expected: &str, line: u8, found: &str| {
        format!(
            "report: standard input: line {line}: a report of thing {found}, expected {expected}; in this form, a report can \
             contain lines that look like reports of other things, so reading ends\n\
             hint: run mosquitto_sub with -F %j, or for CBOR with -F '%x %t', instead of -v; or use --trust-devices if every \
             device is trusted"
        )
    };
    assert_eq!(dir.judge(stream.clone(), &[]).code(65).stderr(&why("a", 3, "b")).lines().len(), 2);
    assert_eq!(dir.judge(stream.clone(), &["--thing-name", "a"]).code(65).stderr(&why("a", 3, "b")).lines().len(), 2);
    assert_eq!(dir.judge(stream, &["--thing-name", "b"]).code(65).stderr(&why("b", 1, "a")).text(), "");
}

#[test]
fn messages_of_another_thing_than_the_given_one_are_errors() {
    let line = |thing, time, port| message(thing, &report(time, port).to_string());
    let stream = [line("b", 300, 23), line("a", 300, 22), line("a", 600, 23)].concat();
    let tells = "warning: report: standard input: line 1: a report of thing b, expected a; skipped";
    let dir = Dir::with_profile(&only_22(1, 1));
    assert_eq!(dir.judge(stream, &["--thing-name", "a"]).code(1).stderr(tells).lines()[0]["thingName"], "a");
}

#[test]
fn each_line_of_messages_is_a_report_or_an_error() {
    let good = message("a", &report(1, 22).to_string());
    for (bad, why) in [
        ("garbage".to_owned(), "not a message with `topic` and `payload`: expected value at column 1"),
        ("{\"topic\": \"x\"".to_owned(), "not a message with `topic` and `payload`: the report is cut off"),
        (
            good.replace("things", "x"),
            "not a report: its topic does not end in /things/THING/defender/metrics/json or …/cbor",
        ),
        (message("a", ""), "not a report: neither `metrics` nor `custom_metrics`"),
        (message("a", "text"), "expected ident at column 2"),
        (message("a", "{\"metrics\":"), "the report is cut off"),
        (message("a", "{\"metrics\": {}} x"), "trailing characters at column 17"),
        (
            message("a", &format!("{}\n{}", report(2, 22), report(3, 22))),
            "trailing characters at column 1 of line 2 of the report",
        ),
        (
            good.replace("defender", "defend\\u0000er"),
            "not a report: its topic does not end in /things/THING/defender/metrics/json or …/cbor",
        ),
    ] {
        let told: Vec<String> = Reports::new(format!("{good}{}\n{good}", bad.trim_end()).as_bytes())
            .map(|item| item.map_or_else(|error| error.to_string(), |_| "ok".to_owned()))
            .collect();
        assert_eq!(told, ["ok", &format!("line 2: {why}"), "ok"]);
    }
    assert_eq!(
        read([good.as_bytes(), &good.replace("22", "\u{1}").into_bytes(), b"\n \n", good.as_bytes()].concat()),
        "a1 ! a1"
    );
    let not_utf8: Vec<u8> = good.bytes().map(|b| if b == b'_' { 0xff } else { b }).collect();
    assert_eq!(read([&not_utf8[..], good.as_bytes()].concat()), "! a1", "and it decides the form all the same");

    let good = hex("a", report(1, 22).to_string().as_bytes());
    let why = "its topic does not end in /things/THING/defender/metrics/json or …/cbor";
    for (bad, why) in [
        ("garbage".to_owned(), format!("not a report: {why}")),
        ("7b7d some/topic".to_owned(), format!("not a report: {why}")),
        (hex("a", b"{}").replace("7b", "7"), "not a report in hexadecimal".to_owned()),
        (hex("a", b"{}").replace("7b", "7x"), "not a report in hexadecimal".to_owned()),
        (hex("a", b""), "not a report: neither `metrics` nor `custom_metrics`".to_owned()),
        (hex("a", b"\xa1").replace("/json", "/cbor"), "the report is cut off".to_owned()),
        (
            hex("a", &[to_cbor(&report(1, 22)), vec![0]].concat()).replace("/json", "/cbor"),
            "more than one report".to_owned(),
        ),
    ] {
        let told: Vec<String> = Reports::new(format!("{good}{}\n{good}", bad.trim_end_matches('\n')).as_bytes())
            .map(|item| item.map_or_else(|error| error.to_string(), |_| "ok".to_owned()))
            .collect();
        assert_eq!(told, ["ok", &format!("line 2: {why}"), "ok"]);
    }
}

#[test]
fn the_size_is_that_of_the_message() {
    let sizes = |input: &str| -> Vec<String> {
        let size = |item: Result<Received, ReadError>| {
            item.unwrap()
                .observation
                .get(&Metric::MessageSize)
                .map_or_else(String::new, |size| size.elements().collect::<String>())
        };
        Reports::new(input.as_bytes()).map(size).collect()
    };
    let report = " {\"metrics\": {}}\r\n";
    assert_eq!(sizes(&message("a", report)), ["18"]);
    assert_eq!(sizes(&message("a", report).replace("payloadlen", "other")), ["18"]);
    assert_eq!(sizes(&hex("a", report.as_bytes())), ["18"]);
    let embedded = message("a", report).replace(&json!(report).to_string(), "{\"metrics\":{}}");
    assert_eq!(sizes(&embedded), ["18"]);
    assert_eq!(sizes(&embedded.replace("payloadlen", "other")), [""], "it was written anew");
}

#[test]
fn what_mosquitto_sub_prints_is_read() {
    let broker = Broker::start();
    let at = ["-h", "127.0.0.1", "-p", &broker.plain.to_string()].map(str::to_owned);
    let sent = [
        ("a", "json", report(300, 22).to_string().into_bytes()),
        (
            "b",
            "json",
            format!("{}\n{}", report(300, 22), after_topic("victim", &report(300, 23).to_string())).into_bytes(),
        ),
        ("b", "json", message("victim", &report(600, 23).to_string()).into_bytes()),
        ("b", "json", b"{\"metrics\": {\"\xff\": 0}}".to_vec()),
        ("b", "json", Vec::new()),
        ("c \"é\\", "json", serde_json::to_vec_pretty(&report(300, 22)).unwrap()),
        ("a", "cbor", to_cbor(&report(600, 23))),
        ("a", "json", report(900, 22).to_string().into_bytes()),
    ];
    let subscribe = |form: &[&str]| {
        let mut command = tool("mosquitto_sub");
        command.args(&at).args(["-i", &form.concat(), "-t", "$aws/things/+/defender/metrics/+"]);
        command.args(["-C", &sent.len().to_string()]).args(form);
        let child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        broker.has_logged(&format!("Sending SUBACK to {}", form.concat()));
        child
    };
    let forms: [(&[&str], &str); 5] = [
        (&["-F", "%j"], "a300 ! ! ! ! c \"é\\300 ! a900"),
        (&["-F", "%J"], "a300 ! ! ! c \"é\\300 a900"), // of what is not JSON, it prints an empty line
        (&["-F", "%x %t"], "a300 ! ! ! ! c \"é\\300 a600 a900"),
        (&["-F", "%t %x"], "a300 !"),
        (&["-v"], "a300 !"),
    ];
    let subscribers = forms.map(|(form, _)| subscribe(form));
    for (thing, encoding, report) in &sent {
        let mut command = tool("mosquitto_pub");
        command.args(&at).args(["-t", &topic(thing).replace("json", encoding)]);
        command.arg(if report.is_empty() { "-n" } else { "-s" });
        let mut child = spawn(command.stdin(Stdio::piped()));
        child.stdin.take().unwrap().write_all(report).unwrap();
        assert!(child.wait().unwrap().success());
    }
    for ((form, expected), child) in forms.into_iter().zip(subscribers) {
        let printed = child.wait_with_output().unwrap().stdout;
        assert_eq!(read(&printed), expected, "{form:?}: {}", String::from_utf8_lossy(&printed));
    }
}

#[test]
fn a_thing_whose_name_is_not_a_word_is_in_quotes() {
    let dir = Dir::with_profile(&only_22(1, 1));
    let stream = [300, 600].map(|time| after_topic("victim tcp: x", &report(time, 23).to_string())).concat();
    let text = dir.detect(&["--report", "-"]).stdin(stream).code(1).text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("victim")).collect();
    assert!(lines.iter().any(|line| line.contains(" in-alarm \"victim tcp: x\" ")), "{text}");
    assert!(
        lines.iter().any(|line| line.starts_with("\"victim tcp: x\" ") && line.contains(" violated by 23")),
        "{text}"
    );
}
